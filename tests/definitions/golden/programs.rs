//! Programs of the language's tree in the form of the definition.

use super::expressions;
use crate::expr::{Ex, Op as Binary};
use crate::program::{Element, FieldType, Input, Item, Join, Kept, Mode, Op, Program, Sequence, Source, Step, Stream};
use crate::program::{Times, Window};
use rarog_lang::ast::{self, Arg, ExprKind, JoinKind, PExpr, PKind, Pattern, Quantifier, StepTarget, TypeKind};

/// The program, if it can be said.
pub fn of(tree: &ast::Program) -> Option<Program> {
    let mut program = Program::default();
    let patterns: Vec<&Pattern> = tree
        .items
        .iter()
        .filter_map(|item| if let ast::Item::Pattern(pattern) = item { Some(pattern) } else { None })
        .collect();
    let names: Vec<&str> = tree.items.iter().filter_map(stream_name).collect();
    for item in &tree.items {
        match item {
            ast::Item::Event(event) if event.extends.is_none() => {
                let fields =
                    event.fields.iter().filter_map(|field| Some((field.name.name.to_string(), field_type(field)?)));
                program.events.push((event.name.name.to_string(), fields.collect()));
            }
            ast::Item::Stream(tree) => program.streams.push(stream(tree, &patterns)?),
            ast::Item::Pattern(_) => {}
            _ => return None,
        }
    }
    // Streams must stand behind what they read.
    let late = |stream: &Stream, place: usize| {
        stream.reads().iter().any(|read| names.iter().position(|name| name == read).is_some_and(|of| of >= place))
    };
    let out_of_order = program.streams.iter().enumerate().any(|(place, stream)| late(stream, place));
    (!out_of_order).then_some(program)
}

fn stream_name(item: &ast::Item) -> Option<&str> {
    if let ast::Item::Stream(stream) = item { Some(&stream.name.name) } else { None }
}

fn field_type(field: &ast::FieldDecl) -> Option<FieldType> {
    let TypeKind::Name(name) = &field.ty.kind else { return None };
    Some(match &*name.name {
        "float" => FieldType::Float,
        "int" => FieldType::Int,
        "str" | "string" => FieldType::Str,
        "any" => FieldType::Any,
        _ => return None,
    })
}

fn conjunction(conditions: &[ast::Expr]) -> Option<Option<Ex>> {
    let all = conditions.iter().map(expressions::of).collect::<Option<Vec<_>>>()?;
    Some(all.into_iter().reduce(|all, one| Ex::bin(Binary::And, all, one)))
}

fn duration(expr: &ast::Expr) -> Option<i64> {
    if let ExprKind::Duration(d) = expr.kind { Some(d) } else { None }
}

fn stream(tree: &ast::Stream, patterns: &[&Pattern]) -> Option<Stream> {
    let mut ops = tree.ops.clone();
    let source = match &tree.source {
        ast::Source::Merge(_, inputs) => Source::Merge(inputs.iter().map(input).collect::<Option<_>>()?),
        ast::Source::Join(kind, _, inputs) => Source::Join(join(*kind, inputs, &mut ops)?),
        ast::Source::Late(_, of) => Source::Late(of.name.to_string()),
        ast::Source::Sequence(_, steps) => {
            let step = |(name, tree): &(ast::Ident, ast::Step)| {
                let step = step(&ast::Step { alias: Some(name.clone()), ..tree.clone() }, false)?;
                Some(if tree.negated { Element::Absence(step) } else { Element::Event(step) })
            };
            sequence(vec![steps.iter().map(step).collect::<Option<_>>()?], &mut ops)?
        }
        ast::Source::Pattern(tree) => sequence(alternatives(tree)?, &mut ops)?,
        ast::Source::Step(first) => from_step(first, patterns, &mut ops)?,
        ast::Source::Timer(..) | ast::Source::Unsupported(_) => return None,
    };
    let ops = ops.iter().map(operator).collect::<Option<Vec<_>>>()?.into_iter().flatten().collect();
    Some(Stream { name: tree.name.name.to_string(), source, ops })
}

