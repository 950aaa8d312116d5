//! A simulated coordinator: a real one over simulated seams.

use crate::net::Host;
use crate::world::World;
use rarog_control::coordinator::{Coordinator, CoordinatorConfig};
use rarog_control::model::ids::NodeId;
use rarog_control::model::state::{Placement, State};
use rarog_control::raft::{Consensus, Flush};
use std::sync::Arc;
use std::time::Duration;

/// Where coordinators listen.
const PORT: u16 = 9100;

/// Silence after which a worker is gone.
pub const PING_DEADLINE: Duration = Duration::from_secs(1);

/// `c1` … `c3`.
pub fn name(node: NodeId) -> String {
    format!("c{node}")
}

/// Where a coordinator is reached.
pub fn url(node: NodeId) -> String {
    format!("http://{}:{PORT}", name(node))
}

/// Runs until the host crashes.
pub async fn run(node: NodeId, nodes: Vec<NodeId>, host: Host, world: Arc<World>) -> turmoil::Result {
    let config = CoordinatorConfig {
        node,
        peers: nodes.into_iter().map(|node| (node, url(node))).collect(),
        ping_deadline: PING_DEADLINE,
        flush: Flush::Inline,
        ..CoordinatorConfig::alone(&format!("0.0.0.0:{PORT}"))
    };
    let coordinator = Coordinator::start(config, host.seams()).await?;
    watch(node, coordinator.consensus(), &world).await;
    Err("consensus has ended".into())
}

/// Records every state that is shown.
async fn watch(node: NodeId, consensus: &Consensus, world: &World) {
    let mut states = consensus.watch();
    let mut leaders = consensus.watch_leadership();
    loop {
        let state = states.borrow_and_update().clone();
        let leading = leaders.borrow_and_update().clone();
        let json = serde_json::to_vec(&*state).expect("states can be written");
        let (version, hash, leader) = (state.version, crc32fast::hash(&json), leading.leader.unwrap_or(0));
        let shown = brief(&state);
        world.note(format_args!("{} term {} of {leader}, {version} {hash:08x}: {shown}", name(node), leading.term));
        world.shows(node, state, leading.leader.filter(|_| leading.is_self || leading.leader != Some(node)));
        tokio::select! {
            biased;
            changed = states.changed() => if changed.is_err() { return },
            changed = leaders.changed() => if changed.is_err() { return },
        }
    }
}

/// Workers, placements and sessions to be removed, in one line.
fn brief(state: &State) -> String {
    let workers = state.workers.iter().map(|(id, worker)| format!("{id} {:?}", worker.status));
    let place = |placement: &Placement| format!("{}/{} {:?}", placement.worker, placement.epoch, placement.phase);
    let pipelines = state.groups.values().flat_map(|group| &group.pipelines);
    let pipelines =
        pipelines.map(|(key, it)| format!("{}: {}", key.name, it.placement.as_ref().map_or("-".into(), place)));
    let tombstones = state.tombstones.keys().map(|client| format!("bury {client}"));
    workers.chain(pipelines).chain(tombstones).collect::<Vec<_>>().join(", ")
}
