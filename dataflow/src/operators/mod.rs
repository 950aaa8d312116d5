//! One file per node of the plan. An operator takes the rows of one chunk and gives the rows that they cause.
//!
//! Operators know nothing of peers or timely: `rt` puts the rows of a chunk together, in order where that matters.

use crate::batch::{Chunk, Rows};
use crate::rt::{DeadRecord, Shared};
use crate::snapshot::{Restore, Snapshot, SnapshotError};
use rarog_lang::plan::{Function, Node, NodeId, Op, Plan, Window};
use std::sync::Arc;

mod aggregate;
mod aggregate_released;
mod aggregate_running;
mod alert;
mod arrival;
mod count_window;
mod distinct;
mod filter;
mod grid;
mod join;
mod key;
mod late;
mod limit;
mod merge;
mod numbers;
mod panes;
mod print;
mod process;
mod project;
mod result;
mod retype;
mod sequence;
mod session_window;
mod sliding_window;
mod sparse;
mod state;
mod time_release;
mod time_window;
mod timer;
mod window_rows;

pub(crate) use arrival::Arrivals;
pub use join::join_key;
pub use key::{Keys, key_hash_check};

/// Keys that one operator keeps whose state has no bound in time; beyond it the pipeline stops.
pub const MAX_KEYS: usize = 1_000_000;

/// What an operator may use besides its rows.
pub struct Context {
    /// Plan, counters, dead letters.
    pub shared: Arc<Shared>,
    /// The node.
    pub node: NodeId,
    /// User functions.
    pub functions: Arc<[Function]>,
    /// Number of sources and whether this is a replay.
    pub clockwork: Clockwork,
    late: late::Late,
}

/// How many clocks there are and who drives them.
#[derive(Clone, Copy, Debug)]
pub struct Clockwork {
    /// Sources (subscriptions) of a live run; 1 in a replay.
    pub sources: usize,
    /// The input file replaces every `.from`.
    pub replay: bool,
}

impl Context {
    /// What the operator at `node` may use.
    pub fn new(shared: Arc<Shared>, node: NodeId, clockwork: Clockwork) -> Context {
        let late = late::Late::new(&shared.plan, node);
        let functions = shared.plan.functions.clone().into();
        Context { shared, node, functions, clockwork, late }
    }

    /// The node.
    pub fn node(&self) -> &Node {
        &self.shared.plan.nodes[self.node as usize]
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.shared.plan
    }

    /// Name of the stream in whose text the node stands.
    pub fn stream(&self) -> Arc<str> {
        self.plan().streams[self.node().stream as usize].name.clone()
    }

    /// In which order rows of several inputs arrive.
    fn arrival(&self) -> Arc<arrival::Arrival> {
        self.shared.arrivals.get_or_init(|| Arrivals::new(self.plan())).at(self.node)
    }

    /// Layout of input `port`.
    pub fn input_layout(&self, port: usize) -> &rarog_lang::plan::Layout {
        let input = self.node().inputs[port];
        &self.plan().layouts[self.plan().nodes[input as usize].layout as usize]
    }

    /// Layout of the output.
    pub fn layout(&self) -> &rarog_lang::plan::Layout {
        &self.plan().layouts[self.node().layout as usize]
    }

    /// Watermark of the node's stream.
    pub fn watermark(&self) -> crate::clock::Watermark {
        let stream = &self.plan().streams[self.node().stream as usize];
        let start = &self.shared.start.sources;
        crate::clock::Watermark::new(self.plan(), &stream.clock, self.clockwork.sources, self.clockwork.replay)
            .restored_from(start.clone())
    }

    /// Stops the pipeline: an operator whose state has no bound in time has more than [`MAX_KEYS`] keys.
    pub fn too_many_keys(&self, operator: &str, way_out: &str) {
        let stream = self.stream();
        self.shared.fail(format!(
            "stream {stream}: {operator} keeps more than max_keys = {MAX_KEYS} keys, and nothing ever frees them; {way_out}"
        ));
    }

    /// Reports records of the first input whose evaluation ran into a limit.
    pub fn limit_hits(&self, chunk: &Chunk, rows: &Rows, hits: &[u32]) {
        self.limit_hits_of(0, chunk, rows, hits);
    }

    /// Reports records of input `port` whose evaluation ran into a limit.
    pub fn limit_hits_of(&self, port: usize, chunk: &Chunk, rows: &Rows, hits: &[u32]) {
        for &row in hits {
            self.shared.host.dead(DeadRecord {
                reason: "eval_limit",
                chunk: chunk.seq,
                index: rows.pos[row as usize] >> crate::batch::phase::BITS,
                position: None,
                stream: Some(self.stream()),
                detail: "an expression made more than 128 nested calls or 10000000 loop turns; its value is null"
                    .into(),
                raw: crate::encode::record_json(rows, self.input_layout(port), row as usize),
            });
        }
    }
}

