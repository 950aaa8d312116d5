//! From records to states of an aggregate, and from states to result records.
//!
//! Results are computed by kernels over a synthetic layout, so that a window of a thousand keys costs a few vector
//! operations and not a thousand walks over expressions:
//!
//! ```text
//! call 0 … call n-1 │ key 0 … key m-1 │ _partition │ window_start │ window_end │ _revision
//! ```

use super::Context;
use super::key::partition_text;
use super::sparse::{Moved, Sparse};
use super::state::{Argument, Kind, Rank, SavedState, States};
use crate::batch::{Chunk, EventTypes, FiredRank, Released, Rows, phase};
use crate::column::{Column, Prim, from_values};
use crate::kernel::Kernel;
use crate::snapshot::SnapshotError;
use rarog_lang::eval::interpreter::revision;
use rarog_lang::plan::{Aggregate, AggregateFn, ColumnDef, Expr, Layout};
use rarog_lang::value::{Type, Value};
use std::ops::Range;
use std::sync::Arc;

/// An aggregate, ready to run.
pub struct Calls {
    /// What is kept: its kind and the kernel of its argument.
    states: Vec<(Kind, Option<Kernel>)>,
    /// For each call its function and the state it reads.
    calls: Vec<(AggregateFn, usize)>,
    keys: usize,
    items: Vec<Kernel>,
}

/// States of all groups of one content (a pane, a window), by slot.
pub struct Groups {
    states: Vec<States>,
    slots: usize,
}

/// Arguments of all states over a batch.
pub type Arguments = Vec<Argument>;

impl Calls {
    /// Compiles an aggregate over the node's input, whose groups have `keys` keys.
    pub fn new(aggregate: &Aggregate, keys: usize, context: &Context) -> Calls {
        let layout = context.input_layout(0);
        let mut specs: Vec<(Kind, &Option<Expr>)> = Vec::new();
        let mut calls = Vec::new();
        for call in &aggregate.calls {
            let spec = (Kind::of(call.function), &call.argument);
            let known = specs.iter().position(|other| *other == spec);
            let state = known.unwrap_or_else(|| {
                specs.push(spec);
                specs.len() - 1
            });
            calls.push((call.function, state));
        }
        let compile = |expr: &Expr, layout| Kernel::compile(expr, layout, context.functions.clone());
        let states =
            specs.iter().map(|(kind, expr)| (*kind, expr.as_ref().map(|expr| compile(expr, layout)))).collect();
        let shape = Shape { calls: calls.len() as u32, keys: keys as u32 };
        let synthetic = shape.layout();
        let items = aggregate.items.iter().map(|item| compile(&shape.lower(item), &synthetic)).collect();
        Calls { states, calls, keys, items }
    }

    /// No groups.
    pub fn groups(&self) -> Groups {
        Groups { states: self.states.iter().map(|(kind, _)| States::new(*kind)).collect(), slots: 0 }
    }

    /// Does the price of merging two groups not depend on how much they have seen?
    pub fn merge_cheaply(&self) -> bool {
        self.states.iter().all(|(kind, _)| !matches!(kind, Kind::Distinct | Kind::Values | Kind::Numbers))
    }

    /// Arguments over a batch; records whose evaluation ran into a limit are reported.
    pub fn arguments(&mut self, chunk: &Chunk, rows: &Rows, context: &Context) -> Arguments {
        let mut arguments = Vec::with_capacity(self.states.len());
        for (kind, kernel) in &mut self.states {
            arguments.push(match kernel {
                Some(kernel) => Argument::new(*kind, kernel.eval(rows)),
                None => Argument::None,
            });
            if let Some(kernel) = kernel {
                context.limit_hits(chunk, rows, &kernel.limit_hits());
            }
        }
        arguments
    }
}

/// The synthetic layout.
struct Shape {
    calls: u32,
    keys: u32,
}

impl Shape {
    fn partition(&self) -> u32 {
        self.calls + self.keys
    }

    fn layout(&self) -> Layout {
        let column = |_| ColumnDef { name: "".into(), ty: Type::Any, keep_null: false, hidden: false };
        Layout { columns: (0..self.partition() + 4).map(column).collect(), open: false }
    }

