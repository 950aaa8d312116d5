//! The timestamp of every dataflow: checkpoint epoch and watermark in product order.
//!
//! Order and firing are decided by the positions and clocks that travel with the data; the watermark in here is only a
//! lower bound for progress tracking.

use serde::{Deserialize, Serialize};
use timely::PartialOrder;
use timely::progress::timestamp::Refines;
use timely::progress::{PathSummary, Timestamp};

/// Epoch (the checkpoint's number) and watermark (event time, ns, biased so that it starts at 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tick {
    /// Checkpoint barrier.
    pub epoch: u64,
    /// Lower bound of event times that can still come.
    pub watermark: u64,
}

impl Tick {
    /// A tick whose watermark is an event time in ns since 1970.
    pub fn at(epoch: u64, time: i64) -> Tick {
        Tick { epoch, watermark: (time as u64) ^ (1 << 63) }
    }
}

impl PartialOrder for Tick {
    fn less_equal(&self, other: &Self) -> bool {
        self.epoch <= other.epoch && self.watermark <= other.watermark
    }
}

impl Timestamp for Tick {
    type Summary = ();
    fn minimum() -> Self {
        Tick { epoch: 0, watermark: 0 }
    }
}

impl PathSummary<Tick> for () {
    fn results_in(&self, tick: &Tick) -> Option<Tick> {
        Some(*tick)
    }
    fn followed_by(&self, _: &()) -> Option<()> {
        Some(())
    }
}

impl Refines<()> for Tick {
    fn to_inner(_: ()) -> Self {
        Tick::minimum()
    }
    fn to_outer(self) {}
    fn summarize(_: ()) {}
}