/// A type, a pattern, or the first step of a chain of arrows.
fn from_step(first: &ast::Step, patterns: &[&Pattern], ops: &mut Vec<ast::Op>) -> Option<Source> {
    let is_sequence = ops.iter().any(|op| matches!(op, ast::Op::Then(..)));
    if !is_sequence {
        let StepTarget::Name(name) = &first.target else { return None };
        if let Some(pattern) = patterns.iter().find(|pattern| pattern.name.name == name.name) {
            let Source::Sequence(mut found) = sequence(alternatives(&pattern.expr)?, ops)? else { return None };
            for (_, within) in &pattern.within {
                found.within = Some(duration(within)?);
            }
            found.keys.extend(pattern.partition.iter().flat_map(|(_, keys)| keys).map(|key| key.name.to_string()));
            return Some(Source::Sequence(found));
        }
        // `.where` of the record reads the record by its type or alias: no part of it, so the fields themselves.
        return first.conditions.is_empty().then(|| Source::One(name.name.to_string()));
    }
    let mut elements = vec![element(first, true)?];
    let arrow = ops.iter().rposition(|op| matches!(op, ast::Op::Then(..)))?;
    for op in ops.drain(..=arrow) {
        match op {
            ast::Op::Then(_, next) => elements.push(element(&next, false)?),
            ast::Op::Call(name, arguments) if matches!(&*name.name, "where" | "filter") => {
                let condition = expressions::of(&arguments.first()?.value)?;
                let Some(Element::Event(step)) = elements.last_mut() else { return None };
                step.condition = [step.condition.take(), Some(condition)]
                    .into_iter()
                    .flatten()
                    .reduce(|all, one| Ex::bin(Binary::And, all, one));
            }
            _ => return None,
        }
    }
    sequence(vec![elements], ops)
}

fn input(tree: &ast::Input) -> Option<Input> {
    let name = tree.name.as_ref().or(tree.alias.as_ref()).unwrap_or(&tree.source);
    let condition = conjunction(&tree.conditions)?;
    Some(Input { of: tree.source.name.to_string(), name: name.name.to_string(), condition })
}

/// Takes the join's own operators out of the chain.
fn join(kind: JoinKind, inputs: &[ast::Input], ops: &mut Vec<ast::Op>) -> Option<Join> {
    let kept = match kind {
        JoinKind::Inner => Kept::Inner,
        JoinKind::Left => Kept::Left,
        JoinKind::Right => Kept::Right,
        JoinKind::Full => Kept::Full,
    };
    let mut join = Join {
        kept,
        inputs: inputs.iter().map(input).collect::<Option<_>>()?,
        on: inputs.iter().flat_map(|input| &input.on).map(|(_, on)| expressions::of(on)).collect::<Option<_>>()?,
        window: 60 * crate::value::SECOND,
    };
    let mut windowed = false;
    for op in std::mem::take(ops) {
        match &op {
            ast::Op::Call(name, arguments) if &*name.name == "on" => {
                join.on.push(expressions::of(&arguments.first()?.value)?);
            }
            ast::Op::Call(name, arguments) if &*name.name == "window" && !windowed => {
                windowed = true;
                join.window = duration(&arguments.first()?.value)?;
            }
            _ => ops.push(op),
        }
    }
    Some(join)
}

/// Takes the sequence's own operators out of the chain.
fn sequence(alternatives: Vec<Vec<Element>>, ops: &mut Vec<ast::Op>) -> Option<Source> {
    let mut sequence = Sequence { alternatives, ..Sequence::default() };
    let mut windowed = false;
    for op in std::mem::take(ops) {
        let (name, arguments) = match &op {
            ast::Op::Not(_, tree) => {
                sequence.nots.push(step(tree, false)?);
                continue;
            }
            ast::Op::Call(name, arguments) => (&*name.name, arguments),
            _ => {
                ops.push(op);
                continue;
            }
        };
        let argument = arguments.first().map(|argument| &argument.value);
        match name {
            "within" => sequence.within = Some(duration(argument?)?),
            "strict" => sequence.mode = Mode::Strict,
            "skip_till_any" | "stam" => sequence.mode = Mode::Any,
            "skip_till_next" | "stnm" | "longest" => {}
            "each" => sequence.each = true,
            "max_runs" => match argument?.kind {
                ExprKind::Int(most) => sequence.max_runs = Some(most as usize),
                _ => return None,
            },
            "partition_by" if !windowed => {
                for Arg { value, .. } in arguments {
                    let ExprKind::Name(key) = &value.kind else { return None };
                    sequence.keys.push(key.to_string());
                }
            }
            _ => {
                windowed |= matches!(name, "window" | "emit" | "select");
                ops.push(op);
            }
        }
    }
    Some(Source::Sequence(sequence))
}

/// A top-level OR of sequences gives alternatives.
fn alternatives(tree: &PExpr) -> Option<Vec<Vec<Element>>> {
    match &tree.kind {
        PKind::Or(members, None) if members.iter().any(|member| matches!(member.kind, PKind::Seq(_))) => {
            members.iter().map(elements).collect()
        }
        _ => Some(vec![elements(tree)?]),
    }
}

fn elements(tree: &PExpr) -> Option<Vec<Element>> {
    match &tree.kind {
        PKind::Seq(members) => {
            members.iter().enumerate().map(|(place, member)| pattern_element(member, place == 0)).collect()
        }
        _ => Some(vec![pattern_element(tree, true)?]),
    }
}

