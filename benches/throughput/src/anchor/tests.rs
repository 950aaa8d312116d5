//! Every anchor against a model that follows the text of its workload record by record, on small dense inputs: few keys,
//! gaps that are sometimes longer than windows, records of one time.

use super::run_on;
use crate::rows::Rows;
use crate::workloads::{WORKLOADS, named};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// splitmix64, by Steele and Vigna.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// An event of any set: what a set calls its key, its number in hundredths, and its count.
#[derive(Clone, Debug)]
struct Event {
    ty: &'static str,
    ts: i64,
    key: String,
    cents: i64,
    count: i64,
    seq: i64,
}

const EVENTS: u64 = 2000;

fn events(set: &str, random: &mut Random) -> Vec<Event> {
    let mut ts = 1_767_225_600_000 + random.below(20_000) as i64;
    let (keys, longest_gap) = match set {
        "orders" => (40, 1500),
        "auth" => (4, 40_000),
        _ => (1 + random.below(30), 3000),
    };
    let mut walk = 100_000;
    let event = |seq: u64| {
        // Some come at once, most soon, a few after a long time.
        ts += match random.below(10) {
            0 => 0,
            1 => random.below(40 * longest_gap) as i64 / 2,
            _ => random.below(longest_gap) as i64 / 2,
        };
        let key = random.below(keys);
        let types: &[&'static str] = match set {
            "sensors" => &["SensorReading"],
            "ticks" => &["StockTick"],
            "clicks" => &["Click"],
            "auth" => &["Login", "Login", "Transfer", "Transfer", "PwChange", "Logout"],
            _ => &["Order", "Payment"],
        };
        let ty = types[random.below(types.len() as u64) as usize];
        walk += random.below(22) as i64 - 10;
        let cents =
            if set == "ticks" { walk } else { random.below(10_001) as i64 * if set == "auth" { 100 } else { 1 } };
        let key = match set {
            "sensors" => format!("s{key:04}"),
            "ticks" => format!("Q{key:02}"),
            "orders" => format!("o{key:07}"),
            _ => format!("u{key:05}"),
        };
        Event { ty, ts, key, cents, count: random.below(1000) as i64, seq: seq as i64 }
    };
    (0..EVENTS).map(event).collect()
}

