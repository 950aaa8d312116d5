//! A simulated worker: the agent of a real one, and an engine that keeps books.

use crate::books::Books;
use crate::coordinator;
use crate::net::Host;
use crate::world::World;
use rarog_control::agent::{Agent, AgentConfig};
use rarog_control::model::ids::{NodeId, Uuid, WorkerId};
use rarog_control::model::state::Capacity;
use std::sync::Arc;

/// Runs until the host crashes. The first of the coordinators is its home.
pub async fn run(name: String, coordinators: Vec<NodeId>, host: Host, world: Arc<World>) -> turmoil::Result {
    let seams = host.seams();
    let config = AgentConfig {
        worker: WorkerId::new(&name),
        instance: Uuid::from_u64_pair(seams.entropy.next_u64(), seams.entropy.next_u64()),
        coordinators: coordinators.into_iter().map(coordinator::url).collect(),
        api_key: None,
        address: format!("http://{name}:9000"),
        capacity: Capacity { cpu_cores: 1, pipelines_running: 0, max_pipelines: 100 },
    };
    let engine = Arc::new(Books::new(&name, world.clone(), seams.entropy.next_u64()));
    let agent = Agent::start(config, engine, seams)?;
    Err(agent.ended().await.into())
}
