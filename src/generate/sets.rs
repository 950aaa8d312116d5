//! The sets of the benchmarks: one flat object per line, one line per millisecond from 2026-01-01 on (orders: one order every
//! second one, and its payment).
//!
//! Whole columns are drawn one behind the other, so a small set is no prefix of a big one and a set depends on its number
//! of lines. Keys that recur after exactly the span of a workload's window are moved aside ("untied"), so that programs which
//! disagree about `<` and `<=` still agree on the rows.

use super::pcg::Pcg64;
use clap::ValueEnum;
use std::io::{Result, Write};

/// Event time of line 0, epoch ms: 2026-01-01T00:00:00Z.
const START_MS: u64 = 1_767_225_600_000;

/// Which set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Set {
    /// Readings without end if need be, a few keys; takes --keys and --rate
    Readings,
    /// SensorReading: 1000 sensors, temperatures from 0 to 100
    Sensors,
    /// StockTick: 100 symbols, prices that walk, volumes
    Ticks,
    /// Login, Transfer, PwChange and Logout of 20000 users
    Auth,
    /// Click: 5000 users, values
    Clicks,
    /// Order, and a Payment of each some seconds later
    Orders,
}

/// Lines of one set, in order.
pub struct Lines {
    columns: Columns,
    prices: Vec<i64>,
    count: usize,
}

enum Columns {
    Sensors { sensor: Vec<u32>, hundredths: Vec<u32> },
    Ticks { symbol: Vec<u32>, step: Vec<u32>, volume: Vec<u32> },
    Auth { user: Vec<u32>, kind: Vec<u32>, amount: Vec<u32> },
    Clicks { user: Vec<u32>, value: Vec<u32> },
    Orders { entries: Vec<Entry>, cents: Vec<u32> },
}

/// A line of the set orders; sorts as the lines do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// Milliseconds after the start.
    at: u64,
    /// A payment; an order otherwise.
    paid: bool,
    order: u32,
}

impl Lines {
    /// Draws the columns of a set; `None` for the one that has none. Of an odd number of orders and payments the last is left out.
    pub fn draw(set: Set, count: usize, seed: Option<u64>) -> Option<Lines> {
        let pcg = |default| Pcg64::new(seed.unwrap_or(default));
        let columns = match set {
            Set::Readings => return None,
            Set::Sensors => {
                let mut pcg = pcg(1);
                Columns::Sensors { sensor: pcg.column(count, 1000), hundredths: pcg.column(count, 10_000) }
            }
            Set::Ticks => {
                let mut pcg = pcg(2);
                let (symbol, step) = (pcg.column(count, 100), pcg.column(count, 21));
                Columns::Ticks { symbol, step, volume: pcg.column(count, 999) }
            }
            Set::Auth => {
                let mut pcg = pcg(3);
                let user = untied(pcg.column(count, 20_000), 300_000, 20_000);
                let kind = pcg.column(count, 10);
                Columns::Auth { user, kind, amount: pcg.column(count, 1_000_000) }
            }
            Set::Clicks => {
                let mut pcg = pcg(4);
                let user = untied(pcg.column(count, 5000), 10_000, 5000);
                Columns::Clicks { user, value: pcg.column(count, 1000) }
            }
            Set::Orders => orders(pcg(5), count),
        };
        let count = if set == Set::Orders { count / 2 * 2 } else { count };
        Some(Lines { columns, prices: vec![100_000; 100], count })
    }

    /// Writes all lines.
    pub fn write(&mut self, out: &mut impl Write) -> Result<()> {
        (0..self.count).try_for_each(|line| self.write_line(line, out))
    }

