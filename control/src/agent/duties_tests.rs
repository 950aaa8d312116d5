//! Orders, engine events and time in every order that matters.

use super::*;
use crate::agent::bookkeeping::{Bookkeeper, Entry};
use crate::model::ids::Uuid;
use crate::model::spec::ConnectorSpec;
use crate::seams::Pending;
use crate::wire::Verdict;
use proptest::prelude::*;
use rarog_lang::plan::Plan;

struct Owner;

impl Warrant for Owner {
    fn owner(&self, _: &PipelineKey, _: EpochNumber) -> Pending<'static, Verdict> {
        Box::pin(std::future::ready(Verdict::Owner))
    }
}

fn key(name: &str) -> PipelineKey {
    PipelineKey::new(Uuid::from_u128(1), name, 0)
}

fn order(name: &str, epoch: EpochNumber) -> Order {
    Order {
        pipeline: key(name),
        epoch,
        id: Uuid::from_u128(2),
        incarnation: 1,
        replicas: 1,
        partition_key: None,
        group_name: "g".into(),
        source: "".into(),
        plan: Arc::new(Plan::default()),
        connectors: BTreeMap::new(),
        clients: BTreeMap::new(),
        state_comes: false,
    }
}

/// Duties on books, with what the engine has said so far.
struct Bench {
    duties: Duties,
    engine: Bookkeeper,
    said: std::sync::mpsc::Receiver<Event>,
}

const NOW: Duration = Duration::ZERO;

impl Bench {
    fn new() -> Bench {
        Bench::with(Bookkeeper::default(), Books::default())
    }

    fn with(engine: Bookkeeper, books: Books) -> Bench {
        let (say, said) = std::sync::mpsc::channel();
        engine.listen(Box::new(move |event| _ = say.send(event)));
        Bench { duties: Duties::new(Arc::new(engine.clone()), Arc::new(Owner), books, 0), engine, said }
    }

    fn install(&mut self, order: Order) {
        self.duties.frame(ToAgent::Install(Box::new(order)), NOW, 0);
    }

    /// Tells the duties what the engine has said.
    fn pump(&mut self) {
        while let Ok(event) = self.said.try_recv() {
            self.duties.event(event, NOW, 0);
        }
    }

    fn runs(&self) -> Vec<(String, EpochNumber)> {
        self.engine.running().into_iter().map(|(key, epoch)| (key.name.to_string(), epoch)).collect()
    }
}

fn client() -> (String, Client) {
    let connector =
        ConnectorSpec { name: "m".into(), connector_type: "mqtt".into(), params: BTreeMap::new(), description: None };
    ("id".into(), Client { connector, filters: vec!["t".into()] })
}

#[tokio::test]
async fn older_orders_do_nothing_also_after_a_removal() {
    let mut bench = Bench::new();
    bench.install(order("p", 2));
    bench.install(order("p", 1));
    assert_eq!(bench.runs(), [("p".to_owned(), 2)]);
    bench.duties.frame(ToAgent::Remove { pipeline: key("p"), epoch: 1 }, NOW, 0);
    assert_eq!(bench.runs(), [("p".to_owned(), 2)], "the removal is older");
    bench.duties.frame(ToAgent::Remove { pipeline: key("p"), epoch: 3 }, NOW, 0);
    bench.pump();
    bench.install(order("p", 2));
    assert!(bench.runs().is_empty());
    bench.install(order("p", 4));
    assert_eq!(bench.runs(), [("p".to_owned(), 4)]);
}

#[tokio::test]
async fn a_newer_order_waits_until_the_older_placement_has_ended() {
    let mut bench = Bench::new();
    bench.install(order("p", 1));
    bench.install(order("p", 2));
    assert!(bench.runs().is_empty(), "the engine has not been told of the newer one");
    bench.pump();
    assert_eq!(bench.runs(), [("p".to_owned(), 2)]);
    let installed: Vec<Entry> =
        bench.engine.log().into_iter().filter(|entry| !matches!(entry, Entry::Runs(..))).collect();
    assert_eq!(installed, [Entry::Installed(key("p"), 1), Entry::Gone(key("p"), 1), Entry::Installed(key("p"), 2)]);
}

#[tokio::test]
async fn sessions_are_recorded_before_they_are_made() {
    let mut bench = Bench::new();
    bench.engine.set_clients(BTreeMap::from([client()]));
    bench.install(order("p", 1));
    assert!(bench.runs().is_empty());
    let outbox = bench.duties.take_outbox();
    let [ToCoordinator::Clients { request, .. }] = outbox.as_slice() else { panic!("{outbox:?}") };
    bench.duties.frame(ToAgent::Recorded { request: *request, refused: None }, NOW, 0);
    assert_eq!(bench.runs(), [("p".to_owned(), 1)]);
    let mut known = order("q", 1);
    known.clients = BTreeMap::from([client()]);
    bench.install(known);
    assert_eq!(bench.runs().len(), 2, "what is recorded is not recorded again");
}