fn text(set: &str, events: &[Event]) -> String {
    let mut text = String::new();
    for Event { ty, ts, key, cents, count, seq } in events {
        let number = *cents as f64 / 100.0;
        let fields = match (set, *ty) {
            ("sensors", _) => format!(r#""sensor_id":"{key}","temperature":{number:?},"seq":{seq}"#),
            ("ticks", _) => format!(r#""symbol":"{key}","price":{number:?},"volume":{count}"#),
            ("clicks", _) => format!(r#""user_id":"{key}","value":{count},"seq":{seq}"#),
            (_, "Login") => format!(r#""user_id":"{key}","ip":"10.0.0.1","seq":{seq}"#),
            (_, "Transfer") => format!(r#""user_id":"{key}","amount":{number:?},"seq":{seq}"#),
            (_, "Order") => format!(r#""order_id":"{key}","sku":"k001","price":{number:?}"#),
            (_, "Payment") => format!(r#""order_id":"{key}","amount":{number:?}"#),
            _ => format!(r#""user_id":"{key}","seq":{seq}"#),
        };
        writeln!(text, r#"{{"type":"{ty}","@timestamp":"2026-01-01T00:00:00.000Z","ts":{ts},{fields}}}"#)
            .expect("a string takes it");
    }
    text
}

fn by_key(events: &[Event]) -> BTreeMap<&str, Vec<&Event>> {
    let mut keys: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    events.iter().for_each(|event| keys.entry(&event.key).or_default().push(event));
    keys
}

/// Contents of the windows `[start, start + size)` with `start` a multiple of `slide`, by start.
fn windows<'a>(events: &[&'a Event], size: i64, slide: i64) -> BTreeMap<i64, Vec<&'a Event>> {
    let mut windows: BTreeMap<i64, Vec<&Event>> = BTreeMap::new();
    for event in events {
        let last = event.ts / slide * slide;
        let starts = (0..).map(|back| last - back * slide).take_while(|start| start + size > event.ts);
        starts.for_each(|start| windows.entry(start).or_default().push(event));
    }
    windows
}

fn cents(events: &[&Event]) -> i64 {
    events.iter().map(|event| event.cents).sum()
}

fn model(workload: &str, events: &[Event]) -> Vec<String> {
    let all: Vec<&Event> = events.iter().collect();
    match workload {
        "w1" => all.iter().filter(|event| event.cents > 5000).map(|event| event.seq.to_string()).collect(),
        "w2" => {
            let hot = all.iter().filter(|event| event.cents > 9000);
            // 1.8 times hundredths are thousandths times 18.
            hot.map(|event| format!("{},{},{}", event.seq, event.key, event.cents * 18 + 32_000)).collect()
        }
        "w3" => means(events, 10_000),
        "w4" => means(events, 30_000),
        "w5" => vwap(events),
        "w6" => sessions(events),
        "w7" => transfers(&all),
        "w8" | "w8p" | "w8n" => takeovers(&all),
        "w9" => rallies(events),
        "w10" => paid(&all),
        "w11" => {
            let hot: Vec<&Event> = all.into_iter().filter(|event| event.cents > 5000).collect();
            let distinct = |events: &[&Event]| events.iter().map(|event| &event.key).collect::<BTreeSet<_>>().len();
            windows(&hot, 1000, 1000).iter().map(|(start, events)| format!("{start},{}", distinct(events))).collect()
        }
        "w11k" => top(&all),
        _ => queries(&all),
    }
}

fn means(events: &[Event], size: i64) -> Vec<String> {
    let mut rows = Vec::new();
    for (key, events) in by_key(events) {
        let row = |(start, events): (&i64, &Vec<&Event>)| format!("{key},{start},{},{}", events.len(), cents(events));
        rows.extend(windows(&events, size, 10_000).iter().map(row));
    }
    rows
}

fn vwap(events: &[Event]) -> Vec<String> {
    let row = |(key, events): (&str, &[&Event])| {
        let turnover: i64 = events.iter().map(|event| event.cents * event.count).sum();
        let volume: i64 = events.iter().map(|event| event.count).sum();
        format!("{key},{},{volume},{turnover}", events[99].ts)
    };
    let keys = by_key(events);
    keys.iter().flat_map(|(key, events)| events.chunks_exact(100).map(|events| row((key, events)))).collect()
}

fn sessions(events: &[Event]) -> Vec<String> {
    let mut rows = Vec::new();
    for (key, events) in by_key(events) {
        for session in events.chunk_by(|a, b| b.ts - a.ts <= 10_000) {
            let most = session.iter().map(|event| event.count).max().unwrap_or_default();
            rows.push(format!("{key},{},{},{},{most}", session[0].ts, session[session.len() - 1].ts, session.len()));
        }
    }
    rows
}

/// The first event after `from` of its user that `wanted` takes.
fn next<'a>(events: &[&'a Event], from: &Event, wanted: impl Fn(&Event) -> bool) -> Option<&'a Event> {
    let later = events[from.seq as usize + 1..].iter().copied();
    later.filter(|event| event.key == from.key).find(|event| wanted(event))
}

fn transfers(events: &[&Event]) -> Vec<String> {
    let row = |login: &&Event| {
        let big = next(events, login, |event| event.ty == "Transfer" && event.cents > 900_000)?;
        (big.ts - login.ts <= 300_000).then(|| format!("{},{},{}", login.key, login.seq, big.seq))
    };
    events.iter().filter(|event| event.ty == "Login").filter_map(row).collect()
}

fn takeovers(events: &[&Event]) -> Vec<String> {
    let row = |login: &&Event| {
        let change = next(events, login, |event| matches!(event.ty, "PwChange" | "Logout"))?;
        let ends = |event: &Event| event.ty == "Logout" || event.ty == "Transfer" && event.cents > 500_000;
        let big = next(events, change, ends)?;
        let holds = change.ty == "PwChange" && big.ty == "Transfer" && big.ts - login.ts <= 300_000;
        holds.then(|| format!("{},{},{}", login.seq, change.seq, big.seq))
    };
    events.iter().filter(|event| event.ty == "Login").filter_map(row).collect()
}

fn rallies(events: &[Event]) -> Vec<String> {
    let mut rows = Vec::new();
    for (key, ticks) in by_key(events) {
        let mut ends = BTreeSet::new();
        for start in 0..ticks.len() {
            let rises = ticks[start..].windows(2).take_while(|pair| pair[1].cents > pair[0].cents).count();
            let top = ticks[start + rises];
            let Some(fall) = ticks.get(start + rises + 1) else { continue };
            let ended = fall.cents < top.cents && fall.ts - ticks[start].ts <= 60_000;
            // Of those with one end the longest comes first.
            if ended && rises >= 3 && ends.insert(start + rises) {
                rows.push(format!("{key},{},{},{rises}", ticks[start].ts, top.ts));
            }
        }
    }
    rows
}

fn paid(events: &[&Event]) -> Vec<String> {
    let mut rows = Vec::new();
    for order in events.iter().filter(|event| event.ty == "Order") {
        let payments = events.iter().filter(|event| event.ty == "Payment" && event.key == order.key);
        let near = payments.filter(|payment| (payment.ts - order.ts).abs() <= 10_000);
        rows.extend(near.map(|payment| format!("{},{},{}", order.key, order.ts, payment.ts)));
    }
    rows
}

fn top(events: &[&Event]) -> Vec<String> {
    let mut rows = Vec::new();
    for (start, events) in windows(events, 10_000, 10_000) {
        let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
        events.iter().for_each(|event| *sums.entry(&event.key).or_default() += event.cents);
        let mut sums: Vec<(i64, &str)> = sums.into_iter().map(|(key, sum)| (-sum, key)).collect();
        sums.sort_unstable();
        let row = |(rank, (sum, key)): (usize, &(i64, &str))| format!("{start},{},{key},{}", rank + 1, -sum);
        rows.extend(sums.iter().take(10).enumerate().map(row));
    }
    rows
}

fn queries(events: &[&Event]) -> Vec<String> {
    let mut rows = Vec::new();
    for query in 0..50 {
        let hot = events.iter().filter(|event| event.cents as f64 / 100.0 > 95.0 + 0.05 * query as f64);
        rows.extend(hot.map(|event| format!("F{query},{}", event.seq)));
        let warm: Vec<&Event> = events.iter().copied().filter(|event| event.cents > 100 * query).collect();
        let windows = windows(&warm, 10_000, 10_000);
        rows.extend(windows.iter().map(|(at, events)| format!("W{query},{at},{},{}", events.len(), cents(events))));
    }
    rows
}

#[test]
fn anchors_give_the_rows_of_their_models() {
    for workload in WORKLOADS {
        let mut found = 0;
        for seed in 0..5 {
            let events = events(workload.set, &mut Random(seed));
            let input = text(workload.set, &events);
            let mut expected = Rows::default();
            model(workload.name, &events).iter().for_each(|row| expected.add(row));
            let rows = run_on(workload, input.as_bytes(), false).expect("an anchor takes its set");
            assert_eq!(rows, expected, "{} with seed {seed}", workload.name);
            let counted = run_on(workload, input.as_bytes(), true).expect("an anchor takes its set");
            assert_eq!(counted.count, expected.count);
            found += rows.count;
        }
        assert!(found > 20, "{}: {found} rows say little", workload.name);
    }
}

#[test]
fn what_an_anchor_cannot_take_is_an_error() {
    let hot = named("w1").expect("a workload");
    assert!(run_on(hot, &b"{}\n"[..], false).is_err());
    assert!(run_on(hot, &br#"{"type":"SensorReading""#[..], false).is_err());
}
