//! Sums of readings per key and second of event time: the program, what goes in, and what has to come out.

use crate::Seen;
use std::collections::BTreeMap;

/// Keys of readings.
const KEYS: u64 = 5;
/// Readings of a window.
const PER_WINDOW: u64 = 1000;

/// The program; no source ever counts as idle.
pub fn program(connector: &str, topic_in: &str, topic_out: &str) -> String {
    format!(
        r#"event Reading:
    k: str
    v: int
    ts: timestamp
stream Sums = Reading
    .from({connector}, topic: "{topic_in}", timestamp: "ts")
    .watermark(idle: 10h)
    .partition_by(k)
    .window(1s)
    .aggregate(k: k, n: count(), total: sum(v), end: window_end)
    .to({connector}, topic: "{topic_out}")
"#
    )
}

/// Reading number `seq`.
pub fn reading(seq: u64) -> Vec<u8> {
    let ms = 1_700_000_000_000 + seq * 1000 / PER_WINDOW;
    format!(r#"{{"event_type":"Reading","k":"k{}","v":{seq},"ts":{ms}}}"#, seq % KEYS).into_bytes()
}

/// Number and sum, by window and key.
pub type Windows = BTreeMap<(u64, String), (u64, u64)>;

/// What the windows of readings `0..count` give: by end and key, number and sum.
pub fn expected(count: u64) -> Windows {
    let mut windows = Windows::new();
    for seq in 0..count {
        let window = windows.entry((seq / PER_WINDOW, format!("k{}", seq % KEYS))).or_default();
        *window = (window.0 + 1, window.1 + seq);
    }
    windows
}

/// The windows that an observer has seen, and how many of them again; panics unless a repeat has the content and the id of the first.
pub fn windows(seen: &[Seen]) -> (Windows, usize) {
    let (mut windows, mut ids, mut repeats) = (BTreeMap::new(), BTreeMap::new(), 0);
    for seen in seen {
        let json = seen.json();
        let number = |name: &str| json[name].as_u64().unwrap_or_else(|| panic!("{name} in {json}"));
        let end = json["end"].as_str().unwrap_or_else(|| panic!("an end in {json}")).to_string();
        let key = json["k"].as_str().expect("a key").to_string();
        let id = seen.id.clone().expect("outputs have ids");
        let content = (number("n"), number("total"));
        match windows.insert((end.clone(), key.clone()), content) {
            None => _ = ids.insert((end, key), id),
            Some(first) => {
                repeats += 1;
                assert_eq!((first, ids.get(&(end, key))), (content, Some(&id)), "{json}");
            }
        }
    }
    // Ends are texts of one form: their order is that of the seconds.
    let ends: Vec<String> = windows.keys().map(|(end, _)| end.clone()).collect();
    let mut seconds: Vec<&String> = ends.iter().collect();
    seconds.dedup();
    let number = |end: &String| seconds.iter().position(|other| *other == end).expect("it is one of them") as u64;
    (windows.iter().map(|((end, key), content)| ((number(end), key.clone()), *content)).collect(), repeats)
}
