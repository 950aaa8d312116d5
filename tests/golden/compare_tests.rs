//! The comparison tells apart what it has to: a judge that agrees with everything would pass every case.

use crate::compare::{Outputs, dead, errors};
use crate::runner::Trial;

/// One line of output.
fn line(event: &str, second: u32, data: &str) -> String {
    format!(r#"{{"event_type":"{event}","timestamp":"1970-01-01T00:00:{second:02}Z","data":{data}}}"#)
}

fn agree(got: &[String], wanted: &[String]) -> bool {
    let parse = |lines: &[String]| Outputs::parse(&lines.join("\n")).expect("lines of outputs");
    parse(got).compare(&parse(wanted)).is_ok()
}

fn trial(name: &str, holds: fn() -> bool) -> Trial {
    Trial::new(format!("compare/{name}"), move || if holds() { Ok(()) } else { Err("does not hold".into()) })
}

/// Tests of the judge.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("numbers", || {
            let same = |a: &str, b: &str| agree(&[line("S", 1, a)], &[line("S", 1, b)]);
            same(r#"{"v":1}"#, r#"{"v":1}"#)
                && same(r#"{"v":1.0}"#, r#"{"v":1.0000000001}"#)
                && same(r#"{"v":1e12}"#, r#"{"v":1000000000001.0}"#) // 1e-12 apart, relatively
                && !same(r#"{"v":1}"#, r#"{"v":1.0}"#)
                && !same(r#"{"v":1.0}"#, r#"{"v":1.00000001}"#)
                && !same(r#"{"v":[1]}"#, r#"{"v":[1.0]}"#)
        }),
        trial("keys", || {
            let same = |a: &str, b: &str| agree(&[line("S", 1, a)], &[line("S", 1, b)]);
            same(r#"{"a":1,"b":{"c":1,"d":2}}"#, r#"{"b":{"d":2,"c":1},"a":1}"#)
                && !same(r#"{"a":1}"#, r#"{"a":1,"b":null}"#)
                && !same(r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#)
                && Outputs::parse(&line("S", 1, r#"{"a":1,"a":1}"#)).is_err()
                && Outputs::parse(&line("S", 1, r#"{"m":{"a":1,"a":1}}"#)).is_err()
        }),
        trial("order", || {
            let (a, b) = (line("S", 1, r#"{"v":1}"#), line("S", 1, r#"{"v":2}"#));
            let (c, t) = (line("S", 2, r#"{"v":3}"#), line("T", 1, "{}"));
            let swap = |x: &[&String], y: &[&String]| {
                agree(
                    &x.iter().map(|s| s.to_string()).collect::<Vec<_>>(),
                    &y.iter().map(|s| s.to_string()).collect::<Vec<_>>(),
                )
            };
            swap(&[&a, &b, &c, &t], &[&t, &b, &a, &c]) // one time in any order, types apart
                && !swap(&[&a, &c], &[&c, &a]) // times in order
                && !swap(&[&a, &c, &b], &[&a, &b, &c]) // only neighbours are exchanged
                && !swap(&[&a, &a, &b], &[&a, &b, &b]) // a multiset
                && !swap(&[&a], &[&a, &a])
                && !swap(&[&a, &b, &c, &c], &[&a, &b, &c])
                && !swap(&[&a], &[&a, &t])
        }),
        trial("form", || {
            let good = line("S", 1, "{}");
            let more = good.replace(r#""data""#, r#""extra":1,"data""#);
            Outputs::parse(&good).is_ok()
                && Outputs::parse(&more).is_err()
                && Outputs::parse("talk on stdout").is_err()
                && Outputs::parse(&line("S", 1, "[]")).is_err()
        }),
        trial("dead-letters", || {
            let got = dead("{\"reason\":\"late\",\"raw\":\"x\"}\n{\"reason\":\"late\"}", false);
            got.is_ok() && got == dead(r#"{"reason":"late","count":2}"#, true) && dead(r#"{"count":2}"#, false).is_err()
        }),
        trial("errors", || {
            let of = |text: &str| errors(text).expect("diagnostics");
            let twice = "{\"code\":\"E0206\",\"line\":2}\n{\"code\":\"E0206\",\"line\":2}";
            of(twice) != of(r#"{"code":"E0206","line":2}"#)
                && of(r#"{"code":"W0201","line":2,"severity":"warning"}"#).is_empty()
        }),
    ]
}
