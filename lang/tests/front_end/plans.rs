//! What the front end makes of programs: every plan is well formed, and small programs have the plan that the text asks for.
//!
//! A file of `plans/` holds programs, each with its plan behind `=>`, one fact a line (see [`facts`]).

use crate::composites::{flaws_of_join, flaws_of_sequence, parts};
use rarog_lang::compile::{Options, compile};
use rarog_lang::describe;
use rarog_lang::plan::{Aggregate, AlertPart, Expr, Key, Layout, Node, Op, Plan};
use std::path::{Path, PathBuf};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// The expressions of a node over the records of an input, with the number of the input.
fn expressions(node: &Node) -> Vec<(usize, &Expr)> {
    fn of_keys(key: &[Key]) -> impl Iterator<Item = &Expr> {
        key.iter().map(|key| &key.value)
    }
    fn of_calls(aggregate: &Aggregate) -> impl Iterator<Item = &Expr> {
        aggregate.calls.iter().filter_map(|call| call.argument.as_ref())
    }
    fn first(exprs: Vec<&Expr>) -> Vec<(usize, &Expr)> {
        exprs.into_iter().map(|expr| (0, expr)).collect()
    }
    match &node.op {
        Op::Merge(branches) => branches
            .iter()
            .filter_map(|branch| branch.condition.as_ref().map(|condition| (branch.input as usize, condition)))
            .collect(),
        Op::Filter(condition) => vec![(0, condition)],
        Op::Project { items, .. } | Op::Print(items) => first(items.iter().collect()),
        Op::Window { key, aggregate, .. } => first(of_keys(key).chain(aggregate.iter().flat_map(of_calls)).collect()),
        Op::AggregateReleased { key, aggregate } | Op::AggregateRunning { key, aggregate } => {
            first(of_keys(key).chain(of_calls(aggregate)).collect())
        }
        Op::Distinct { by, .. } => first(by.iter().collect()),
        Op::Process { args, .. } => first(args.iter().collect()),
        Op::Log { message, data, .. } => first(message.iter().chain(data).collect()),
        Op::Alert { message, .. } => first(
            message
                .iter()
                .filter_map(|part| match part {
                    AlertPart::Field(field) => Some(field),
                    AlertPart::Text(_) => None,
                })
                .collect(),
        ),
        _ => Vec::new(),
    }
}

/// What is wrong with a plan.
fn flaws(plan: &Plan) -> Vec<String> {
    let mut flaws = Vec::new();
    let layout = |node: u32| &plan.layouts[plan.nodes[node as usize].layout as usize];
    for (id, node) in plan.nodes.iter().enumerate() {
        let mut check = |right: bool, what: &str| {
            if !right {
                flaws.push(format!("node {id} {}: {what}", describe::operator(plan, node)));
            }
        };
        check(node.inputs.iter().all(|input| (*input as usize) < id), "an input stands behind it");
        check((node.layout as usize) < plan.layouts.len(), "it has no layout");
        check((node.stream as usize) < plan.streams.len(), "it stands in no stream");
        let own = &plan.layouts[node.layout as usize];
        for (input, expr) in expressions(node) {
            let width = layout(node.inputs[input]).columns.len();
            for part in parts(expr) {
                if let Expr::Column(column) = part {
                    check((column as usize) < width, "it reads a column that its input does not have");
                }
            }
        }
        match &node.op {
            Op::Filter(_)
            | Op::Distinct { .. }
            | Op::Limit(_)
            | Op::Print(_)
            | Op::Log { .. }
            | Op::Alert { .. }
            | Op::Send { .. }
            | Op::Emit
            | Op::Retype(_) => {
                let same = node.inputs.len() == 1 && node.layout == plan.nodes[node.inputs[0] as usize].layout;
                check(same, "it passes records on and has another layout");
                if let Op::Send { connector, .. } = &node.op {
                    check((*connector as usize) < plan.connectors.len(), "a connector that is none");
                }
            }
            Op::Project { items, .. } => check(items.len() == own.columns.len(), "an item is no column"),
            Op::Window { key, aggregate: Some(aggregate), .. }
            | Op::AggregateReleased { key, aggregate }
            | Op::AggregateRunning { key, aggregate } => {
                check(aggregate.items.len() == own.columns.len(), "an item is no column");
                for part in aggregate.items.iter().flat_map(parts) {
                    match part {
                        Expr::Key(at) => check((at as usize) < key.len(), "a key that is none"),
                        Expr::Aggregate(at) => check((at as usize) < aggregate.calls.len(), "a call that is none"),
                        Expr::Column(_) => check(false, "an item reads a record"),
                        _ => {}
                    }
                }
            }
            Op::Merge(branches) => {
                for branch in branches {
                    let Some(input) = node.inputs.get(branch.input as usize) else {
                        check(false, "a branch without input");
                        continue;
                    };
                    check(branch.columns.len() == own.columns.len(), "a branch without all columns");
                    for (column, def) in branch.columns.iter().zip(&own.columns) {
                        let fits = column.is_none_or(|at| {
                            layout(*input).columns.get(at as usize).is_some_and(|of| of.name == def.name)
                        });
                        check(fits, "a column of a branch is another one");
                    }
                }
            }
            Op::Process { function, .. } => {
                check((*function as usize) < plan.functions.len(), "a function that is none")
            }
            Op::Join(join) => {
                let widths: Vec<usize> = node.inputs.iter().map(|input| layout(*input).columns.len()).collect();
                let found = flaws_of_join(join, &widths, own.columns.len());
                found.iter().for_each(|flaw| check(false, flaw));
            }
            Op::Sequence(sequence) => {
                let widths: Vec<usize> = node.inputs.iter().map(|input| layout(*input).columns.len()).collect();
                let found = flaws_of_sequence(sequence, &widths, own.columns.len());
                found.iter().for_each(|flaw| check(false, flaw));
            }
            Op::Input(input) => check(plan.inputs[*input as usize].layout == node.layout, "an input of another layout"),
            _ => {}
        }
    }
    for stream in &plan.streams {
        if stream.node as usize >= plan.nodes.len() {
            flaws.push(format!("stream {} has no node", stream.name));
        }
        if stream
            .clock
            .iter()
            .any(|term| term.delay < 0 || term.input.is_some_and(|at| at as usize >= plan.inputs.len()))
        {
            flaws.push(format!("stream {} goes by no clock", stream.name));
        }
    }
    for input in &plan.inputs {
        if input.subscriptions.iter().any(|at| plan.subscriptions[*at as usize].event != input.event) {
            flaws.push(format!("input {} has another one's subscription", input.event));
        }
    }
    flaws
}