    /// The item over the synthetic layout.
    fn lower(&self, item: &Expr) -> Expr {
        item.map(&|expr| match expr {
            Expr::Aggregate(call) => Some(Expr::Column(*call)),
            Expr::Key(key) => Some(Expr::Column(self.calls + key)),
            Expr::Partition => Some(Expr::Column(self.partition())),
            Expr::WindowStart => Some(Expr::Column(self.partition() + 1)),
            Expr::WindowEnd => Some(Expr::Column(self.partition() + 2)),
            Expr::Revision => Some(Expr::Column(self.partition() + 3)),
            _ => None,
        })
    }
}

impl Groups {
    /// Makes room for the groups in slots below `slots`.
    #[inline]
    pub fn grow(&mut self, slots: usize) {
        if slots > self.slots {
            self.slots = slots;
            self.states.iter_mut().for_each(|states| states.grow(slots));
        }
    }

    /// Forgets what a group has seen.
    pub fn reset(&mut self, slot: usize) {
        self.states.iter_mut().for_each(|states| states.reset(slot));
    }

    /// Keeps the groups of slots that were used.
    pub fn give_back(&mut self, moved: &Moved) {
        self.slots = moved.len();
        self.states.iter_mut().for_each(|states| states.give_back(moved));
    }

    /// What a group has seen, to be written down.
    pub fn saved(&self, slot: usize) -> Vec<SavedState<'_>> {
        self.states.iter().map(|states| states.saved(slot)).collect()
    }

    /// Takes over what a group of the same calls had seen.
    pub fn restore(&mut self, slot: usize, saved: Vec<SavedState<'_>>) -> Result<(), SnapshotError> {
        self.grow(slot + 1);
        let fits = saved.len() == self.states.len();
        let mut pairs = self.states.iter_mut().zip(saved);
        if fits && pairs.all(|(states, saved)| states.restore(slot, saved)) {
            return Ok(());
        }
        Err(SnapshotError::Misfit("it is of other aggregate functions".into()))
    }

    /// Adds rows, the i-th to the group in `slots[i]`.
    pub fn add_rows(&mut self, slots: &[u32], rows: Range<usize>, arguments: &Arguments, rank: &dyn Fn(usize) -> Rank) {
        for (states, argument) in self.states.iter_mut().zip(arguments) {
            if self.slots != 1 || !states.add_all(rows.clone(), argument) {
                states.add_rows(slots, rows.start, argument, rank);
            }
        }
    }

    /// Adds a row to a group.
    pub fn add(&mut self, slot: usize, arguments: &Arguments, row: usize, rank: Rank) {
        for (states, argument) in self.states.iter_mut().zip(arguments) {
            states.add(slot, argument, row, &|_| rank);
        }
    }

    /// Adds what a group of other groups of the same calls has seen.
    pub fn merge(&mut self, slot: usize, other: &Groups, from: usize) {
        for (states, more) in self.states.iter_mut().zip(&other.states) {
            states.merge(slot, more, from);
        }
    }

    /// Adds what a group of the same groups has seen, and forgets it there.
    pub fn take_over(&mut self, slot: usize, from: usize, calls: &Calls) {
        let mut moved = calls.groups();
        moved.grow(1);
        moved.merge(0, self, from);
        self.reset(from);
        self.merge(slot, &moved, 0);
    }
}

/// Groups that come and go: the slots of those that went are used again.
pub struct Pool {
    groups: Groups,
    free: Vec<usize>,
    sparse: Sparse,
}

impl Pool {
    /// Empty groups.
    pub fn new(groups: Groups) -> Pool {
        Pool { groups, free: Vec::new(), sparse: Sparse::default() }
    }

