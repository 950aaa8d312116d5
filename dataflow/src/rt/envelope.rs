//! What timely carries: a batch with the input port it is for and the peer it goes to.

use crate::batch::Batch;
use serde::{Deserialize, Serialize};

/// A batch on its way along one edge.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// Input port of the consumer.
    pub port: u32,
    /// Peer that takes it, if the edge is exchanged.
    pub to: u64,
    /// The batch.
    pub batch: Batch,
}
