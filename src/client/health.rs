//! `rarog health`: one question to one server, for health checks of containers and for scripts.

use super::Client;
use super::list::text;
use crate::args::{Cluster, HealthArgs};
use crate::run::Failure;
use crate::stdout;

/// Prints what the server says of itself.
pub fn health(args: &HealthArgs) -> Result<(), Failure> {
    let cluster = Cluster { coordinator: vec![args.url.clone()], api_key: None, timeout: args.timeout };
    let health = Client::of(&cluster)?.get("/health")?;
    stdout::print(&format!("{} {}\n", text(&health, "role"), text(&health, "status")));
    Ok(())
}
