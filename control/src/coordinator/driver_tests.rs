//! The leader's loop over a consensus of one, with digests made by hand.

use super::*;
use crate::coordinator::fleet::{Digest, Line, Sight};
use crate::coordinator::testing::{Alone, CAPACITY, Counting, DEADLINES, Still, formed, key};
use crate::model::ids::{Uuid, WorkerId};
use crate::wire::{Metrics, PROTOCOL};

/// A leader's loop, and what it works with. Time is simulated.
struct Bench {
    agreement: Arc<Alone>,
    detector: Arc<FailureDetector>,
    digests: u64,
}

impl Bench {
    /// With workers `w`, which has the pipeline, and `v`.
    async fn new() -> Bench {
        let mut state = formed();
        state.workers.clear();
        let agreement = Alone::new(state);
        for name in ["v", "w"] {
            let change = Change::Register {
                worker: WorkerId::new(name),
                address: format!("http://{name}:1"),
                api_key: None,
                instance: Uuid::from_u128(1),
                protocol: PROTOCOL,
                capacity: CAPACITY,
            };
            agreement.submit(change, Duration::ZERO).await.expect("it is decided");
        }
        let detector = Arc::new(FailureDetector::new(1, DEADLINES, Instant::now()));
        let driver = Driver {
            agreement: agreement.clone(),
            detector: detector.clone(),
            clock: Arc::new(Still),
            entropy: Arc::new(Counting::default()),
        };
        tokio::spawn(async move { driver.run().await });
        Bench { agreement, detector, digests: 0 }
    }

    /// These workers are heard, for so long.
    async fn pass(&mut self, ms: u64, names: &[&str], term: u64) {
        for _ in 0..ms.div_ceil(100) {
            let sights = names.iter().map(|name| Sight {
                worker: WorkerId::new(name),
                instance: Some(Uuid::from_u128(1)),
                line: Line::Agent,
                age_ms: 0,
                silent: false,
                metrics: Metrics::default(),
            });
            self.digests += 1;
            let digest = Digest { node: 1, boot: 1, number: self.digests, sights: sights.collect() };
            self.detector.hear(digest, term, Instant::now());
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Where the pipeline is, and its epoch.
    fn placed(&self) -> Option<(String, u64)> {
        let state = self.agreement.watch().borrow().clone();
        let placement = state.groups[&key().group].pipelines[&key()].placement.as_ref()?;
        Some((placement.worker.to_string(), placement.epoch))
    }

    fn status(&self, name: &str) -> WorkerStatus {
        self.agreement.watch().borrow().workers[&WorkerId::new(name)].status
    }
}

#[tokio::test(start_paused = true)]
async fn what_ran_on_a_worker_that_is_gone_runs_elsewhere() {
    let mut bench = Bench::new().await;
    bench.pass(2_000, &["v", "w"], 1).await;
    assert_eq!(bench.placed(), Some(("w".into(), 3)));
    bench.pass(100, &["v"], 1).await;
    assert_eq!(bench.placed(), Some(("v".into(), 4)), "its socket ended, so at once");
    assert_eq!(bench.status("w"), WorkerStatus::Unhealthy);
    bench.pass(100, &["v", "w"], 1).await;
    assert_eq!(bench.status("w"), WorkerStatus::Ready, "it is back");
    assert_eq!(bench.placed(), Some(("v".into(), 4)));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_decided_by_one_that_does_not_lead() {
    let mut bench = Bench::new().await;
    bench.pass(500, &["v", "w"], 1).await;
    bench.agreement.set_term(2, false);
    bench.pass(100, &["v", "w"], 1).await;
    let before = bench.agreement.submitted().len();
    bench.pass(5_000, &[], 1).await;
    assert_eq!(bench.agreement.submitted().len(), before);
    assert_eq!(bench.placed(), Some(("w".into(), 3)));
}

#[tokio::test(start_paused = true)]
async fn a_new_term_begins_with_a_deadline_for_everybody() {
    let mut bench = Bench::new().await;
    bench.pass(500, &["v", "w"], 1).await;
    bench.agreement.set_term(2, false);
    bench.pass(10_000, &[], 1).await;
    bench.agreement.set_term(3, true);
    bench.pass(500, &["v"], 3).await;
    assert_eq!(bench.placed(), Some(("w".into(), 3)), "it may come until the deadline");
    bench.pass(300, &["v"], 3).await;
    assert_eq!(bench.placed(), Some(("v".into(), 4)));
}

#[tokio::test(start_paused = true)]
async fn without_a_majority_a_leader_decides_nothing_and_goes_on_when_there_is_one() {
    let mut bench = Bench::new().await;
    bench.pass(500, &["v", "w"], 1).await;
    bench.agreement.set_leader(false);
    bench.pass(500, &["v"], 1).await;
    assert_eq!(bench.placed(), Some(("w".into(), 3)));
    bench.agreement.set_leader(true);
    bench.pass(200, &["v"], 1).await;
    assert_eq!(bench.placed(), Some(("v".into(), 4)));
}