    /// A group that has seen nothing.
    pub fn take(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            let slot = self.groups.slots;
            self.groups.grow(slot + 1);
            slot
        })
    }

    /// Forgets what a group has seen; its slot may become another one's.
    pub fn give_back(&mut self, slot: usize) {
        self.groups.reset(slot);
        self.free.push(slot);
    }

    /// Gives slots back behind a chunk of so many records, if few have been used for long; where they have gone then.
    pub fn shrink(&mut self, records: usize) -> Option<Moved> {
        let slots = self.groups.slots;
        if !self.sparse.is_due(slots - self.free.len(), slots, records) {
            return None;
        }
        let moved = Moved::without(slots, std::mem::take(&mut self.free));
        self.groups.give_back(&moved);
        Some(moved)
    }

    /// All of them.
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// All of them.
    pub fn groups_mut(&mut self) -> &mut Groups {
        &mut self.groups
    }
}

/// A group that is reported.
pub struct Group<'g> {
    /// Key values.
    pub key: &'g [Value],
    /// States.
    pub groups: &'g Groups,
    /// The group's slot.
    pub slot: usize,
    /// The window.
    pub window: Option<Released>,
    /// Result time.
    pub time: i64,
    /// Order among results that are fired together.
    pub rank: FiredRank,
}

/// Collects results of groups, column by column.
pub struct Results {
    pos: Vec<u64>,
    time: Vec<i64>,
    rank: Vec<FiredRank>,
    calls: Vec<Vec<Value>>,
    keys: Vec<Vec<Value>>,
    partition: Vec<Value>,
    /// One per result, if there is a window.
    windows: Vec<Released>,
}

impl Results {
    /// For the results of these calls.
    pub fn new(calls: &Calls) -> Results {
        Results {
            pos: Vec::new(),
            time: Vec::new(),
            rank: Vec::new(),
            calls: vec![Vec::new(); calls.calls.len()],
            keys: vec![Vec::new(); calls.keys],
            partition: Vec::new(),
            windows: Vec::new(),
        }
    }

    /// Adds the result of a group.
    pub fn push(&mut self, calls: &Calls, pos: u64, group: &Group) {
        self.pos.push(pos);
        self.time.push(group.time);
        self.rank.push(group.rank);
        for (column, (function, state)) in self.calls.iter_mut().zip(&calls.calls) {
            column.push(group.groups.states[*state].result(*function, group.slot));
        }
        for (column, value) in self.keys.iter_mut().zip(group.key) {
            column.push(value.clone());
        }
        self.partition.push(match group.key {
            [text @ Value::Str(_)] => text.clone(),
            key => partition_text(key),
        });
        self.windows.extend(group.window);
    }

    /// The result records, if there are any. Limits that their computation ran into are reported.
    pub fn rows(self, calls: &mut Calls, chunk: &Chunk, context: &Context) -> Option<Rows> {
        let count = self.pos.len();
        if count == 0 {
            return None;
        }
        let time_column = |values: Vec<i64>| Column::Time(Prim { values: Arc::new(values), valid: None });
        let mut columns: Vec<Column> = self.calls.into_iter().chain(self.keys).map(from_values).collect();
        columns.push(from_values(self.partition));
        let windowed = self.windows.len() == count;
        if windowed {
            columns.push(time_column(self.windows.iter().map(|window| window.start).collect()));
            columns.push(time_column(self.windows.iter().map(|window| window.end).collect()));
        } else {
            columns.extend([Column::Null(count), Column::Null(count)]);
        }
        columns.push(match self.windows.iter().any(|window| window.revision > 0) {
            true => from_values(self.windows.iter().map(|window| revision(window.revision)).collect()),
            false => Column::Null(count),
        });
        // Readers of a result still see the bounds of its window.
        let released = windowed.then(|| Arc::new(self.windows));
        let mut rows = Rows {
            pos: Arc::new(self.pos),
            time: Arc::new(self.time),
            event: EventTypes::One(context.stream()),
            columns,
            whole: None,
            released,
            rank: Some(Arc::new(self.rank)),
        };
        let mut items = Vec::with_capacity(calls.items.len());
        for item in &mut calls.items {
            items.push(item.eval(&rows));
            for row in item.limit_hits() {
                context.result_limit(chunk, rows.pos[row as usize] >> phase::BITS);
            }
        }
        rows.columns = items;
        Some(rows)
    }
}
