//! Joins of random records, held to their definition by a model that tries all combinations, for every size of chunks and
//! number of peers.

use crate::batch::{Chunk, EventTypes, Rows, phase};
use crate::column::from_values;
use crate::rt::tests::{Chunks, job};
use crate::rt::{Decoded, run};
use rarog_lang::eval::ops::binary;
use rarog_lang::plan::*;
use rarog_lang::value::{Type, Value};
use std::sync::Arc;

/// Fields of all records: `k`, `j`, `v`.
const FIELDS: [&str; 3] = ["k", "j", "v"];

/// A record: time, type, fields.
#[derive(Clone, Debug)]
struct Event {
    time: i64,
    ty: usize,
    fields: [Value; 3],
}

/// A join over types 0, 1, 2.
struct Case {
    join: Join,
    /// The type that each input reads.
    types: Vec<usize>,
    out_of_order: i64,
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize].clone()
    }

    fn key(&mut self) -> Value {
        match self.below(10) {
            0 => self.one(&[Value::Null, Value::Str("1".into())]),
            1 => Value::Float(1.0),
            _ => Value::Int(self.below(2) as i64),
        }
    }

    /// Times mostly rise, repeat, run behind, and at times leap.
    fn events(&mut self, count: usize) -> Vec<Event> {
        let mut time = 0;
        let event = |_| {
            let leap = if self.below(20) == 0 { 6 } else { 5 };
            time += [0, 0, 1, 1, 2, 30][self.below(leap) as usize];
            let behind = [0, 0, 0, 1, 3, 8][self.below(6) as usize];
            let fields = [self.key(), self.key(), Value::Int(self.below(6) as i64)];
            Event { time: time - behind, ty: self.below(3) as usize, fields }
        };
        (0..count).map(event).collect()
    }
}

fn of(input: u32, column: u32) -> Expr {
    Expr::Of(input, column)
}

fn less(a: Expr, b: Expr) -> Expr {
    Expr::Binary(BinOp::Lt, Box::new(a), Box::new(b))
}

fn both(a: Expr, b: Expr) -> Expr {
    Expr::And(Box::new(a), Box::new(b))
}

/// `(input, column)` on both sides.
fn equal(sides: &[(u32, u32)]) -> Vec<(u32, Expr)> {
    sides.iter().map(|&(input, column)| (input, Expr::Column(column))).collect()
}

fn layout(names: &[String]) -> Layout {
    let column =
        |name: &String| ColumnDef { name: name.as_str().into(), ty: Type::Any, keep_null: false, hidden: false };
    Layout { columns: names.iter().map(column).collect(), open: false }
}

/// `stream J = join(…) .emit(…)`, or behind it `stream M = merge(J, A) .limit(…) .emit(…)` if that is asked.
fn plan(case: &Case, merged: bool) -> Plan {
    let names = |count: usize| (0..count).map(|index| format!("f{index}")).collect::<Vec<_>>();
    let input = |ty: usize| Input {
        event: format!("T{ty}").into(),
        declared: None,
        time_field: None,
        layout: 0,
        whole: false,
        subscriptions: vec![],
    };
    let node = |op, inputs: Vec<u32>, layout, stream| Node { op, inputs, layout, stream, span: Default::default() };
    let stream = |name: &str, node| Stream {
        name: name.into(),
        node,
        clock: vec![ClockTerm { input: None, delay: case.out_of_order }],
        used: true,
        span: Default::default(),
    };
    let inputs = case.types.iter().map(|ty| *ty as u32).collect();
    let mut nodes: Vec<Node> = (0..3).map(|ty| node(Op::Input(ty), vec![], 0, 0)).collect();
    nodes.push(node(Op::Join(case.join.clone()), inputs, 1, 0));
    let mut streams = vec![stream("J", 4)];
    if merged {
        let branch = |input| Branch { input, condition: None, columns: (0..3).map(Some).collect() };
        nodes.push(node(Op::Merge(vec![branch(0), branch(1)]), vec![3, 0], 0, 1));
        nodes.push(node(Op::Limit(400), vec![4], 0, 1));
        nodes.push(node(Op::Emit, vec![5], 0, 1));
        streams = vec![stream("J", 3), stream("M", 6)];
    } else {
        nodes.push(node(Op::Emit, vec![3], 1, 0));
    }
    Plan {
        version: PLAN_VERSION,
        inputs: (0..3).map(input).collect(),
        layouts: vec![layout(&FIELDS.map(String::from)), layout(&names(case.join.items.len()))],
        nodes,
        streams,
        ..Plan::default()
    }
}

