//! What the front end says of a program that is not deployed: diagnostics and its graph.

use super::extract::Payload;
use super::{Context, Rest};
use crate::coordinator::compile::{Problem, inspect};
use crate::coordinator::error::ApiError;
use crate::coordinator::limits::PROGRAM_BYTES;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use rarog_lang::describe::operator;
use rarog_lang::plan::{Op, Plan};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Rest>> {
    Router::new().route("/validate", post(validate)).route("/pipeline/graph", post(graph))
}

#[derive(Deserialize)]
struct Program {
    #[serde(alias = "vpl")]
    source: String,
}

async fn validate(State(rest): Context, Payload(program): Payload<Program>) -> Result<Json<Value>, ApiError> {
    check_size(&program.source)?;
    let (_, problems) = inspect(&program.source, &rest.state().connectors);
    let valid = problems.iter().all(|problem| problem.severity != "error");
    Ok(Json(json!({"valid": valid, "diagnostics": problems})))
}

async fn graph(State(rest): Context, Payload(program): Payload<Program>) -> Result<Json<Value>, ApiError> {
    check_size(&program.source)?;
    let (plan, problems) = inspect(&program.source, &rest.state().connectors);
    let named = |problem: Problem| ("program".to_string(), problem);
    let plan = plan.ok_or_else(|| ApiError::diagnostics(&problems.into_iter().map(named).collect::<Vec<_>>()))?;
    Ok(Json(drawn(&plan)))
}

fn check_size(source: &str) -> Result<(), ApiError> {
    if source.len() > PROGRAM_BYTES { Err(ApiError::too_large("the program", PROGRAM_BYTES, "bytes")) } else { Ok(()) }
}

fn drawn(plan: &Plan) -> Value {
    let (mut nodes, mut edges) = (Vec::new(), Vec::new());
    for (id, node) in plan.nodes.iter().enumerate() {
        let stream = plan.streams.get(node.stream as usize).map(|stream| stream.name.to_string());
        let columns = plan.layouts.get(node.layout as usize).map_or(&[][..], |layout| &layout.columns);
        let fields: Vec<_> = columns.iter().map(|column| column.name.to_string()).collect();
        nodes.push(json!({
            "id": format!("n{id}"),
            "label": operator(plan, node),
            "node_type": kind(&node.op),
            "config": {"stream": stream, "fields": fields},
        }));
        for input in &node.inputs {
            edges.push(
                json!({"id": format!("n{input}-n{id}"), "source": format!("n{input}"), "target": format!("n{id}")}),
            );
        }
    }
    json!({"nodes": nodes, "edges": edges})
}

fn kind(op: &Op) -> &'static str {
    match op {
        Op::Input(_) => "source",
        Op::Timer { .. } => "timer",
        Op::Merge(_) => "merge",
        Op::Filter(_) => "filter",
        Op::Project { .. } | Op::Retype(_) => "select",
        Op::Window { .. } => "window",
        Op::AggregateReleased { .. } | Op::AggregateRunning { .. } => "aggregate",
        Op::Distinct { .. } => "distinct",
        Op::Limit(_) => "limit",
        Op::Process { .. } => "process",
        Op::Print(_) | Op::Log { .. } => "log",
        Op::Alert { .. } | Op::Send { .. } | Op::Emit => "sink",
        Op::Join(_) => "join",
        Op::Sequence(_) => "pattern",
        Op::Late { .. } => "late",
    }
}
