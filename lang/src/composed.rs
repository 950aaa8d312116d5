//! Joins and sequences as text for people: one line each, with the names that the program has for their parts.

use crate::describe::{Names, duration};
use crate::plan::{Capture, Element, Event, Expr, Join, JoinKind, Mode, Node, Op, Plan, Sequence};

/// What the records of an input are called.
fn source(plan: &Plan, node: &Node, input: u32) -> String {
    let Some(source) = node.inputs.get(input as usize).and_then(|input| plan.nodes.get(*input as usize)) else {
        return format!("input {input}");
    };
    match &source.op {
        Op::Input(input) => plan.inputs.get(*input as usize).map_or(String::new(), |input| input.event.to_string()),
        Op::Retype(name) => name.to_string(),
        _ => plan.streams.get(source.stream as usize).map_or(String::new(), |stream| stream.name.to_string()),
    }
}

/// The names that an expression over the records of an input, and over the parts of the node, has.
fn names<'n>(plan: &'n Plan, node: &'n Node, input: u32) -> Names<'n> {
    let source = node.inputs.get(input as usize).and_then(|input| plan.nodes.get(*input as usize));
    let layout = source.and_then(|source| plan.layouts.get(source.layout as usize));
    Names { plan, layout, aggregate: None, parts: Some(node) }
}

/// `join(A, B as b) .on(…) .window(1m)`
pub(crate) fn join(plan: &Plan, node: &Node, join: &Join) -> String {
    let word = match join.kind {
        JoinKind::Inner => "join",
        JoinKind::Left => "left_join",
        JoinKind::Right => "right_join",
        JoinKind::Full => "full_join",
    };
    let inputs = (0..).zip(&join.names).zip(&join.conditions).map(|((input, name), condition)| {
        let source = source(plan, node, input);
        let alias = if source == **name { String::new() } else { format!(" as {name}") };
        let condition =
            condition.as_ref().map(|condition| format!(" where {}", names(plan, node, input).expr(condition)));
        format!("{source}{alias}{}", condition.unwrap_or_default())
    });
    let inputs: Vec<String> = inputs.collect();
    let mut conditions: Vec<String> = join.equalities.iter().map(|group| equality(plan, node, group)).collect();
    conditions.extend(join.residual.as_ref().map(|residual| names(plan, node, 0).expr(residual)));
    let on = conditions.join(" and ");
    format!("{word}({}) .on({on}) .window({})", inputs.join(", "), duration(join.window))
}

/// `A.k == B.k`
pub(crate) fn equality(plan: &Plan, node: &Node, group: &[(u32, Expr)]) -> String {
    let names = Names { plan, layout: None, aggregate: None, parts: Some(node) };
    let sides = group.iter().map(|(input, value)| {
        let of_input = |part: &Expr| match part {
            Expr::Column(column) => Some(Expr::Of(*input, *column)),
            Expr::Record => Some(Expr::Captured(*input, Capture::Record)),
            _ => None,
        };
        names.expr(&value.map(&of_input))
    });
    sides.collect::<Vec<_>>().join(" == ")
}

/// `sequence: A as a -> B+ as b where … -> not C .within(1m)`
pub(crate) fn sequence(plan: &Plan, node: &Node, sequence: &Sequence) -> String {
    let alternatives: Vec<String> = sequence
        .alternatives
        .iter()
        .map(|list| {
            list.iter().map(|element| self::element(plan, node, sequence, element)).collect::<Vec<_>>().join(" -> ")
        })
        .collect();
    let mut text = match alternatives.as_slice() {
        [only] => only.clone(),
        several => several.iter().map(|list| format!("({list})")).collect::<Vec<_>>().join(" OR "),
    };
    for not in &sequence.nots {
        text += &format!(" .not({})", event(plan, node, sequence, not, false));
    }
    let keys: Vec<String> = sequence.key.iter().map(|key| key.name.to_string()).collect();
    if !keys.is_empty() {
        text += &format!(" .partition_by({})", keys.join(", "));
    }
    match sequence.mode {
        Mode::Next => {}
        Mode::Strict => text += " .strict()",
        Mode::Any => text += " .skip_till_any()",
    }
    if sequence.each {
        text += " .each()";
    }
    if let Some(within) = sequence.within {
        text += &format!(" .within({})", duration(within));
    }
    text
}

fn element(plan: &Plan, node: &Node, sequence: &Sequence, element: &Element) -> String {
    let group = |events: &[Event], word: &str| {
        let events: Vec<String> = events.iter().map(|one| event(plan, node, sequence, one, true)).collect();
        format!("({})", events.join(word))
    };
    match element {
        Element::Event(one) => event(plan, node, sequence, one, true),
        Element::Absence(one) => format!("not {}", event(plan, node, sequence, one, false)),
        Element::And(events) => group(events, " AND "),
        Element::Or(events) => group(events, " OR "),
    }
}

fn event(plan: &Plan, node: &Node, sequence: &Sequence, event: &Event, captured: bool) -> String {
    let mut text = source(plan, node, event.input);
    text += match (event.min, event.many) {
        (0, false) => "?",
        (0, true) => "*",
        (_, true) => "+",
        _ => "",
    };
    let names = names(plan, node, event.input);
    let equalities =
        event.equalities.iter().map(|(own, other)| format!("{} == {}", names.expr(own), names.expr(other)));
    let rest = event.filter.iter().chain(&event.condition).map(|expr| names.expr(expr));
    let conditions: Vec<String> = equalities.chain(rest).collect();
    if !conditions.is_empty() {
        text += &format!(" where {}", conditions.join(" and "));
    }
    if let Some(slot) = sequence.slots.get(event.slot as usize).filter(|_| captured)
        && *slot.name != *source(plan, node, event.input)
    {
        text += &format!(" as {}", slot.name);
    }
    for (rising, column) in &event.monotone {
        let word = if *rising { "increasing" } else { "decreasing" };
        let columns = sequence.slots.get(event.slot as usize).map(|slot| slot.columns.as_slice()).unwrap_or_default();
        text += &format!(" .{word}({})", columns.get(*column as usize).map_or("?", |column| &column.name));
    }
    if let Some(within) = event.within {
        text += &format!(" within {}", duration(within));
    }
    text
}