/// An operator with its state.
pub trait Operator {
    /// Takes the rows of the next chunk, per input port, each in its stream's order.
    fn apply(&mut self, chunk: &Arc<Chunk>, ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows>;

    /// Version of the form in which it writes its state; `None`: it has none between chunks.
    fn state_version(&self) -> Option<u32>;

    /// Writes down the state behind the chunks applied so far.
    fn snapshot(&self, _into: &mut Snapshot, _context: &Context) {}

    /// Takes a state over, before the first chunk. Afterwards the operator behaves as the one that wrote it would have
    /// gone on, whatever the number of peers was then and is now.
    fn restore(&mut self, _from: &Restore<'_>, _context: &Context) -> Result<(), SnapshotError> {
        Ok(())
    }

    /// What is open, in things that a user counts (windows), for the report of a stopped run.
    fn open(&self) -> u64 {
        0
    }
}

/// Makes the operator of a node. Inputs are made by the source.
pub fn build(context: &Context) -> Result<Box<dyn Operator>, String> {
    Ok(match &context.node().op {
        Op::Merge(branches) => Box::new(merge::Merge::new(branches, context)),
        Op::Timer { interval, initial_delay, event } => {
            Box::new(timer::Timer::new(*interval, *initial_delay, event.clone(), context))
        }
        Op::Filter(condition) => Box::new(filter::Filter::new(condition, context)),
        Op::Project { items, event } => Box::new(project::Project::new(items, event.clone(), context)),
        Op::Retype(event) => Box::new(retype::Retype::new(event.clone())),
        op @ Op::Window { .. } => build_window(op, context)?,
        Op::AggregateReleased { key, aggregate } => {
            Box::new(aggregate_released::AggregateReleased::new(key, aggregate, context))
        }
        Op::AggregateRunning { key, aggregate } => {
            Box::new(aggregate_running::AggregateRunning::new(key, aggregate, context))
        }
        Op::Distinct { by, within, per_window } => Box::new(distinct::Distinct::new(by, *within, *per_window, context)),
        Op::Limit(n) => Box::new(limit::Limit::new(*n)),
        Op::Process { function, args } => Box::new(process::Process::new(*function, args, context)),
        Op::Print(items) => Box::new(print::Print::new(items, context)),
        Op::Log { level, message, data } => {
            Box::new(print::Log::new(level.clone(), message.as_ref(), data.as_ref(), context))
        }
        Op::Alert { .. } => Box::new(alert::Alert),
        Op::Send { .. } | Op::Emit => Box::new(Pass),
        Op::Join(join) => Box::new(join::Join::new(join, context)),
        Op::Sequence(sequence) => Box::new(sequence::Sequence::new(sequence, context)?),
        Op::Input(_) | Op::Late { .. } => {
            return Err(format!("operator {} of the plan cannot run in this build", context.node));
        }
    })
}

fn build_window(op: &Op, context: &Context) -> Result<Box<dyn Operator>, String> {
    let Op::Window { window, key, aggregate, allowed_lateness, releases_again } = op else {
        return Err(format!("operator {} of the plan is no window", context.node));
    };
    let aggregate = aggregate.as_ref();
    Ok(match (window, aggregate) {
        (Window::Time { size, slide }, Some(aggregate)) if size == slide && *allowed_lateness == 0 => {
            Box::new(time_window::TimeWindow::new(*size, key, aggregate, context))
        }
        (Window::Time { size, slide }, Some(aggregate)) => {
            let times = (*size, *slide, *allowed_lateness);
            Box::new(sliding_window::SlidingWindow::new(times, key, aggregate, context))
        }
        (Window::Time { size, slide }, None) => {
            let times = (*size, *slide, *allowed_lateness);
            Box::new(time_release::TimeRelease::new(times, *releases_again, key, context))
        }
        (Window::Session { gap }, _) => Box::new(session_window::SessionWindow::new(*gap, key, aggregate, context)),
        (Window::Count { size, slide }, _) => {
            Box::new(count_window::CountWindow::new(*size, *slide, key, aggregate, context))
        }
    })
}

/// Passes rows on: outputs are taken by the collector, which reads the same edge.
struct Pass;

impl Operator for Pass {
    fn state_version(&self) -> Option<u32> {
        None
    }

    fn apply(&mut self, _: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, _: &Context) -> Option<Rows> {
        ports.pop().flatten()
    }
}
