//! Orders to the engine: epochs, dropping one pipeline while its neighbour goes on, wide ones.

use super::super::stoppable::Stoppable;
use super::*;
use rarog_dataflow::batch::Chunk;
use rarog_dataflow::decode::{Decoder, Relay};
use rarog_dataflow::operators::Clockwork;
use rarog_dataflow::rt::{Completed, DeadRecord, Host, Intake, Pulled};
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

/// Hands the outside of every pipeline that is opened to the test.
struct TestEnds(Mutex<Sender<Outside>>);

impl Ends for TestEnds {
    fn open(&self, placement: &Placement) -> Result<Opened, String> {
        if placement.pipeline.as_str() == "unreachable" {
            return Err("no such broker".into());
        }
        let plan = placement.plan.clone();
        let (send, rows) = channel();
        let feed = Feed { decoder: Decoder::new(&plan), state: Mutex::default(), wakers: Mutex::default() };
        let (feed, stop) = (Arc::new(feed), Arc::new(Stop::default()));
        lock(&self.0).send((feed.clone(), rows)).expect("the test listens");
        let job = Job {
            host: Arc::new(Counting(Mutex::new(send))),
            counters: Arc::new(Counters::new(&plan)),
            intake: Arc::new(Stoppable::new(feed, stop.clone(), Box::new(|| None))),
            clockwork: Clockwork { sources: 1, replay: true },
            start: rt::Start::default(),
            plan,
        };
        Ok(Opened { job, stop })
    }
}

fn engine() -> (LocalEngine, Receiver<Outside>) {
    let (send, opened) = channel();
    (LocalEngine::new(TestEnds(Mutex::new(send))), opened)
}

fn placement(name: &str, epoch: u64, workers: u16) -> Placement {
    Placement { pipeline: PipelineId::new(name), epoch: Epoch(epoch), plan: plan(), workers }
}

/// A record goes in, and comes out.
#[track_caller]
fn passes((feed, rows): &Outside) {
    feed.give("{\"type\":\"A\",\"i\":1}\n");
    assert_eq!(rows.recv_timeout(Duration::from_secs(60)), Ok(1));
}

#[test]
fn a_pipeline_is_dropped_and_its_neighbour_goes_on() {
    for workers in [1, 2] {
        let (engine, opened) = engine();
        for name in ["a", "b"] {
            engine.install(placement(name, 1, workers)).expect("it starts");
        }
        let (a, b) = (opened.recv().expect("a"), opened.recv().expect("b"));
        passes(&a);
        passes(&b);
        let id = PipelineId::new("a");
        engine.drop_pipeline(&id, Epoch(1)).expect("it is there");
        assert_eq!(engine.drop_pipeline(&id, Epoch(1)), Err(Refused::Unknown(id)));
        passes(&b);
        let status = engine.status();
        assert_eq!(status.len(), 1);
        assert_eq!((status[0].pipeline.as_str(), &status[0].state, status[0].records), ("b", &State::Running, 2));
        b.0.give(END);
        engine.wait(&PipelineId::new("b")).expect("it ends");
        assert_eq!(engine.status()[0].state, State::Ended);
    }
}

#[test]
fn older_epochs_are_refused_and_newer_ones_replace() {
    let (engine, opened) = engine();
    engine.install(placement("a", 5, 1)).expect("it starts");
    let first = opened.recv().expect("opened");
    engine.install(placement("a", 5, 1)).expect("it runs already");
    assert!(opened.try_recv().is_err(), "the same epoch changes nothing");
    passes(&first);
    let old = Refused::OldEpoch { given: Epoch(4), newest: Epoch(5) };
    assert_eq!(engine.install(placement("a", 4, 1)), Err(old.clone()));
    assert_eq!(engine.drop_pipeline(&PipelineId::new("a"), Epoch(4)), Err(old));
    engine.install(placement("a", 6, 1)).expect("it starts");
    let second = opened.recv().expect("opened");
    passes(&second);
    assert_eq!(engine.status().iter().map(|status| status.epoch).collect::<Vec<_>>(), [Epoch(6)]);
    engine.drop_pipeline(&PipelineId::new("a"), Epoch(7)).expect("it is there");
    let back = engine.install(placement("a", 6, 1));
    assert_eq!(back, Err(Refused::OldEpoch { given: Epoch(6), newest: Epoch(7) }), "who was overruled cannot undo it");
}

#[test]
fn what_cannot_start_says_why() {
    let (engine, _opened) = engine();
    assert_eq!(engine.install(placement("unreachable", 1, 1)), Err(Refused::CannotStart("no such broker".into())));
    assert_eq!(engine.status(), []);
}
