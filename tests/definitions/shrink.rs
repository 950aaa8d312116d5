//! Makes a failing case smaller while it still fails: fewer events, streams, operators, items, fields.

use crate::case::{Case, Verdict};
use crate::decided::is_decided;
use crate::engine::Setting;
use crate::expr::{Ex, Op as Binary};
use crate::program::{Join, Kept, Mode, Op, Sequence, Source, Step, Times};

/// The smallest case found that still differs.
pub fn shrink(case: &Case, settings: &[Setting]) -> Case {
    let kind = |case: &Case| match case.check(settings) {
        Verdict::Differs(message) => Some(errors(&message)),
        _ => None,
    };
    let wanted = kind(case);
    let fails = |case: &Case| is_decided(&case.program) && kind(case) == wanted;
    let mut best = case.clone();
    loop {
        let smaller = fewer_events(&best).chain(simpler_programs(&best)).find(|candidate| fails(candidate));
        match smaller {
            Some(smaller) => best = smaller,
            None => return best,
        }
    }
}

/// The codes of the errors for which a program is refused; none if it runs.
fn errors(message: &str) -> Vec<String> {
    let lines = message.lines().filter(|line| line.starts_with('E'));
    lines.filter_map(|line| line.split_once(": ").map(|(code, _)| code.into())).collect()
}

/// Halves, quarters, … of the events left out, then single ones, then their fields.
fn fewer_events(case: &Case) -> impl Iterator<Item = Case> + use<> {
    let case = case.clone();
    let count = case.events.len();
    let sizes = std::iter::successors(Some(count.div_ceil(2)), |size| (*size > 1).then_some(size / 2));
    let without =
        sizes.filter(|size| *size > 0).flat_map(move |size| (0..count).step_by(size).map(move |at| (at, size)));
    let of = case.clone();
    let fewer = without.map(move |(at, size)| {
        let mut smaller = of.clone();
        smaller.events.drain(at..(at + size).min(count));
        smaller
    });
    let cells = (0..count).flat_map({
        let events = case.events.clone();
        move |event| (0..events[event].fields.len()).map(move |field| (event, field))
    });
    let of = case.clone();
    let cells = cells.filter(move |(event, field)| of.events[*event].fields[*field].0 != "ts").collect::<Vec<_>>();
    fewer.chain(cells.into_iter().map(move |(event, field)| {
        let mut smaller = case.clone();
        smaller.events[event].fields.remove(field);
        smaller
    }))
}

/// One part of the program left out.
fn simpler_programs(case: &Case) -> impl Iterator<Item = Case> + use<> {
    let mut programs = Vec::new();
    let program = &case.program;
    for event in 0..program.events.len() {
        let mut smaller = program.clone();
        smaller.events.remove(event);
        programs.push(smaller);
    }
    for index in 0..program.streams.len() {
        let stream = &program.streams[index];
        if !program.streams.iter().any(|other| other.reads().contains(&stream.name.as_str())) {
            let mut smaller = program.clone();
            smaller.streams.remove(index);
            programs.push(smaller);
        }
        for op in 0..stream.ops.len() {
            let mut smaller = program.clone();
            smaller.streams[index].ops.remove(op);
            programs.push(smaller);
            programs.extend(simpler_ops(&stream.ops[op]).into_iter().map(|simpler| {
                let mut smaller = program.clone();
                smaller.streams[index].ops[op] = simpler;
                smaller
            }));
        }
        programs.extend(simpler_sources(&stream.source).into_iter().map(|source| {
            let mut smaller = program.clone();
            smaller.streams[index].source = source;
            smaller
        }));
    }
    let case = case.clone();
    programs.into_iter().map(move |program| Case { program, ..case.clone() })
}

