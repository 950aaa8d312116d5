//! When time passes without records: sources that fall silent, timers, and the empty chunks that tell operators of it.
//!
//! A source that says nothing for its idle time does not count for watermarks; its clock then runs on with the wall clock,
//! which matters to streams all of whose sources are silent. Pure: both clocks are arguments.
//!
//! Invariant: an active source is never marked, so a watermark may lag behind the definition but not run ahead of it.

use rarog_dataflow::batch::IdleClock;
use rarog_lang::plan::{Op, Plan, Window};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Shortest time between two empty chunks for a silent source.
const SHORTEST_BEAT: Duration = Duration::from_millis(100);
/// Longest time between them: windows that wait long may wait a little longer.
const LONGEST_BEAT: Duration = Duration::from_secs(5);
/// The share of its silence by which a source's clock may lag.
const LAG: u32 = 32;

#[derive(Debug)]
struct Source {
    idle_after: Duration,
    last: Instant,
    /// Largest event time so far.
    clock: Option<i64>,
    ended: bool,
}

impl Source {
    fn idle_since(&self) -> Instant {
        self.last + self.idle_after
    }

    fn mark(&self, now: Instant) -> IdleClock {
        let idle = now.checked_duration_since(self.idle_since());
        match (idle, self.clock) {
            _ if self.ended => IdleClock::Idle,
            (None, _) => IdleClock::Active,
            (Some(_), None) => IdleClock::Idle,
            (Some(idle), Some(clock)) => IdleClock::RunsOn(clock.saturating_add(nanos(idle))),
        }
    }
}

/// What time alone does to a pipeline.
#[derive(Debug)]
pub struct Clocks {
    sources: Vec<Source>,
    /// Does anything fire by event time?
    by_event_time: bool,
    /// Interval and initial delay of each timer, ns.
    timers: Vec<(i64, i64)>,
    /// Wall clock of the first chunk, ns: what timers count from.
    origin: Option<i64>,
    /// Wall clock of the last chunk, ns.
    last: i64,
    last_chunk: Instant,
}

impl Clocks {
    /// Clocks of a plan whose sources have these idle times.
    pub fn new(plan: &Plan, idle: &[Duration], now: Instant) -> Clocks {
        let source = |idle: &Duration| Source { idle_after: *idle, last: now, clock: None, ended: false };
        let by_event_time = plan.nodes.iter().any(|node| match &node.op {
            Op::Window { window, .. } => !matches!(window, Window::Count { .. }),
            Op::Join(_) | Op::Sequence(_) => true,
            _ => false,
        });
        let timers = plan.nodes.iter().filter_map(|node| match &node.op {
            Op::Timer { interval, initial_delay, .. } => Some((*interval, *initial_delay)),
            _ => None,
        });
        Clocks {
            sources: idle.iter().map(source).collect(),
            by_event_time,
            timers: timers.collect(),
            origin: None,
            last: i64::MIN,
            last_chunk: now,
        }
    }

    /// Wall clock that timers count from, and the largest event time of each source.
    pub fn stand(&self) -> (Option<i64>, Vec<Option<i64>>) {
        (self.origin, self.sources.iter().map(|source| source.clock).collect())
    }

    /// Goes on from there.
    pub fn resume(&mut self, origin: Option<i64>, clocks: impl IntoIterator<Item = Option<i64>>) {
        self.origin = origin;
        self.sources.iter_mut().zip(clocks).for_each(|(source, clock)| source.clock = clock);
    }

    /// Does anything happen by the wall clock alone?
    pub fn has_timers(&self) -> bool {
        !self.timers.is_empty()
    }

    /// Records came from a source.
    pub fn spoke(&mut self, source: u32, now: Instant) {
        if let Some(source) = self.sources.get_mut(source as usize) {
            source.last = now;
        }
    }

    /// The largest event time among a source's records.
    pub fn reached(&mut self, source: u32, clock: i64) {
        if let Some(source) = self.sources.get_mut(source as usize) {
            source.clock = source.clock.max(Some(clock));
        }
    }

    /// A source has ended.
    pub fn ended(&mut self, source: u32) {
        if let Some(source) = self.sources.get_mut(source as usize) {
            source.ended = true;
        }
    }

    /// Have all sources ended, and is nothing left that could still speak?
    pub fn all_ended(&self) -> bool {
        !self.sources.is_empty() && self.sources.iter().all(|source| source.ended)
    }

    /// A chunk is cut at this wall clock (ns).
    pub fn cut(&mut self, wall: i64, now: Instant) {
        self.origin.get_or_insert(wall);
        self.last = wall;
        self.last_chunk = now;
    }

    /// Marks for a chunk; `None` while all sources are active.
    pub fn marks(&self, now: Instant) -> Option<Arc<Vec<IdleClock>>> {
        let marks: Vec<IdleClock> = self.sources.iter().map(|source| source.mark(now)).collect();
        marks.iter().any(|mark| *mark != IdleClock::Active).then(|| Arc::new(marks))
    }

    /// The source that an empty chunk counts for: an active one, which it does not move, else the one that has run on
    /// farthest.
    pub fn speaker(&self, now: Instant) -> u32 {
        let rank = |source: &Source| match source.mark(now) {
            IdleClock::Active => (2, 0),
            IdleClock::RunsOn(clock) => (1, clock),
            IdleClock::Idle => (0, 0),
        };
        let best = self.sources.iter().enumerate().max_by_key(|(_, source)| rank(source));
        best.map_or(0, |(index, _)| index as u32)
    }