#[tokio::test]
async fn unanswered_records_are_sent_again_on_a_new_socket_and_when_it_takes_too_long() {
    let mut bench = Bench::new();
    bench.engine.set_clients(BTreeMap::from([client()]));
    bench.install(order("p", 1));
    assert_eq!(bench.duties.take_outbox().len(), 1);
    bench.duties.connected(&[], NOW, 0);
    assert_eq!(bench.duties.take_outbox().len(), 1);
    bench.duties.tick(RECORD_LIMIT, 0);
    assert_eq!(bench.duties.take_outbox().len(), 1);
}

#[tokio::test]
async fn what_was_known_before_a_restart_runs_only_when_it_is_ordered_again() {
    let mut bench = Bench::new();
    bench.install(order("p", 5));
    let books = bench.duties.changed().expect("they have changed");
    let mut bench = Bench::with(Bookkeeper::default(), books);
    assert!(bench.runs().is_empty());
    assert_eq!(bench.duties.held()[0].epoch, 5);
    bench.install(order("p", 4));
    assert!(bench.runs().is_empty(), "that is older");
    bench.install(order("p", 5));
    assert_eq!(bench.runs(), [("p".to_owned(), 5)]);
}

#[tokio::test]
async fn a_state_that_comes_is_waited_for_and_missed_when_it_does_not() {
    let mut bench = Bench::new();
    let comes = |name| Order { state_comes: true, ..order(name, 1) };
    bench.install(comes("p"));
    bench.install(comes("q"));
    assert!(bench.runs().is_empty());
    bench.duties.state_arrived(key("p"), 1, Arc::from(vec![1]), NOW, 0).expect("it is kept");
    assert_eq!(bench.runs(), [("p".to_owned(), 1)]);
    bench.duties.tick(STATE_LIMIT, 0);
    let failed = bench.duties.held().into_iter().find(|held| held.pipeline == key("q")).expect("it is held");
    assert!(matches!(failed.phase, Phase::Failed { .. }), "{failed:?}");
    bench.duties.state_arrived(key("r"), 1, Arc::from(vec![1]), NOW, 0).expect("it is kept");
    bench.install(comes("r"));
    assert!(bench.runs().contains(&("r".to_owned(), 1)), "it was there before the order");
}

#[tokio::test]
async fn a_released_pipeline_hands_its_state_over_and_can_take_it_back() {
    let mut bench = Bench::new();
    bench.install(order("p", 1));
    let release = ToAgent::Release {
        pipeline: key("p"),
        epoch: 1,
        successor: "http://other".into(),
        api_key: None,
        successor_epoch: 2,
    };
    bench.duties.frame(release, NOW, 0);
    bench.pump();
    let handovers = bench.duties.take_handovers();
    assert_eq!((handovers.len(), handovers[0].successor_epoch), (1, 2));
    bench.duties.take_outbox();
    bench.duties.handed_over(&handovers[0], Ok(()), 0);
    let outbox = bench.duties.take_outbox();
    assert!(matches!(&outbox[..], [ToCoordinator::Report { phase: Phase::Released, epoch: 1, .. }]), "{outbox:?}");
    bench.install(Order { state_comes: true, ..order("p", 3) });
    assert_eq!(bench.runs(), [("p".to_owned(), 3)], "it has its state still");
}

#[tokio::test]
async fn one_whose_state_nobody_took_goes_on_here_when_it_is_ordered_again() {
    let mut bench = Bench::new();
    bench.install(order("p", 1));
    let release = ToAgent::Release {
        pipeline: key("p"),
        epoch: 1,
        successor: "http://other".into(),
        api_key: None,
        successor_epoch: 2,
    };
    bench.duties.frame(release, NOW, 0);
    bench.pump();
    let handovers = bench.duties.take_handovers();
    bench.duties.handed_over(&handovers[0], Err("nobody is there".into()), 0);
    assert!(bench.runs().is_empty());
    bench.install(order("p", 1));
    assert_eq!(bench.runs(), [("p".to_owned(), 1)]);
    // A late answer of the successor is about what does not exist any more.
    bench.duties.handed_over(&handovers[0], Ok(()), 0);
    assert_ne!(bench.duties.held()[0].phase, Phase::Released);
}

#[test]
fn a_state_is_used_again_only_if_nobody_can_have_a_newer_one() {
    assert!(is_newest(&order("p", 2), 2), "the successor never came to be");
    assert!(!is_newest(&order("p", 3), 2), "the successor may have run");
    assert!(is_newest(&Order { state_comes: true, ..order("p", 3) }, 2), "a coordinator says that it has not");
}

#[tokio::test]
async fn a_state_for_an_older_placement_is_refused() {
    let mut bench = Bench::new();
    bench.install(order("p", 3));
    assert!(bench.duties.state_arrived(key("p"), 2, Arc::from(vec![1]), NOW, 0).is_err());
}

