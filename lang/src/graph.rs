//! A plan drawn: as text for a terminal, as Graphviz, as JSON.

use crate::describe::operator;
use crate::plan::{Node, NodeId, Op, Plan};
use std::fmt::Write;

/// Nodes that read a node, in the order of the plan.
fn readers(plan: &Plan, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
    let reads = move |(_, node): &(usize, &Node)| node.inputs.contains(&id);
    plan.nodes.iter().enumerate().filter(reads).map(|(reader, _)| reader as NodeId)
}

fn stream(plan: &Plan, node: &Node) -> String {
    match &node.op {
        Op::Input(_) => String::new(),
        _ => plan.streams.get(node.stream as usize).map_or(String::new(), |stream| stream.name.to_string()),
    }
}

/// A tree for each source; a node with several inputs is drawn below its first, and referred to below the others.
///
/// ```text
/// SensorReading
/// └─ HighTemp .where(temperature > 50.0)
///    └─ HighTemp .select(sensor_id, temperature) as HighTemp
/// ```
pub fn graph_ascii(plan: &Plan) -> String {
    let mut text = String::new();
    let roots = plan.nodes.iter().enumerate().filter(|(_, node)| node.inputs.is_empty());
    for (id, node) in roots {
        text.push_str(&label(plan, node));
        text.push('\n');
        branches(plan, id as NodeId, "", &mut text);
    }
    text
}

fn label(plan: &Plan, node: &Node) -> String {
    match &node.op {
        Op::Input(input) => {
            let from: Vec<String> = plan.inputs[*input as usize]
                .subscriptions
                .iter()
                .filter_map(|&index| plan.subscriptions.get(index as usize))
                .filter_map(|subscription| plan.connectors.get(subscription.connector as usize))
                .map(|connector| connector.name.to_string())
                .collect();
            let from = if from.is_empty() { String::new() } else { format!(" from {}", from.join(", ")) };
            format!("{}{from}", operator(plan, node))
        }
        _ => format!("{} {}", stream(plan, node), operator(plan, node)),
    }
}

fn branches(plan: &Plan, id: NodeId, indent: &str, text: &mut String) {
    let readers: Vec<NodeId> = readers(plan, id).collect();
    for (index, &reader) in readers.iter().enumerate() {
        let last = index + 1 == readers.len();
        let node = &plan.nodes[reader as usize];
        let here = node.inputs.first() == Some(&id);
        let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let see = if here { "" } else { " (drawn below its first input)" };
        // Writing to a string cannot fail.
        _ = writeln!(text, "{indent}{branch}{}{see}", label(plan, node));
        if here {
            branches(plan, reader, &format!("{indent}{below}"), text);
        }
    }
}

/// For `dot -Tsvg`.
pub fn graph_dot(plan: &Plan) -> String {
    let mut text = String::from("digraph pipeline {\n  rankdir=LR;\n  node [shape=box, fontname=\"monospace\"];\n");
    for (id, node) in plan.nodes.iter().enumerate() {
        let quoted = label(plan, node).replace('\\', "\\\\").replace('"', "\\\"");
        // Writing to a string cannot fail.
        _ = writeln!(text, "  n{id} [label=\"{quoted}\"];");
        for input in &node.inputs {
            _ = writeln!(text, "  n{input} -> n{id};");
        }
    }
    text.push_str("}\n");
    text
}

/// `{"version":1,"nodes":[{"id","stream","operator","fields"}],"edges":[{"from","to"}]}` on one line. `fields` are the
/// columns that something downstream reads.
pub fn graph_json(plan: &Plan) -> String {
    let quoted = |text: &str| {
        let mut out = String::new();
        crate::eval::json::write_json_string(&mut out, text);
        out
    };
    let mut nodes = Vec::new();
    let mut edges = Vec::new();
    for (id, node) in plan.nodes.iter().enumerate() {
        let columns =
            plan.layouts.get(node.layout as usize).map(|layout| layout.columns.as_slice()).unwrap_or_default();
        let fields: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
        nodes.push(format!(
            "{{\"id\":{id},\"stream\":{},\"operator\":{},\"fields\":[{}]}}",
            quoted(&stream(plan, node)),
            quoted(&label(plan, node)),
            fields.join(",")
        ));
        edges.extend(node.inputs.iter().map(|input| format!("{{\"from\":{input},\"to\":{id}}}")));
    }
    format!("{{\"version\":1,\"nodes\":[{}],\"edges\":[{}]}}\n", nodes.join(","), edges.join(","))
}
