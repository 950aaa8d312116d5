//! Aggregates over the records that a Kleene element captured.
//!
//! Counts and sums of a column come with the chain; the others go over it.

use super::tried::{OneOf, Tried};
use crate::column::from_values;
use crate::operators::state::{Argument, Kind, States};
use rarog_lang::plan::{AggregateCall, AggregateFn, Capture, Element, Event, Expr, Note, Sequence};
use rarog_lang::value::Value;
use std::cell::RefCell;

/// The column of its own slot that an argument is.
fn own_column(argument: &Option<Expr>, slot: usize) -> Option<u32> {
    match argument {
        Some(Expr::Of(of, column)) if *of as usize == slot => Some(*column),
        _ => None,
    }
}

/// The value of an aggregate over what a slot has captured.
pub fn aggregate(call: &AggregateCall, slot: usize, run: &Tried) -> Value {
    let last = run.slots[slot];
    if let (AggregateFn::Count, None) = (call.function, &call.argument) {
        return Value::Int(run.buffer.count(slot, last).into());
    }
    if let (AggregateFn::Sum | AggregateFn::Avg, Some(column)) = (call.function, own_column(&call.argument, slot))
        && let Some(sum) = run.buffer.sum(slot, last, column)
    {
        return if call.function == AggregateFn::Sum { sum.value() } else { sum.mean() };
    }
    let chain = run.buffer.chain(slot, last);
    let kind = Kind::of(call.function);
    let argument = match &call.argument {
        None => Argument::None,
        Some(argument) => {
            let mut inner = run.inner.borrow_mut();
            let value = |node: &u32| match own_column(&call.argument, slot) {
                Some(column) => run.buffer.value(slot, *node, column as usize).clone(),
                None => inner.eval(argument, &OneOf { run, slot, node: *node }),
            };
            Argument::new(kind, from_values(chain.iter().map(value).collect()))
        }
    };
    let mut states = States::new(kind);
    states.grow(1);
    states.add_rows(&vec![0; chain.len()], 0, &argument, &|row| (0, 0, row as u64));
    states.result(call.function, 0)
}

/// Columns of each slot whose sums are asked for.
pub fn summed(sequence: &Sequence) -> Vec<Vec<u32>> {
    let found = RefCell::new(vec![Vec::new(); sequence.slots.len()]);
    let look = |expr: &Expr| look_for_sums(expr, &found);
    sequence.items.iter().for_each(look);
    let elements = sequence.alternatives.iter().flatten().flat_map(|element| match element {
        Element::Event(event) | Element::Absence(event) => std::slice::from_ref(event),
        Element::And(events) | Element::Or(events) => events,
    });
    elements.chain(&sequence.nots).for_each(|event| exprs_of(event).for_each(look));
    found.into_inner()
}

fn exprs_of(event: &Event) -> impl Iterator<Item = &Expr> {
    let notes = event.notes.iter().flat_map(|note| match note {
        Note::Print(items) => items.iter().collect::<Vec<_>>(),
        Note::Log { message, data, .. } => message.iter().chain(data).collect(),
    });
    event.condition.iter().chain(event.equalities.iter().map(|(_, captured)| captured)).chain(notes)
}

fn look_for_sums(expr: &Expr, found: &RefCell<Vec<Vec<u32>>>) {
    // The copy that `map` makes is not needed; this runs once per sequence.
    _ = expr.map(&|part| {
        if let Expr::Captured(slot, Capture::Aggregate(call)) = part
            && let AggregateFn::Sum | AggregateFn::Avg = call.function
            && let Some(column) = own_column(&call.argument, *slot as usize)
            && let Some(columns) = found.borrow_mut().get_mut(*slot as usize)
            && !columns.contains(&column)
        {
            columns.push(column);
        }
        None
    });
}
