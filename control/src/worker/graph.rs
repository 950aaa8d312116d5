//! The graph of a running pipeline, in the shape that tools for inspection read: streams, what each does, and what flows
//! between them.

use crate::wire::PipelineMetrics;
use rarog_lang::plan::{Node, Op, Plan};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A source, a stream, or where a stream is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Source(u32),
    Stream(u32),
    Sink(u32),
}

/// `{nodes, edges, sources, sinks}`. Counts that are not kept are null.
pub fn graph(plan: &Plan, metrics: Option<&PipelineMetrics>) -> Value {
    let mut operations: BTreeMap<Place, Vec<&Node>> = BTreeMap::new();
    let mut edges: BTreeSet<(Place, Place)> = BTreeSet::new();
    for (index, node) in plan.nodes.iter().enumerate() {
        let place = place(node, index as u32);
        operations.entry(place).or_default().push(node);
        let inputs = node.inputs.iter().map(|input| place_of(plan, *input));
        edges.extend(inputs.filter(|from| *from != place).map(|from| (from, place)));
    }
    let numbers: BTreeMap<Place, usize> =
        operations.keys().enumerate().map(|(number, place)| (*place, number)).collect();
    let nodes = operations.iter().map(|(place, nodes)| described(plan, *place, numbers[place], nodes, metrics));
    let edges = edges.iter().map(|(from, to)| {
        let kind = match (from, kind(*to, &operations[to])) {
            (Place::Source(_), _) => "EventType",
            (_, "Join") => "JoinInput",
            (_, "Merge") => "MergeInput",
            _ => "StreamOutput",
        };
        json!({"from": numbers[from], "to": numbers[to], "edge_type": kind, "label": name(plan, *from, &operations[from])})
    });
    let of_kind = |wanted: fn(&Place) -> bool| -> Vec<usize> {
        numbers.iter().filter(|(place, _)| wanted(place)).map(|(_, number)| *number).collect()
    };
    json!({
        "nodes": nodes.collect::<Vec<_>>(),
        "edges": edges.collect::<Vec<_>>(),
        "sources": of_kind(|place| matches!(place, Place::Source(_))),
        "sinks": of_kind(|place| matches!(place, Place::Sink(_))),
    })
}

fn place(node: &Node, index: u32) -> Place {
    match &node.op {
        Op::Input(input) => Place::Source(*input),
        Op::Send { .. } => Place::Sink(index),
        _ => Place::Stream(node.stream),
    }
}

fn place_of(plan: &Plan, node: u32) -> Place {
    place(&plan.nodes[node as usize], node)
}

fn kind(place: Place, nodes: &[&Node]) -> &'static str {
    let has = |wanted: fn(&Op) -> bool| nodes.iter().any(|node| wanted(&node.op));
    match place {
        Place::Source(_) => "Source",
        Place::Sink(_) => "Sink",
        Place::Stream(_) if has(|op| matches!(op, Op::Join(_))) => "Join",
        Place::Stream(_) if has(|op| matches!(op, Op::Merge(_))) => "Merge",
        Place::Stream(_) if has(|op| matches!(op, Op::Timer { .. })) => "Timer",
        Place::Stream(_) => "Stream",
    }
}

fn name(plan: &Plan, place: Place, nodes: &[&Node]) -> String {
    match place {
        Place::Source(input) => plan.inputs[input as usize].event.to_string(),
        Place::Stream(stream) => plan.streams[stream as usize].name.to_string(),
        Place::Sink(_) => match nodes.first().map(|node| &node.op) {
            Some(Op::Send { connector, .. }) => plan.connectors[*connector as usize].name.to_string(),
            _ => "sink".into(),
        },
    }
}

fn described(plan: &Plan, place: Place, number: usize, nodes: &[&Node], metrics: Option<&PipelineMetrics>) -> Value {
    let summary: Vec<String> = nodes.iter().map(|node| rarog_lang::describe::operator(plan, node)).collect();
    // One number is kept for all sources, and one for all sinks.
    let sends = plan.nodes.iter().filter(|node| matches!(node.op, Op::Send { .. })).count();
    let is_source = matches!(place, Place::Source(_)) && plan.inputs.len() == 1;
    let received = metrics.filter(|_| is_source).map(|of| of.events_in);
    let is_sink = matches!(place, Place::Sink(_)) && sends == 1;
    let emitted = metrics.filter(|_| is_sink).map(|of| of.events_out);
    json!({
        "id": number, "name": name(plan, place, nodes), "node_type": kind(place, nodes),
        "operation_count": nodes.len(), "operation_summary": summary.join(" "),
        "metrics": {
            "events_received": received, "events_emitted": emitted, "events_filtered": null, "processing_time_ns": null,
        },
    })
}
