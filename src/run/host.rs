//! What a pipeline of a run has around it: results, dead letters, lines of `.print` and `.log`, the summary.

use super::checkpoint::{Checkpoints, StandardOutput};
use super::dead::{DeadFile, DeadLetters, Place};
use super::results::Results;
use super::stop::Stop;
use super::talk::{Talk, short};
use crate::args::Output;
use rarog_dataflow::rt::{Completed, Counters, DeadRecord, Host};
use rarog_lang::plan::{Node, Op, Plan};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Dead letters for these reasons were records that came in and were counted as such.
const AFTER_INTAKE: [&str; 2] = ["late", "eval_limit"];

/// What the pipelines of one run share.
#[derive(Clone)]
pub struct Surroundings {
    /// What goes to stdout.
    pub output: Output,
    /// Where dead letters go.
    pub dead: DeadFile,
    /// Lines for people.
    pub talk: Talk,
    /// Asked to stop?
    pub stop: Arc<Stop>,
}

#[cfg(feature = "demo")]
impl Surroundings {
    /// Without a file of dead letters and without a bar.
    pub fn plain(output: Output) -> Surroundings {
        Surroundings { output, dead: DeadFile::default(), talk: Talk::default(), stop: Arc::default() }
    }
}

/// The host of one pipeline.
pub struct RunHost {
    plan: Arc<Plan>,
    /// The pipeline's name, if there are several.
    label: Option<String>,
    around: Surroundings,
    /// Where all its records come from, if that is one place.
    origin: Place,
    results: Mutex<Results>,
    dead: DeadLetters,
    checkpoints: Option<Checkpointing>,
    posts_alerts: bool,
}

/// What the host of a run with checkpoints needs for them.
pub struct Checkpointing {
    /// Where they go.
    pub checkpoints: Arc<Checkpoints>,
    /// Standard output, unless several pipelines share it.
    pub output: Option<Arc<StandardOutput>>,
    /// Dead letters of chunks that are not through: they are written with the chunk's outputs, so that the file's length
    /// behind a chunk is known. `None`: they are written at once, and somebody else sees to checkpoints.
    pub dead: Option<Mutex<BTreeMap<u64, Vec<DeadRecord>>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RunHost {
    /// `origin`: where all its records come from, if that is one place.
    pub fn new(
        plan: Arc<Plan>,
        label: Option<String>,
        origin: Option<String>,
        around: Surroundings,
        checkpoints: Option<Checkpointing>,
    ) -> RunHost {
        let results = Mutex::new(Results::new(&plan, around.output, around.stop.clone()));
        let dead = DeadLetters::new(around.dead.clone(), around.talk.clone());
        let origin = Place { connector: origin.map(Arc::from), topic: None };
        RunHost { plan, label, around, origin, results, dead, checkpoints, posts_alerts: false }
    }

    /// The same of a run that posts alerts.
    pub fn posting_alerts(self) -> RunHost {
        RunHost { posts_alerts: true, ..self }
    }

    fn results(&self) -> MutexGuard<'_, Results> {
        lock(&self.results)
    }

    /// Takes a dead letter from a place that is known.
    pub fn dead_at(&self, record: &DeadRecord, place: &Place) {
        self.dead.take(record, place);
    }

    /// Takes the dead letters of the chunks up to this one.
    fn bury(&self, chunk: u64) {
        let Some(Checkpointing { dead: Some(dead), .. }) = &self.checkpoints else { return };
        let later = lock(dead).split_off(&(chunk + 1));
        let records = std::mem::replace(&mut *lock(dead), later);
        records.values().flatten().for_each(|record| self.dead.take(record, &self.origin));
    }

    /// Why results could not be written.
    pub fn failure(&self) -> Option<String> {
        self.results().failure()
    }

    /// Says what came in and what became of it.
    pub fn summary(&self, counters: &Counters, elapsed: Duration) {
        self.around.talk.say(self.summary_text(counters, elapsed).trim_end());
    }

    fn summary_text(&self, counters: &Counters, elapsed: Duration) -> String {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let label = self.label.as_ref().map(|label| format!("{label}: ")).unwrap_or_default();
        let results = self.results();
        let dead = self.dead.counts();
        let refused: u64 = dead.iter().filter(|(reason, _)| !AFTER_INTAKE.contains(reason)).map(|(_, n)| n).sum();
        let came_in = count(&counters.records) + refused;
        let mut text = format!(
            "{label}in {came_in}, out {}, late {}, dead {}, {:.2} s, {} events/s\n",
            results.written().values().sum::<u64>(),
            count(&counters.late),
            dead.values().sum::<u64>(),
            elapsed.as_secs_f64(),
            short(came_in as f64 / elapsed.as_secs_f64().max(1e-9)),
        );
        // Writing to memory does not fail.
        let mut line = |line: String| _ = writeln!(text, "{label}  {line}");
        if self.around.output == Output::None {
            results.written().iter().for_each(|(event, count)| line(format!("{event}: {count}")));
        }
        dead.iter().for_each(|(reason, count)| line(format!("dead letters {reason}: {count}")));
        if count(&counters.no_reader) > 0 {
            line(format!("{} of types that no stream reads", count(&counters.no_reader)));
        }
        if count(&counters.run_dropped) > 0 {
            line(format!("{} runs dropped (max_runs)", count(&counters.run_dropped)));
        }
        let has_webhook = |stream: usize| {
            let has =
                |node: &Node| node.stream as usize == stream && matches!(node.op, Op::Alert { webhook: Some(_), .. });
            self.plan.nodes.iter().any(has)
        };
        for (index, (stream, counts)) in self.plan.streams.iter().zip(&counters.streams).enumerate() {
            match count(&counts.alerts) {
                0 => {}
                alerts if self.posts_alerts && has_webhook(index) => line(format!("{}: {alerts} alerts", stream.name)),
                alerts => line(format!("{}: {alerts} alerts, none posted", stream.name)),
            }
        }
        let kept = self.checkpoints.as_ref().is_some_and(|of| of.checkpoints.has_stored());
        let fate = if kept { "kept in the checkpoint" } else { "discarded" };
        match count(&counters.discarded) {
            _ if !self.around.stop.is_requested() => {}
            0 => {}
            1 => line(format!("1 open window {fate}")),
            open => line(format!("{open} open windows {fate}")),
        }
        text
    }
}

impl Host for RunHost {
    fn completed(&self, mut completed: Completed) {
        let states = completed.states.take();
        self.bury(completed.chunk.seq);
        self.results().take(&completed);
        if let (Some(states), Some(Checkpointing { checkpoints, output, .. })) = (states, &self.checkpoints) {
            // What could not be written is not to be taken for written.
            let written = self.failure().is_none() && !self.around.stop.reader_is_gone();
            if written && self.around.dead.flush().is_ok() {
                let of_output = |output: &Arc<StandardOutput>| [output.position(), self.around.dead.position()];
                let outputs = output.iter().flat_map(of_output).flatten().collect();
                checkpoints.store(completed.chunk.seq, states, outputs, Vec::new());
            }
        }
    }

    fn dead(&self, record: DeadRecord) {
        match &self.checkpoints {
            Some(Checkpointing { dead: Some(dead), .. }) => lock(dead).entry(record.chunk).or_default().push(record),
            _ => self.dead.take(&record, &self.origin),
        }
    }

    fn print(&self, line: String) {
        self.around.talk.say(&line);
    }

    fn log(&self, level: &str, line: String) {
        self.around.talk.say(&format!("{level}: {line}"));
    }
}
