//! Random `.evt` lines. An event is made as a value and written in one of the ways that the format has; what it is read as must be
//! that value. Lines with mutated bytes are an event, refused or nothing, and what becomes JSON is valid.

use crate::decode::evt::translate;
use serde_json::{Map, Value, json};

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize * end) >> 31
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    fn blank(&mut self) -> &'static str {
        self.pick(&["", "", " ", "  ", "\t"])
    }
}

/// Words that are what they say in JSON, and texts that stand without quotes.
const PLAIN: [(&str, &str); 14] = [
    ("true", "true"),
    ("false", "false"),
    ("null", "null"),
    ("nil", "null"),
    ("0", "0"),
    ("-17", "-17"),
    ("+5", "5"),
    ("007", "7"),
    ("2.50", "2.5"),
    ("-1e3", "-1000.0"),
    ("dry and warm", r#""dry and warm""#),
    ("1.2.3", r#""1.2.3""#),
    ("f(1, 2)", r#""f(1, 2)""#),
    ("{p: 1, q: [2]}", r#""{p: 1, q: [2]}""#),
];

/// A value, and how it is written.
fn value(random: &mut Random, depth: usize) -> (Value, String) {
    match random.below(if depth < 4 { 4 } else { 3 }) {
        0 => {
            let (written, json) = PLAIN[random.below(PLAIN.len())];
            (serde_json::from_str(json).expect("the table has JSON"), written.to_string())
        }
        1 => {
            let number = random.below(1 << 30) as i64 - (1 << 29);
            (json!(number), number.to_string())
        }
        2 => quoted(random),
        _ => {
            let items: Vec<(Value, String)> = (0..random.below(4)).map(|_| value(random, depth + 1)).collect();
            let mut text = format!("[{}", random.blank());
            for (index, (_, written)) in items.iter().enumerate() {
                let comma = if index > 0 { "," } else { "" };
                text += &format!("{comma}{}{written}{}", random.blank(), random.blank());
            }
            (Value::Array(items.into_iter().map(|(value, _)| value).collect()), text + "]")
        }
    }
}

/// A text of characters that mean something outside of quotes.
fn quoted(random: &mut Random) -> (Value, String) {
    let quote = random.pick(&["\"", "'"]);
    let (mut text, mut written) = (String::new(), quote.to_string());
    for _ in 0..random.below(8) {
        let part = random.pick(&["a", " ", ",", "}", "]", ")", "{", ":", "é", "\n", "\t", "\\", "\"", "'", "#", ";"]);
        text += part;
        match part {
            "\n" => written += "\\n",
            "\t" => written += "\\t",
            part if part == quote || part == "\\" => written += &format!("\\{part}"),
            part => written += part,
        }
    }
    (Value::String(text), written + quote)
}

/// An event as the JSON that it stands for, and its line.
fn event(random: &mut Random) -> (Value, String) {
    let name = random.pick(&["A", "SensorReading", "_x1"]);
    let named = random.one_in(2);
    let (open, close) = if named { ("{", "}") } else { ("(", ")") };
    let mut fields = Map::new();
    let mut line = format!("{}{name}{}{open}", random.blank(), random.blank());
    let count = random.below(5);
    for index in 0..count {
        let (value, written) = value(random, 0);
        let (before, between, after) = (random.blank(), random.blank(), random.blank());
        if named {
            let (key, spelled) = match random.below(4) {
                0 => ("a b", "\"a b\""),
                1 => ("it", "'it'"),
                _ => ("k", "k"),
            };
            fields.insert(key.into(), value);
            line += &format!("{before}{spelled}{between}:{after}{written}{before}");
        } else {
            fields.insert(format!("field_{index}"), value);
            line += &format!("{before}{written}{between}");
        }
        if index + 1 < count || random.one_in(4) {
            line += ",";
        }
    }
    // A missing last bracket and a semicolon are tolerated.
    if !random.one_in(6) {
        line += close;
    }
    line += random.blank();
    line += random.pick(&["", "", ";"]);
    (json!({ "event_type": name, "data": fields }), line)
}

#[test]
fn events_are_read_as_what_they_were_written_for() {
    let mut random = Random(11);
    for round in 0..20_000 {
        let (wanted, line) = event(&mut random);
        let to = translate(&line, 0, |_| false);
        assert_eq!((to.lines.len(), to.refused.len()), (1, 0), "round {round}: {line}");
        let read: Value = serde_json::from_str(&to.text).unwrap_or_else(|error| panic!("{line}: {error}: {}", to.text));
        assert_eq!(read, wanted, "round {round}: {line}");
    }
}

#[test]
fn mutated_lines_are_an_event_refused_or_nothing() {
    let mut random = Random(12);
    for _ in 0..20_000 {
        let mut line: Vec<char> = event(&mut random).1.chars().collect();
        for _ in 0..=random.below(3) {
            let at = random.below(line.len() + 1);
            let other =
                random.pick(&["{", "}", "(", ")", "[", "]", ",", ":", "\"", "'", "\\", "@", "#", " ", "é", "1"]);
            match random.below(3) {
                0 if at < line.len() => drop(line.remove(at)),
                1 if at < line.len() => line[at] = other.chars().next().expect("a character"),
                _ => line.insert(at, other.chars().next().expect("a character")),
            }
        }
        let line: String = line.into_iter().collect();
        let to = translate(&line, 0, |_| false);
        let trimmed = line.trim();
        let nothing = trimmed.is_empty() || trimmed.starts_with('#');
        assert_eq!(to.lines.len() + to.refused.len(), usize::from(!nothing), "{line}");
        assert_eq!(to.text.matches('\n').count(), to.lines.len(), "{line}");
        if !to.lines.is_empty() && !trimmed.starts_with('{') && !trimmed.starts_with('@') {
            serde_json::from_str::<Value>(&to.text).unwrap_or_else(|error| panic!("{line}: {error}: {}", to.text));
        }
    }
}
