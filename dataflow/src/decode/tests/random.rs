//! Random lines against the reference: documents of all shapes, producers that keep to one shape, and mutated bytes; in
//! chunks, where templates apply, and one by one, where they do not.

use super::plans::{Of, lines, plan};
use super::reference::{Outcome, alike, maps_alike, outcome, types};
use crate::batch::{Chunk, phase};
use crate::decode::{Decoder, Messages};
use crate::rt::Decoded;
use rarog_lang::value::Value;

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
}

const KEYS: [&str; 12] = [
    "a",
    "b",
    "c",
    "some_longer_name",
    "a key of twenty bytes or more",
    "at",
    "ts",
    "timestamp",
    "@timestamp",
    "data",
    "type",
    "x\\u0061",
];
const TEXTS: [&str; 16] = [
    "",
    "s0473",
    "plain text of some length, over sixteen bytes",
    "é☃🙂",
    "a\\nb",
    "\\\"",
    "\\u00e9\\ud83d\\ude42",
    "5s",
    "-2m",
    "1500ms",
    "2026-01-01T00:00:00.000Z",
    "1970-01-01T00:00:00+00:00",
    "2024-01-15T10:00:59",
    "A",
    "\\ud800",
    "tab\there",
];
const NUMBERS: [&str; 20] = [
    "0",
    "0.0",
    "1",
    "-17",
    "62.85",
    "5.0",
    "1e3",
    "-1.5E-3",
    "1767225600000",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "123456789.123456789",
    "0.1",
    "12345678",
    "1234567.8",
    "01",
    "1.",
    "-",
];

impl Random {
    fn number(&mut self) -> String {
        match self.below(4) {
            0 => self.pick(&NUMBERS).to_string(),
            1 => (self.below(1 << 20) as i64 - 1000).to_string(),
            2 => (self.below(100_000) as f64 / 100.0).to_string(),
            _ => {
                let digits = 1 + self.below(20);
                let mut text: String = (0..digits).map(|_| char::from(b'1' + self.below(9) as u8)).collect();
                if self.one_in(2) {
                    text.insert(1 + self.below(text.len()), '.');
                    text.push('7');
                }
                text
            }
        }
    }

