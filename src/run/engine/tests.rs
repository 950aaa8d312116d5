//! Dropping one pipeline while its neighbours go on, narrow and wide; which thread gets one.

use super::super::stoppable::Stoppable;
use super::*;
use rarog_dataflow::batch::Chunk;
use rarog_dataflow::decode::{Decoder, Relay};
use rarog_dataflow::operators::Clockwork;
use rarog_dataflow::rt::{Completed, Counters, DeadRecord, Host, Intake, Pulled};
use rarog_lang::plan::{ColumnDef, Input, Layout, Node, Op, PLAN_VERSION, Plan, Stream};
use rarog_lang::span::Span;
use rarog_lang::value::Type;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Everything is put out as it came.
fn plan() -> Arc<Plan> {
    let column = ColumnDef { name: "i".into(), ty: Type::Any, keep_null: false, hidden: false };
    let input =
        Input { event: "A".into(), declared: None, time_field: None, layout: 0, whole: false, subscriptions: vec![] };
    let node = |op, inputs| Node { op, inputs, layout: 0, stream: 0, span: Span::default() };
    let stream = Stream { name: "S".into(), node: 1, clock: vec![], used: true, span: Span::default() };
    Arc::new(Plan {
        version: PLAN_VERSION,
        inputs: vec![input],
        layouts: vec![Layout { columns: vec![column], open: false }],
        nodes: vec![node(Op::Input(0), vec![]), node(Op::Emit, vec![0])],
        streams: vec![stream],
        ..Plan::default()
    })
}

/// An intake that gives what it is given, until it is told that nothing follows.
struct Feed {
    decoder: Decoder,
    state: Mutex<(VecDeque<&'static str>, u64, Relay)>,
    wakers: Mutex<Vec<Box<dyn Fn() + Send + Sync>>>,
}

const END: &str = "";

impl Feed {
    fn give(&self, line: &'static str) {
        lock(&self.state).0.push_back(line);
        lock(&self.wakers).iter().for_each(|wake| wake());
    }
}

impl Intake for Feed {
    fn pull(&self) -> Pulled {
        let mut state = lock(&self.state);
        match state.0.pop_front() {
            None => Pulled::Pending,
            Some(END) => {
                state.0.push_back(END);
                Pulled::End
            }
            Some(line) => {
                let chunk = Chunk { seq: state.1, ..Chunk::default() };
                state.1 += 1;
                let decoded = self.decoder.lines(chunk, line.as_bytes(), &state.2.baton());
                Pulled::Chunk(Box::new(move || decoded))
            }
        }
    }

    fn on_data(&self, wake: Box<dyn Fn() + Send + Sync>) {
        lock(&self.wakers).push(wake);
    }
}

/// Tells how many rows came out.
struct Counting(Mutex<Sender<usize>>);

impl Host for Counting {
    fn completed(&self, completed: Completed) {
        let rows = completed.outputs.iter().map(|output| output.rows.len()).sum();
        _ = lock(&self.0).send(rows);
    }
    fn dead(&self, _: DeadRecord) {}
    fn print(&self, _: String) {}
    fn log(&self, _: &str, _: String) {}
}

type Outside = (Arc<Feed>, Receiver<usize>);

/// A pipeline, and its outside.
fn open() -> (Opened, Outside) {
    let plan = plan();
    let (send, rows) = channel();
    let feed = Feed { decoder: Decoder::new(&plan), state: Mutex::default(), wakers: Mutex::default() };
    let (feed, stop) = (Arc::new(feed), Arc::new(Stop::default()));
    let job = Job {
        host: Arc::new(Counting(Mutex::new(send))),
        counters: Arc::new(Counters::new(&plan)),
        intake: Arc::new(Stoppable::new(feed.clone(), stop.clone(), Box::new(|| None))),
        clockwork: Clockwork { sources: 1, replay: true },
        start: rt::Start::default(),
        plan,
    };
    (Opened { job, stop }, (feed, rows))
}

/// A record goes in, and comes out.
#[track_caller]
fn passes((feed, rows): &Outside) {
    feed.give("{\"type\":\"A\",\"i\":1}\n");
    assert_eq!(rows.recv_timeout(Duration::from_secs(60)), Ok(1));
}

#[test]
fn a_pipeline_is_dropped_and_its_neighbours_go_on() {
    for width in [1, 2] {
        let workers = Workers { limit: 2, ..Workers::new() };
        let mut pipelines: Vec<_> = (0..5)
            .map(|_| {
                let (opened, outside) = open();
                (workers.start(opened, width).expect("it starts"), outside)
            })
            .collect();
        pipelines.iter().for_each(|(_, outside)| passes(outside));
        assert_eq!(lock(&workers.shared).len(), if width == 1 { 2 } else { 0 });
        let (dropped, _) = pipelines.remove(0);
        dropped.drop_now();
        assert!(dropped.ended().is_some());
        for (run, outside) in &pipelines {
            assert!(run.ended().is_none());
            passes(outside);
        }
        for (run, (feed, _)) in &pipelines {
            feed.give(END);
            run.wait().expect("it ends");
        }
    }
}

#[test]
fn a_pipeline_goes_to_the_thread_with_the_fewest() {
    let workers = Workers { limit: 2, ..Workers::new() };
    let start = || workers.start(open().0, 1).expect("it starts");
    let loads = || lock(&workers.shared).iter().map(|it| Arc::strong_count(&it.load) - 1).collect::<Vec<_>>();
    let mut runs = vec![start(), start(), start()];
    assert_eq!(loads(), [2, 1]);
    // The first of the first thread and the third go.
    for index in [2, 0] {
        runs.remove(index).drop_now();
    }
    assert_eq!(loads(), [0, 1]);
    runs.push(start());
    assert_eq!(loads(), [1, 1]);
    runs.iter().for_each(Run::drop_now);
}
