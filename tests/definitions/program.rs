//! Programs as data: what the generator makes, the definition runs and the engine gets as text.
//!
//! It is the part of the language that has results of its own: sources, windows, aggregates, joins and sequences.

use crate::expr::Ex;

/// A program.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Declared event types and the types of their fields.
    pub events: Vec<(String, Vec<(String, FieldType)>)>,
    /// Streams.
    pub streams: Vec<Stream>,
}

/// Types of declared fields, as far as they are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// Anything.
    Any,
    /// Ints are converted.
    Float,
    /// Ints.
    Int,
    /// Text.
    Str,
}

/// `stream NAME = source ops`
#[derive(Clone, Debug)]
pub struct Stream {
    /// Name.
    pub name: String,
    /// Where records come from.
    pub source: Source,
    /// Operators in order.
    pub ops: Vec<Op>,
}

/// Where records come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A type or stream.
    One(String),
    /// `merge(…)`
    Merge(Vec<Input>),
    /// `late(S)`
    Late(String),
    /// `join(…)`
    Join(Join),
    /// A sequence or pattern.
    Sequence(Sequence),
}

/// An input of a merge or join.
#[derive(Clone, Debug)]
pub struct Input {
    /// Type or stream.
    pub of: String,
    /// By what name it is read.
    pub name: String,
    /// Its own condition.
    pub condition: Option<Ex>,
}

/// Which records a join keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kept {
    Inner,
    Left,
    Right,
    Full,
}

/// A join.
#[derive(Clone, Debug)]
pub struct Join {
    /// Kind.
    pub kept: Kept,
    /// Inputs.
    pub inputs: Vec<Input>,
    /// All `.on`.
    pub on: Vec<Ex>,
    /// `.window(d)`, ns.
    pub window: i64,
}

/// A sequence or pattern.
#[derive(Clone, Debug, Default)]
pub struct Sequence {
    /// Alternatives of a top-level OR.
    pub alternatives: Vec<Vec<Element>>,
    /// `.not(N where …)`
    pub nots: Vec<Step>,
    /// `partition by`
    pub keys: Vec<String>,
    /// ns
    pub within: Option<i64>,
    /// Selection.
    pub mode: Mode,
    /// `.each()`
    pub each: bool,
    /// `.max_runs(n)`
    pub max_runs: Option<usize>,
}

/// Selection strategy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Skip till next match.
    #[default]
    Next,
    /// `.strict()`
    Strict,
    /// `.skip_till_any()`
    Any,
}

/// An element of a sequence.
#[derive(Clone, Debug)]
pub enum Element {
    /// One event, or several.
    Event(Step),
    /// `not X`
    Absence(Step),
    /// `(A AND B)`
    And(Vec<Step>),
    /// `(A OR B)`, and the alias of the whole.
    Or(Vec<Step>, Option<String>),
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Times {
    Once,
    Optional,
    Plus,
    Star,
}

/// What takes one record.
#[derive(Clone, Debug)]
pub struct Step {
    /// Type or stream.
    pub of: String,
    /// Alias.
    pub alias: Option<String>,
    /// Quantifier.
    pub times: Times,
    /// `where`
    pub condition: Option<Ex>,
    /// Time since the last captured record, ns.
    pub within: Option<i64>,
    /// `.increasing(f)` (true), `.decreasing(f)`
    pub monotone: Option<(bool, String)>,
}

impl Step {
    /// Where what it captures goes: its alias, else its type.
    pub fn slot(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.of)
    }

    /// Does it take several?
    pub fn many(&self) -> bool {
        matches!(self.times, Times::Plus | Times::Star)
    }
}

/// `name: e`, or an expression that has a name of its own.
#[derive(Clone, Debug)]
pub struct Item {
    /// Name of the field.
    pub name: String,
    /// Value.
    pub value: Ex,
}

/// Bounds of a window; times in ns.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum Window {
    Time { size: i64, slide: Option<i64> },
    Session { gap: i64 },
    Count { size: usize, slide: Option<usize> },
}

/// An operator.
#[derive(Clone, Debug)]
pub enum Op {
    /// `.where(e)`; true: `.having(e)`
    Where(Ex, bool),
    /// `.select(items)`
    Select(Vec<Item>),
    /// `.emit [as T] (items)`
    Emit(Option<String>, Vec<Item>),
    /// `.partition_by(keys)`
    PartitionBy(Vec<Item>),
    /// `.window(…)`
    Window(Window),
    /// `.aggregate(items)`
    Aggregate(Vec<Item>),
    /// `.distinct(e…, within: d)`
    Distinct(Vec<Ex>, Option<i64>),
    /// `.limit(n)`
    Limit(usize),
    /// `.watermark(out_of_order: d)`
    OutOfOrder(i64),
    /// `.allowed_lateness(d)`
    AllowedLateness(i64),
}

impl Program {
    /// The streams by index, producers before readers.
    pub fn in_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = Vec::new();
        while order.len() < self.streams.len() {
            let waits = |name: &str| {
                let producer = self.streams.iter().position(|stream| stream.name == name);
                producer.is_some_and(|producer| !order.contains(&producer))
            };
            let ready = |index: &usize| !order.contains(index) && !self.streams[*index].reads().into_iter().any(waits);
            let next = (0..self.streams.len()).find(ready).expect("no stream reads itself");
            order.push(next);
        }
        order
    }
}

impl Stream {
    /// What it reads, in the order of its inputs, each once.
    pub fn reads(&self) -> Vec<&str> {
        let names: Vec<&str> = match &self.source {
            Source::One(of) | Source::Late(of) => vec![of],
            Source::Merge(inputs) => inputs.iter().map(|input| input.of.as_str()).collect(),
            Source::Join(join) => join.inputs.iter().map(|input| input.of.as_str()).collect(),
            Source::Sequence(sequence) => sequence.steps().map(|step| step.of.as_str()).collect(),
        };
        let mut reads = Vec::new();
        for name in names {
            if !reads.contains(&name) {
                reads.push(name);
            }
        }
        reads
    }

    /// Its `out_of_order`, ns.
    pub fn out_of_order(&self) -> i64 {
        self.ops.iter().find_map(|op| if let Op::OutOfOrder(d) = op { Some(*d) } else { None }).unwrap_or(0)
    }

    /// Its `allowed_lateness`, ns.
    pub fn allowed_lateness(&self) -> i64 {
        self.ops.iter().find_map(|op| if let Op::AllowedLateness(d) = op { Some(*d) } else { None }).unwrap_or(0)
    }
}

impl Sequence {
    /// All steps, those of `.not` included.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.alternatives.iter().flatten().flat_map(Element::steps).chain(&self.nots)
    }
}

impl Element {
    /// The steps in it.
    pub fn steps(&self) -> &[Step] {
        match self {
            Element::Event(step) | Element::Absence(step) => std::slice::from_ref(step),
            Element::And(steps) | Element::Or(steps, _) => steps,
        }
    }

    /// The steps in it, to be changed.
    pub fn steps_mut(&mut self) -> &mut [Step] {
        match self {
            Element::Event(step) | Element::Absence(step) => std::slice::from_mut(step),
            Element::And(steps) | Element::Or(steps, _) => steps,
        }
    }

    /// A group without one of its members.
    pub fn remove(&mut self, member: usize) {
        if let Element::And(steps) | Element::Or(steps, _) = self {
            steps.remove(member);
        }
    }
}
