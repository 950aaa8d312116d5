//! Opens the ends of pipelines for the engine: outlets at once, inlets when all outlets are connected.
//!
//! In this order, so that taking over from another run cuts its outputs before its inputs.

use super::causes;
use super::pipeline::LivePipeline;
use super::wiring::wire;
use crate::run::checkpoint::Settings;
use crate::run::engine::{Ends, Opened};
use crate::run::host::Surroundings;
use rarog_control::engine::Placement;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What holds for all pipelines of a run.
#[derive(Debug, Clone, Default)]
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
}

/// See the module's head.
pub struct LiveEnds {
    around: Surroundings,
    terms: Terms,
    open: Mutex<Vec<Arc<LivePipeline>>>,
}

impl LiveEnds {
    /// Nothing is open so far.
    pub fn new(around: Surroundings, terms: Terms) -> LiveEnds {
        LiveEnds { around, terms, open: Mutex::default() }
    }

    /// The pipelines that were opened, in order.
    pub fn open_pipelines(&self) -> Vec<Arc<LivePipeline>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Ends for Arc<LiveEnds> {
    fn open(&self, placement: &Placement) -> Result<Opened, String> {
        let name = placement.pipeline.to_string();
        let wiring = wire(&name, &placement.plan)?;
        if wiring.inlets.is_empty() && !causes::has_timer(&wiring.plan) {
            return Err("nothing comes in: no stream has a .from; give the events with --input FILE".into());
        }
        let (pipeline, job) = LivePipeline::open(&name, wiring, &self.around, &self.terms)?;
        let stop = pipeline.stop.clone();
        self.open.lock().unwrap_or_else(PoisonError::into_inner).push(pipeline);
        Ok(Opened { job, stop })
    }
}
