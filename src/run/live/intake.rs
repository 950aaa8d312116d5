//! The intake of a live run: chunks out of whatever its inlets have, and empty ones when time alone matters.
//!
//! Nothing is gathered on purpose: while the workers are busy, messages gather in the inbox by themselves, and the next
//! chunk takes them all. Nothing is taken in while a sink's list of unconfirmed outputs is full.
//!
//! Invariant: chunks are numbered without gaps, each is announced to [`Progress`] before it is given, and after a stop only
//! what was taken before is given.

use super::idle::Clocks;
use super::inlet::{Body, OpenInlet};
use super::messages::MessageSource;
use super::progress::{Origin, Progress};
use super::wiring::LineFormat;
use crate::run::checkpoint::{Checkpoints, Input, LivePosition, SourcePosition};
use rarog_connectors::mqtt::{Message, Receipt};
use rarog_dataflow::batch::Chunk;
use rarog_dataflow::decode::{Baton, Behind, Decoder, Messages, Relay, batch_offset_behind};
use rarog_dataflow::rt::{DeadRecord, Decoded, Intake, Pulled};
use rarog_lang::plan::Plan;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Messages of one chunk at the most, unless the run says otherwise.
pub const CHUNK_ROWS: usize = 8192;
/// Stands for an inlet where something came by none.
const NO_INLET: u32 = u32::MAX;
/// Injected chunks that may wait.
const INJECTED_LIMIT: usize = 1024;

/// Wakes the peers that were told that there is nothing.
#[derive(Default)]
pub struct Wakers(Mutex<Vec<Box<dyn Fn() + Send + Sync>>>);

impl Wakers {
    /// Wakes them.
    pub fn wake(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|wake| wake());
    }

    fn add(&self, wake: Box<dyn Fn() + Send + Sync>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(wake);
    }
}

/// Is there room for the outputs of another chunk?
pub type Gate = Box<dyn Fn() -> bool + Send + Sync>;

/// What an intake is made of.
pub struct Parts<'p> {
    /// The plan.
    pub plan: &'p Plan,
    /// What is under way.
    pub progress: Arc<Progress>,
    /// Those who pull.
    pub wakers: Arc<Wakers>,
    /// Room for outputs.
    pub gate: Gate,
    /// For each source: how long it may be silent and still count.
    pub idle: &'p [Duration],
    /// Messages of one chunk at the most, if not [`CHUNK_ROWS`].
    pub chunk_rows: Option<usize>,
    /// Asked for barriers, and told where they stand.
    pub checkpoints: Option<Arc<Checkpoints>>,
    /// Number of the first chunk.
    pub chunk: u64,
    /// Where the sources stand; those of the plan, in order.
    pub from: LivePosition,
}

/// See the module's head.
pub struct LiveIntake {
    decoder: Arc<Decoder>,
    progress: Arc<Progress>,
    wakers: Arc<Wakers>,
    gate: Gate,
    chunk_rows: usize,
    /// Inputs of the plan.
    inputs: usize,
    checkpoints: Option<Arc<Checkpoints>>,
    state: Mutex<State>,
    clocks: Arc<Mutex<Clocks>>,
}

struct State {
    inlets: Vec<OpenInlet>,
    /// The inlet that is asked first.
    turn: usize,
    ready: VecDeque<(u32, Body)>,
    /// Sources that see the records of the chunk before.
    echoes: VecDeque<(u32, SharedClocks)>,
    seq: u64,
    wall: i64,
    relays: Vec<Relay>,
    /// `.evt`: offset of the last BATCH so far, ns, by source.
    batch: Vec<i64>,
    /// By source, the place behind the last chunk of lines.
    offsets: Vec<u64>,
    /// By inlet, the last message that was cut into a chunk.
    taken: Vec<Receipt>,
    /// Something has come since the last barrier.
    dirty: bool,
    stopping: bool,
    ended: bool,
}

/// Clocks of a chunk that several sources see, known once it is decoded.
type SharedClocks = Arc<OnceLock<Vec<i64>>>;

/// Sees to it that those who wait for clocks get some, whatever becomes of the decoding.
struct Owed(SharedClocks);

