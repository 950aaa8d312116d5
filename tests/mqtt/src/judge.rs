//! The verdict on what an observer has seen: nothing missing, nothing invented, repeats with the same id.

use crate::program::is_hot;
use crate::{Observer, Seen};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What came out.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Different readings.
    pub distinct: usize,
    /// Messages beyond the first of a reading.
    pub repeated: usize,
}

/// Holds outputs of readings `0..count` against what they have to be; panics on anything wrong.
pub fn judge(seen: &[Seen], count: u64) -> Verdict {
    let mut ids: BTreeMap<u64, &str> = BTreeMap::new();
    let mut readings: BTreeMap<&str, u64> = BTreeMap::new();
    let mut repeated = 0;
    for output in seen {
        let seq = seq(output);
        assert!(seq < count && is_hot(seq), "reading {seq} was not to come out");
        let id = output.id.as_deref().unwrap_or_else(|| panic!("reading {seq} has no rarog-id"));
        assert_eq!(id.len(), 32, "{id}");
        match ids.get(&seq) {
            Some(before) => {
                assert_eq!(*before, id, "reading {seq} came again with another id");
                repeated += 1;
            }
            None => _ = ids.insert(seq, id),
        }
        let of_id = *readings.entry(id).or_insert(seq);
        assert_eq!(of_id, seq, "two readings have the id {id}");
    }
    let missing: Vec<u64> = (0..count).filter(|seq| is_hot(*seq) && !ids.contains_key(seq)).take(20).collect();
    assert!(missing.is_empty(), "missing: {missing:?} and perhaps more; {} are there", ids.len());
    Verdict { distinct: ids.len(), repeated }
}

/// The different readings that have come out, gathered while more come: no output is looked at twice.
#[derive(Debug, Default)]
pub struct Distinct {
    numbers: BTreeSet<u64>,
    looked_at: usize,
}

impl Distinct {
    /// How many there are among `seen`, which has grown at its end since the last call.
    pub fn count(&mut self, seen: &[Seen]) -> usize {
        self.numbers.extend(seen[self.looked_at..].iter().map(seq));
        self.looked_at = seen.len();
        self.numbers.len()
    }
}

/// Waits until `count` different readings have come out; if they do not in time, panics and says what there was.
pub fn wait_for_distinct(observer: &Observer, count: usize, timeout: Duration) {
    let mut distinct = Distinct::default();
    if observer.wait_until(timeout, |seen| distinct.count(seen) >= count) {
        return;
    }
    let seen = observer.seen();
    let last = seen.last().map(|last| format!("the last of them {:.1?} ago", last.at.elapsed()));
    panic!(
        "{} of {count} came out within {timeout:?}, in {} messages, {}",
        distinct.count(&seen),
        seen.len(),
        last.unwrap_or_else(|| "not one".into())
    );
}

/// Number of the reading in an output, found without parsing it.
pub fn seq(output: &Seen) -> u64 {
    let field = b"\"seq\":";
    let at = output.payload.windows(field.len()).position(|window| window == field);
    let digits = at.map_or(&[][..], |at| &output.payload[at + field.len()..]);
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let number = std::str::from_utf8(&digits[..end]).ok().and_then(|text| text.parse().ok());
    number.unwrap_or_else(|| panic!("no reading: {}", String::from_utf8_lossy(&output.payload)))
}
