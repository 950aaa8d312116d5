//! The runtime with hand-made plans and chunks: order, isolation, installing and dropping.

use super::*;
use crate::batch::{Chunk, EventTypes, Rows, phase};
use crate::column::from_values;
use crate::operators::Clockwork;
use rarog_lang::plan::*;
use rarog_lang::value::{Type, Value};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

const SECOND: i64 = 1_000_000_000;

/// A reading: time in ns, key, value.
type Reading = (i64, u8, i64);

fn column(name: &str) -> ColumnDef {
    ColumnDef { name: name.into(), ty: Type::Any, keep_null: false, hidden: false }
}

fn layout(names: &[&str]) -> Layout {
    Layout { columns: names.iter().map(|name| column(name)).collect(), open: false }
}

/// `Reading .where(v > 10) .partition_by(k) .window(10s) .aggregate(n: count(), total: sum(v)) .emit(…)` with a tolerance.
fn plan(out_of_order: i64) -> Plan {
    let node =
        |op, inputs: &[u32], layout| Node { op, inputs: inputs.into(), layout, stream: 0, span: Default::default() };
    let above = Expr::Binary(BinOp::Gt, Expr::Column(1).into(), Expr::Const(Value::Int(10)).into());
    let aggregate = Aggregate {
        calls: vec![
            AggregateCall { function: AggregateFn::Count, argument: None },
            AggregateCall { function: AggregateFn::Sum, argument: Some(Expr::Column(1)) },
        ],
        items: vec![Expr::Key(0), Expr::Aggregate(0), Expr::Aggregate(1)],
    };
    let window = Op::Window {
        window: Window::Time { size: 10 * SECOND, slide: 10 * SECOND },
        key: vec![Key { name: "k".into(), value: Expr::Column(0) }],
        aggregate: Some(aggregate),
        allowed_lateness: 0,
        releases_again: false,
    };
    Plan {
        version: PLAN_VERSION,
        inputs: vec![Input {
            event: "Reading".into(),
            declared: None,
            time_field: None,
            layout: 0,
            whole: false,
            subscriptions: vec![],
        }],
        layouts: vec![layout(&["k", "v"]), layout(&["k", "n", "total"])],
        nodes: vec![
            node(Op::Input(0), &[], 0),
            node(Op::Filter(above), &[0], 0),
            node(window, &[1], 1),
            node(Op::Emit, &[2], 1),
        ],
        streams: vec![Stream {
            name: "Sums".into(),
            node: 3,
            clock: vec![ClockTerm { input: Some(0), delay: out_of_order }],
            used: true,
            span: Default::default(),
        }],
        ..Plan::default()
    }
}

fn rows(readings: &[Reading]) -> Rows {
    let values = |of: fn(&Reading) -> Value| from_values(readings.iter().map(of).collect());
    Rows {
        pos: Arc::new((0..readings.len() as u64).map(|index| index << phase::BITS | phase::DIRECT).collect()),
        time: Arc::new(readings.iter().map(|reading| reading.0).collect()),
        event: EventTypes::One("Reading".into()),
        columns: vec![values(|r| Value::Str(format!("k{}", r.1).into())), values(|r| Value::Int(r.2))],
        whole: None,
        released: None,
        rank: None,
    }
}

fn decoded(seq: u64, readings: &[Reading], end: bool) -> Decoded {
    let mut clock = i64::MIN;
    let clocks = readings.iter().map(|reading| {
        clock = clock.max(reading.0);
        clock
    });
    let chunk = Chunk { seq, clocks: clocks.collect(), end, ..Chunk::default() };
    let inputs = vec![(!readings.is_empty()).then(|| rows(readings))];
    Decoded { chunk, inputs, dead: vec![], records: readings.len() as u64, no_reader: 0, early: 0 }
}

type Wake = Box<dyn Fn() + Send + Sync>;

/// Chunks made by hand. Stays open until `end`.
#[derive(Default)]
pub(crate) struct Chunks {
    queue: Mutex<VecDeque<Box<dyn FnOnce() -> Decoded + Send>>>,
    ended: std::sync::atomic::AtomicBool,
    wakers: Mutex<Vec<Wake>>,
}