/// The operator with an item less.
fn simpler_ops(op: &Op) -> Vec<Op> {
    let without = |items: &[crate::program::Item]| {
        let without = |index| {
            let mut fewer = items.to_vec();
            fewer.remove(index);
            fewer
        };
        (0..items.len()).map(without).filter(|items| !items.is_empty()).collect::<Vec<_>>()
    };
    match op {
        Op::Select(items) => without(items).into_iter().map(Op::Select).collect(),
        Op::Emit(event, items) => without(items).into_iter().map(|items| Op::Emit(event.clone(), items)).collect(),
        Op::PartitionBy(keys) => without(keys).into_iter().map(Op::PartitionBy).collect(),
        Op::Aggregate(items) => without(items).into_iter().map(Op::Aggregate).collect(),
        _ => Vec::new(),
    }
}

/// The source with a part less.
fn simpler_sources(source: &Source) -> Vec<Source> {
    match source {
        Source::Merge(inputs) => {
            let mut simpler: Vec<Source> = inputs.iter().map(|input| Source::One(input.of.clone())).collect();
            for index in 0..inputs.len() {
                let mut fewer = inputs.clone();
                fewer.remove(index);
                if fewer.len() > 1 {
                    simpler.push(Source::Merge(fewer));
                }
                let mut bare = inputs.clone();
                if bare[index].condition.take().is_some() {
                    simpler.push(Source::Merge(bare));
                }
            }
            simpler
        }
        Source::Join(join) => simpler_joins(join).into_iter().map(Source::Join).collect(),
        Source::Sequence(sequence) => simpler_sequences(sequence).into_iter().map(Source::Sequence).collect(),
        _ => Vec::new(),
    }
}

fn simpler_joins(join: &Join) -> Vec<Join> {
    let mut simpler = vec![Join { kept: Kept::Inner, ..join.clone() }; usize::from(join.kept != Kept::Inner)];
    for on in 0..join.on.len() {
        let mut less = join.clone();
        match less.on.remove(on) {
            Ex::Bin(Binary::And, left, right) => {
                for side in [left, right] {
                    let mut half = less.clone();
                    half.on.push(*side);
                    simpler.push(half);
                }
            }
            _ if less.on.is_empty() => {}
            _ => simpler.push(less),
        }
    }
    for input in 0..join.inputs.len() {
        let mut bare = join.clone();
        if bare.inputs[input].condition.take().is_some() {
            simpler.push(bare);
        }
        let mut fewer = join.clone();
        fewer.inputs.remove(input);
        if fewer.inputs.len() > 1 {
            simpler.push(fewer);
        }
    }
    simpler
}

fn simpler_sequences(sequence: &Sequence) -> Vec<Sequence> {
    let mut simpler = Vec::new();
    let mut with = |change: &dyn Fn(&mut Sequence)| {
        let mut changed = sequence.clone();
        change(&mut changed);
        if format!("{changed:?}") != format!("{sequence:?}") {
            simpler.push(changed);
        }
    };
    with(&|sequence| sequence.max_runs = None);
    with(&|sequence| sequence.mode = Mode::Next);
    with(&|sequence| sequence.each = false);
    with(&|sequence| sequence.within = None);
    with(&|sequence| drop(sequence.keys.pop()));
    with(&|sequence| drop(sequence.nots.pop()));
    for alternative in 0..sequence.alternatives.len() {
        if sequence.alternatives.len() > 1 {
            with(&|sequence| drop(sequence.alternatives.remove(alternative)));
        }
        for element in 0..sequence.alternatives[alternative].len() {
            if sequence.alternatives[alternative].len() > 1 {
                with(&|sequence| drop(sequence.alternatives[alternative].remove(element)));
            }
            let steps = sequence.alternatives[alternative][element].steps().len();
            for step in 0..steps {
                let of = |sequence: &mut Sequence, change: &dyn Fn(&mut Step)| {
                    change(&mut sequence.alternatives[alternative][element].steps_mut()[step]);
                };
                with(&|sequence| of(sequence, &|step| step.condition = None));
                with(&|sequence| of(sequence, &|step| step.monotone = None));
                with(&|sequence| of(sequence, &|step| step.within = None));
                with(&|sequence| of(sequence, &|step| step.times = Times::Once));
                if steps > 2 {
                    with(&|sequence| sequence.alternatives[alternative][element].remove(step));
                }
            }
        }
    }
    simpler
}