    /// In how long the next empty chunk is due; zero if it is due now.
    pub fn next_beat(&self, wall: i64, now: Instant) -> Option<Duration> {
        let timers = self.timers.iter().map(|timer| self.next_timer(*timer, wall));
        let silences = self.sources.iter().filter(|source| self.by_event_time && !source.ended);
        let silences = silences.map(|source| {
            let since = source.idle_since();
            let due = match now.checked_duration_since(since) {
                // It has just fallen silent: others may move without it.
                _ if self.last_chunk < since => since,
                Some(silence) => self.last_chunk + (silence / LAG).clamp(SHORTEST_BEAT, LONGEST_BEAT),
                None => since,
            };
            due.saturating_duration_since(now)
        });
        timers.chain(silences).min()
    }

    fn next_timer(&self, (interval, delay): (i64, i64), wall: i64) -> Duration {
        let Some(origin) = self.origin else { return Duration::ZERO };
        let first = origin.saturating_add(delay);
        let passed = self.last.saturating_sub(first);
        let next = match passed < 0 {
            true => first,
            false => first.saturating_add((passed / interval.max(1) + 1).saturating_mul(interval.max(1))),
        };
        Duration::from_nanos(next.saturating_sub(wall).max(0).unsigned_abs())
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rarog_lang::plan::Node;
    use rarog_lang::span::Span;

    const SECOND: i64 = 1_000_000_000;

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    fn clocks(op: Option<Op>, idle: &[u64], now: Instant) -> Clocks {
        let node = |op| Node { op, inputs: vec![], layout: 0, stream: 0, span: Span::default() };
        let plan = Plan { nodes: op.into_iter().map(node).collect(), ..Plan::default() };
        let idle: Vec<Duration> = idle.iter().map(|idle| seconds(*idle)).collect();
        Clocks::new(&plan, &idle, now)
    }

    fn window() -> Option<Op> {
        let window = Window::Time { size: SECOND, slide: SECOND };
        Some(Op::Window { window, key: vec![], aggregate: None, allowed_lateness: 0, releases_again: false })
    }

    #[test]
    fn a_silent_source_runs_on_from_where_it_stood() {
        let start = Instant::now();
        let mut clocks = clocks(window(), &[10, 2], start);
        clocks.reached(0, 100 * SECOND);
        assert_eq!(clocks.marks(start + seconds(1)), None);
        clocks.spoke(0, start + seconds(1));
        let marks = clocks.marks(start + seconds(4)).expect("one is silent");
        assert_eq!(*marks, [IdleClock::Active, IdleClock::Idle], "the second never had a time");
        assert_eq!(clocks.speaker(start + seconds(4)), 0);
        let marks = clocks.marks(start + seconds(14)).expect("both are silent");
        assert_eq!(*marks, [IdleClock::RunsOn(103 * SECOND), IdleClock::Idle]);
        clocks.reached(1, 500 * SECOND);
        assert_eq!(clocks.speaker(start + seconds(14)), 1, "the one that is farther");
        clocks.spoke(0, start + seconds(15));
        assert_eq!(clocks.speaker(start + seconds(15)), 0, "one that speaks counts at once");
        clocks.ended(0);
        assert!(!clocks.all_ended());
        clocks.ended(1);
        assert!(clocks.all_ended());
    }

    #[test]
    fn empty_chunks_come_when_a_source_falls_silent_and_ever_rarer() {
        let start = Instant::now();
        let mut clocks = clocks(window(), &[10], start);
        assert_eq!(clocks.next_beat(0, start), Some(seconds(10)));
        assert_eq!(clocks.next_beat(0, start + seconds(10)), Some(Duration::ZERO));
        clocks.cut(0, start + seconds(10));
        assert_eq!(clocks.next_beat(0, start + seconds(10)), Some(SHORTEST_BEAT));
        clocks.cut(0, start + seconds(42));
        assert_eq!(clocks.next_beat(0, start + seconds(42)), Some(seconds(1)));
        clocks.cut(0, start + seconds(10_000));
        assert_eq!(clocks.next_beat(0, start + seconds(10_000)), Some(LONGEST_BEAT));
    }

    #[test]
    fn a_pipeline_that_time_does_nothing_to_has_none() {
        let start = Instant::now();
        assert_eq!(clocks(None, &[1], start).next_beat(0, start + seconds(100)), None);
        let count = Window::Count { size: 5, slide: 5 };
        let count =
            Op::Window { window: count, key: vec![], aggregate: None, allowed_lateness: 0, releases_again: false };
        assert_eq!(clocks(Some(count), &[1], start).next_beat(0, start + seconds(100)), None);
    }

    #[test]
    fn timers_count_from_the_first_chunk() {
        let start = Instant::now();
        let timer = Op::Timer { interval: 5 * SECOND, initial_delay: 2 * SECOND, event: "Timer_S".into() };
        let mut clocks = clocks(Some(timer), &[], start);
        assert_eq!(clocks.next_beat(1000 * SECOND, start), Some(Duration::ZERO), "the first chunk is due at once");
        clocks.cut(1000 * SECOND, start);
        assert_eq!(clocks.next_beat(1000 * SECOND, start), Some(seconds(2)));
        clocks.cut(1001 * SECOND, start);
        assert_eq!(clocks.next_beat(1001 * SECOND, start), Some(seconds(1)));
        clocks.cut(1002 * SECOND, start);
        assert_eq!(clocks.next_beat(1002 * SECOND, start), Some(seconds(5)));
        assert_eq!(clocks.next_beat(1008 * SECOND, start), Some(Duration::ZERO), "it is overdue");
        clocks.cut(1019 * SECOND, start);
        assert_eq!(clocks.next_beat(1019 * SECOND, start), Some(seconds(3)));
    }
}
