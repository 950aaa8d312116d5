//! What runs pipelines, as the agent sees it.
//!
//! Nothing here waits: orders begin something, and [`Event`]s say what became of it. Invariants an engine keeps: a pipeline runs
//! at most once in it; an order with an epoch older than one already seen for the pipeline is refused; a connection to a broker
//! is made, and used after CONNACK, only when the [`Warrant`] has said that this placement is the owner.

use crate::model::ids::{EpochNumber, PipelineKey};
use crate::model::spec::ConnectorSpec;
use crate::model::state::{Client, Phase};
use crate::seams::Pending;
use crate::wire::{Metrics, Order, Verdict};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What to run, and by what right.
#[derive(Clone)]
pub struct Assignment {
    /// The order.
    pub order: Order,
    /// The state to begin with, as [`Event::Released`] gave it.
    pub state: Option<Arc<[u8]>>,
    /// Whom to ask before connections are made and used.
    pub warrant: Arc<dyn Warrant>,
}

/// Says whether a placement is the newest one of its pipeline.
pub trait Warrant: Send + Sync {
    /// Asks a coordinator, which answers after a linearizable read. [`Verdict::Unknown`] when none can tell within about a
    /// second: ask again.
    fn owner(&self, pipeline: &PipelineKey, epoch: EpochNumber) -> Pending<'static, Verdict>;
}

/// How a pipeline is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its intake stops, what is in flight is finished and acknowledged, then its connections close; sessions stay at brokers.
    Graceful,
    /// Its connections are cut; what was not acknowledged comes again to its successor.
    Now,
}

/// What became of something.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A placement is in another phase.
    Phase {
        /// The pipeline.
        pipeline: PipelineKey,
        /// The placement.
        epoch: EpochNumber,
        /// Its phase.
        phase: Phase,
    },
    /// A pipeline is gone, with its connections; by an order, or because its warrant said that it was superseded.
    Stopped {
        /// The pipeline.
        pipeline: PipelineKey,
        /// The placement.
        epoch: EpochNumber,
    },
    /// A pipeline has stopped and this is its state ([`Event::Stopped`] follows), or why there is none (then it goes on).
    Released {
        /// The pipeline.
        pipeline: PipelineKey,
        /// The placement.
        epoch: EpochNumber,
        /// Its state.
        state: Result<Arc<[u8]>, String>,
    },
    /// A session is gone at its broker, or could not be removed so far.
    Buried {
        /// Its client id.
        client: String,
        /// Why not.
        result: Result<(), String>,
    },
}

/// An event from outside, or one that a pipeline put out.
#[derive(Clone, Debug, PartialEq)]
pub struct Injected {
    /// Its type.
    pub event_type: String,
    /// Its fields.
    pub fields: Map<String, Value>,
}

/// Why an order was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// A newer placement is known.
    OldEpoch {
        /// The one of the order.
        given: EpochNumber,
        /// The newest one seen.
        newest: EpochNumber,
    },
    /// There is no such pipeline.
    Unknown(PipelineKey),
    /// It cannot be started, or does not take this: why, for people.
    Cannot(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::OldEpoch { given, newest } => {
                write!(f, "epoch {given} is older than {newest}, which was seen already")
            }
            Refused::Unknown(pipeline) => write!(f, "there is no pipeline {pipeline}"),
            Refused::Cannot(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Refused {}

/// Runs pipelines. See the module's head.
pub trait Engine: Send + Sync {
    /// Where events go from now on. Called once, before anything else.
    fn listen(&self, hook: Box<dyn Fn(Event) + Send + Sync>);

    /// The sessions that a pipeline makes at brokers, by client id. Fails on what could not be started either.
    fn clients(&self, order: &Order) -> Result<BTreeMap<String, Client>, String>;

    /// Starts a pipeline. One with an older epoch is cut first; with the same epoch nothing changes.
    fn install(&self, assignment: Assignment) -> Result<(), Refused>;

    /// Ends a pipeline whose epoch is not newer.
    fn stop(&self, pipeline: &PipelineKey, epoch: EpochNumber, ending: Ending) -> Result<(), Refused>;

    /// Ends a pipeline gracefully and keeps its state for its successor.
    fn release(&self, pipeline: &PipelineKey, epoch: EpochNumber) -> Result<(), Refused>;

    /// Removes a session at its broker.
    fn bury(&self, client: &str, connector: &ConnectorSpec);

    /// What all pipelines do.
    fn metrics(&self) -> Metrics;

    /// Lets events in as if they had come from a source; gives what the pipeline put out for them.
    fn inject(&self, pipeline: &PipelineKey, events: Vec<Injected>)
    -> Pending<'static, Result<Vec<Injected>, Refused>>;
}
