//! Random records: JSON lines of two types, with keys that are equal and look different, and times that run behind.

use proptest::prelude::*;

/// JSON lines without line breaks.
pub type Lines = Vec<String>;

fn line(event: &str, seconds: i64, key: usize, value: i64, text: usize) -> String {
    let key = ["\"a\"", "\"b\"", "1", "1.0", "null", "\"c\""][key];
    let text = ["\"x\"", "\"y\"", "\"z\"", "null"][text];
    // Every third value is a float, every seventh is missing.
    let value = match value {
        v if v % 7 == 0 => String::new(),
        v if v % 3 == 0 => format!(",\"v\":{v}.5"),
        v => format!(",\"v\":{v}"),
    };
    format!("{{\"type\":\"{event}\",\"ts\":{},\"k\":{key}{value},\"s\":{text}}}", (100 + seconds) * 1000)
}

/// Up to 150 records, about one per half second.
pub fn lines() -> impl Strategy<Value = Lines> {
    let record = (0..4_u8, -5..3_i64, 0..6_usize, 0..20_i64, 0..4_usize);
    proptest::collection::vec(record, 1..150).prop_map(|records| {
        let of = |(index, (event, shift, key, value, text)): (usize, (u8, i64, usize, i64, usize))| {
            line(if event == 0 { "B" } else { "A" }, index as i64 / 2 + shift, key, value, text)
        };
        records.into_iter().enumerate().map(of).collect()
    })
}

/// Records that are always the same.
pub fn fixed(count: usize) -> Lines {
    (0..count).map(|index| line("A", index as i64 / 2, index % 6, index as i64 % 20, index % 4)).collect()
}
