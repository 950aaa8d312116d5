//! One run: nodes that start at random times, clients, and what is done to them.

use crate::history::History;
use crate::net::{Host, Seeded};
use rarog_control::model::command::Change;
use rarog_control::model::spec::ConnectorSpec;
use rarog_control::raft::{Consensus, Flush, RaftConfig, SubmitError, Timings};
use rarog_control::seams::{BoxStream, Disk, Entropy, Listener};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;
use tokio::time::sleep;
use turmoil::Sim;

const PORT: u16 = 9100;
const TICK_MS: u64 = 2;

/// Time in which things are done to the nodes, ms.
const TROUBLE_MS: u64 = 15_000;

/// Time for getting over it, ms.
const PATIENCE_MS: u64 = 30_000;

pub struct Run {
    seed: u64,
    sim: Sim<'static>,
    hosts: BTreeMap<u64, Host>,
    history: History,
    draw: Seeded,
    /// Nodes that do not run.
    down: BTreeSet<u64>,
    /// Pairs that do not reach each other.
    cut: BTreeSet<(u64, u64)>,
}

impl Run {
    pub fn new(seed: u64) -> Run {
        let mut sim = turmoil::Builder::new()
            .simulation_duration(Duration::from_secs(600))
            .tick_duration(Duration::from_millis(TICK_MS))
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(8))
            .tcp_capacity(4096)
            .rng_seed(seed)
            .build();
        let draw = Seeded::new(seed);
        let nodes: Vec<u64> = (1..=if draw.below(3) == 0 { 5 } else { 3 }).collect();
        let history = History::default();
        let mut hosts = BTreeMap::new();
        for node in nodes.clone() {
            let host = Host::new(draw.next_u64());
            hosts.insert(node, host.clone());
            let (nodes, history, delay_ms) = (nodes.clone(), history.clone(), draw.below(3_000));
            sim.host(name(node), move || serve(node, nodes.clone(), host.clone(), history.clone(), delay_ms));
        }
        Run { seed, sim, hosts, history, draw, down: BTreeSet::new(), cut: BTreeSet::new() }
    }

    /// Plays it; gives the record of what happened.
    pub fn play(mut self) -> Vec<String> {
        let history = self.history.clone();
        let result = catch_unwind(AssertUnwindSafe(|| self.act()));
        if let Err(panic) = result {
            let record = history.record();
            for line in &record[record.len().saturating_sub(150)..] {
                eprintln!("{line}");
            }
            eprintln!("seed {}: {}", self.seed, history.summary());
            resume_unwind(panic);
        }
        println!("seed {}, {} nodes: {}", self.seed, self.hosts.len(), history.summary());
        history.record()
    }

    fn act(&mut self) {
        let mut left = TROUBLE_MS;
        while left > 0 {
            let pause = (50 + self.draw.below(1_500)).min(left);
            self.pass(pause);
            left -= pause;
            self.trouble();
        }
        self.heal();
        let count = self.hosts.len();
        self.until("the nodes come together again", PATIENCE_MS, |history| {
            history.is_whole(count) && history.agrees(count)
        });
        self.history.check();
        assert!(self.history.all_decided().len() > 5, "hardly anything was decided");
    }

    /// Crashes leader after leader; gives how long each time nobody led, ms.
    pub fn failovers(mut self, times: usize) -> Vec<u64> {
        let count = self.hosts.len();
        let mut gone = Vec::new();
        for _ in 0..times {
            self.until("all are whole", PATIENCE_MS, |history| history.is_whole(count));
            let leader = self.history.leader().expect("all are whole");
            self.crash(leader);
            let since = self.sim.elapsed();
            self.until("another one leads", PATIENCE_MS, |history| history.leader_after(leader).is_some());
            gone.push((self.sim.elapsed() - since).as_millis() as u64);
            self.heal();
        }
        gone
    }

    fn until(&mut self, what: &str, patience_ms: u64, is_so: impl Fn(&History) -> bool) {
        let deadline = self.sim.elapsed() + Duration::from_millis(patience_ms);
        while !is_so(&self.history) {
            assert!(self.sim.elapsed() < deadline, "in vain: {what}");
            self.pass(10);
        }
    }

    fn pass(&mut self, ms: u64) {
        for _ in 0..ms / TICK_MS {
            self.sim.step().expect("the hosts do not fail");
        }
        self.history.check();
    }

    /// Does something to the nodes, or undoes it.
    fn trouble(&mut self) {
        let nodes: Vec<u64> = self.hosts.keys().copied().collect();
        let node = nodes[self.draw.below(nodes.len() as u64) as usize];
        let other = nodes[self.draw.below(nodes.len() as u64) as usize];
        match self.draw.below(10) {
            0..3 if !self.down.contains(&node) => self.crash(node),
            0..5 => {
                for node in std::mem::take(&mut self.down) {
                    self.bounce(node);
                }
            }
            5..7 if node != other => {
                self.note(format_args!("{node} and {other} do not reach each other"));
                self.sim.partition(name(node), name(other));
                self.cut.insert((node, other));
            }
            // While another node is on its way back to a vote, those that have one may be too few to lose any.
            7 if self.down.is_empty() && self.history.is_whole(nodes.len()) => {
                self.crash(node);
                self.note(format_args!("{node} loses its disk"));
                let disk = &self.hosts[&node].disk;
                for file in disk.list().expect("it is in memory") {
                    disk.remove(&file).expect("it is in memory");
                }
                self.down.remove(&node);
                self.bounce(node);
            }
            _ => self.reconnect(),
        }
    }

    fn crash(&mut self, node: u64) {
        self.note(format_args!("{node} crashes"));
        self.sim.crash(name(node));
        self.hosts[&node].disk.crash(self.draw.next_u64());
        self.history.gone(node);
        self.down.insert(node);
    }

    fn bounce(&mut self, node: u64) {
        self.note(format_args!("{node} starts again"));
        self.sim.bounce(name(node));
    }

    fn reconnect(&mut self) {
        for (node, other) in std::mem::take(&mut self.cut) {
            self.note(format_args!("{node} and {other} reach each other again"));
            self.sim.repair(name(node), name(other));
        }
    }

    fn heal(&mut self) {
        self.reconnect();
        for node in std::mem::take(&mut self.down) {
            self.bounce(node);
        }
    }

    fn note(&self, what: std::fmt::Arguments<'_>) {
        self.history.note(format_args!("{what} (at {} ms)", self.sim.elapsed().as_millis()));
    }
}

