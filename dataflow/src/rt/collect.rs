//! The foot of a graph: at peer 0, takes what every leaf and output has of a chunk, in the order of chunks, hands it to the
//! host and gives the chunk's credit back.

use super::align::{Align, Aligned};
use super::envelope::Envelope;
use super::shared::{Completed, OutputRows, Shared};
use crate::batch::Rows;
use rarog_lang::plan::NodeId;
use std::sync::Arc;

/// The collector of peer 0.
pub struct Collector {
    align: Align,
    /// The node behind each port; the first port is the source itself.
    nodes: Vec<Option<NodeId>>,
    shared: Arc<Shared>,
}

impl Collector {
    /// `expected` envelopes per chunk; ports without a node only say that they are done.
    pub fn new(nodes: Vec<Option<NodeId>>, expected: usize, shared: Arc<Shared>) -> Collector {
        Collector { align: Align::new(nodes.len(), expected, true, shared.start.chunk), nodes, shared }
    }

    /// Takes an envelope; chunks that it completes go to the host.
    pub fn push(&mut self, envelope: Envelope) {
        self.align.push(envelope);
        while let Some(Aligned { chunk, ports }) = self.align.pop() {
            let outputs = self
                .nodes
                .iter()
                .zip(ports)
                .filter_map(|(node, parts)| Some(OutputRows { node: (*node)?, rows: Rows::in_order(parts)? }))
                .collect();
            // What a failed operator did not do has not happened: nothing of it is complete.
            if self.shared.failed() {
                return;
            }
            let states = chunk.barrier.then(|| self.shared.take_states(chunk.seq));
            self.shared.host.completed(Completed { chunk, outputs, states });
            self.shared.chunk_through();
        }
    }
}
