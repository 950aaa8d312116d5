//! A plan in words: what is read, what is kept and how long, what order and time rules hold, what each sink promises and
//! what a kill loses.

use crate::composed;
use crate::describe::{Names, duration, input_layout, operator, window};
use crate::plan::{
    Aggregate, AggregateFn, Connector, Input, Key, Node, Op, Plan, Sequence, Stream, Subscription, Window,
};
use crate::value::Value;
use std::fmt::Write;
use std::sync::Arc;

/// Wall-clock silence after which a source no longer holds the watermark, ns.
const IDLE_NS: i64 = 10_000_000_000;

/// The whole explanation.
pub fn explain(plan: &Plan) -> String {
    let mut text = String::new();
    section(&mut text, "What is read", inputs_read(plan).flat_map(|input| read(plan, input)));
    section(&mut text, "Streams", plan.streams.iter().enumerate().flat_map(|(id, stream)| steps(plan, id, stream)));
    section(&mut text, "Time and order", time(plan));
    section(&mut text, "What is kept", kept(plan));
    section(&mut text, "What sinks promise", promises(plan));
    section(&mut text, "What a kill loses", losses(plan));
    text
}

/// The inputs that a node stands on; others are only declared.
fn inputs_read(plan: &Plan) -> impl Iterator<Item = &Input> {
    let inputs: Vec<usize> = plan
        .nodes
        .iter()
        .filter_map(|node| match node.op {
            Op::Input(input) => Some(input as usize),
            _ => None,
        })
        .collect();
    plan.inputs.iter().enumerate().filter(move |(id, _)| inputs.contains(id)).map(|(_, input)| input)
}

fn section(text: &mut String, title: &str, lines: impl IntoIterator<Item = String>) {
    // Writing to a string cannot fail.
    _ = writeln!(text, "{title}");
    for line in lines {
        _ = writeln!(text, "  {line}");
    }
}

fn read(plan: &Plan, input: &Input) -> Vec<String> {
    let columns = plan.layouts.get(input.layout as usize).map(|layout| layout.columns.as_slice()).unwrap_or_default();
    let fields: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
    let fields = match (input.whole, fields.as_slice()) {
        (true, _) => "the whole record".to_string(),
        (false, []) => "no field, only that the record is there".to_string(),
        (false, fields) => format!("only {}", fields.join(", ")),
    };
    let checked = match &input.declared {
        Some(declared) => format!("; {} declared fields are checked, a misfit is a dead letter", declared.len()),
        None => "; not declared, nothing is checked".to_string(),
    };
    let mut lines = vec![format!("{}: {fields}{checked}", input.event)];
    let sources: Vec<&Subscription> =
        input.subscriptions.iter().filter_map(|&index| plan.subscriptions.get(index as usize)).collect();
    for subscription in &sources {
        lines.push(format!("  from {}", subscribed(plan, subscription)));
    }
    if sources.is_empty() {
        lines.push("  from every source (no .from names it)".into());
    }
    lines.push(match &input.time_field {
        Some(field) => format!("  event time: the field {field}"),
        None => "  event time: @timestamp, timestamp or ts of the record, else its arrival".into(),
    });
    lines
}

fn text_param<'p>(params: &'p [(Arc<str>, Value)], name: &str) -> Option<&'p str> {
    params.iter().find_map(|(param, value)| match value {
        Value::Str(text) if **param == *name => Some(&**text),
        _ => None,
    })
}

fn qos(params: &[(Arc<str>, Value)], connector: &Connector) -> i64 {
    let of = |params: &[(Arc<str>, Value)]| {
        params.iter().find_map(|(name, value)| match value {
            Value::Int(qos) if &**name == "qos" => Some(*qos),
            _ => None,
        })
    };
    of(params).or_else(|| of(&connector.params)).unwrap_or(1)
}

fn subscribed(plan: &Plan, subscription: &Subscription) -> String {
    let Some(connector) = plan.connectors.get(subscription.connector as usize) else { return "?".into() };
    let name = format!("{} ({})", connector.name, connector.kind);
    if &*connector.kind != "mqtt" {
        return name;
    }
    let topic = text_param(&subscription.params, "topic").or_else(|| text_param(&connector.params, "topic"));
    let promise = match qos(&subscription.params, connector) {
        0 => "QoS 0: what the broker does not deliver is lost, also while the pipeline is down",
        _ => "QoS 1, persistent session: the broker keeps what is not acknowledged",
    };
    format!("{name}, topic {}, {promise}", topic.unwrap_or("varpulis/events/#"))
}

