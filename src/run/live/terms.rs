//! What holds for the pipelines of a run, whatever their programs are.

use super::identity::Identity;
use crate::run::checkpoint::Settings;
use std::sync::Arc;
use std::time::Duration;

/// Called when the state of a connection has changed, on the connection's thread; must not block.
pub type Notice = Arc<dyn Fn() + Send + Sync>;

/// See the module's head.
#[derive(Clone, Default)]
pub struct Terms {
    /// Are there several?
    pub several: bool,
    /// Remove what brokers hold for their names first.
    pub forget: bool,
    /// How long the first connection of each end may take.
    pub connect_timeout: Option<Duration>,
    /// Messages of one chunk at the most.
    pub chunk_rows: Option<usize>,
    /// Checkpoints, if there are to be any.
    pub checkpoints: Option<Settings>,
    /// Who puts out, if that is not told by the pipeline's name.
    pub identity: Option<Identity>,
    /// Who wants to know of connections.
    pub notice: Option<Notice>,
}
