//! Programs as VPL.

use crate::expr::Ex;
use crate::program::{Element, FieldType, Input, Item, Join, Kept, Mode, Op, Program, Sequence, Source, Step, Stream};
use crate::program::{Times, Window};
use crate::value::span_text;

/// The text of a program.
pub fn vpl(program: &Program) -> String {
    let mut text = String::new();
    for (event, fields) in &program.events {
        let fields = fields.iter().map(|(name, ty)| format!("{name}: {}", field_type(*ty)));
        text.push_str(&format!("event {event}: {}\n", fields.collect::<Vec<_>>().join(", ")));
    }
    program.streams.iter().for_each(|stream| text.push_str(&stream_text(stream)));
    text
}

fn field_type(ty: FieldType) -> &'static str {
    match ty {
        FieldType::Any => "any",
        FieldType::Float => "float",
        FieldType::Int => "int",
        FieldType::Str => "str",
    }
}

fn stream_text(stream: &Stream) -> String {
    let mut text = format!("stream {} = {}\n", stream.name, source(&stream.source));
    stream.ops.iter().for_each(|op| text.push_str(&format!("    {}\n", operator(op))));
    text
}

fn source(source: &Source) -> String {
    match source {
        Source::One(of) => of.clone(),
        Source::Late(of) => format!("late({of})"),
        Source::Merge(inputs) => format!("merge({})", inputs.iter().map(input).collect::<Vec<_>>().join(", ")),
        Source::Join(join) => join_text(join),
        Source::Sequence(sequence) => sequence_text(sequence),
    }
}

fn input(input: &Input) -> String {
    let alias = if input.name == input.of { String::new() } else { format!(" as {}", input.name) };
    format!("{}{alias}{}", input.of, condition(input.condition.as_ref()))
}

fn condition(condition: Option<&Ex>) -> String {
    condition.map_or(String::new(), |condition| format!(" where {condition}"))
}

fn join_text(join: &Join) -> String {
    let word = match join.kept {
        Kept::Inner => "join",
        Kept::Left => "left_join",
        Kept::Right => "right_join",
        Kept::Full => "full_join",
    };
    let inputs: Vec<String> = join.inputs.iter().map(input).collect();
    let on: String = join.on.iter().map(|on| format!("\n    .on({on})")).collect();
    format!("{word}({}){on}\n    .window({})", inputs.join(", "), span_text(join.window))
}

/// Operators are put behind the steps; several alternatives are a pattern expression.
fn sequence_text(sequence: &Sequence) -> String {
    let chain = |elements: &[Element], arrow: &str| elements.iter().map(element).collect::<Vec<_>>().join(arrow);
    let limited = sequence.steps().any(|step| step.within.is_some());
    let mut text = match &sequence.alternatives[..] {
        [elements] if limited => {
            format!("sequence({})", elements.iter().map(named_step).collect::<Vec<_>>().join(", "))
        }
        [elements] if !matches!(elements[0], Element::Or(..) | Element::And(..)) => chain(elements, "\n    -> "),
        alternatives => {
            let of = |elements: &Vec<Element>| format!("SEQ({})", chain(elements, ", "));
            alternatives.iter().map(of).collect::<Vec<_>>().join(" OR ")
        }
    };
    let mut op = |name: &str, argument: String| text.push_str(&format!("\n    .{name}({argument})"));
    if !sequence.keys.is_empty() {
        op("partition_by", sequence.keys.join(", "));
    }
    sequence.nots.iter().for_each(|not| op("not", step(not)));
    match sequence.mode {
        Mode::Next => {}
        Mode::Strict => op("strict", String::new()),
        Mode::Any => op("skip_till_any", String::new()),
    }
    if sequence.each {
        op("each", String::new());
    }
    sequence.max_runs.iter().for_each(|runs| op("max_runs", runs.to_string()));
    sequence.within.iter().for_each(|within| op("within", span_text(*within)));
    text
}

fn element(element: &Element) -> String {
    let group = |steps: &[Step], word: &str| steps.iter().map(step).collect::<Vec<_>>().join(word);
    match element {
        Element::Event(event) => step(event),
        Element::Absence(event) => format!("not {}", step(event)),
        Element::And(steps) => format!("({})", group(steps, " AND ")),
        Element::Or(steps, None) => format!("({})", group(steps, " OR ")),
        Element::Or(steps, Some(alias)) => format!("({}) as {alias}", group(steps, " OR ")),
    }
}

/// A step of `sequence(…)`: the only form with limits between steps.
fn named_step(element: &Element) -> String {
    let Element::Event(event) = element else { return String::new() };
    let within = event.within.map_or(String::new(), |within| format!(" .within({})", span_text(within)));
    format!("{}: {}{within}", event.slot(), step(&Step { alias: None, ..event.clone() }))
}

fn step(step: &Step) -> String {
    let sign = match step.times {
        Times::Once => "",
        Times::Optional => "?",
        Times::Plus => "+",
        Times::Star => "*",
    };
    let alias = step.alias.as_ref().map_or(String::new(), |alias| format!(" as {alias}"));
    let monotone = step
        .monotone
        .as_ref()
        .map_or(String::new(), |(up, field)| format!(".{}({field})", if *up { "increasing" } else { "decreasing" }));
    format!("{}{sign}{}{alias}{monotone}", step.of, condition(step.condition.as_ref()))
}

fn operator(op: &Op) -> String {
    match op {
        Op::Where(condition, false) => format!(".where({condition})"),
        Op::Where(condition, true) => format!(".having({condition})"),
        Op::Select(list) => format!(".select({})", items(list)),
        Op::Emit(None, list) => format!(".emit({})", items(list)),
        Op::Emit(Some(event), list) => format!(".emit as {event}({})", items(list)),
        Op::PartitionBy(keys) => format!(".partition_by({})", items(keys)),
        Op::Window(window) => format!(".window({})", bounds(*window)),
        Op::Aggregate(list) => format!(".aggregate({})", items(list)),
        Op::Distinct(by, within) => {
            let within = within.map(|within| format!("within: {}", span_text(within)));
            format!(".distinct({})", by.iter().map(Ex::to_string).chain(within).collect::<Vec<_>>().join(", "))
        }
        Op::Limit(count) => format!(".limit({count})"),
        Op::OutOfOrder(d) => format!(".watermark(out_of_order: {})", span_text(*d)),
        Op::AllowedLateness(d) => format!(".allowed_lateness({})", span_text(*d)),
    }
}

fn bounds(window: Window) -> String {
    match window {
        Window::Time { size, slide: None } => span_text(size),
        Window::Time { size, slide: Some(slide) } => format!("{}, sliding: {}", span_text(size), span_text(slide)),
        Window::Session { gap } => format!("session: {}", span_text(gap)),
        Window::Count { size, slide: None } => size.to_string(),
        Window::Count { size, slide: Some(slide) } => format!("{size}, sliding: {slide}"),
    }
}

fn items(items: &[Item]) -> String {
    let item = |item: &Item| match &item.value {
        Ex::Name(name) if *name == item.name => name.clone(),
        value => format!("{}: {value}", item.name),
    };
    items.iter().map(item).collect::<Vec<_>>().join(", ")
}