fn plan(program: &str) -> Plan {
    let compiled = compile(program, &Options::default());
    let errors: Vec<_> = compiled.diagnostics.iter().filter(|problem| problem.code.starts_with('E')).collect();
    compiled.plan.or(compiled.draft).unwrap_or_else(|| panic!("{program}\n{errors:?}"))
}

#[test]
fn plans_of_all_cases_are_well_formed() {
    let (mut count, mut wrong) = (0, String::new());
    for case in std::fs::read_dir(tests().join("../../tests/cases")).expect("the cases are there").flatten() {
        let Ok(program) = std::fs::read_to_string(case.path().join("program.vpl")) else { continue };
        let compiled = compile(&program, &Options::default());
        if let Some(plan) = compiled.plan.or(compiled.draft) {
            count += 1;
            for flaw in flaws(&plan) {
                wrong += &format!("{}: {flaw}\n", case.file_name().display());
            }
        }
    }
    assert!(count > 50, "only {count} cases have a plan");
    assert!(wrong.is_empty(), "{wrong}");
}

/// Operators that fit behind each other often enough.
const OPERATORS: [&str; 26] = [
    ".where(a > 1)",
    ".filter(b != k)",
    ".having(n > 1)",
    ".select(a, b: k)",
    ".select(k: a, a: 1, n: 2)",
    ".emit(a, b, k: k, z: null)",
    ".emit as T (a: n ?? 1, k)",
    ".partition_by(k)",
    ".partition_by(k, b)",
    ".partition_by(p: a + 1)",
    ".window(5s)",
    ".window(3, sliding: 1)",
    ".window(session: 2s)",
    ".aggregate(n: count(), a: sum(a), b: last(b))",
    ".aggregate(n: count(), s: sum(to_int(window_start)), k: max(k))",
    ".distinct(k)",
    ".distinct()",
    ".limit(3)",
    ".process(f(a))",
    ".print(a, k)",
    ".log(message: a)",
    ".alert(webhook: \"u\", message: \"{a} {k}\")",
    ".to(C)",
    ".where(window_end is null)",
    ".watermark(out_of_order: 1s)",
    ".emit(w: window_start, a)",
];

/// What the first stream of a random program reads, and what the others may read besides.
const SOURCES: [&str; 9] = [
    "E",
    "F",
    "merge(E, F)",
    "merge(stream X = E .where(a > 1), F where X2 is null)",
    "timer(2s)",
    "join(E, F where a > 1) .on(E.k == F.k and E.a < F.a)",
    "full_join(E as a, F as b) .on(b.k == a.k) .window(2s)",
    "E as a -> F where a > a.a and k == a.k as b .within(1m)",
    "E as k -> all F where a > prev(b).a ?? 0 as b -> not E where a > count(b) .within(1m) .partition_by(k)",
];

