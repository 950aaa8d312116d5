//! Batches: what travels along every edge of the graph.
//!
//! An input is cut into numbered *chunks*. For each chunk every edge carries exactly one [`Batch`] per sending peer,
//! empty or not, so that a consumer can put chunks back into order by counting, whatever the number of peers.
//!
//! Hidden columns make results independent of where chunks were cut: `pos` (which record of the chunk caused this row, and
//! in which phase), `time` (event time) and, over [`Chunk::clocks`], the source's clock at that record.

use crate::column::Column;
use crate::whole::Whole;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Phases of a record's effects, the low bits of [`Rows::pos`].
pub mod phase {
    /// Bits that [`super::Rows::pos`] is shifted by.
    pub const BITS: u32 = 2;
    /// Timers that the record reaches come before it.
    pub const TIMER: u64 = 0;
    /// The record and its direct results.
    pub const DIRECT: u64 = 1;
    /// What the advance of the watermark behind it fires.
    pub const FIRED: u64 = 2;
}

/// What is known of a chunk as a whole. Shared by all batches that were made from it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Chunk {
    /// Number: 0, 1, … without gaps over all sources of the pipeline, in order of arrival.
    pub seq: u64,
    /// Index of the source (subscription) that it came from; 0 in a replay.
    pub source: u32,
    /// For each record, read by a stream or not, in order: the running maximum of event times *within this chunk*.
    /// A consumer that takes chunks in order has the clock as `max(clock before this chunk, clocks[i])`.
    pub clocks: Vec<i64>,
    /// Wall clock when it was cut, ns (live only): what timers go by.
    pub now: Option<i64>,
    /// Nothing follows: w = ∞ behind this chunk.
    pub end: bool,
    /// A checkpoint stands behind this chunk: whoever has state writes it down once the chunk is applied.
    pub barrier: bool,
    /// Every record as it came, when a late one may be needed whole though only some of its fields are read.
    pub records: Option<Whole>,
    /// Live only: lower bounds of the clocks of idle or silent sources as of this chunk, by source.
    pub idle: Option<Arc<Vec<IdleClock>>>,
}

/// State of a source as of a chunk (live runs only).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdleClock {
    /// Counts with its own clock.
    Active,
    /// Silent for its `idle` time: does not count.
    Idle,
    /// All sources are silent: w runs on with the wall clock and has reached this, ns.
    RunsOn(i64),
}

/// Event type of the rows of a batch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum EventTypes {
    /// All rows have this one.
    One(Arc<str>),
    /// One per row.
    Each(Arc<Vec<Arc<str>>>),
}

/// Rows with hidden columns.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rows {
    /// Index of the causing record in its chunk `<< phase::BITS | phase`, not decreasing.
    pub pos: Arc<Vec<u64>>,
    /// Event time, ns since the epoch.
    pub time: Arc<Vec<i64>>,
    /// Event types.
    pub event: EventTypes,
    /// Columns of the edge's layout, each as long as `pos`.
    pub columns: Vec<Column>,
    /// The records as they came, when something downstream needs them whole.
    pub whole: Option<Whole>,
    /// One per row: the window that released it, behind a window without a fused aggregate.
    pub released: Option<Arc<Vec<Released>>>,
    /// One per row: order among direct results of one record, or among rows that one record fired with one result time;
    /// `None`: as they stand.
    pub rank: Option<Arc<Vec<FiredRank>>>,
}

/// An order of results that does not depend on the number of peers. Of what was fired: by which inputs of merges a result
/// came (the last merge in the highest byte), where the first record of its window stood (`chunk << 24 | index`), the hash of
/// its key. Of direct results: the way that they came, with the numbers of results on it (`operators::arrival`).
pub type FiredRank = (u64, u64, u64);

/// A window's content as it was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// Unique among the windows of one operator at one peer.
    pub instance: u64,
    /// `window_start`, ns.
    pub start: i64,
    /// `window_end`, ns.
    pub end: i64,
    /// How often the window had fired before.
    pub revision: u64,
}

impl Released {
    /// A window with these bounds that fires for the first time.
    pub fn first(start: i64, end: i64) -> Released {
        Released { instance: 0, start, end, revision: 0 }
    }
}

impl Rows {
    /// Do this row and the one before it come from different windows? Numbers of windows are one peer's own.
    pub fn begins_window(&self, row: usize) -> bool {
        let instance = |row: usize| self.released.as_ref().map(|released| released[row].instance);
        let rank = |row: usize| self.rank.as_ref().map(|rank| rank[row]);
        row == 0 || instance(row) != instance(row - 1) || rank(row) != rank(row - 1)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.pos.len()
    }

    /// No rows?
    pub fn is_empty(&self) -> bool {
        self.pos.is_empty()
    }
}

/// What one peer sends along one edge for one chunk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Batch {
    /// The chunk it belongs to.
    pub chunk: Arc<Chunk>,
    /// `None`: nothing of this chunk got here.
    pub rows: Option<Rows>,
    /// Rows that were late at the operator that sends the batch, for `late(S)`; other readers leave them alone.
    pub late: Option<Rows>,
}
