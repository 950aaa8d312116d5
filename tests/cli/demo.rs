//! `demo`: it runs by itself, shows alerts and ends with a summary.

use crate::rarog;

#[test]
fn the_demonstration_shows_alerts_and_ends() {
    let finished = rarog(&["demo", "--seconds", "5", "--rate", "500"]).exits(0);
    assert!(finished.stdout.lines().any(|line| line.contains("ALERT s")), "{}\n{}", finished.stdout, finished.stderr);
    let summary = finished.stderr.lines().last().expect("a summary");
    let numbers: Vec<f64> =
        summary.split(|c: char| !(c.is_ascii_digit() || c == '.')).filter_map(|n| n.parse().ok()).collect();
    // in 5.3 s: 2500 readings in (471/s), 1234 above 50 degrees out, 12 alerts
    let [_, readings, _, outputs, above, alerts] = numbers[..] else { panic!("{summary}") };
    assert!(readings > 1000.0 && above == 50.0 && outputs > 300.0 && outputs < readings, "{summary}");
    assert_eq!(alerts as usize, finished.stdout.lines().count(), "{summary}");
}