    fn value(&mut self, depth: usize) -> String {
        match self.below(if depth > 3 { 6 } else { 9 }) {
            0 => self.pick(&["true", "false", "null"]).to_string(),
            1 | 2 => self.number(),
            3..=5 => format!("\"{}\"", self.pick(&TEXTS)),
            6 | 7 => {
                let items: Vec<String> = (0..self.below(4)).map(|_| self.value(depth + 1)).collect();
                format!("[{}]", items.join(","))
            }
            _ => {
                let entries: Vec<String> = (0..self.below(5)).map(|_| self.entry(depth + 1)).collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }

    fn entry(&mut self, depth: usize) -> String {
        format!("\"{}\":{}", self.pick(&KEYS), self.value(depth))
    }

    fn inputs(&mut self) -> Vec<Of> {
        let types = types();
        let events = ["A", "B", "a_type_with_a_long_name", "U"];
        events
            .iter()
            .map(|event| {
                let names = ["a", "b", "c", "some_longer_name", "a key of twenty bytes or more", "at", "ts", "xa"];
                let declared: Vec<&str> = names.iter().filter(|_| !self.one_in(3)).copied().collect();
                let fields: Vec<_> =
                    declared.into_iter().map(|name| (name, types[self.below(types.len())].clone())).collect();
                let more = ["type", "data", "timestamp", "z", "event_type"];
                let columns: Vec<_> = names.iter().chain(&more).filter(|_| self.one_in(2)).copied().collect();
                let mut of =
                    if self.one_in(2) { Of::any(event, &columns) } else { Of::declared(event, &fields, &columns) };
                of.whole = self.one_in(2);
                of.read = *event != "U";
                of
            })
            .collect()
    }

    /// Keys with what stands around them, as one producer writes them.
    fn producer(&mut self) -> Vec<String> {
        let spaces = [["", ""], [" ", " "], ["", " "], ["\t", ""]][self.below(4)];
        let event = self.pick(&["A", "B", "a_type_with_a_long_name", "U", "V", "\\u0041"]);
        let mut keys = vec![format!("\"{}\":{}\"{event}\"", self.pick(&["type", "type", "event_type"]), spaces[0])];
        for _ in 0..self.below(8) {
            keys.insert(self.below(keys.len() + 1), format!("{}\"{}\":{}", spaces[1], self.pick(&KEYS), spaces[0]));
        }
        keys
    }

    /// A record of a producer. `kinds`: what its values usually are.
    fn record(&mut self, keys: &[String], kinds: &[usize], nested: bool) -> String {
        let mut entries = Vec::new();
        for (key, kind) in keys.iter().zip(kinds) {
            if self.one_in(30) {
                continue;
            }
            let kind = if self.one_in(20) { 9 } else { *kind };
            entries.push(match kind {
                _ if key.ends_with('"') => key.clone(),
                0..=2 => format!("{key}{}", self.number()),
                3..=5 => format!("{key}\"{}\"", self.pick(&TEXTS[..13])),
                6 => format!("{key}{}", self.pick(&["true", "false", "null"])),
                _ => format!("{key}{}", self.value(1)),
            });
        }
        if nested {
            let split = 1 + self.below(entries.len().max(1));
            let inside = entries.split_off(split.min(entries.len())).join(",");
            entries.insert(self.below(entries.len() + 1), format!("\"data\":{{{inside}}}"));
        }
        format!("{{{}}}", entries.join(","))
    }

    fn mutated(&mut self, line: &str) -> Vec<u8> {
        let mut bytes = line.as_bytes().to_vec();
        for _ in 0..1 + self.below(2) {
            let at = self.below(bytes.len() + 1);
            let any = b"{}[]\",:\\ue.-+019tfn \t\r\x01\x00\x7f\x80\xc3\xff"[self.below(28)];
            match self.below(3) {
                0 if at < bytes.len() => bytes[at] = any,
                1 if at < bytes.len() => _ = bytes.remove(at),
                _ => bytes.insert(at, any),
            }
        }
        bytes
    }

    fn chunk(&mut self) -> Vec<Vec<u8>> {
        let producers: Vec<_> = (0..1 + self.below(3))
            .map(|_| {
                let keys = self.producer();
                let kinds: Vec<usize> = keys.iter().map(|_| self.below(10)).collect();
                (keys, kinds, self.one_in(4))
            })
            .collect();
        (0..60)
            .map(|_| {
                let (keys, kinds, nested) = &producers[self.below(producers.len())];
                let line = if self.one_in(12) { self.value(0) } else { self.record(keys, kinds, *nested) };
                let line = if self.one_in(12) { format!(" {line} \r") } else { line };
                if self.one_in(6) { self.mutated(&line) } else { line.into_bytes() }
            })
            .collect()
    }
}

/// Outcomes of a chunk's lines, from what the decoder made of them.
fn outcomes(decoded: &Decoded, count: usize) -> Vec<Outcome> {
    let mut outcomes = vec![None; count];
    for dead in &decoded.dead {
        outcomes[dead.index as usize] = Some(Outcome::Dead(dead.reason));
    }
    let accepted: Vec<usize> = (0..count).filter(|index| outcomes[*index].is_none()).collect();
    assert_eq!(accepted.len() as u64, decoded.records);
    for index in &accepted {
        outcomes[*index] = Some(Outcome::Unread(None));
    }
    for (input, rows) in decoded.inputs.iter().enumerate() {
        let Some(rows) = rows else { continue };
        for row in 0..rows.len() {
            let index = accepted[(rows.pos[row] >> phase::BITS) as usize];
            let columns = rows.columns.iter().map(|column| column.get(row)).collect();
            let whole = match rows.whole.as_ref().map(|whole| whole.get(row)) {
                Some(Value::Map(map)) => (*map).clone(),
                _ => Default::default(),
            };
            outcomes[index] = Some(Outcome::Row(input, Some(rows.time[row]), columns, whole));
        }
    }
    outcomes.into_iter().flatten().collect()
}

/// Is this what the reference says? `arrival`: the time of records that tell none.
fn same(ours: &Outcome, reference: &Outcome, inputs: &[Of], arrival: i64) -> bool {
    match (ours, reference) {
        (Outcome::Row(a, time, columns, whole), Outcome::Row(b, told, expected, record)) => {
            let same_columns = columns.iter().zip(expected).all(|(a, b)| alike(a, b));
            let same_whole = !inputs[*a].whole || maps_alike(whole, record);
            a == b
                && *time == Some(told.unwrap_or(arrival))
                && columns.len() == expected.len()
                && same_columns
                && same_whole
        }
        (Outcome::Unread(_), Outcome::Unread(_)) => true,
        (a, b) => a == b,
    }
}

/// Checks a chunk as lines; gives how many records were read.
fn check_lines(decoder: &Decoder, inputs: &[Of], chunk: &[Vec<u8>]) -> u64 {
    let mut text = chunk.join(&b'\n');
    text.push(b'\n');
    let decoded = lines(decoder, &text);
    let mut last = 0;
    let mut clocks = Vec::new();
    for (ours, line) in outcomes(&decoded, chunk.len()).iter().zip(chunk) {
        let reference = outcome(line, inputs, None);
        let details =
            || inputs.iter().map(|of| (of.event, &of.declared, &of.columns, of.time_field)).collect::<Vec<_>>();
        let line = String::from_utf8_lossy(line);
        assert!(same(ours, &reference, inputs, last), "{line}\n{ours:?}\n{reference:?}\n{:?}", details());
        if let Outcome::Row(_, time, ..) | Outcome::Unread(time) = reference {
            last = time.unwrap_or(last);
            clocks.push(clocks.last().copied().unwrap_or(i64::MIN).max(last));
        }
    }
    assert_eq!(decoded.chunk.clocks, clocks);
    decoded.records
}

fn check_messages(decoder: &Decoder, inputs: &[Of], chunk: &[Vec<u8>]) {
    const TOPICS: [Option<&str>; 4] = [None, Some("A"), Some("B"), Some("V")];
    const ARRIVAL: i64 = i64::MAX - 1;
    let mut messages = Messages::default();
    for (index, line) in chunk.iter().enumerate() {
        messages.push(line, TOPICS[index / 5 % 4].map(Into::into));
    }
    let decoded = decoder.messages(Chunk { now: Some(ARRIVAL), ..Chunk::default() }, &messages);
    for (index, (ours, line)) in outcomes(&decoded, chunk.len()).iter().zip(chunk).enumerate() {
        let reference = outcome(line, inputs, TOPICS[index / 5 % 4]);
        assert!(same(ours, &reference, inputs, ARRIVAL), "{}\n{ours:?}\n{reference:?}", String::from_utf8_lossy(line));
    }
}

#[test]
fn lines_and_messages_are_what_the_reference_says() {
    let mut random = Random(1);
    let mut records = 0;
    for _ in 0..20 {
        let inputs = random.inputs();
        let decoder = Decoder::new(&plan(&inputs));
        for _ in 0..12 {
            let chunk: Vec<Vec<u8>> = random.chunk().into_iter().filter(|line| is_comparable(line)).collect();
            records += check_lines(&decoder, &inputs, &chunk);
            check_messages(&decoder, &inputs, &chunk);
            for line in chunk.iter().take(5) {
                check_lines(&Decoder::new(&plan(&inputs)), &inputs, std::slice::from_ref(line));
            }
        }
    }
    assert!(records > 4_000, "too little of it is valid: {records}");
}

/// Blank lines are none; serde_json takes `-0` for a float and refuses numbers beyond all floats.
fn is_comparable(line: &[u8]) -> bool {
    let blank = line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
    let beyond = serde_json::from_slice::<serde_json::Value>(line)
        .is_err_and(|error| error.to_string().contains("out of range"));
    !blank && !beyond && !line.windows(2).any(|two| two == b"-0")
}
