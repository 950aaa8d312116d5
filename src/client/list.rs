//! What runs where, as a table or as the answer came.

use super::Client;
use super::table::table;
use crate::args::{Format, Reading};
use crate::run::Failure;
use crate::stdout;
use serde_json::Value;

/// Pipelines by group.
pub fn groups(args: &Reading) -> Result<(), Failure> {
    let client = Client::of(&args.cluster)?;
    let list = client.get("/api/v1/cluster/pipeline-groups?limit=1000")?;
    if args.format == Format::Json {
        return json(&list);
    }
    let mut rows = Vec::new();
    for group in list["pipeline_groups"].as_array().into_iter().flatten() {
        for placement in group["placements"].as_array().into_iter().flatten() {
            let of_placement = |field| text(placement, field);
            rows.push([
                text(group, "name"),
                of_placement("pipeline_name"),
                of_placement("worker_id"),
                of_placement("status"),
                of_placement("reason"),
            ]);
        }
    }
    stdout::print(&table(["GROUP", "PIPELINE", "WORKER", "STATUS", "REASON"], &rows));
    let left = list["sessions_to_remove"].as_u64().unwrap_or(0);
    if left > 0 {
        say_line!("{left} sessions of deleted pipelines are still to be removed at their brokers");
    }
    Ok(())
}

/// Workers, and what each runs.
pub fn topology(args: &Reading) -> Result<(), Failure> {
    let topology = Client::of(&args.cluster)?.get("/api/v1/cluster/topology")?;
    if args.format == Format::Json {
        return json(&topology);
    }
    let groups: Vec<&Value> = topology["groups"].as_array().into_iter().flatten().collect();
    let mut lines = String::new();
    for worker in topology["workers"].as_array().into_iter().flatten() {
        lines += &format!("{}  {}  {}\n", text(worker, "id"), text(worker, "status"), text(worker, "address"));
        for group in &groups {
            for pipeline in group["pipelines"].as_array().into_iter().flatten() {
                if pipeline["worker_id"] == worker["id"] {
                    let status = text(pipeline, "status");
                    lines += &format!("  {}/{}  {status}\n", text(group, "group_name"), text(pipeline, "name"));
                }
            }
        }
    }
    stdout::print(&lines);
    Ok(())
}

/// The text of a field; `-` if it has none.
pub fn text(of: &Value, field: &str) -> String {
    match &of[field] {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Prints an answer as it came.
pub fn json(answer: &Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(answer).map_err(|error| Failure::failed(error.to_string()))?;
    stdout::print(&format!("{text}\n"));
    Ok(())
}
