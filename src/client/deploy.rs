//! Puts programs on a cluster, or on one worker, and takes them away.

use super::Client;
use crate::args::{DeleteArgs, DeployArgs};
use crate::run::Failure;
use crate::{files, stdout};
use axum::http::Method;
use serde_json::{Value, json};
use std::path::Path;

const GROUPS: &str = "/api/v1/cluster/pipeline-groups";

/// Deploys.
pub fn deploy(args: &DeployArgs) -> Result<(), Failure> {
    let programs: Vec<&Path> = args.file.iter().chain(&args.programs).map(|path| path.as_path()).collect();
    let sources = programs.iter().map(|path| files::read_program(path).map_err(Failure::usage));
    let sources = sources.collect::<Result<Vec<_>, _>>()?;
    let names: Vec<String> = programs.iter().map(|path| name_of(path)).collect();
    if let Some(server) = &args.server {
        return on_worker(args, server, &names, sources);
    }
    let pipeline = |(name, source): (&String, String)| {
        let mut spec = json!({"name": name, "source": source, "replicas": args.replicas});
        if let Some(key) = &args.partition_key {
            spec["partition_key"] = key.as_str().into();
        }
        spec
    };
    let pipelines: Vec<Value> = names.iter().zip(sources).map(pipeline).collect();
    let group = args.group.clone().unwrap_or_else(|| names[0].clone());
    let spec = json!({"name": group, "pipelines": pipelines});
    let path = if args.replace { format!("{GROUPS}?replace=true") } else { GROUPS.to_owned() };
    let answer = Client::of(&args.cluster)?.call(Method::POST, &path, Some(&spec))?;
    stdout::print(&described(&answer));
    Ok(())
}

/// Deletes.
pub fn delete(args: &DeleteArgs) -> Result<(), Failure> {
    let client = Client::of(&args.cluster)?;
    let list = client.get(&format!("{GROUPS}?limit=1000"))?;
    let groups = list["pipeline_groups"].as_array().cloned().unwrap_or_default();
    let named = groups.iter().find(|group| group["name"] == *args.group || group["id"] == *args.group);
    let Some(id) = named.and_then(|group| group["id"].as_str()) else {
        let names: Vec<&str> = groups.iter().filter_map(|group| group["name"].as_str()).collect();
        let known = if names.is_empty() { "there are none".into() } else { format!("there are {}", names.join(", ")) };
        return Err(Failure::failed(format!("there is no group {}; {known}", args.group)));
    };
    client.call(Method::DELETE, &format!("{GROUPS}/{id}"), None)?;
    stdout::print(&format!("deleted {}\n", args.group));
    Ok(())
}

fn on_worker(args: &DeployArgs, server: &str, names: &[String], sources: Vec<String>) -> Result<(), Failure> {
    let client = Client::to(vec![server.to_owned()], &args.cluster)?;
    for (name, source) in names.iter().zip(sources) {
        let name = args.name.as_ref().unwrap_or(name);
        let answer = client.call(Method::POST, "/api/v1/pipelines", Some(&json!({"name": name, "source": source})))?;
        let text = |field: &str| answer[field].as_str().unwrap_or_default().to_owned();
        stdout::print(&format!("{} {} {}\n", text("id"), text("name"), text("status")));
    }
    Ok(())
}

fn name_of(path: &Path) -> String {
    if files::is_stdin(path) {
        return "stdin".into();
    }
    path.file_stem().map_or_else(|| "pipeline".into(), |stem| stem.to_string_lossy().into_owned())
}

/// A line for the group and one for each pipeline.
fn described(group: &Value) -> String {
    let text = |of: &Value, field: &str| of[field].as_str().unwrap_or("-").to_owned();
    let mut lines = format!("{}  {}  {}\n", text(group, "name"), text(group, "status"), text(group, "id"));
    for placement in group["placements"].as_array().into_iter().flatten() {
        let (pipeline, worker) = (text(placement, "pipeline_name"), text(placement, "worker_id"));
        lines += &format!("  {pipeline} on {worker}: {}\n", text(placement, "status"));
    }
    lines
}