impl Chunks {
    fn of(readings: &[Reading], size: usize) -> Arc<Chunks> {
        let chunks = Arc::new(Chunks::default());
        let last = readings.len().div_ceil(size);
        for (seq, part) in readings.chunks(size).chain([&[][..]]).enumerate() {
            let part = part.to_vec();
            chunks.push(move || decoded(seq as u64, &part, seq == last));
        }
        chunks.end();
        chunks
    }

    pub(crate) fn push(&self, decode: impl FnOnce() -> Decoded + Send + 'static) {
        self.queue.lock().unwrap().push_back(Box::new(decode));
        self.wake();
    }

    pub(crate) fn end(&self) {
        self.ended.store(true, std::sync::atomic::Ordering::SeqCst);
        self.wake();
    }

    fn wake(&self) {
        self.wakers.lock().unwrap().iter().for_each(|wake| wake());
    }
}

impl Intake for Chunks {
    fn pull(&self) -> Pulled {
        let ended = self.ended.load(std::sync::atomic::Ordering::SeqCst);
        match self.queue.lock().unwrap().pop_front() {
            Some(decode) => Pulled::Chunk(decode),
            None if ended => Pulled::End,
            None => Pulled::Pending,
        }
    }

    fn on_data(&self, wake: Wake) {
        self.wakers.lock().unwrap().push(wake);
    }
}

/// Keeps results as text, and counts dead letters by reason.
#[derive(Default)]
pub(crate) struct Kept {
    completed: std::sync::atomic::AtomicU64,
    pub(crate) lines: Mutex<Vec<String>>,
    pub(crate) dead: Mutex<BTreeMap<&'static str, u64>>,
}

impl Host for Kept {
    fn completed(&self, completed: Completed) {
        self.completed.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        for output in completed.outputs {
            for row in 0..output.rows.len() {
                let values: Vec<Value> = output.rows.columns.iter().map(|column| column.get(row)).collect();
                self.lines.lock().unwrap().push(format!("{} {values:?}", output.rows.time[row]));
            }
        }
    }
    fn dead(&self, record: DeadRecord) {
        *self.dead.lock().unwrap().entry(record.reason).or_default() += 1;
    }
    fn print(&self, _: String) {}
    fn log(&self, _: &str, _: String) {}
}

pub(crate) fn job(plan: Plan, intake: Arc<dyn Intake>) -> (Job, Arc<Kept>) {
    let kept = Arc::new(Kept::default());
    let counters = Arc::new(Counters::new(&plan));
    let clockwork = Clockwork { sources: 1, replay: true };
    (Job { plan: Arc::new(plan), host: kept.clone(), counters, intake, clockwork, start: Start::default() }, kept)
}

/// Readings that run up to 4 s behind and are at times later than that.
fn readings() -> Vec<Reading> {
    let mut state = 7u64;
    let mut random = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    (0..600)
        .map(|i| {
            let behind = if random(20) == 0 { 30 } else { random(4) } as i64;
            ((i / 2 - behind) * SECOND, random(5) as u8, random(30) as i64)
        })
        .collect()
}

/// What the pipeline must give, record by record and straight from the definition.
fn expected(readings: &[Reading], out_of_order: i64) -> (Vec<String>, u64) {
    let mut windows: BTreeMap<i64, Vec<(u8, i64, i64)>> = BTreeMap::new();
    let (mut lines, mut late, mut w) = (Vec::new(), 0, i64::MIN);
    let mut fire = |windows: &mut BTreeMap<i64, Vec<(u8, i64, i64)>>, w: i64| {
        while let Some(entry) = windows.first_entry().filter(|entry| *entry.key() <= w) {
            let (end, groups) = entry.remove_entry();
            for (key, n, total) in groups {
                let key = Value::Str(format!("k{key}").into());
                lines.push(format!("{end} {:?}", vec![key, Value::Int(n), Value::Int(total)]));
            }
        }
    };
    for (time, key, value) in readings {
        if *value > 10 {
            let end = (time.div_euclid(10 * SECOND) + 1) * 10 * SECOND;
            if end <= w {
                late += 1;
            } else {
                let groups = windows.entry(end).or_default();
                match groups.iter_mut().find(|(known, ..)| known == key) {
                    Some((_, n, total)) => (*n, *total) = (*n + 1, *total + value),
                    None => groups.push((*key, 1, *value)),
                }
            }
        }
        w = w.max(time - out_of_order);
        fire(&mut windows, w);
    }
    fire(&mut windows, i64::MAX);
    (lines, late)
}

