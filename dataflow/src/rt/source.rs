//! The head of a graph: each peer pulls the next chunk, decodes it and sends it into the graph.
//!
//! Chunks are cut by the intake under its own lock, so their numbers have no gaps and the peers share the work as they
//! find time. At most a few chunks per peer are under way: the collector gives the credits back.

use super::shared::{DeadRecord, Shared};
use super::tick::Tick;
use crate::batch::{Chunk, Rows};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::{Scope, Stream};
use timely::scheduling::SyncActivator;

/// Chunks under way per peer.
const CHUNKS_IN_FLIGHT_PER_PEER: u64 = 4;

/// A decoded chunk.
pub struct Decoded {
    /// Number, clocks, end.
    pub chunk: Chunk,
    /// Rows of each input of the plan.
    pub inputs: Vec<Option<Rows>>,
    /// What could not be used.
    pub dead: Vec<DeadRecord>,
    /// Records accepted.
    pub records: u64,
    /// Of these, of types that no stream reads.
    pub no_reader: u64,
    /// Live ones with a time before 2000: seconds that were taken for milliseconds?
    pub early: u64,
}

/// What the intake has for a peer.
pub enum Pulled {
    /// The next chunk, still to be decoded: outside of the intake's lock, by the peer that pulled it.
    Chunk(Box<dyn FnOnce() -> Decoded + Send>),
    /// Nothing at the moment; the wakers are called when there is.
    Pending,
    /// Nothing follows.
    End,
}

/// Where chunks come from: a file, standard input, brokers.
pub trait Intake: Send + Sync {
    /// Cuts the next chunk; numbers run from 0 without gaps.
    fn pull(&self) -> Pulled;
    /// Gives a way to wake a peer that was told [`Pulled::Pending`].
    fn on_data(&self, wake: Box<dyn Fn() + Send + Sync>);
}

/// A decoded chunk on its way to the inputs of the plan.
#[derive(Clone)]
pub struct SourceBatch {
    /// Number, clocks, end.
    pub chunk: Arc<Chunk>,
    /// Rows of each input of the plan.
    pub inputs: Arc<Vec<Option<Rows>>>,
}

fn decoded_into(shared: &Shared, decoded: Decoded) -> SourceBatch {
    shared.counters.records.fetch_add(decoded.records, Ordering::Relaxed);
    shared.counters.no_reader.fetch_add(decoded.no_reader, Ordering::Relaxed);
    if decoded.early > 0 && shared.counters.early.fetch_add(decoded.early, Ordering::Relaxed) == 0 {
        shared
            .host
            .log("warn", "events have times before 2000: are they seconds that were taken for milliseconds?".into());
    }
    for dead in decoded.dead {
        shared.host.dead(dead);
    }
    SourceBatch { chunk: Arc::new(decoded.chunk), inputs: Arc::new(decoded.inputs) }
}

/// The source operator of one peer.
pub fn render<'scope>(
    scope: Scope<'scope, Tick>,
    peers: usize,
    shared: Arc<Shared>,
    intake: Arc<dyn Intake>,
) -> Stream<'scope, Tick, Vec<SourceBatch>> {
    let limit = CHUNKS_IN_FLIGHT_PER_PEER * peers as u64;
    source::<_, CapacityContainerBuilder<Vec<SourceBatch>>, _, _>(scope, "source", move |capability, info| {
        let activator = scope.activator_for(info.address.clone());
        let wake = sync_activator(&scope, &info.address);
        let waker = sync_activator(&scope, &info.address);
        intake.on_data(Box::new(move || _ = wake.activate()));
        shared.on_credit(Box::new(move || _ = waker.activate()));
        let mut capability = Some(capability);
        move |output| {
            let Some(current) = capability.as_mut() else { return };
            if shared.failed() {
                capability = None;
                return;
            }
            if !shared.take_credit(limit) {
                return;
            }
            match intake.pull() {
                Pulled::Chunk(decode) => {
                    let decoded = shared.guard(|| "decoding".into(), || decoded_into(&shared, decode()));
                    let Some(batch) = decoded else { return };
                    if let Some(&clock) = batch.chunk.clocks.last() {
                        let tick = Tick::at(0, clock);
                        if tick.watermark > current.time().watermark {
                            current.downgrade(&tick);
                        }
                    }
                    output.session(&*current).give(batch);
                    activator.activate();
                }
                Pulled::Pending => shared.return_credit(),
                Pulled::End => {
                    shared.return_credit();
                    capability = None;
                }
            }
        }
    })
}

fn sync_activator(scope: &Scope<'_, Tick>, address: &[usize]) -> SyncActivator {
    scope.worker().sync_activator_for(address.to_vec())
}