    fn write_line(&mut self, line: usize, out: &mut impl Write) -> Result<()> {
        let passed = line as u64;
        match &self.columns {
            Columns::Sensors { sensor, hundredths } => {
                head(out, "SensorReading", passed)?;
                let temperature = f64::from(hundredths[line]) / 100.0;
                writeln!(out, r#""sensor_id":"s{:04}","temperature":{temperature:?},"seq":{line}}}"#, sensor[line])
            }
            Columns::Ticks { symbol, step, volume } => {
                head(out, "StockTick", passed)?;
                let key = symbol[line];
                let step = i64::from(step[line]) - 10;
                let cents = &mut self.prices[key as usize];
                *cents += if step == 0 { 1 } else { step };
                let price = *cents as f64 / 100.0;
                writeln!(out, r#""symbol":"Q{key:02}","price":{price:?},"volume":{}}}"#, volume[line] + 1)
            }
            Columns::Auth { user, kind, amount } => {
                let (user, amount) = (user[line], amount[line]);
                let event = match kind[line] {
                    0..3 => "Login",
                    3..7 => "Transfer",
                    7 => "PwChange",
                    _ => "Logout",
                };
                head(out, event, passed)?;
                write!(out, r#""user_id":"u{user:05}","#)?;
                match event {
                    "Login" => write!(out, r#""ip":"10.0.{}.{}","#, amount % 256, amount % 251)?,
                    "Transfer" => write!(out, r#""amount":{:?},"#, f64::from(amount) / 100.0)?,
                    _ => {}
                }
                writeln!(out, r#""seq":{line}}}"#)
            }
            Columns::Clicks { user, value } => {
                head(out, "Click", passed)?;
                writeln!(out, r#""user_id":"u{:04}","value":{},"seq":{line}}}"#, user[line], value[line])
            }
            Columns::Orders { entries, cents } => {
                let Entry { at, paid, order } = entries[line];
                head(out, if paid { "Payment" } else { "Order" }, at)?;
                write!(out, r#""order_id":"o{order:07}","#)?;
                let price = f64::from(cents[order as usize]) / 100.0;
                if paid {
                    writeln!(out, r#""amount":{price:?}}}"#)
                } else {
                    writeln!(out, r#""sku":"k{:03}","price":{price:?}}}"#, order % 997)
                }
            }
        }
    }
}

/// Half of the lines are orders, one every second millisecond; each is paid at an odd one, after a delay that is distributed
/// exponentially. (numpy draws such numbers in another way, so this set has the law of its set, not its numbers.)
fn orders(mut pcg: Pcg64, count: usize) -> Columns {
    const MEAN_MS: f64 = 8000.0;
    const LONGEST_MS: u64 = 60_000;
    let orders = count / 2;
    let delays: Vec<u64> =
        (0..orders).map(|_| ((-MEAN_MS * (1.0 - pcg.unit()).ln()) as u64).min(LONGEST_MS) | 1).collect();
    let cents = (0..orders).map(|_| 100 + pcg.below(99_900)).collect();
    let mut entries = Vec::with_capacity(2 * orders);
    for (order, delay) in (0..).zip(delays) {
        let at = 2 * u64::from(order);
        entries.push(Entry { at, paid: false, order });
        entries.push(Entry { at: at + delay, paid: true, order });
    }
    entries.sort_unstable();
    Columns::Orders { entries, cents }
}

/// In blocks of `span` lines, a key equal to the key `span` lines before becomes the next one, twice.
fn untied(mut keys: Vec<u32>, span: usize, bound: u32) -> Vec<u32> {
    for line in span..keys.len() {
        for _ in 0..2 {
            if keys[line] == keys[line - span] {
                keys[line] = (keys[line] + 1) % bound;
            }
        }
    }
    keys
}

/// Type and times of a line that stands `passed` milliseconds after the start.
fn head(out: &mut impl Write, event: &str, passed: u64) -> Result<()> {
    let (day, ms) = (passed / 86_400_000, passed % 86_400_000);
    let (month, day) = month_and_day(day);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    write!(
        out,
        r#"{{"type":"{event}","@timestamp":"2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z","ts":{},"#,
        ms % 1000,
        START_MS + passed
    )
}

/// Month and day of a day of 2026, which a set of fewer than 31 billion lines does not leave.
fn month_and_day(mut day: u64) -> (u32, u64) {
    const DAYS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    for (month, days) in (1..).zip(DAYS) {
        if day < days {
            return (month, day + 1);
        }
        day -= days;
    }
    (12, 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLION: usize = 1_000_000;

    fn text(set: Set, count: usize) -> String {
        let mut out = Vec::new();
        Lines::draw(set, count, None).expect("a set with columns").write(&mut out).expect("memory takes it");
        String::from_utf8(out).expect("text")
    }

    /// Rows that the benchmark's workloads have over a million lines, as numpy's sets give them.
    #[test]
    fn sets_of_a_million_lines_are_numpys() {
        let Some(Lines { columns: Columns::Sensors { hundredths, .. }, .. }) = Lines::draw(Set::Sensors, MILLION, None)
        else {
            panic!("sensors have columns")
        };
        assert_eq!(hundredths.iter().filter(|t| **t > 5000).count(), 499_598);
        assert_eq!(hundredths.iter().filter(|t| **t > 9000).count(), 99_708);
        let Some(Lines { columns: Columns::Ticks { symbol, .. }, .. }) = Lines::draw(Set::Ticks, MILLION, None) else {
            panic!("ticks have columns")
        };
        let mut per_symbol = [0; 100];
        symbol.iter().for_each(|key| per_symbol[*key as usize] += 1);
        assert_eq!(per_symbol.iter().map(|ticks| ticks / 100).sum::<u32>(), 9951);
        let Some(Lines { columns: Columns::Clicks { user, .. }, .. }) = Lines::draw(Set::Clicks, MILLION, None) else {
            panic!("clicks have columns")
        };
        let mut last = vec![None; 5000];
        let mut sessions = 0;
        for (line, user) in user.into_iter().enumerate() {
            let before = last[user as usize].replace(line);
            assert!(before.is_none_or(|before| line - before != 10_000), "a tie");
            sessions += u32::from(before.is_none_or(|before| line - before > 10_000));
        }
        assert_eq!(sessions, 138_399);
    }

    /// Of exponential delays with a mean of 8 s the share 1 - e^-1.25 is below 10 s.
    #[test]
    fn orders_are_paid_by_their_law() {
        let Some(Lines { columns: Columns::Orders { entries, cents }, .. }) = Lines::draw(Set::Orders, MILLION, None)
        else {
            panic!("orders have columns")
        };
        assert_eq!((entries.len(), cents.len()), (MILLION, MILLION / 2));
        assert!(entries.is_sorted());
        let payments: Vec<&Entry> = entries.iter().filter(|entry| entry.paid).collect();
        assert!(payments.iter().all(|payment| payment.at % 2 == 1 && payment.at > 2 * u64::from(payment.order)));
        let within = |payment: &&&Entry| payment.at - 2 * u64::from(payment.order) <= 10_000;
        let paid = payments.iter().filter(within).count() as f64;
        let expected = 500_000.0 * (1.0 - (-1.25_f64).exp());
        assert!((paid - expected).abs() < 2000.0, "{paid} of {expected}");
        assert!(payments.iter().all(|payment| payment.at - 2 * u64::from(payment.order) <= 60_001));
        assert!(cents.iter().all(|cents| (100..100_000).contains(cents)));
    }

    #[test]
    fn lines_have_their_form() {
        let orders = text(Set::Orders, 3);
        assert_eq!(orders.lines().count(), 2);
        assert!(orders.contains(r#"{"type":"Order","@timestamp":"2026-01-01T00:00:00.000Z","ts":1767225600000,"order_id":"o0000000","sku":"k000","price":"#), "{orders}");
        let sensors = text(Set::Sensors, 1);
        assert!(sensors.starts_with(r#"{"type":"SensorReading","@timestamp":"2026-01-01T00:00:00.000Z","ts":1767225600000,"sensor_id":"s0473","temperature":"#), "{sensors}");
        assert!(sensors.ends_with(",\"seq\":0}\n"), "{sensors}");
        let ticks = text(Set::Ticks, 1);
        assert!(ticks.contains(r#""symbol":"Q83","price":"#), "{ticks}");
        for set in [Set::Sensors, Set::Ticks, Set::Auth, Set::Clicks, Set::Orders] {
            let text = text(set, 2000);
            assert_eq!(text.lines().count(), 2000);
            for line in text.lines() {
                serde_json::from_str::<serde_json::Value>(line).expect("every line is JSON");
            }
        }
        assert_eq!(month_and_day(58), (2, 28));
        assert_eq!(month_and_day(59), (3, 1));
    }
}