/// A program of a few streams, as a function of a seed.
fn random_program(mut seed: u64) -> String {
    let mut below = |limit: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % limit
    };
    let mut program =
        "connector C = console()\nevent F: a: int, b: str, k: str\nfn f(x: int):\n    emit X(a: x, b: 1, k: x)\n"
            .to_string();
    for stream in 0..1 + below(4) {
        let source = match below(3) {
            0 if stream > 0 => format!("S{}", below(stream)),
            1 if stream > 1 => match below(3) {
                0 => format!("merge(S{}, S{}, E)", below(stream), below(stream)),
                1 => {
                    format!("join(S{} as a, S{} as b, E) .on(a.k == b.k and b.k == E.k)", below(stream), below(stream))
                }
                _ => format!("S{} as a -> S{} where b == a.b as b .within(2s)", below(stream), below(stream)),
            },
            _ => SOURCES[below(SOURCES.len())].to_string(),
        };
        program += &format!("stream S{stream} = {source}");
        for _ in 0..below(7) {
            program += &format!(" {}", OPERATORS[below(OPERATORS.len())]);
        }
        program += "\n";
    }
    program
}

#[test]
fn plans_of_random_programs_are_well_formed() {
    let mut plans = 0;
    for seed in 0..3_000 {
        let program = random_program(seed);
        let compiled = compile(&program, &Options::default());
        if let Some(plan) = compiled.plan.or(compiled.draft) {
            plans += 1;
            let flaws = flaws(&plan);
            assert!(flaws.is_empty(), "{program}\n{}", flaws.join("\n"));
        }
    }
    assert!(plans > 300, "only {plans} programs have a plan");
}

fn columns(layout: &Layout) -> String {
    let names = layout.columns.iter().map(|column| match (column.hidden, column.keep_null) {
        (true, _) => format!("({})", column.name.trim()),
        (false, true) => format!("{}!", column.name),
        (false, false) => column.name.to_string(),
    });
    let mut names: Vec<String> = names.collect();
    names.extend(layout.open.then(|| "…".to_string()));
    names.join(" ")
}

/// A plan in lines.
fn facts(plan: &Plan) -> Vec<String> {
    let mut facts = Vec::new();
    for input in &plan.inputs {
        let mut fact = format!("input {}: {}", input.event, columns(&plan.layouts[input.layout as usize]));
        if input.whole {
            fact += ", whole";
        }
        if let Some(field) = &input.time_field {
            fact += &format!(", at {field}");
        }
        for at in &input.subscriptions {
            let from = &plan.subscriptions[*at as usize];
            fact += &format!(", from {}", plan.connectors[from.connector as usize].name);
            for (name, value) in &from.params {
                fact += &format!(" {name}={}", rarog_lang::eval::text::to_text(value));
            }
            fact.extend(from.idle.map(|idle| format!(" idle {}", describe::duration(idle))));
        }
        facts.push(fact);
    }
    for (id, node) in plan.nodes.iter().enumerate() {
        let inputs: Vec<String> = node.inputs.iter().map(u32::to_string).collect();
        let output = matches!(node.op, Op::Emit | Op::Send { output: true, .. });
        let put_out = if output { " -> out" } else { "" };
        let kind = format!("{:?}", node.op);
        let kind = kind.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_string();
        let kind = match &node.op {
            Op::Window { aggregate: Some(_), .. } => "WindowAggregate".to_string(),
            _ => kind,
        };
        let layout = columns(&plan.layouts[node.layout as usize]);
        facts.push(format!(
            "{id} {kind} [{}] {}: {layout}{put_out}",
            inputs.join(" "),
            plan.streams[node.stream as usize].name
        ));
        let (items, whole) = match &node.op {
            Op::Join(join) => (&join.items, join.whole),
            Op::Sequence(sequence) => (&sequence.items, sequence.whole),
            _ => continue,
        };
        let names = describe::Names { plan, layout: None, aggregate: None, parts: Some(node) };
        let items: Vec<String> = items.iter().map(|item| names.expr(item)).collect();
        facts.push(format!("  {}{}", describe::operator(plan, node), if whole { ", whole" } else { "" }));
        facts.push(format!("  = {}", items.join(" | ")));
    }
    for stream in &plan.streams {
        let terms = stream.clock.iter().map(|term| {
            let of = term.input.map_or("all", |input| &plan.inputs[input as usize].event);
            format!("{of}-{}", describe::duration(term.delay))
        });
        let mut terms: Vec<String> = terms.collect();
        terms.sort();
        facts.push(format!("stream {}: node {}, {}", stream.name, stream.node, terms.join(" ")));
    }
    facts
}

#[test]
fn small_programs_have_the_plan_that_the_text_asks_for() {
    let mut different = String::new();
    for file in std::fs::read_dir(tests().join("plans")).expect("the plans are there").flatten() {
        let text = std::fs::read_to_string(file.path()).expect("the file is there");
        for case in text.split("---\n") {
            let (program, expected) = case.split_once("=>\n").expect("a program and its plan");
            let plan = plan(program);
            let mut found = facts(&plan);
            found.extend(flaws(&plan));
            let expected: Vec<&str> = expected.lines().filter(|line| !line.is_empty()).collect();
            if found != expected {
                different += &format!("{program}=>\n{}\n---\n", found.join("\n"));
            }
        }
    }
    assert!(different.is_empty(), "\n{different}");
}
