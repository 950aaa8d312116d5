//! What the leader sees and nobody agrees on: who lives, and how much runs through pipelines. The other input of `reconcile`.

use super::ids::{PipelineKey, WorkerId};
use super::state::State;
use std::collections::BTreeMap;

/// What is known of the registered process of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It lives.
    Alive,
    /// It does not, and why, for people.
    Gone(String),
    /// Not known so far: what was decided before stays, and nothing is placed there.
    Unknown,
}

/// See the module's head.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// By worker; one that is missing is [`Verdict::Unknown`].
    pub workers: BTreeMap<WorkerId, Verdict>,
    /// Records per second that came in lately; a pipeline that is missing had none.
    pub rates: BTreeMap<PipelineKey, f64>,
}

impl Observed {
    /// As if every worker lived that is registered: for plans that somebody asks for.
    pub fn trusting(state: &State, rates: BTreeMap<PipelineKey, f64>) -> Observed {
        let workers = state.workers.keys().map(|id| (id.clone(), Verdict::Alive)).collect();
        Observed { workers, rates }
    }

    /// Does a worker live?
    pub fn is_alive(&self, worker: &WorkerId) -> bool {
        self.workers.get(worker) == Some(&Verdict::Alive)
    }

    /// Why a worker does not live, if that is so.
    pub fn why_gone(&self, worker: &WorkerId) -> Option<&str> {
        match self.workers.get(worker) {
            Some(Verdict::Gone(why)) => Some(why),
            _ => None,
        }
    }

    /// Records per second that came into a pipeline lately.
    pub fn rate(&self, pipeline: &PipelineKey) -> f64 {
        self.rates.get(pipeline).copied().unwrap_or(0.0)
    }
}
