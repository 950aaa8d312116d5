//! Coordinators' Raft nodes in this process: each with a runtime of its own that can be killed, real sockets and real folders.

use rarog_control::model::command::{Change, Outcome};
use rarog_control::model::ids::NodeId;
use rarog_control::model::secret::Secret;
use rarog_control::model::spec::ConnectorSpec;
use rarog_control::raft::{Consensus, Flush, Metrics, RaftConfig, StartError, SubmitError, Timings};
use rarog_control::seams::real::{self, OpenError};
use std::collections::BTreeMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Time that anything may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Time that a leader is waited for.
pub const LEADER_PATIENCE: Duration = Duration::from_secs(5);

/// Clusters that run at the same time; more would keep each other from meeting their deadlines.
const CLUSTERS: usize = 2;

static NUMBER: AtomicU32 = AtomicU32::new(0);

static RUNNING: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// Nodes of one test, and their folders, which are gone when it ends.
pub struct Nodes {
    folder: PathBuf,
    pub timings: Timings,
    pub key: Option<Secret>,
    addresses: BTreeMap<NodeId, SocketAddr>,
    running: BTreeMap<NodeId, Node>,
}

struct Node {
    runtime: Runtime,
    consensus: Consensus,
}

impl Nodes {
    /// Nodes with these numbers, none of which runs.
    pub fn new(numbers: impl IntoIterator<Item = NodeId>) -> Nodes {
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let free = ENDED.wait_while(running, |running| *running >= CLUSTERS);
        *free.unwrap_or_else(PoisonError::into_inner) += 1;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("rarog-raft-{}-{number}", std::process::id()));
        let addresses = numbers.into_iter().map(|node| (node, free_address(number))).collect();
        // Machines that run tests do other things as well.
        let timings = Timings { heartbeat_ms: 100, election_min_ms: 400, election_max_ms: 800, ..Timings::default() };
        Nodes { folder, timings, key: None, addresses, running: BTreeMap::new() }
    }

    pub fn url(&self, node: NodeId) -> String {
        format!("http://{}", self.addresses[&node])
    }

    pub fn folder(&self, node: NodeId) -> PathBuf {
        self.folder.join(node.to_string())
    }

    pub fn peers(&self) -> BTreeMap<NodeId, String> {
        self.addresses.keys().map(|node| (*node, self.url(*node))).collect()
    }

    pub fn config(&self, node: NodeId) -> RaftConfig {
        let (timings, key) = (self.timings, self.key.clone());
        RaftConfig { node, peers: self.peers(), key, timings, flush: Flush::Thread }
    }

    pub fn start(&mut self, node: NodeId) {
        self.start_as(self.config(node)).expect("it starts");
    }

    pub fn start_all(&mut self) {
        for node in self.addresses.keys().copied().collect::<Vec<_>>() {
            self.start(node);
        }
    }

    /// Starts a node, once the one that was killed has left its folder.
    pub fn start_as(&mut self, config: RaftConfig) -> Result<(), StartError> {
        let (node, address) = (config.node, self.addresses[&config.node]);
        let seams = await_some("the folder is free", || match real::seams(&self.folder(node)) {
            Err(OpenError::InUse(_)) => None,
            other => Some(other.expect("the folder can be used")),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("threads can be made");
        let consensus = runtime.block_on(Consensus::start(config, seams))?;
        let listener = await_some("the port is free", || runtime.block_on(tokio::net::TcpListener::bind(address)).ok());
        let routes = consensus.routes();
        runtime.spawn(async move { axum::serve(listener, routes).await.expect("it serves until it is killed") });
        self.running.insert(node, Node { runtime, consensus });
        Ok(())
    }

    /// Ends a node without a word.
    pub fn kill(&mut self, node: NodeId) {
        self.running.remove(&node).expect("it runs").runtime.shutdown_background();
    }

    /// Loses a node's folder.
    pub fn wipe(&self, node: NodeId) {
        await_some("the folder is free", || match real::seams(&self.folder(node)) {
            Err(OpenError::InUse(_)) => None,
            _ => Some(()),
        });
        std::fs::remove_dir_all(self.folder(node)).expect("it was there");
    }

    pub fn running(&self) -> Vec<NodeId> {
        self.running.keys().copied().collect()
    }

    pub fn node(&self, node: NodeId) -> &Consensus {
        &self.running[&node].consensus
    }

    pub fn on<T>(&self, node: NodeId, future: impl Future<Output = T>) -> T {
        self.running[&node].runtime.block_on(future)
    }

    pub fn submit(&self, node: NodeId, change: Change) -> Result<Outcome, SubmitError> {
        self.on(node, self.node(node).submit(change, LEADER_PATIENCE))
    }

    /// Puts a connector; once more if a leader that was killed has taken it with it, which does no harm.
    pub fn put(&self, node: NodeId, name: &str) {
        let decided = await_some("it is decided", || match self.submit(node, put(name)) {
            Err(SubmitError::OutcomeUnknown) => None,
            decided => Some(decided),
        });
        assert!(matches!(decided, Ok(Outcome::Applied | Outcome::Unchanged)), "{name} at {node}: {decided:?}");
    }

    pub fn metrics(&self, node: NodeId) -> Metrics {
        self.node(node).metrics()
    }

    /// The node that all running ones know as their leader, and that leads.
    pub fn leader(&self) -> NodeId {
        await_some("all know one leader", || {
            let mut known: Vec<_> = self.running.values().map(|node| node.consensus.leadership().leader).collect();
            known.dedup();
            let [Some(leader)] = known[..] else { return None };
            let leads = self.running.get(&leader)?.consensus.leadership().is_self;
            leads.then_some(leader)
        })
    }

    /// Some running node that does not lead.
    pub fn follower(&self) -> NodeId {
        let leader = self.leader();
        self.running().into_iter().find(|node| *node != leader).expect("there are several")
    }

    /// Waits until all running nodes show a connector.
    pub fn await_connector(&self, name: &str) {
        for (number, node) in &self.running {
            await_some(&format!("node {number} shows {name}"), || {
                node.consensus.state().connectors.contains_key(name).then_some(())
            });
        }
    }

    /// Waits until a node knows exactly these as voters.
    pub fn await_voters(&self, node: NodeId, voters: &[NodeId]) {
        await_some(&format!("node {node} knows {voters:?} as voters"), || {
            let members = self.node(node).members();
            let votes: Vec<NodeId> = members.iter().filter(|member| member.votes).map(|member| member.node).collect();
            (votes == voters).then_some(())
        });
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for node in self.running() {
            self.kill(node);
        }
        // A node that has just been killed may still write; what is left over is small and in the temporary folder.
        drop(std::fs::remove_dir_all(&self.folder));
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ENDED.notify_all();
    }
}

/// Puts a connector.
pub fn put(name: &str) -> Change {
    let params = BTreeMap::from([("host".into(), "broker".into())]);
    let spec = ConnectorSpec { name: name.into(), connector_type: "mqtt".into(), params, description: None };
    Change::PutConnector { spec, replace: false }
}

/// Polls until there is something.
pub fn await_some<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = poll() {
            return found;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// An address that stays this test's own while its nodes are down: on Linux every test has an IP address of its own.
fn free_address(number: u32) -> SocketAddr {
    let ip = if cfg!(target_os = "linux") {
        let id = std::process::id().wrapping_mul(64).wrapping_add(number);
        Ipv4Addr::new(127, 1 + (id >> 14) as u8 % 250, (id >> 7) as u8 & 0x7f, 1 + (id as u8 & 0x7f))
    } else {
        Ipv4Addr::LOCALHOST
    };
    let listener = TcpListener::bind((IpAddr::V4(ip), 0)).expect("a free port");
    listener.local_addr().expect("it is bound")
}