fn name(node: u64) -> String {
    format!("c{node}")
}

/// Runs a node and its client until it crashes.
async fn serve(node: u64, nodes: Vec<u64>, host: Host, history: History, delay_ms: u64) -> turmoil::Result {
    sleep(Duration::from_millis(delay_ms)).await;
    let seams = host.seams();
    let peers = nodes.iter().map(|node| (*node, format!("http://{}:{PORT}", name(*node)))).collect();
    let timings = Timings { absent_ms: 1_500, snapshot_every: 40, keep_entries: 10, ..Timings::default() };
    let config = RaftConfig { node, peers, key: None, timings, flush: Flush::Inline };
    let consensus = Consensus::start(config, seams.clone()).await?;
    let listener = seams.net.listen(&format!("0.0.0.0:{PORT}")).await?;
    tokio::spawn(watch(consensus.clone(), history.clone()));
    let draw = Seeded::new(seams.entropy.next_u64());
    tokio::spawn(write(consensus.clone(), history.clone(), Seeded::new(draw.next_u64())));
    tokio::spawn(read(consensus.clone(), history, draw));
    axum::serve(Acceptor(listener), consensus.routes()).await?;
    Ok(())
}

/// Records what a node shows.
async fn watch(consensus: Consensus, history: History) {
    let (node, mut states, mut leaders) = (consensus.node(), consensus.watch(), consensus.watch_leadership());
    let mut last = String::new();
    loop {
        let state = states.borrow_and_update().clone();
        let leadership = leaders.borrow_and_update().clone();
        let voters = consensus.members().iter().filter(|member| member.votes).count();
        history.shows(node, state.connectors.keys().cloned().collect());
        history.sees(node, leadership.leader, voters);
        if let Some(cluster) = state.cluster {
            history.formed(cluster);
        }
        let problem = consensus.metrics().problem.unwrap_or_default();
        let line = format!(
            "{node}: version {}, term {}, leader {:?}, {voters} vote {problem}",
            state.version, leadership.term, leadership.leader
        );
        if line != last {
            history.note(&line);
            last = line;
        }
        tokio::select! {
            biased;
            changed = states.changed() => if changed.is_err() { return },
            changed = leaders.changed() => if changed.is_err() { return },
            () = sleep(Duration::from_millis(100)) => {}
        }
    }
}

/// Has things decided, one after the other.
async fn write(consensus: Consensus, history: History, draw: Seeded) {
    loop {
        sleep(Duration::from_millis(draw.below(150))).await;
        let name = history.fresh();
        let spec = ConnectorSpec {
            name: name.clone(),
            connector_type: "mqtt".into(),
            params: BTreeMap::from([("host".into(), "broker".into())]),
            description: None,
        };
        let change = Change::PutConnector { spec, replace: false };
        match consensus.submit(change, Duration::from_millis(500 + draw.below(1_500))).await {
            Ok(_) => history.decided(name),
            Err(SubmitError::OutcomeUnknown) => history.note(format_args!("{name} is unknown")),
            Err(_) => history.refused(name),
        }
    }
}

/// Reads, and looks whether everything is there.
async fn read(consensus: Consensus, history: History, draw: Seeded) {
    loop {
        sleep(Duration::from_millis(draw.below(150))).await;
        let decided = history.all_decided();
        if let Ok(state) = consensus.read(Duration::from_millis(1_000)).await {
            let missing: Vec<_> = decided.iter().filter(|name| !state.connectors.contains_key(*name)).collect();
            if !missing.is_empty() {
                history.wrong(format_args!("a read at {} lacks {missing:?}", consensus.node()));
            }
        }
    }
}

/// Lets axum serve over a simulated socket.
struct Acceptor(Box<dyn Listener>);

impl axum::serve::Listener for Acceptor {
    type Io = BoxStream;
    type Addr = String;

    async fn accept(&mut self) -> (BoxStream, String) {
        loop {
            match self.0.accept().await {
                Ok(accepted) => return accepted,
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<String> {
        self.0.address()
    }
}