fn decoded(seq: u64, events: &[Event], end: bool) -> Decoded {
    let mut clock = i64::MIN;
    let clocks = events.iter().map(|event| {
        clock = clock.max(event.time);
        clock
    });
    let rows = |ty: usize| {
        let own: Vec<(u64, &Event)> = (0..).zip(events).filter(|(_, event)| event.ty == ty).collect();
        (!own.is_empty()).then(|| Rows {
            pos: Arc::new(own.iter().map(|(index, _)| index << phase::BITS | phase::DIRECT).collect()),
            time: Arc::new(own.iter().map(|(_, event)| event.time).collect()),
            event: EventTypes::One(format!("T{ty}").into()),
            columns: (0..3)
                .map(|field| from_values(own.iter().map(|(_, e)| e.fields[field].clone()).collect()))
                .collect(),
            whole: None,
            released: None,
            rank: None,
        })
    };
    Decoded {
        chunk: Chunk { seq, clocks: clocks.collect(), end, ..Chunk::default() },
        inputs: (0..3).map(rows).collect(),
        dead: vec![],
        records: events.len() as u64,
        no_reader: 0,
        early: 0,
    }
}

/// Lines and number of late records.
fn outcome(case: &Case, events: &[Event], size: usize, workers: usize, merged: bool) -> (Vec<String>, u64) {
    let chunks = Arc::new(Chunks::default());
    let last = events.len().div_ceil(size);
    for (seq, part) in events.chunks(size).chain([&[][..]]).enumerate() {
        let part = part.to_vec();
        chunks.push(move || decoded(seq as u64, &part, seq == last));
    }
    chunks.end();
    let (job, kept) = job(plan(case, merged), chunks);
    run(job, workers).unwrap();
    let lines = kept.lines.lock().unwrap().clone();
    let late = kept.dead.lock().unwrap().get("late").copied();
    (lines, late.unwrap_or(0))
}

/// Value of an expression over one record of each input.
fn value(expr: &Expr, records: &[Option<&Event>]) -> Value {
    match expr {
        Expr::Const(value) => value.clone(),
        Expr::Of(input, column) => {
            records[*input as usize].map_or(Value::Null, |record| record.fields[*column as usize].clone())
        }
        Expr::Binary(op, a, b) => binary(*op, &value(a, records), &value(b, records)),
        Expr::And(a, b) => Value::Bool([a, b].into_iter().all(|side| value(side, records) == Value::Bool(true))),
        Expr::IsNull(a) => Value::Bool(value(a, records) == Value::Null),
        Expr::EventTime => Value::Time(records.iter().flatten().map(|record| record.time).max().unwrap_or(0)),
        other => panic!("{other:?} is not used here"),
    }
}

fn holds(join: &Join, records: &[&Event]) -> bool {
    let times = || records.iter().map(|record| record.time);
    let near = times().max().unwrap() - times().min().unwrap() <= join.window;
    let side = |(input, expr): &(u32, Expr)| {
        let Expr::Column(column) = expr else { panic!("{expr:?} is not used here") };
        records[*input as usize].fields[*column as usize].clone()
    };
    let equal = join
        .equalities
        .iter()
        .all(|sides| sides.iter().all(|other| binary(BinOp::Eq, &side(&sides[0]), &side(other)) == Value::Bool(true)));
    let all: Vec<Option<&Event>> = records.iter().map(|record| Some(*record)).collect();
    let residual = join.residual.as_ref();
    near && equal && residual.is_none_or(|residual| value(residual, &all) == Value::Bool(true))
}

/// What the definition says: rows in order, those of one time and kind sorted by their text, and late records.
fn expected(case: &Case, events: &[Event]) -> (Vec<String>, u64) {
    let join = &case.join;
    let (mut w, mut late) = (i64::MIN, 0);
    let mut accepted: Vec<Vec<&Event>> = vec![Vec::new(); case.types.len()];
    for event in events {
        let takes = |input: usize| {
            let own: Vec<Option<&Event>> =
                (0..case.types.len()).map(|other| (other == input).then_some(event)).collect();
            let condition =
                |expr: &Expr| expr.map(&|e| if let Expr::Column(c) = e { Some(of(input as u32, *c)) } else { None });
            let condition = join.conditions[input].as_ref().map(condition);
            case.types[input] == event.ty && condition.is_none_or(|c| value(&c, &own) == Value::Bool(true))
        };
        let inputs: Vec<usize> = (0..case.types.len()).filter(|input| takes(*input)).collect();
        if event.time < w {
            late += u64::from(case.types.contains(&event.ty));
        } else {
            inputs.into_iter().for_each(|input| accepted[input].push(event));
        }
        w = w.max(event.time - case.out_of_order);
    }
    let mut rows: Vec<(i64, bool, Vec<Value>)> = Vec::new();
    let mut matched: Vec<Vec<bool>> = accepted.iter().map(|records| vec![false; records.len()]).collect();
    let mut picked = vec![0; accepted.len()];
    while accepted.iter().all(|records| !records.is_empty()) {
        let records: Vec<&Event> = picked.iter().zip(&accepted).map(|(row, records)| records[*row]).collect();
        if holds(join, &records) {
            picked.iter().enumerate().for_each(|(input, row)| matched[input][*row] = true);
            let all: Vec<Option<&Event>> = records.iter().map(|record| Some(*record)).collect();
            let time = records.iter().map(|record| record.time).max().unwrap();
            rows.push((time, false, join.items.iter().map(|item| value(item, &all)).collect()));
        }
        let Some(input) = (0..picked.len()).find(|input| picked[*input] + 1 < accepted[*input].len()) else { break };
        picked[..input].fill(0);
        picked[input] += 1;
    }
    for input in 0..accepted.len() {
        let kept = match join.kind {
            JoinKind::Inner => false,
            JoinKind::Left => input == 0,
            JoinKind::Right => input == 1,
            JoinKind::Full => true,
        };
        for (record, _) in accepted[input].iter().zip(&matched[input]).filter(|(_, matched)| kept && !**matched) {
            let mut all = vec![None; accepted.len()];
            all[input] = Some(*record);
            let late = Event { time: record.time + join.window, ..(*record).clone() };
            let items = join.items.iter().map(|item| match item {
                Expr::EventTime => value(item, &[Some(&late)]),
                item => value(item, &all),
            });
            rows.push((late.time, true, items.collect()));
        }
    }
    let mut rows: Vec<_> =
        rows.into_iter().map(|(time, unmatched, values)| (time, unmatched, format!("{time} {values:?}"))).collect();
    rows.sort();
    (rows.into_iter().map(|(.., line)| line).collect(), late)
}

