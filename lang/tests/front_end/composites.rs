//! What makes the plan of a join or sequence well formed: what it reads of its inputs and slots is there.

use rarog_lang::plan::{Capture, Element, Event, Expr, Join, Note, Sequence};
use std::cell::RefCell;

/// Every part of an expression, those inside of captures included.
pub fn parts(expr: &Expr) -> Vec<Expr> {
    let found = RefCell::new(Vec::new());
    expr.map(&|part| {
        let inner: Vec<Expr> = match part {
            Expr::Captured(_, Capture::At(_, index)) => parts(index),
            Expr::Captured(_, Capture::Aggregate(call)) => call.argument.iter().flat_map(parts).collect(),
            _ => Vec::new(),
        };
        found.borrow_mut().push(part.clone());
        found.borrow_mut().extend(inner);
        None
    });
    found.into_inner()
}

/// What an expression may read.
struct Readable {
    /// Columns of the record that is tried, if there is one.
    record: Option<usize>,
    /// Columns of each input or slot.
    of: Vec<usize>,
    keys: usize,
}

fn misread(expr: &Expr, readable: &Readable) -> Option<String> {
    let of = |place: u32, column: u32| readable.of.get(place as usize).is_some_and(|width| (column as usize) < *width);
    parts(expr).into_iter().find_map(|part| {
        let right = match &part {
            Expr::Column(column) => readable.record.is_some_and(|width| (*column as usize) < width),
            Expr::Record => readable.record.is_some(),
            Expr::Of(place, column) => of(*place, *column),
            Expr::Captured(place, capture) => match capture {
                Capture::First(column) | Capture::Last(column) | Capture::Previous(column) | Capture::At(column, _) => {
                    of(*place, *column)
                }
                _ => (*place as usize) < readable.of.len(),
            },
            Expr::Key(key) => (*key as usize) < readable.keys,
            Expr::WindowStart | Expr::WindowEnd | Expr::Aggregate(_) | Expr::EventType => false,
            _ => true,
        };
        (!right).then(|| format!("{expr:?} reads {part:?}"))
    })
}

/// What is wrong with a join of inputs with so many columns, whose layout has `own` columns.
pub fn flaws_of_join(join: &Join, inputs: &[usize], own: usize) -> Vec<String> {
    let mut flaws = Vec::new();
    if join.names.len() != inputs.len() || join.conditions.len() != inputs.len() || join.items.len() != own {
        flaws.push("a join with too much or too little".to_string());
    }
    if join.window <= 0 {
        flaws.push("a join without a window".to_string());
    }
    let of_input = |input: usize| Readable { record: inputs.get(input).copied(), of: Vec::new(), keys: 0 };
    for (input, condition) in join.conditions.iter().enumerate() {
        flaws.extend(condition.iter().filter_map(|condition| misread(condition, &of_input(input))));
    }
    for equality in &join.equalities {
        let mut between: Vec<u32> = equality.iter().map(|(input, _)| *input).collect();
        between.dedup();
        if between.len() < 2 || between.len() != equality.len() {
            flaws.push(format!("an equality of {between:?}"));
        }
        flaws.extend(equality.iter().filter_map(|(input, value)| misread(value, &of_input(*input as usize))));
    }
    let rows = Readable { record: None, of: inputs.to_vec(), keys: 0 };
    flaws.extend(join.residual.iter().chain(&join.items).filter_map(|expr| misread(expr, &rows)));
    flaws
}

/// What is wrong with a sequence over inputs with so many columns, whose layout has `own` columns.
pub fn flaws_of_sequence(sequence: &Sequence, inputs: &[usize], own: usize) -> Vec<String> {
    let mut flaws = Vec::new();
    if sequence.items.len() != own {
        flaws.push("an item is no column".to_string());
    }
    let slots: Vec<usize> = sequence.slots.iter().map(|slot| slot.columns.len()).collect();
    for key in &sequence.key {
        if key.values.len() != inputs.len() {
            flaws.push(format!("key {} has not one value for each input", key.name));
        }
        for (value, width) in key.values.iter().zip(inputs) {
            flaws.extend(misread(value, &Readable { record: Some(*width), of: Vec::new(), keys: 0 }));
        }
    }
    let mut event = |event: &Event, captures: bool| {
        let Some(&width) = inputs.get(event.input as usize) else {
            flaws.push("an event without input".to_string());
            return;
        };
        if captures && slots.get(event.slot as usize) != Some(&event.columns.len()) {
            flaws.push("an event that does not fill its slot".to_string());
        }
        if event.columns.iter().flatten().any(|column| *column as usize >= width) {
            flaws.push("an event fills its slot with what it has not".to_string());
        }
        let alone = Readable { record: Some(width), of: Vec::new(), keys: 0 };
        let captured = Readable { record: None, of: slots.clone(), keys: 0 };
        let both = Readable { record: Some(width), of: slots.clone(), keys: 0 };
        flaws.extend(event.filter.iter().filter_map(|filter| misread(filter, &alone)));
        flaws.extend(event.condition.iter().filter_map(|condition| misread(condition, &both)));
        for (own, other) in &event.equalities {
            flaws.extend(misread(own, &alone).into_iter().chain(misread(other, &captured)));
        }
        for note in &event.notes {
            let said: Vec<&Expr> = match note {
                Note::Print(items) => items.iter().collect(),
                Note::Log { message, data, .. } => message.iter().chain(data).collect(),
            };
            flaws.extend(said.into_iter().filter_map(|expr| misread(expr, &both)));
        }
    };
    for element in sequence.alternatives.iter().flatten() {
        match element {
            Element::Event(one) => event(one, true),
            Element::Absence(one) => event(one, false),
            Element::And(events) | Element::Or(events) => events.iter().for_each(|one| event(one, true)),
        }
    }
    sequence.nots.iter().for_each(|one| event(one, false));
    let matches = Readable { record: None, of: slots, keys: sequence.key.len() };
    flaws.extend(sequence.items.iter().filter_map(|item| misread(item, &matches)));
    flaws
}