#[tokio::test]
async fn a_new_coordinator_is_told_what_it_was_not_told_in_the_first_frame() {
    let mut bench = Bench::new();
    bench.install(order("p", 1));
    let said = bench.duties.held();
    let phase = Phase::Running;
    bench.duties.event(Event::Phase { pipeline: key("p"), epoch: 1, phase }, NOW, 0);
    bench.duties.take_outbox();
    bench.duties.connected(&said, NOW, 0);
    let outbox = bench.duties.take_outbox();
    assert!(matches!(&outbox[..], [ToCoordinator::Report { phase: Phase::Running, epoch: 1, .. }]), "{outbox:?}");
    let held = bench.duties.held();
    bench.duties.connected(&held, NOW, 0);
    assert!(bench.duties.take_outbox().is_empty(), "it knows already");
}

#[tokio::test]
async fn sessions_are_not_buried_while_something_may_use_them() {
    let mut bench = Bench::new();
    bench.install(order("p", 1));
    bench.duties.frame(ToAgent::Remove { pipeline: key("p"), epoch: 1 }, NOW, 0);
    bench.duties.frame(ToAgent::Bury { sessions: BTreeMap::from([("c".to_owned(), client().1.connector)]) }, NOW, 0);
    // Only now it is heard that the pipeline has stopped.
    bench.pump();
    assert!(bench.duties.take_outbox().is_empty());
    bench.duties.tick(Duration::from_secs(1), 0);
    bench.pump();
    let outbox = bench.duties.take_outbox();
    assert!(matches!(&outbox[..], [ToCoordinator::Buried { .. }]), "{outbox:?}");
}

#[tokio::test]
async fn one_that_was_superseded_leaves_the_books() {
    let mut bench = Bench::new();
    bench.install(order("p", 1));
    bench.duties.event(Event::Stopped { pipeline: key("p"), epoch: 1 }, NOW, 0);
    assert!(bench.duties.held().is_empty());
}

#[tokio::test]
async fn sessions_are_buried_once_at_a_time() {
    let mut bench = Bench::new();
    let bury = || ToAgent::Bury { sessions: BTreeMap::from([("c".to_owned(), client().1.connector)]) };
    bench.duties.frame(bury(), NOW, 0);
    bench.duties.frame(bury(), NOW, 0);
    bench.pump();
    let outbox = bench.duties.take_outbox();
    assert!(matches!(&outbox[..], [ToCoordinator::Buried { clients }] if clients == &["c"]), "{outbox:?}");
}

#[derive(Clone, Debug)]
enum Step {
    Install(u8, EpochNumber),
    Remove(u8, EpochNumber),
    Pump,
    Superseded(u8, EpochNumber),
    Restart,
    Tick(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2_u8, 1..8_u64).prop_map(|(name, epoch)| Step::Install(name, epoch)),
        2 => (0..2_u8, 1..8_u64).prop_map(|(name, epoch)| Step::Remove(name, epoch)),
        4 => Just(Step::Pump),
        1 => (0..2_u8, 1..8_u64).prop_map(|(name, epoch)| Step::Superseded(name, epoch)),
        1 => Just(Step::Restart),
        1 => (0..10_u64).prop_map(Step::Tick),
    ]
}

proptest! {
    /// The newest order ever seen is what runs in the end, unless it was removed; an older one never begins.
    #[test]
    fn epochs_only_grow(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it starts");
        let _inside = runtime.enter();
        let mut bench = Bench::new();
        let names = ["a", "b"];
        for step in steps {
            match step {
                Step::Install(name, epoch) => bench.install(order(names[usize::from(name)], epoch)),
                Step::Remove(name, epoch) => {
                    bench.duties.frame(ToAgent::Remove { pipeline: key(names[usize::from(name)]), epoch }, NOW, 0);
                }
                Step::Pump => bench.pump(),
                Step::Superseded(name, epoch) => {
                    let pipeline = key(names[usize::from(name)]);
                    if bench.engine.running().get(&pipeline) == Some(&epoch) {
                        _ = bench.engine.stop(&pipeline, epoch, Ending::Now);
                        bench.pump();
                    }
                }
                Step::Restart => {
                    let books = bench.duties.books();
                    bench = Bench::with(Bookkeeper::default(), books);
                }
                Step::Tick(seconds) => bench.duties.tick(Duration::from_secs(seconds), 0),
            }
            let mut last: BTreeMap<PipelineKey, EpochNumber> = BTreeMap::new();
            for entry in bench.engine.log() {
                if let Entry::Installed(key, epoch) = entry {
                    let before = last.insert(key, epoch).unwrap_or(0);
                    prop_assert!(before <= epoch, "an older placement began after a newer one");
                }
            }
        }
        bench.pump();
        bench.duties.tick(Duration::from_secs(3600), 0);
        bench.pump();
        for held in bench.duties.held() {
            let runs = bench.engine.running().get(&held.pipeline).copied();
            prop_assert!(runs.is_none_or(|epoch| epoch == held.epoch), "{held:?} but {runs:?} runs");
        }
    }
}
