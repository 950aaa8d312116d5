//! Random programs and inputs out of a seed. What a field holds goes by the first letter of its name: `k` anything that can
//! be a key, `v` numbers of both kinds, `n` ints, `s` text, `a` arrays, `t` times; `r` numbers whose last digits go by the
//! order in which they were added up, so nothing is decided by them.

mod events;
mod exprs;
mod joins;
mod merges;
mod sequences;
mod windows;

use crate::case::Case;
use crate::decided::is_decided;
use crate::engine::{Setting, is_ill_typed};
use crate::program::{FieldType, Program, Source, Stream};
use crate::random::Random;
use crate::text::vpl;
use crate::value::SECOND;

/// Which part of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// Windows, aggregates, distinct, limit, merges, running aggregates.
    Windows,
    /// Allowed lateness and `late(S)`.
    Lateness,
    /// Joins, and windows over them.
    Joins,
    /// Sequences and patterns, and windows over them.
    Sequences,
    /// Streams that part and meet again in merges.
    Merges,
}

/// Something that can be read: its name and its fields.
#[derive(Clone, Debug)]
pub struct Readable {
    /// Type or stream.
    pub name: String,
    /// Field names.
    pub fields: Vec<String>,
    /// Is it a stream (or a merge of streams without rough numbers)? Then nulls are left out and no value is of a wrong kind.
    pub derived: bool,
}

impl Readable {
    /// Are whole records the same whenever they look the same?
    fn is_exact(&self) -> bool {
        self.derived && !self.fields.iter().any(|field| field.starts_with('r'))
    }
}

/// A program in the making.
pub struct Maker<'r> {
    random: &'r mut Random,
    area: Area,
    program: Program,
    readable: Vec<Readable>,
}

/// Types of events from outside.
const TYPES: [&str; 4] = ["A", "B", "C", "D"];
/// Their fields.
const FIELDS: [&str; 4] = ["k", "v", "n", "s"];

/// The case of a seed.
pub fn case(area: Area, seed: u64) -> Case {
    let mut random = Random::new(seed);
    loop {
        let program = program(area, &mut random);
        if is_decided(&program) && !is_ill_typed(&vpl(&program)) {
            let (events, format) = events::make(&mut random, &program);
            let mut case = Case { program, events, format };
            // Joins of joins have many more rows than there are events.
            while area == Area::Joins && case.expected().is_none() {
                case.events.truncate(case.events.len() / 2);
            }
            return case;
        }
    }
}

/// The settings that a seed is run with: one chunk on one worker always, then every size and number of workers comes up,
/// every other time cut by checkpoints.
pub fn settings(seed: u64) -> Vec<Setting> {
    let at = seed as usize;
    let rows = [1, 7, 1, 3][at % 4];
    let cut = [None, Some(1), None, Some(3), Some(5)][at / 4 % 5];
    let other =
        Setting { rows, workers: [1, 2, 4, 1, 2][at % 5], cut: cut.map(|chunks| chunks * 7usize.div_ceil(rows)) };
    vec![Setting { rows: 4096, workers: 1, cut: None }, other]
}

fn program(area: Area, random: &mut Random) -> Program {
    let fields = || FIELDS.map(String::from).to_vec();
    let readable = TYPES[..1 + random.below(3)]
        .iter()
        .map(|name| Readable { name: (*name).into(), fields: fields(), derived: false })
        .collect();
    let mut maker = Maker { random, area, program: Program::default(), readable };
    maker.declare();
    let count = if area == Area::Merges { 3 + maker.random.below(4) } else { 1 + maker.random.below(3) };
    for index in 0..count {
        let name = format!("S{index}");
        let (stream, fields) = match area {
            Area::Joins if index == 0 || maker.random.once_in(2) => maker.joined_stream(name),
            Area::Sequences if index == 0 || maker.random.once_in(2) => maker.sequence_stream(name),
            Area::Merges if index + 1 < count && !maker.random.once_in(4) => maker.plain_stream(name),
            Area::Merges if !maker.random.once_in(8) => maker.positional_stream(name),
            _ if maker.random.once_in(8) && maker.area == Area::Lateness => maker.late_stream(name),
            _ => maker.windowed_stream(name),
        };
        maker.add(stream, fields);
    }
    if maker.random.once_in(2) {
        // The order of the text need not be that of the dependencies.
        maker.random.shuffle(&mut maker.program.streams);
    }
    maker.program
}

impl Maker<'_> {
    fn add(&mut self, stream: Stream, fields: Vec<String>) {
        let late = matches!(stream.source, Source::Late(_));
        if !late && !fields.is_empty() {
            // What reads late records may not have operators of event time, so nobody reads them on.
            self.readable.push(Readable { name: stream.name.clone(), fields, derived: true });
        }
        self.program.streams.push(stream);
    }

    /// Declares some types: their columns have a type, and ints of float fields are converted.
    fn declare(&mut self) {
        for readable in self.readable.clone() {
            if self.random.once_in(3) {
                let fields = readable.fields.iter().map(|field| {
                    let ty = match &field[..1] {
                        "v" if self.random.once_in(2) => FieldType::Float,
                        "n" => FieldType::Int,
                        "s" => FieldType::Str,
                        _ => FieldType::Any,
                    };
                    (field.clone(), ty)
                });
                let fields = fields.collect();
                self.program.events.push((readable.name, fields));
            }
        }
    }

    /// Something to read, mostly the newest.
    fn readable(&mut self) -> Readable {
        let all = self.readable.len();
        let index = if self.random.once_in(2) { all - 1 } else { self.random.below(all) };
        self.readable[index].clone()
    }

    /// A length of time.
    fn span(&mut self) -> i64 {
        self.random.pick(&[1, 2, 2, 3, 4, 5, 5, 7, 10, 10, 20]) * SECOND / if self.random.once_in(6) { 2 } else { 1 }
    }
}
