//! A simulated coordinator: the parts of a real one, over simulated seams.

use crate::net::Host;
use crate::world::World;
use rarog_control::coordinator::agreement::Agreement;
use rarog_control::coordinator::compile::Compiler;
use rarog_control::coordinator::detector::FailureDetector;
use rarog_control::coordinator::digest::Digests;
use rarog_control::coordinator::driver::Driver;
use rarog_control::coordinator::hub::{Hub, HubConfig, HubParts};
use rarog_control::coordinator::liveness::Deadlines;
use rarog_control::http_client::HttpClient;
use rarog_control::model::command::Change;
use rarog_control::model::ids::NodeId;
use rarog_control::model::state::{Placement, State};
use rarog_control::raft::{Consensus, Flush, RaftConfig, Timings};
use rarog_control::seams::{BoxStream, Listener};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Where coordinators listen.
const PORT: u16 = 9100;

pub const DEADLINES: Deadlines = Deadlines { ping: Duration::from_secs(1), heartbeat: Duration::from_secs(15) };

/// Changes that somebody wants.
pub type Inbox = Arc<Mutex<VecDeque<Change>>>;

/// `c1` … `c3`.
pub fn name(node: NodeId) -> String {
    format!("c{node}")
}

/// Where a coordinator is reached.
pub fn url(node: NodeId) -> String {
    format!("http://{}:{PORT}", name(node))
}

/// Runs until the host crashes.
pub async fn run(node: NodeId, nodes: Vec<NodeId>, host: Host, world: Arc<World>, inbox: Inbox) -> turmoil::Result {
    let seams = host.seams();
    let peers: BTreeMap<NodeId, String> = nodes.iter().map(|node| (*node, url(*node))).collect();
    let config = RaftConfig { node, peers, key: None, timings: Timings::default(), flush: Flush::Inline };
    let consensus = Consensus::start(config, seams.clone()).await?;
    let agreement: Arc<dyn Agreement> = Arc::new(consensus.clone());
    let hub_config = HubConfig {
        node,
        ping_interval: Duration::from_millis(250),
        heartbeat_interval: Duration::from_secs(5),
        deadlines: DEADLINES,
        may_register: Arc::new(|_| true),
    };
    let parts = HubParts {
        agreement: agreement.clone(),
        compiler: Arc::new(Compiler::new()),
        clock: seams.clock.clone(),
        entropy: seams.entropy.clone(),
    };
    let hub = Hub::new(hub_config, parts);
    let detector = Arc::new(FailureDetector::new(node, DEADLINES, Instant::now()));
    let digests = Digests {
        node,
        hub: hub.clone(),
        detector: detector.clone(),
        agreement: agreement.clone(),
        http: HttpClient::new(seams.net.clone()),
        key: None,
        is_peer: Arc::new(|_| true),
    };
    let driver =
        Driver { agreement: agreement.clone(), detector, clock: seams.clock.clone(), entropy: seams.entropy.clone() };
    let asked = consensus.clone();
    let ready = async move || if asked.leadership().leader.is_some() { 200 } else { 503 };
    let ready = axum::routing::get(async move || axum::http::StatusCode::from_u16(ready().await).expect("it is one"));
    let router = consensus.routes().merge(hub.router()).merge(digests.router()).route("/ready", ready);
    let listener = seams.net.listen(&format!("0.0.0.0:{PORT}")).await?;
    tokio::spawn(async move { digests.post_all().await });
    tokio::spawn(async move { driver.run().await });
    tokio::spawn(watch(node, consensus.clone(), world));
    tokio::spawn(submit(consensus, inbox));
    axum::serve(Acceptor(listener), router).await?;
    Ok(())
}

/// Records every state that is shown.
async fn watch(node: NodeId, consensus: Consensus, world: Arc<World>) {
    let mut states = consensus.watch();
    let mut leaders = consensus.watch_leadership();
    loop {
        let state = states.borrow_and_update().clone();
        let leading = leaders.borrow_and_update().clone();
        let json = serde_json::to_vec(&*state).expect("states can be written");
        let (version, hash) = (state.version, crc32fast::hash(&json));
        let leader = leading.leader.unwrap_or(0);
        world.note(format_args!(
            "{} term {} of {leader}, {version} {hash:08x}: {}",
            name(node),
            leading.term,
            brief(&state)
        ));
        world.shows(node, state, leading.leader.filter(|_| leading.is_self || leading.leader != Some(node)));
        tokio::select! {
            biased;
            changed = states.changed() => if changed.is_err() { return },
            changed = leaders.changed() => if changed.is_err() { return },
        }
    }
}

/// Workers and placements in one line.
fn brief(state: &State) -> String {
    let workers = state.workers.iter().map(|(id, worker)| format!("{id} {:?}", worker.status));
    let place = |placement: &Placement| format!("{}/{} {:?}", placement.worker, placement.epoch, placement.phase);
    let pipelines = state.groups.values().flat_map(|group| &group.pipelines);
    let pipelines =
        pipelines.map(|(key, it)| format!("{}: {}", key.name, it.placement.as_ref().map_or("-".into(), place)));
    workers.chain(pipelines).collect::<Vec<_>>().join(", ")
}

/// Has decided what comes into the inbox.
async fn submit(consensus: Consensus, inbox: Inbox) {
    loop {
        let next = inbox.lock().expect("nobody panics with it").pop_front();
        if let Some(change) = next {
            consensus.submit(change, Duration::from_secs(2)).await.expect("there is a leader");
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// A listener as axum wants it.
struct Acceptor(Box<dyn Listener>);

impl axum::serve::Listener for Acceptor {
    type Io = BoxStream;
    type Addr = String;

    async fn accept(&mut self) -> (BoxStream, String) {
        loop {
            if let Ok(accepted) = self.0.accept().await {
                return accepted;
            }
        }
    }

    fn local_addr(&self) -> io::Result<String> {
        self.0.address()
    }
}