fn pattern_element(tree: &PExpr, first: bool) -> Option<Element> {
    let steps = |members: &[PExpr]| {
        let step_of = |member: &PExpr| match &member.kind {
            PKind::Step(tree) => step(tree, false),
            _ => None,
        };
        members.iter().map(step_of).collect::<Option<Vec<_>>>()
    };
    match &tree.kind {
        PKind::Step(tree) => element(tree, first),
        PKind::And(members, None) => Some(Element::And(steps(members)?)),
        PKind::Or(members, alias) => {
            Some(Element::Or(steps(members)?, alias.as_ref().map(|alias| alias.name.to_string())))
        }
        _ => None,
    }
}

fn element(tree: &ast::Step, first: bool) -> Option<Element> {
    if let StepTarget::Group(group) = &tree.target {
        let plain = tree.quantifier.is_none() && !tree.negated && tree.alias.is_none();
        return if plain { pattern_element(group, first) } else { None };
    }
    let step = step(tree, first)?;
    Some(if tree.negated { Element::Absence(step) } else { Element::Event(step) })
}

fn step(tree: &ast::Step, first: bool) -> Option<Step> {
    let StepTarget::Name(of) = &tree.target else { return None };
    let times = match tree.quantifier {
        Some((Quantifier::Plus, _)) => Times::Plus,
        Some((Quantifier::Star, _)) => Times::Star,
        Some((Quantifier::Optional, _)) => Times::Optional,
        // `all X` is X+, but on the first step each X on its own.
        None if tree.all && !first => Times::Plus,
        None => Times::Once,
    };
    let within = match &tree.within {
        Some((_, within)) => Some(duration(within)?),
        None => None,
    };
    Some(Step {
        of: of.name.to_string(),
        alias: tree.alias.as_ref().map(|alias| alias.name.to_string()),
        times,
        condition: conjunction(&tree.conditions)?,
        within,
        monotone: tree.monotone.first().map(|(up, _, field)| (*up, field.name.to_string())),
    })
}

/// No operator: it has no effect on results.
fn operator(op: &ast::Op) -> Option<Option<Op>> {
    let (name, arguments) = match op {
        ast::Op::EmitAs { ty, args, .. } => return Some(Some(Op::Emit(Some(ty.name.to_string()), items(args)?))),
        ast::Op::Call(name, arguments) => (&*name.name, arguments),
        _ => return None,
    };
    let argument = arguments.first().map(|argument| &argument.value);
    let named = |name: &str| {
        let is = |argument: &&Arg| argument.name.as_ref().is_some_and(|ident| &*ident.name == name);
        arguments.iter().find(is).map(|argument| &argument.value)
    };
    Some(Some(match name {
        "where" | "filter" => Op::Where(expressions::of(argument?)?, false),
        "having" => Op::Where(expressions::of(argument?)?, true),
        "select" => Op::Select(items(arguments)?),
        "emit" => Op::Emit(None, items(arguments)?),
        "partition_by" => Op::PartitionBy(items(arguments)?),
        "aggregate" => Op::Aggregate(items(arguments)?),
        "window" => Op::Window(window(argument?, named("sliding"), named("session"))?),
        "distinct" => {
            let by = arguments.iter().filter(|argument| argument.name.is_none());
            let by = by.map(|argument| expressions::of(&argument.value)).collect::<Option<_>>()?;
            Op::Distinct(by, named("within").map(duration).map_or(Some(None), |within| within.map(Some))?)
        }
        "limit" => match argument?.kind {
            ExprKind::Int(count) => Op::Limit(count as usize),
            _ => return None,
        },
        "first" if arguments.is_empty() => Op::Limit(1),
        "watermark" => Op::OutOfOrder(duration(named("out_of_order")?)?),
        "allowed_lateness" => Op::AllowedLateness(duration(argument?)?),
        "print" | "log" | "context" => return Some(None),
        _ => return None,
    }))
}

fn window(size: &ast::Expr, slide: Option<&ast::Expr>, session: Option<&ast::Expr>) -> Option<Window> {
    if let Some(gap) = session {
        return Some(Window::Session { gap: duration(gap)? });
    }
    let whole = |expr: &ast::Expr| if let ExprKind::Int(int) = expr.kind { Some(int as usize) } else { None };
    Some(match (whole(size), slide) {
        (Some(size), None) => Window::Count { size, slide: None },
        (Some(size), Some(slide)) => Window::Count { size, slide: Some(whole(slide)?) },
        (None, None) => Window::Time { size: duration(size)?, slide: None },
        (None, Some(slide)) => Window::Time { size: duration(size)?, slide: Some(duration(slide)?) },
    })
}

fn items(arguments: &[Arg]) -> Option<Vec<Item>> {
    arguments.iter().map(item).collect()
}

fn item(argument: &Arg) -> Option<Item> {
    let value = expressions::of(&argument.value)?;
    let name = match (&argument.name, &value) {
        (Some(name), _) => name.name.to_string(),
        (None, Ex::Name(name) | Ex::Of(_, name)) => name.clone(),
        (None, Ex::Agg(crate::expr::Agg::Count, None)) => "count".into(),
        _ => return None,
    };
    Some(Item { name, value })
}
