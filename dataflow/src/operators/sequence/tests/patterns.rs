//! Small patterns over events `A`, `B`, `C`, `N`, `Z` with fields `i` (their number), `k`, and what they find.

use super::super::Sequence as Operation;
use crate::batch::{Chunk, EventTypes, Rows, phase};
use crate::column::from_values;
use crate::operators::{Clockwork, Context, Operator};
use crate::rt::{Completed, Counters, DeadRecord, Host, Intake, Job, Pulled, Shared, Start};
use rarog_lang::eval::text::to_text;
use rarog_lang::plan::*;
use rarog_lang::value::{Type, Value};
use std::sync::{Arc, Mutex};

pub const SECOND: i64 = 1_000_000_000;
pub const TYPES: [&str; 5] = ["A", "B", "C", "N", "Z"];

/// A record: type, number, key, time in s.
#[derive(Clone, Copy, Debug)]
pub struct Record(pub char, pub i64, pub i64, pub i64);

/// Letters with numbers: `A1 B2@5` is an A with number 1 at 1 s (its number), and a B with number 2 at 5 s.
pub fn records(text: &str) -> Vec<Record> {
    let record = |word: &str| {
        let (name, time) = word.split_once('@').unwrap_or((word, ""));
        let number = name[1..].parse().unwrap();
        Record(name.chars().next().unwrap(), number, 0, if time.is_empty() { number } else { time.parse().unwrap() })
    };
    text.split_whitespace().map(record).collect()
}

/// `X as x`: the slots are in the order of the elements.
pub fn event(name: char, slot: u32) -> Event {
    Event {
        input: TYPES.iter().position(|known| known.starts_with(name)).unwrap() as u32,
        slot,
        columns: vec![Some(0), Some(1)],
        min: 1,
        many: false,
        filter: None,
        equalities: vec![],
        condition: None,
        within: None,
        monotone: vec![],
        notes: vec![],
    }
}

/// A pattern in one line: `A`, `B+`, `B*`, `B?`, `!B` (absence), `A&B`, `A|B`; alternatives by `/`.
pub fn sequence(pattern: &str) -> Sequence {
    let mut slots = Vec::new();
    let mut place = |many: bool| {
        let column = |name: &str| ColumnDef { name: name.into(), ty: Type::Any, keep_null: false, hidden: false };
        slots.push(Slot {
            name: format!("s{}", slots.len()).into(),
            columns: vec![column("i"), column("k")],
            whole: false,
            many,
        });
        slots.len() as u32 - 1
    };
    let letter = |text: &str| text.chars().next().unwrap();
    let mut element = |word: &str| {
        if let Some(name) = word.strip_prefix('!') {
            return Element::Absence(event(letter(name), 0));
        }
        if word.contains('&') {
            return Element::And(word.split('&').map(|name| event(letter(name), place(false))).collect());
        }
        if word.contains('|') {
            let slot = place(false);
            return Element::Or(word.split('|').map(|name| event(letter(name), slot)).collect());
        }
        let many = word.ends_with(['+', '*']);
        let min = u32::from(!word.ends_with(['*', '?']));
        Element::Event(Event { min, many, ..event(letter(word), place(many)) })
    };
    let alternatives = pattern.split('/').map(|part| part.split_whitespace().map(&mut element).collect()).collect();
    Sequence {
        alternatives,
        nots: vec![],
        items: vec![],
        slots,
        key: vec![],
        within: None,
        mode: Mode::Next,
        each: false,
        max_runs: 10_000,
        whole: false,
    }
}

/// The element's event.
pub fn event_mut(sequence: &mut Sequence, element: usize) -> &mut Event {
    match &mut sequence.alternatives[0][element] {
        Element::Event(event) | Element::Absence(event) => event,
        Element::And(events) | Element::Or(events) => &mut events[0],
    }
}

pub fn column(column: u32) -> Expr {
    Expr::Column(column)
}

struct Quiet(Mutex<Vec<String>>);

