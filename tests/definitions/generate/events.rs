//! Inputs: ties and gaps in time, arrival out of order inside the tolerance and beyond, nulls, missing fields, ints beside
//! floats.

use crate::events::{Event, Format};
use crate::program::{FieldType, Program, Source, Stream};
use crate::random::Random;
use crate::value::{MILLI, SECOND, V};

use super::{FIELDS, TYPES};

/// Longest input.
const MOST_EVENTS: usize = 45;
/// Longest input where joins have more than two inputs, or read each other: the definition tries every combination.
const MOST_OF_MANY_INPUTS: usize = 11;

/// The input of a program.
pub fn make(random: &mut Random, program: &Program) -> (Vec<Event>, Format) {
    let format = if random.once_in(2) { Format::Evt } else { Format::Jsonl };
    let reads = |name: &&&str| program.streams.iter().any(|stream| stream.reads().contains(name));
    let mut types: Vec<&str> = TYPES.iter().filter(reads).copied().collect();
    if types.is_empty() || random.once_in(8) {
        types.push("Other");
    }
    let tolerance = program.streams.iter().map(|stream| stream.out_of_order()).max().unwrap_or(0);
    let disorder = random.pick(&[0, 3, 3, 8]);
    let keys = random.pick(&[1, 2, 3, 6]);
    let mut clock = random.pick(&[0, 1, 12]) * SECOND;
    let mut events = Vec::new();
    let is_join = |name: &str| {
        let named = |stream: &&Stream| stream.name == name;
        program.streams.iter().find(named).is_some_and(|stream| matches!(stream.source, Source::Join(_)))
    };
    let many = |stream: &Stream| match &stream.source {
        Source::Join(join) => join.inputs.len() > 2 || join.inputs.iter().any(|input| is_join(&input.of)),
        _ => false,
    };
    let most = if program.streams.iter().any(many) { MOST_OF_MANY_INPUTS } else { MOST_EVENTS };
    for _ in 0..random.below(most) {
        clock += step(random);
        let back = if disorder > 0 && random.once_in(disorder) { disordered(random, tolerance) } else { 0 };
        let time = (clock - back).max(0) / MILLI * MILLI;
        let of = random.pick(&types);
        let mut fields = fields(random, program, of, keys);
        if format == Format::Jsonl {
            fields.insert(0, ("ts".into(), V::Int(time / MILLI)));
        }
        events.push(Event { of: of.into(), time, fields });
    }
    (events, format)
}

fn step(random: &mut Random) -> i64 {
    match random.below(12) {
        0..3 => 0,
        3..5 => SECOND / 2,
        5..9 => SECOND,
        9 => 2 * SECOND,
        10 => random.between(1, 3000) * MILLI,
        _ => random.pick(&[5, 11, 30, 200]) * SECOND,
    }
}

/// How much earlier than the clock: inside the tolerance, at its edge, or beyond.
fn disordered(random: &mut Random, tolerance: i64) -> i64 {
    match random.below(4) {
        0 => tolerance,
        1 if tolerance > 0 => random.between(0, tolerance),
        2 => tolerance + random.pick(&[1, 500, 1000]) * MILLI,
        _ => random.between(0, 15) * SECOND,
    }
}

fn fields(random: &mut Random, program: &Program, of: &str, keys: usize) -> Vec<(String, V)> {
    let declared = program.events.iter().find(|(name, _)| name == of).map(|(_, fields)| fields);
    let mut fields = Vec::new();
    for name in FIELDS {
        if random.once_in(12) {
            continue;
        }
        let ty = declared.and_then(|fields| fields.iter().find(|(field, _)| field == name)).map(|(_, ty)| *ty);
        let value = if random.once_in(15) { V::Null } else { value(random, name, ty, keys) };
        fields.push((name.into(), value));
    }
    if random.once_in(3) {
        random.shuffle(&mut fields);
    }
    fields
}

fn value(random: &mut Random, name: &str, ty: Option<FieldType>, keys: usize) -> V {
    let small = random.between(-2, 9);
    match name {
        "k" => match random.below(8) {
            0..4 => V::Int(random.below(keys) as i64),
            4 => V::Float(random.below(keys) as f64),
            5 => V::Str(random.below(keys).to_string()),
            _ => V::Str(random.pick(&["a", "b", "c"]).into()),
        },
        "n" => V::Int(small),
        "s" => V::Str(random.pick(&["x", "y", "z", "x y", "é", ""]).into()),
        _ => match random.below(10) {
            0..4 => V::Int(small),
            4..9 => V::Float(small as f64 / 4.0),
            // A number is asked for, and there is none. A declared field is of its type.
            _ if ty.is_none_or(|ty| ty == FieldType::Any) => V::Str("none".into()),
            _ => V::Int(small),
        },
    }
}