fn steps(plan: &Plan, id: usize, stream: &Stream) -> Vec<String> {
    let own = plan.nodes.iter().filter(|node| node.stream as usize == id && !matches!(node.op, Op::Input(_)));
    let mut lines = vec![stream.name.to_string()];
    lines.extend(own.map(|node| format!("  {}", operator(plan, node))));
    lines
}

fn time(plan: &Plan) -> Vec<String> {
    let mut lines = vec![
        "results depend on event time only; a record's effects come before the next record's".to_string(),
        "out of order by more than out_of_order is late at windows, sequences and joins; it goes to the dead letters, counted".to_string(),
    ];
    for stream in plan.streams.iter().filter(|stream| stream.clock.iter().any(|term| term.delay > 0)) {
        let delay = stream.clock.iter().map(|term| term.delay).max().unwrap_or(0);
        lines.push(format!("{}: the watermark runs {} behind the newest record", stream.name, duration(delay)));
    }
    for subscription in &plan.subscriptions {
        let idle = duration(subscription.idle.unwrap_or(IDLE_NS));
        lines.push(format!("{}: silent for {idle}, it no longer holds the watermark back", subscription.event));
    }
    lines
}

fn per(key: &[Key], names: &Names) -> String {
    match key {
        [] => "once for the whole stream".into(),
        key => format!("per {}", key.iter().map(|key| names.expr(&key.value)).collect::<Vec<_>>().join(", ")),
    }
}

fn grows(aggregate: &Aggregate) -> Option<&'static str> {
    let values = |function: AggregateFn| {
        matches!(
            function,
            AggregateFn::Collect | AggregateFn::TopK(_) | AggregateFn::Percentile(_) | AggregateFn::Ema(_)
        )
    };
    if aggregate.calls.iter().any(|call| values(call.function)) {
        Some("every value of the window, because an aggregate needs them all: memory grows with its records")
    } else if aggregate.calls.iter().any(|call| call.function == AggregateFn::CountDistinct) {
        Some("the distinct values of the window: memory grows with them")
    } else {
        None
    }
}

fn kept(plan: &Plan) -> Vec<String> {
    let mut lines: Vec<String> = plan.nodes.iter().filter_map(|node| state(plan, node)).collect();
    if lines.is_empty() {
        lines.push("nothing: every operator forgets a record when it has passed".into());
    }
    lines
}

fn state(plan: &Plan, node: &Node) -> Option<String> {
    let names = Names { plan, layout: input_layout(plan, node), aggregate: None, parts: None };
    let stream = &plan.streams.get(node.stream as usize)?.name;
    let what = match &node.op {
        Op::Window { window: bounds, key, aggregate, allowed_lateness, .. } => {
            let content = match aggregate {
                Some(aggregate) => {
                    grows(aggregate).unwrap_or("partial results, the same few bytes however many records")
                }
                None => "every record of the window, until it is released",
            };
            let until = held(bounds, delay(plan, node), *allowed_lateness);
            format!(".window({}) {}: {content}; {until}", window(bounds), per(key, &names))
        }
        Op::AggregateRunning { key, .. } => {
            format!(".aggregate {}: partial results for ever, at most 1000000 keys (max_keys)", per(key, &names))
        }
        Op::Distinct { per_window: true, .. } => return None,
        Op::Distinct { within: Some(within), .. } => {
            format!(".distinct: the values that passed in the last {} of event time and a while", duration(*within))
        }
        Op::Distinct { .. } => ".distinct: every value that ever passed, at most 1000000 (max_keys)".into(),
        Op::Limit(_) => ".limit: a counter".into(),
        Op::Timer { .. } => "timer: the time of its next record".into(),
        Op::Join(join) => {
            let span = join.window.saturating_add(delay(plan, node));
            let keys = join.equalities.iter().map(|group| composed::equality(plan, node, group));
            let found = match keys.collect::<Vec<_>>().as_slice() {
                [] => "every record is tried with every other, as no equality is asked".to_string(),
                keys => format!("found by {}", keys.join(" and ")),
            };
            format!(
                "join: the records of the last {} of every input, {found}; freed behind the watermark",
                duration(span)
            )
        }
        Op::Sequence(sequence) => runs(plan, node, sequence),
        _ => return None,
    };
    Some(format!("{stream} {what}"))
}