impl Drop for Owed {
    fn drop(&mut self) {
        _ = self.0.set(Vec::new());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LiveIntake {
    /// An intake that has nothing to give before it is attached to inlets.
    pub fn new(parts: Parts<'_>) -> LiveIntake {
        let Parts { plan, progress, wakers, gate, idle, chunk_rows, checkpoints, chunk, from } = parts;
        let of = |of: fn(&SourcePosition) -> i64| from.sources.iter().map(of).collect::<Vec<i64>>();
        let mut clocks = Clocks::new(plan, idle, Instant::now());
        clocks.resume(from.timers, from.sources.iter().map(|source| source.clock));
        let state = State {
            inlets: Vec::new(),
            turn: 0,
            ready: VecDeque::new(),
            echoes: VecDeque::new(),
            seq: chunk,
            wall: 0,
            relays: of(|source| source.time).into_iter().map(Relay::starting_at).collect(),
            batch: of(|source| source.batch),
            offsets: from.sources.iter().map(|source| source.offset).collect(),
            taken: Vec::new(),
            dirty: false,
            stopping: false,
            ended: false,
        };
        LiveIntake {
            decoder: Arc::new(Decoder::new(plan)),
            progress,
            wakers,
            gate,
            chunk_rows: chunk_rows.unwrap_or(CHUNK_ROWS),
            inputs: plan.inputs.len(),
            checkpoints,
            state: Mutex::new(state),
            clocks: Arc::new(Mutex::new(clocks)),
        }
    }

    /// Those that are acknowledged to, by inlet.
    pub fn sources(&self) -> Vec<Option<MessageSource>> {
        sources(&lock(&self.state).inlets)
    }

    /// Attaches it to inlets, once. When it has been stopped before, nobody would ever ask them: they are closed.
    pub fn attach(&self, inlets: Vec<OpenInlet>) {
        {
            let mut state = lock(&self.state);
            if state.stopping {
                drop(state);
                inlets.iter().for_each(OpenInlet::close);
                return;
            }
            state.taken = vec![Receipt::NONE; inlets.len()];
            state.inlets = inlets;
        }
        self.wakers.wake();
    }

    /// Takes something in that came by no inlet; false if it takes in no more, or so much waits already.
    pub fn inject(&self, bodies: Vec<Body>) -> bool {
        {
            let mut state = lock(&self.state);
            let waiting = state.ready.iter().filter(|(inlet, _)| *inlet == NO_INLET).count();
            if state.stopping || state.ended || waiting + bodies.len() > INJECTED_LIMIT {
                return false;
            }
            let now = Instant::now();
            bodies.into_iter().for_each(|body| self.push(&mut state, NO_INLET, body, now));
        }
        self.wakers.wake();
        true
    }

    /// Takes in no more; what was taken in is given, then the end.
    pub fn stop(&self) {
        {
            let mut state = lock(&self.state);
            state.stopping = true;
            state.inlets.iter().for_each(OpenInlet::stop);
        }
        self.wakers.wake();
    }

    /// Wakes the peers if an empty chunk is due; in how long the next one is, if there will be one.
    pub fn beat(&self) -> Option<Duration> {
        let due = lock(&self.clocks).next_beat(wall_clock(), Instant::now());
        let due = due.into_iter().chain(self.checkpoint_due(&lock(&self.state))).min();
        // A run with checkpoints now and then has beats, though perhaps none now.
        let by_time = self.checkpoints.as_ref().filter(|checkpoints| !checkpoints.is_at_end());
        let due = due.or_else(|| by_time.map(|_| Duration::MAX))?;
        if due.is_zero() {
            self.wakers.wake();
        }
        Some(due)
    }

    /// In how long a barrier is due, if one is to come.
    fn checkpoint_due(&self, state: &State) -> Option<Duration> {
        let dirty = state.dirty && !state.ended;
        self.checkpoints.as_ref().filter(|_| dirty).and_then(|checkpoints| checkpoints.due_in())
    }

    /// Puts a barrier behind a chunk that was cut, if one is due or this is the `last`.
    fn seal(&self, state: &mut State, chunk: &mut Chunk, last: bool) -> Option<Stand> {
        // Echoes of this chunk belong to it: a barrier stands behind all of them.
        let due = self.checkpoint_due(state).is_some_and(|due| due.is_zero()) && state.echoes.is_empty();
        let checkpoints = self.checkpoints.clone().filter(|of| due || last && of.is_wanted_at_end())?;
        checkpoints.begin();
        chunk.barrier = true;
        state.dirty = false;
        let source =
            |(offset, batch): (&u64, &i64)| SourcePosition { offset: *offset, batch: *batch, ..Default::default() };
        let sources = state.offsets.iter().zip(&state.batch).map(source).collect();
        Some(Stand {
            checkpoints,
            position: LivePosition { sources, ended: chunk.end, ..LivePosition::default() },
            relays: state.relays.iter().map(Relay::behind).collect(),
            clocks: self.clocks.clone(),
            progress: self.progress.clone(),
            taken: state.taken.clone(),
        })
    }

    /// Has it given its end?
    pub fn is_over(&self) -> bool {
        lock(&self.state).ended
    }

    /// Messages that belonged to no subscription of this run.
    pub fn leftovers(&self) -> u64 {
        let of_inlet = |inlet: &OpenInlet| match inlet {
            OpenInlet::Messages(inlet) => inlet.leftovers(),
            OpenInlet::Lines(_) => 0,
        };
        lock(&self.state).inlets.iter().map(of_inlet).sum()
    }

    /// Asks the inlets in turn until one has something.
    fn fill(&self, state: &mut State, now: Instant) {
        for _ in 0..state.inlets.len() {
            let index = state.turn;
            state.turn = (state.turn + 1) % state.inlets.len();
            let bodies = state.inlets[index].take(self.chunk_rows);
            if let Some(source) = state.inlets[index].ended() {
                lock(&self.clocks).ended(source);
            }
            for body in bodies {
                self.push(state, index as u32, body, now);
            }
            if !state.ready.is_empty() {
                return;
            }
        }
    }

    fn push(&self, state: &mut State, inlet: u32, body: Body, now: Instant) {
        state.dirty = true;
        let mut clocks = lock(&self.clocks);
        match &body {
            Body::Messages { sources, .. } => sources.iter().for_each(|source| clocks.spoke(*source, now)),
            Body::Lines { source, .. } | Body::LongLine { source, .. } | Body::Injected { source, .. } => {
                clocks.spoke(*source, now);
            }
        }
        drop(clocks);
        state.ready.push_back((inlet, body));
    }

    /// The frame of the next chunk.
    fn frame(&self, state: &mut State, source: u32, now: Instant) -> Chunk {
        state.wall = state.wall.max(wall_clock());
        let mut clocks = lock(&self.clocks);
        clocks.cut(state.wall, now);
        let idle = clocks.marks(now);
        state.dirty |= clocks.has_timers();
        let seq = state.seq;
        state.seq += 1;
        Chunk { seq, source, now: Some(state.wall), idle, ..Chunk::default() }
    }

    fn cut(&self, state: &mut State, inlet: u32, body: Body, now: Instant) -> Pulled {
        match body {
            Body::Messages { messages, types, sources } => {
                self.cut_messages(state, inlet, messages, types, &sources, now)
            }
            Body::Injected { messages, types, source, cut } => {
                cut(state.seq);
                self.cut_messages(state, inlet, messages, types, &[source], now)
            }
            Body::Lines { bytes, offset, behind, format, source } => {
                state.offsets[source as usize] = behind;
                self.cut_lines(state, inlet, (bytes, offset), (format, source), now)
            }
            Body::LongLine { bytes, offset, source } => {
                state.offsets[source as usize] = offset + bytes;
                let mut chunk = self.frame(state, source, now);
                let stand = self.seal(state, &mut chunk, false);
                self.progress.open(chunk.seq, inlet, Origin::Positions);
                let dead = DeadRecord {
                    reason: "too_large",
                    chunk: chunk.seq,
                    index: 0,
                    position: Some(offset),
                    stream: None,
                    detail: format!("a line of {bytes} bytes"),
                    raw: Vec::new(),
                };
                let inputs = self.inputs;
                Pulled::Chunk(Box::new(move || {
                    settle(stand, chunk.seq);
                    Decoded { dead: vec![dead], ..empty(chunk, inputs) }
                }))
            }
        }
    }

    fn cut_messages(
        &self,
        state: &mut State,
        inlet: u32,
        messages: Vec<Message>,
        types: Vec<Option<Arc<str>>>,
        sources: &[u32],
        now: Instant,
    ) -> Pulled {
        let source = sources[0];
        let mut chunk = self.frame(state, source, now);
        let last = messages.iter().map(|message| message.receipt).max().unwrap_or(Receipt::NONE);
        if let Some(taken) = state.taken.get_mut(inlet as usize) {
            *taken = last.max(*taken);
        }
        let messages = Arc::new(messages);
        self.progress.open(chunk.seq, inlet, Origin::Messages(messages.clone()));
        // The other sources see the same records: a chunk each that moves nothing but their clocks.
        let owed = (sources.len() > 1).then(|| Owed(SharedClocks::default()));
        if let Some(Owed(shared)) = &owed {
            state.echoes.extend(sources[1..].iter().map(|source| (*source, shared.clone())));
        }
        let stand = self.seal(state, &mut chunk, false);
        let (decoder, progress, clocks) = (self.decoder.clone(), self.progress.clone(), self.clocks.clone());
        Pulled::Chunk(Box::new(move || {
            let mut gathered = Messages::default();
            for (message, event) in messages.iter().zip(types) {
                gathered.push(&message.payload, event);
            }
            let seq = chunk.seq;
            let decoded = decoder.messages(chunk, &gathered);
            let refused: Vec<u32> = decoded.dead.iter().map(|dead| dead.index as u32).collect();
            if !refused.is_empty() {
                progress.refused(seq, refused);
            }
            if let Some(clock) = decoded.chunk.clocks.last() {
                lock(&clocks).reached(source, *clock);
            }
            if let Some(Owed(shared)) = &owed {
                _ = shared.set(decoded.chunk.clocks.clone());
            }
            settle(stand, seq);
            decoded
        }))
    }

    fn cut_lines(
        &self,
        state: &mut State,
        inlet: u32,
        (bytes, offset): (Vec<u8>, u64),
        (format, source): (LineFormat, u32),
        now: Instant,
    ) -> Pulled {
        let mut chunk = self.frame(state, source, now);
        self.progress.open(chunk.seq, inlet, Origin::Positions);
        let baton: Baton = state.relays[source as usize].baton();
        let batch = state.batch[source as usize];
        if format == LineFormat::Evt {
            state.batch[source as usize] = batch_offset_behind(&bytes, batch);
        }
        let stand = self.seal(state, &mut chunk, false);
        let (decoder, clocks) = (self.decoder.clone(), self.clocks.clone());
        Pulled::Chunk(Box::new(move || {
            let seq = chunk.seq;
            let mut decoded = match format {
                LineFormat::Jsonl => decoder.lines(chunk, &bytes, &baton),
                LineFormat::Evt => decoder.evt(chunk, &bytes, batch),
            };
            decoded.dead.iter_mut().filter_map(|dead| dead.position.as_mut()).for_each(|position| *position += offset);
            if let Some(clock) = decoded.chunk.clocks.last() {
                lock(&clocks).reached(source, *clock);
            }
            // Whoever waits for the time behind this chunk must not wait for this.
            drop(baton);
            settle(stand, seq);
            decoded
        }))
    }

    /// A chunk that only moves the clock of a source that sees the same records as another.
    fn cut_echo(&self, state: &mut State, source: u32, shared: SharedClocks, now: Instant) -> Pulled {
        let mut chunk = self.frame(state, source, now);
        let stand = self.seal(state, &mut chunk, false);
        self.progress.open(chunk.seq, 0, Origin::Time);
        let (clocks, inputs) = (self.clocks.clone(), self.inputs);
        Pulled::Chunk(Box::new(move || {
            // The chunk that owes them was pulled before and waits for nothing.
            let of_records = shared.wait().clone();
            if let Some(clock) = of_records.last() {
                lock(&clocks).reached(source, *clock);
            }
            settle(stand, chunk.seq);
            empty(Chunk { clocks: of_records, ..chunk }, inputs)
        }))
    }

    /// An empty chunk: time has passed, or nothing follows. `last`: with a barrier.
    fn cut_time(&self, state: &mut State, end: bool, last: bool, now: Instant) -> Pulled {
        let speaker = lock(&self.clocks).speaker(now);
        let mut chunk = Chunk { end, ..self.frame(state, speaker, now) };
        if state.batch.is_empty() && !end {
            // A program of timers alone: the wall clock is its only source.
            chunk.clocks.extend(chunk.now);
        }
        let stand = self.seal(state, &mut chunk, end || last);
        self.progress.open(chunk.seq, 0, Origin::Time);
        let inputs = self.inputs;
        Pulled::Chunk(Box::new(move || {
            settle(stand, chunk.seq);
            empty(chunk, inputs)
        }))
    }
}

impl Intake for LiveIntake {
    fn pull(&self) -> Pulled {
        let mut state = lock(&self.state);
        let now = Instant::now();
        if state.ended || !(self.gate)() {
            return if state.ended { Pulled::End } else { Pulled::Pending };
        }
        if let Some((source, shared)) = state.echoes.pop_front() {
            return self.cut_echo(&mut state, source, shared, now);
        }
        if state.ready.is_empty() && !state.stopping {
            self.fill(&mut state, now);
        }
        if let Some((inlet, body)) = state.ready.pop_front() {
            return self.cut(&mut state, inlet, body, now);
        }
        if state.stopping {
            state.ended = true;
            return match &self.checkpoints {
                Some(checkpoints) if checkpoints.is_wanted_at_end() => self.cut_time(&mut state, false, true, now),
                Some(_) | None => Pulled::End,
            };
        }
        if self.checkpoint_due(&state).is_some_and(|due| due.is_zero()) {
            return self.cut_time(&mut state, false, false, now);
        }
        let due = {
            let clocks = lock(&self.clocks);
            if clocks.all_ended() { None } else { Some(clocks.next_beat(wall_clock(), now)) }
        };
        match due {
            None => {
                state.ended = true;
                self.cut_time(&mut state, true, false, now)
            }
            Some(Some(due)) if due.is_zero() => self.cut_time(&mut state, false, false, now),
            Some(_) => Pulled::Pending,
        }
    }

    fn on_data(&self, wake: Box<dyn Fn() + Send + Sync>) {
        self.wakers.add(wake);
    }
}

/// Where the sources stand behind a chunk with a barrier, as far as it is known when the chunk is cut.
struct Stand {
    checkpoints: Arc<Checkpoints>,
    position: LivePosition,
    relays: Vec<Behind>,
    clocks: Arc<Mutex<Clocks>>,
    progress: Arc<Progress>,
    taken: Vec<Receipt>,
}

/// The chunk is decoded, and all before it are or will be without waiting for this one.
fn settle(stand: Option<Stand>, chunk: u64) {
    let Some(Stand { checkpoints, mut position, relays, clocks, progress, taken }) = stand else { return };
    let (timers, times) = lock(&clocks).stand();
    position.timers = timers;
    for ((source, relay), clock) in position.sources.iter_mut().zip(relays).zip(times) {
        (source.time, source.clock) = (relay.time(), clock);
    }
    progress.taken(chunk, taken);
    checkpoints.stand(chunk, Input::Live(position));
}

/// A chunk without rows, for a plan with so many inputs.
fn empty(chunk: Chunk, inputs: usize) -> Decoded {
    let inputs = (0..inputs).map(|_| None).collect();
    Decoded { chunk, inputs, dead: Vec::new(), records: 0, no_reader: 0, early: 0 }
}

/// Nanoseconds since 1970.
fn wall_clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// The sources of messages among inlets, by inlet.
pub fn sources(inlets: &[OpenInlet]) -> Vec<Option<MessageSource>> {
    let of_inlet = |inlet: &OpenInlet| match inlet {
        OpenInlet::Messages(inlet) => Some(inlet.source.clone()),
        OpenInlet::Lines(_) => None,
    };
    inlets.iter().map(of_inlet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::live::wiring::Inlet;
    use rarog_connectors::mqtt::{Address, LinkState, MqttConfig, SourceConfig};

    #[test]
    fn inlets_that_come_after_a_stop_are_closed() {
        let plan = Plan::default();
        let intake = LiveIntake::new(Parts {
            plan: &plan,
            progress: Arc::default(),
            wakers: Arc::default(),
            gate: Box::new(|| true),
            idle: &[],
            chunk_rows: None,
            checkpoints: None,
            chunk: 0,
            from: LivePosition { sources: vec![SourcePosition::default()], ..LivePosition::default() },
        });
        // Nobody listens on port 1: it would try to connect for ever.
        let mqtt = MqttConfig::new(Address::new("127.0.0.1", 1), "client");
        let inlet =
            Inlet::Mqtt { config: SourceConfig::new(mqtt, ["t".to_owned()]), routes: Vec::new(), payloads: None };
        let ways = (Arc::new(|| ()), Box::new(|_: &LinkState| ()), Box::new(|_: String| ()), Box::new(|_: u64| ()));
        let inlet = OpenInlet::open(inlet, 0, ways.0, ways.1, ways.2, ways.3).expect("it can be opened");
        let source = sources(std::slice::from_ref(&inlet)).into_iter().flatten().next().expect("it is a connection");
        let MessageSource::Mqtt(source) = source else { panic!("it is one of a broker") };
        intake.stop();
        intake.attach(vec![inlet]);
        assert_eq!(source.state(), LinkState::Closed);
        assert!(matches!(intake.pull(), Pulled::End) && intake.sources().is_empty());
    }
}