impl Host for Quiet {
    fn completed(&self, _: Completed) {}
    fn dead(&self, record: DeadRecord) {
        self.0.lock().unwrap().push(record.reason.to_string());
    }
    fn print(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
    fn log(&self, level: &str, line: String) {
        self.0.lock().unwrap().push(format!("{level} {line}"));
    }
}

/// The operator is given its rows by hand.
struct Nothing;

impl Intake for Nothing {
    fn pull(&self) -> Pulled {
        Pulled::End
    }
    fn on_data(&self, _: Box<dyn Fn() + Send + Sync>) {}
}

/// A plan that shows the numbers of what each slot captured, and the operator's surroundings.
pub fn context(mut sequence: Sequence, out_of_order: i64) -> Context {
    let number = |(slot, shape): (usize, &Slot)| {
        let slot = slot as u32;
        let all = AggregateCall { function: AggregateFn::Collect, argument: Some(Expr::Of(slot, 0)) };
        if shape.many { Expr::Captured(slot, Capture::Aggregate(Box::new(all))) } else { Expr::Of(slot, 0) }
    };
    if sequence.items.is_empty() {
        sequence.items = sequence.slots.iter().enumerate().map(number).collect();
    }
    let layout = |names: &[&str]| {
        let column = |name: &&str| ColumnDef { name: (*name).into(), ty: Type::Any, keep_null: false, hidden: false };
        Layout { columns: names.iter().map(column).collect(), open: false }
    };
    let items = vec!["item"; sequence.items.len()];
    let node = |op, inputs: Vec<u32>, layout| Node { op, inputs, layout, stream: 0, span: Default::default() };
    let ports = TYPES.len() as u32;
    let mut nodes: Vec<Node> = (0..ports).map(|input| node(Op::Input(input), vec![], 0)).collect();
    nodes.push(node(Op::Sequence(Box::new(sequence)), (0..ports).collect(), 1));
    let plan = Plan {
        version: PLAN_VERSION,
        layouts: vec![layout(&["i", "k"]), layout(&items)],
        nodes,
        streams: vec![Stream {
            name: "S".into(),
            node: ports,
            clock: vec![ClockTerm { input: None, delay: out_of_order }],
            used: true,
            span: Default::default(),
        }],
        ..Plan::default()
    };
    let counters = Arc::new(Counters::new(&plan));
    let clockwork = Clockwork { sources: 1, replay: true };
    let job = Job {
        plan: Arc::new(plan),
        host: Arc::new(Quiet(Mutex::default())),
        counters,
        intake: Arc::new(Nothing),
        clockwork,
        start: Start::default(),
    };
    let shared = Shared::new(job, Arc::default());
    Context::new(Arc::new(shared), ports, clockwork)
}

pub fn rows(records: &[Record], name: char) -> Option<Rows> {
    let own: Vec<(usize, &Record)> = records.iter().enumerate().filter(|(_, record)| record.0 == name).collect();
    let values = |of: fn(&Record) -> i64| from_values(own.iter().map(|(_, record)| Value::Int(of(record))).collect());
    (!own.is_empty()).then(|| Rows {
        pos: Arc::new(own.iter().map(|(index, _)| (*index as u64) << phase::BITS | phase::DIRECT).collect()),
        time: Arc::new(own.iter().map(|(_, record)| record.3 * SECOND).collect()),
        event: EventTypes::One(name.to_string().into()),
        columns: vec![values(|record| record.1), values(|record| record.2)],
        whole: None,
        released: None,
        rank: None,
    })
}

/// Matches as text, in order: `(1,[2,3])@4`, times in s; the operator; and what was counted.
pub fn found(sequence: Sequence, records: &[Record], size: usize, out_of_order: i64) -> (Vec<String>, Context) {
    let context = context(sequence, out_of_order);
    let Op::Sequence(sequence) = &context.node().op else { panic!("the node is a sequence") };
    let mut operator = Operation::new(&sequence.clone(), &context).unwrap();
    let mut lines = Vec::new();
    let parts = records.len().div_ceil(size);
    for (seq, part) in records.chunks(size).chain([&[][..]]).enumerate() {
        let mut clock = i64::MIN;
        let clocks = part.iter().map(|record| {
            clock = clock.max(record.3 * SECOND);
            clock
        });
        let chunk = Chunk { seq: seq as u64, clocks: clocks.collect(), end: seq == parts, ..Chunk::default() };
        let ports = TYPES.iter().map(|name| rows(part, name.chars().next().unwrap())).collect();
        let chunk = Arc::new(chunk);
        let rows = operator.apply(&chunk, ports, &context);
        assert!(context.late_rows(&chunk).is_none(), "nobody reads late records");
        let Some(rows) = rows else { continue };
        for row in 0..rows.len() {
            let values: Vec<_> = rows.columns.iter().map(|column| to_text(&column.get(row)).to_string()).collect();
            lines.push(format!("({})@{}", values.join(","), rows.time[row] / SECOND));
        }
    }
    assert_eq!(operator.open(), 0, "runs are left behind the end of input");
    (lines, context)
}