/// How long a window keeps its content, and what bounds it.
fn held(bounds: &Window, delay: i64, lateness: i64) -> String {
    let kept = |span: i64, what: &str| {
        let span = duration(span.saturating_add(delay).saturating_add(lateness));
        format!(
            "of the keys of the last {span} of event time ({what}), freed behind the watermark, whether they come again or not"
        )
    };
    let mut what = vec!["its size"];
    what.extend((delay > 0).then_some("out_of_order"));
    what.extend((lateness > 0).then_some("allowed_lateness, for corrections"));
    let what = what.join(" + ");
    match bounds {
        Window::Time { size, slide } if size == slide => kept(*size, &what),
        Window::Time { size, .. } => format!("{}; once, however many windows overlap", kept(*size, &what)),
        Window::Session { gap } => {
            format!("of each open session, freed when the watermark is {} behind its last record", duration(*gap))
        }
        Window::Count { size, slide } if size == slide => {
            "freed when it is full; at most 1000000 keys (max_keys)".into()
        }
        Window::Count { .. } => "kept for every key that was ever seen, at most 1000000 (max_keys)".into(),
    }
}

/// How far the watermark of a node's stream runs behind the newest record, ns.
fn delay(plan: &Plan, node: &Node) -> i64 {
    let clock = plan.streams.get(node.stream as usize).map(|stream| stream.clock.as_slice()).unwrap_or_default();
    clock.iter().map(|term| term.delay).max().unwrap_or(0)
}

/// What a sequence keeps.
fn runs(plan: &Plan, node: &Node, sequence: &Sequence) -> String {
    let per = match sequence.key.as_slice() {
        [] => "in all".to_string(),
        keys => format!("per {}", keys.iter().map(|key| key.name.to_string()).collect::<Vec<_>>().join(", ")),
    };
    let until = match sequence.within {
        Some(within) => {
            let span = duration(within.saturating_add(delay(plan, node)));
            format!("each until it matches or is broken, at the latest {span} of event time after its first event")
        }
        None if sequence.key.is_empty() => "each until it matches or is broken, perhaps for ever".to_string(),
        None => "without a bound in time, at most 1000000 keys (max_keys)".to_string(),
    };
    format!("sequence: at most {} open runs {per} (max_runs), {until}", sequence.max_runs)
}

fn promises(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for node in &plan.nodes {
        let stream = plan.streams.get(node.stream as usize).map_or("?", |stream| &stream.name);
        match &node.op {
            Op::Send { connector, params, .. } => {
                let Some(connector) = plan.connectors.get(*connector as usize) else { continue };
                lines.push(format!(
                    "{stream} to {} ({}): {}",
                    connector.name,
                    connector.kind,
                    promise(connector, params)
                ));
            }
            Op::Emit => lines.push(format!("{stream} to stdout, unless --output none: once per run")),
            Op::Alert { webhook: Some(url), .. } => lines.push(format!(
                "{stream} alerts {url}: at least once, then a dead letter; with --input counted and not posted"
            )),
            Op::Alert { webhook: None, .. } => lines.push(format!("{stream} alerts: counted, as there is no webhook")),
            _ => {}
        }
    }
    if lines.is_empty() {
        lines.push("there is no output: no .emit, no .to".into());
    }
    lines
}

fn promise(connector: &Connector, params: &[(Arc<str>, Value)]) -> &'static str {
    match (&*connector.kind, qos(params, connector)) {
        ("mqtt", 0) => "QoS 0: at most once; an output that the network loses is lost",
        ("mqtt", _) => "QoS 1: at least once; a repeated output carries the same rarog-id, by which it can be dropped",
        ("http", _) => {
            "at least once: repeated until it is answered; a repeated output carries the same header rarog-id"
        }
        _ => "at least once: after a kill the outputs of input that was not acknowledged are written again",
    }
}

fn losses(plan: &Plan) -> Vec<String> {
    let mut names: Vec<&str> = plan
        .nodes
        .iter()
        .filter(|node| node.op.keeps_state())
        .filter_map(|node| plan.streams.get(node.stream as usize).map(|stream| &*stream.name))
        .collect();
    names.dedup();
    let mut lines = vec![
        "no input: a message is acknowledged only when what it caused is safe; after a kill it comes again".to_string(),
    ];
    if !names.is_empty() {
        lines.push(format!(
            "the state of {}: without --checkpoint-dir what was open (windows, counters, seen values) starts empty again; with it \
             nothing is lost",
            names.join(", ")
        ));
    }
    if plan.nodes.iter().any(|node| matches!(node.op, Op::Timer { .. })) {
        lines.push("a timer starts again from its initial delay, unless --checkpoint-dir keeps its place".into());
    }
    lines
}
