//! From the states of an aggregate to result records.

use super::Context;
use super::key::partition_text;
use super::state::{Rank, State};
use crate::batch::{Chunk, EventTypes, Rows};
use crate::column::{Column, from_values};
use crate::kernel::Kernel;
use rarog_lang::eval::interpreter::{Evaluator, Record};
use rarog_lang::plan::{Aggregate, AggregateFn, Expr, Function};
use rarog_lang::value::Value;
use std::sync::Arc;

/// An aggregate, ready to run: kernels for the arguments of its calls, and its items.
pub struct Calls {
    functions: Vec<AggregateFn>,
    arguments: Vec<Option<Kernel>>,
    items: Vec<Expr>,
    user: Arc<[Function]>,
}

/// A group's result: what its items may read.
pub struct Group<'g> {
    /// Key values.
    pub key: &'g [Value],
    /// States of the calls.
    pub states: &'g [State],
    /// Start and end of the window.
    pub window: Option<(i64, i64)>,
    /// Result time.
    pub time: i64,
}

struct GroupRecord<'g> {
    group: &'g Group<'g>,
    results: Vec<Value>,
}

impl Record for GroupRecord<'_> {
    fn column(&self, _: u32) -> Value {
        Value::Null
    }
    fn time(&self) -> i64 {
        self.group.time
    }
    fn window(&self) -> Option<(i64, i64)> {
        self.group.window
    }
    fn aggregate(&self, call: u32) -> Value {
        self.results[call as usize].clone()
    }
    fn key(&self, key: u32) -> Value {
        self.group.key[key as usize].clone()
    }
    fn partition(&self) -> Value {
        partition_text(self.group.key)
    }
}

impl Calls {
    /// Compiles an aggregate over the node's input.
    pub fn new(aggregate: &Aggregate, context: &Context) -> Calls {
        let layout = context.input_layout(0);
        let compile = |argument: &Expr| Kernel::compile(argument, layout, context.functions.clone());
        Calls {
            functions: aggregate.calls.iter().map(|call| call.function).collect(),
            arguments: aggregate.calls.iter().map(|call| call.argument.as_ref().map(compile)).collect(),
            items: aggregate.items.clone(),
            user: context.functions.clone(),
        }
    }

    /// States of a group without records.
    pub fn fresh(&self) -> impl Iterator<Item = State> + '_ {
        self.functions.iter().map(|function| State::new(*function))
    }

    /// Number of calls.
    pub fn len(&self) -> usize {
        self.functions.len()
    }

    /// Arguments of all calls over a batch; records whose evaluation ran into a limit are reported.
    pub fn arguments(&mut self, chunk: &Chunk, rows: &Rows, context: &Context) -> Vec<Option<Column>> {
        let mut columns = Vec::with_capacity(self.arguments.len());
        for kernel in &mut self.arguments {
            columns.push(kernel.as_mut().map(|kernel| kernel.eval(rows)));
            if let Some(kernel) = kernel {
                context.limit_hits(chunk, rows, &kernel.limit_hits());
            }
        }
        columns
    }

    /// Adds a row to a group's states.
    #[inline]
    pub fn add(states: &mut [State], arguments: &[Option<Column>], row: usize, rank: Rank) {
        for (state, argument) in states.iter_mut().zip(arguments) {
            state.add(argument.as_ref(), row, rank);
        }
    }

    /// A group's result: one value per column of the output, and whether a limit was hit.
    pub fn result(&self, group: &Group) -> (Vec<Value>, bool) {
        let results = group.states.iter().map(State::result).collect();
        let record = GroupRecord { group, results };
        let mut evaluator = Evaluator::new(&self.user);
        let values = self.items.iter().map(|item| evaluator.eval(item, &record)).collect();
        (values, evaluator.limit_hit())
    }
}

/// Collects result records of a node.
pub struct Results {
    pos: Vec<u64>,
    time: Vec<i64>,
    columns: Vec<Vec<Value>>,
    event: Arc<str>,
}

impl Results {
    /// For records with the layout of the node; their type is its stream's name.
    pub fn new(context: &Context) -> Results {
        let width = context.layout().columns.len();
        Results { pos: vec![], time: vec![], columns: vec![Vec::new(); width], event: context.stream() }
    }

    /// Adds a record.
    pub fn push(&mut self, pos: u64, time: i64, values: Vec<Value>) {
        self.pos.push(pos);
        self.time.push(time);
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.push(value);
        }
    }

    /// The rows, if there are any.
    pub fn rows(self) -> Option<Rows> {
        if self.pos.is_empty() {
            return None;
        }
        Some(Rows {
            pos: Arc::new(self.pos),
            time: Arc::new(self.time),
            event: EventTypes::One(self.event),
            columns: self.columns.into_iter().map(from_values).collect(),
            whole: None,
            released: None,
            rank: None,
        })
    }
}