fn case(random: &mut Random) -> Case {
    let column = |random: &mut Random| random.below(2) as u32;
    let inputs = random.one(&[2, 2, 2, 2, 3, 3, 4]);
    let self_join = random.below(4) == 0;
    let types = (0..inputs).map(|input| if self_join { 0 } else { input % 3 }).collect();
    let mut equalities = Vec::new();
    for input in 1..inputs as u32 {
        if random.below(5) > 0 {
            let other = random.below(input.into()) as u32;
            equalities.push(equal(&[(other, column(random)), (input, column(random))]));
        }
    }
    if random.below(6) == 0 {
        equalities.push(equal(&[(0, 0), (0, 1), (1, 0)]));
    }
    let kinds = [JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Full];
    let ordered = less(of(0, 2), of(1, 2));
    let residual = match random.below(4) {
        0 => Some(ordered),
        1 => Some(both(less(of(inputs as u32 - 1, 2), Expr::Const(Value::Int(4))), ordered)),
        _ => None,
    };
    let mut condition = || (random.below(4) == 0).then(|| less(Expr::Const(Value::Int(1)), Expr::Column(2)));
    let conditions = (0..inputs).map(|_| condition()).collect();
    // The first items tell unmatched rows from others.
    let items = (0..2).map(|input| Expr::IsNull(Box::new(of(input, 2)))).chain([Expr::EventTime]);
    let items = items.chain((0..inputs as u32).flat_map(|input| [of(input, 2), of(input, 0)]));
    Case {
        types,
        out_of_order: random.one(&[0, 0, 2, 5]),
        join: Join {
            kind: if inputs == 2 { random.one(&kinds) } else { JoinKind::Inner },
            names: (0..inputs).map(|input| format!("i{input}").into()).collect(),
            conditions,
            equalities,
            residual,
            window: random.one(&[1, 3, 4, 10]),
            items: items.collect(),
            whole: false,
        },
    }
}

/// The rows of one time and kind may be exchanged.
fn in_canonical_order(mut lines: Vec<String>, model: &[String]) -> Vec<String> {
    let kind = |line: &String| {
        let (time, values) = line.split_once(' ').unwrap();
        (time.to_string(), values.starts_with("[Bool(true)") || values.starts_with("[Bool(false), Bool(true)"))
    };
    assert!(lines.iter().map(kind).eq(model.iter().map(kind)), "rows in another order: {lines:?} {model:?}");
    for part in lines.chunk_by_mut(|a, b| kind(a) == kind(b)) {
        part.sort();
    }
    lines
}

#[test]
fn joins_give_what_their_definition_says() {
    let mut random = Random(11);
    let mut total = 0;
    for round in 0..60 {
        let case = case(&mut random);
        let events = random.events(if case.types.len() > 2 { 60 } else { 200 });
        let (model, late) = expected(&case, &events);
        total += model.len();
        let what = |size, workers| format!("round {round}, chunks of {size}, {workers} workers, {:?}", case.join);
        let first = outcome(&case, &events, 1, 1, false);
        let model = in_canonical_order(model.clone(), &model);
        assert_eq!((in_canonical_order(first.0.clone(), &model), first.1), (model, late), "{}", what(1, 1));
        let merged = outcome(&case, &events, 1, 1, true);
        for workers in [1, 2, 4] {
            let size = random.one(&[2, 7, 64, 4096]);
            assert_eq!(outcome(&case, &events, size, workers, false), first, "{}", what(size, workers));
            assert_eq!(outcome(&case, &events, size, workers, true), merged, "merged, {}", what(size, workers));
        }
    }
    assert!(total > 2_000, "the cases hardly join anything: {total} rows");
}
