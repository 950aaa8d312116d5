//! A cluster of real processes on loopback: coordinators, workers and a broker, each of which can be killed, paused and
//! started again.
//!
//! ```text
//!   Load ──> Broker ──> workers (rarog server) ──> Broker ──> Load's collector
//!                          │ their homes
//!                       coordinators (rarog coordinator)
//! ```
//! Invariant: only processes started here are signalled, and none outlives its cluster.

mod calls;
mod load;
mod member;

pub use calls::{group_of, wait_until};
pub use load::{Load, Tally};
pub use member::Member;

use crate::broker::{free_port, fresh_directory};
use crate::rest::Rest;
use crate::{Broker, Settings};
use std::path::{Path, PathBuf};

/// See the module's head.
pub struct Cluster {
    directory: PathBuf,
    /// The broker that pipelines use.
    pub broker: Broker,
    /// Coordinator `i` has node id `i + 1`.
    pub coordinators: Vec<Member>,
    /// Worker `i` is `worker-<i + 1>`.
    pub workers: Vec<Member>,
}

/// How a cluster is laid out.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Coordinators.
    pub coordinators: usize,
    /// Do they form one cluster?
    pub raft: bool,
    /// By worker, the index of its home.
    pub homes: Vec<usize>,
    /// Do workers know the other coordinators from the start?
    pub know_all: bool,
    /// Further options of every coordinator.
    pub coordinator_options: Vec<String>,
    /// Further options of every worker.
    pub worker_options: Vec<String>,
}

impl Layout {
    /// Coordinators that share nothing.
    pub fn independent(coordinators: usize, homes: &[usize]) -> Layout {
        Layout {
            coordinators,
            raft: false,
            homes: homes.to_vec(),
            know_all: false,
            coordinator_options: Vec::new(),
            worker_options: Vec::new(),
        }
    }

    /// Coordinators that form one cluster.
    pub fn raft(coordinators: usize, homes: &[usize]) -> Layout {
        Layout { raft: true, ..Layout::independent(coordinators, homes) }
    }
}

impl Cluster {
    /// Starts everything; waits for nothing.
    pub fn start(layout: &Layout) -> Cluster {
        let directory = fresh_directory();
        let broker = Broker::with(&Settings { max_inflight: 0, ..Settings::default() });
        let ports: Vec<u16> = (0..layout.coordinators).map(|_| free_port()).collect();
        let peers: Vec<String> = ports.iter().map(|port| format!("http://127.0.0.1:{port}")).collect();
        let coordinator = |(index, port): (usize, &u16)| {
            let mut arguments = vec!["coordinator".into(), "--port".into(), port.to_string()];
            let data = directory.join(format!("coordinator-{}", index + 1));
            arguments.extend(["--raft-data-dir".into(), data.display().to_string()]);
            if layout.raft {
                let node = (index + 1).to_string();
                arguments
                    .extend(["--raft", "--raft-node-id", &node, "--raft-peers", &peers.join(",")].map(String::from));
            }
            arguments.extend(layout.coordinator_options.iter().cloned());
            Member::start(&directory, &format!("coordinator-{}", index + 1), *port, data, arguments)
        };
        let coordinators = ports.iter().enumerate().map(coordinator).collect();
        let worker = |(index, home): (usize, &usize)| {
            let (name, port) = (format!("worker-{}", index + 1), free_port());
            let others = peers.iter().enumerate().filter(|(of, _)| layout.know_all && of != home).map(|(_, url)| url);
            let urls: Vec<&str> = [&peers[*home]].into_iter().chain(others).map(String::as_str).collect();
            let data = directory.join(&name);
            let mut arguments: Vec<String> =
                ["server", "--worker-id", &name, "--coordinator", &urls.join(",")].map(String::from).into();
            arguments.extend(["--port".into(), port.to_string(), "--state-dir".into(), data.display().to_string()]);
            arguments.extend(layout.worker_options.iter().cloned());
            Member::start(&directory, &name, port, data, arguments)
        };
        let workers = layout.homes.iter().enumerate().map(worker).collect();
        Cluster { directory, broker, coordinators, workers }
    }

    /// A directory that goes with the cluster.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The REST interface of a coordinator.
    pub fn coordinator(&self, index: usize) -> Rest {
        Rest::at(self.coordinators[index].port)
    }

    /// A second process under the name of a worker, with a port and a state of its own.
    pub fn twin_of(&self, worker: usize) -> Member {
        let (of, port) = (&self.workers[worker], free_port());
        let data = self.directory.join(format!("{}-twin", of.name));
        let mut arguments = of.arguments().to_vec();
        for (option, value) in [("--port", port.to_string()), ("--state-dir", data.display().to_string())] {
            let at = arguments.iter().position(|argument| argument == option).expect("workers are started with both");
            arguments[at + 1] = value;
        }
        Member::start(&self.directory, &format!("{}-twin", of.name), port, data, arguments)
    }

    /// The index of the worker of this name.
    pub fn worker(&self, name: &str) -> usize {
        let found = self.workers.iter().position(|worker| worker.name == name);
        found.unwrap_or_else(|| panic!("there is no worker {name}"))
    }

    /// What all processes have logged, for messages.
    pub fn logs(&self) -> String {
        let all = self.coordinators.iter().chain(&self.workers);
        all.map(|member| format!("--- {} ---\n{}", member.name, member.log())).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.workers.clear();
        self.coordinators.clear();
        // Kept on a failure: what the processes have logged says why.
        if !std::thread::panicking() {
            drop(std::fs::remove_dir_all(&self.directory));
        }
    }
}