#[test]
fn results_are_the_same_however_the_input_is_cut_and_shared() {
    let readings = readings();
    for out_of_order in [0, 3 * SECOND] {
        let (lines, late) = expected(&readings, out_of_order);
        assert!(late > 5 && lines.len() > 50);
        for workers in [1, 2, 4] {
            for size in [1, 7, 64, 256, 4096] {
                let (job, kept) = job(plan(out_of_order), Chunks::of(&readings, size));
                run(job, workers).unwrap();
                let case = format!("{workers} workers, chunks of {size}, {out_of_order} ns out of order");
                assert_eq!(*kept.lines.lock().unwrap(), lines, "{case}");
                assert_eq!(kept.dead.lock().unwrap().get("late"), Some(&late), "{case}");
            }
        }
    }
}

/// A chunk whose rows lack a column that the plan reads: the operator panics.
fn poisoned(seq: u64) -> Decoded {
    let mut decoded = decoded(seq, &[(0, 0, 50)], false);
    if let Some(rows) = &mut decoded.inputs[0] {
        rows.columns.clear();
    }
    decoded
}

#[test]
fn a_pipeline_that_fails_leaves_its_neighbours_alone() {
    std::panic::set_hook(Box::new(|_| {}));
    let thread = WorkerThread::start("test").unwrap();
    let readings = readings();
    let (lines, _) = expected(&readings, 0);
    let mut neighbours = Vec::new();
    for _ in 0..20 {
        let (job, kept) = job(plan(0), Chunks::of(&readings, 16));
        neighbours.push((thread.install(job).unwrap(), kept));
    }
    let bad: [fn() -> Decoded; 2] = [|| poisoned(0), || panic!("cannot be decoded")];
    for decode in bad {
        let chunks = Arc::new(Chunks::default());
        chunks.push(decode);
        let (job, kept) = job(plan(0), chunks);
        let failed = thread.install(job).unwrap().wait();
        assert!(matches!(failed, Err(RunError::Failed(_))), "{failed:?}");
        // What is not complete is not acknowledged.
        assert_eq!(kept.completed.load(std::sync::atomic::Ordering::SeqCst), 0);
    }
    for (running, kept) in neighbours {
        running.wait().unwrap();
        assert_eq!(*kept.lines.lock().unwrap(), lines);
    }
}

#[test]
fn pipelines_come_and_go_while_others_run() {
    let thread = WorkerThread::start("test").unwrap();
    let readings = readings();
    let (lines, _) = expected(&readings, 0);
    let last = readings.len();
    let open: Vec<_> = (0..40)
        .map(|_| {
            let chunks = Arc::new(Chunks::default());
            let (job, kept) = job(plan(0), chunks.clone());
            (chunks, thread.install(job).unwrap(), kept)
        })
        .collect();
    for (seq, reading) in readings.iter().enumerate() {
        let reading = *reading;
        for (chunks, ..) in open.iter().skip(seq % 2).step_by(2) {
            // Each pipeline gets every second reading as a chunk of its own, and an empty one for the others.
            chunks.push(move || decoded(seq as u64, &[reading], false));
        }
        for (chunks, ..) in open.iter().skip(1 - seq % 2).step_by(2) {
            chunks.push(move || decoded(seq as u64, &[], false));
        }
        if seq == last / 2 {
            for (chunks, running, _) in open.iter().skip(20) {
                running.drop_now();
                assert!(matches!(running.ended(), Some(Err(RunError::Dropped))));
                chunks.end();
            }
            let (job, kept) = job(plan(0), Chunks::of(&readings, 64));
            thread.install(job).unwrap().wait().unwrap();
            assert_eq!(*kept.lines.lock().unwrap(), lines);
        }
    }
    for (index, (chunks, running, kept)) in open.iter().enumerate().take(20) {
        chunks.push(move || decoded(last as u64, &[], true));
        chunks.end();
        running.wait().unwrap();
        let own: Vec<Reading> = readings.iter().skip(index % 2).step_by(2).copied().collect();
        assert_eq!(*kept.lines.lock().unwrap(), expected(&own, 0).0);
    }
}
