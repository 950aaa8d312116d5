//! Matches on their way to records. What their items read of runs is put into columns of a synthetic layout, over which the
//! items are computed by kernels, for all matches of a chunk at once.

use super::predicate::Interpreter;
use super::tried::{Tried, whole_match};
use crate::batch::{Chunk, EventTypes, FiredRank, Rows, phase};
use crate::column::from_values;
use crate::kernel::Kernel;
use crate::operators::Context;
use crate::whole::Whole;
use rarog_lang::plan::{Capture, ColumnDef, Expr, Layout, Sequence};
use rarog_lang::value::{Type, Value};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::sync::Arc;

/// A match that was reported, while runs are open that it may contain matches of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reported {
    /// When: in the order of the creation of runs.
    pub moment: u64,
    /// Numbers of its records, ascending.
    pub events: Vec<u64>,
}

impl Reported {
    /// Are all of these records, ascending, among its own?
    pub fn contains(&self, events: &[u64]) -> bool {
        let within = match (events.first(), events.last(), self.events.first(), self.events.last()) {
            (Some(first), Some(last), Some(own_first), Some(own_last)) => own_first <= first && last <= own_last,
            _ => false,
        };
        let mut own = self.events.iter();
        within && events.iter().all(|event| own.by_ref().find(|own| *own >= event) == Some(event))
    }
}

/// Something that items read of a match.
enum Leaf {
    /// A column of the last record of a slot.
    Last(usize, usize),
    /// Anything else.
    Other(Expr),
}

/// Names in a match as a whole record.
pub struct Names {
    /// Of each slot, and whether it holds several records.
    pub slots: Vec<(Arc<str>, bool)>,
    /// Of the keys.
    pub keys: Vec<Arc<str>>,
}

/// Items of a sequence, compiled.
pub struct Items {
    leaves: Vec<Leaf>,
    items: Vec<Kernel>,
    /// What matches as whole records show, if they are asked for.
    whole: Option<Names>,
    pos: Vec<u64>,
    time: Vec<i64>,
    rank: Vec<FiredRank>,
    values: Vec<Vec<Value>>,
    wholes: Vec<Value>,
    /// Matches whose evaluation ran into a limit.
    hits: Vec<u64>,
}

/// Where a match stands among results.
pub struct Place {
    /// Position.
    pub pos: u64,
    /// Time of the match.
    pub time: i64,
    /// Order among results of one time.
    pub rank: FiredRank,
}

impl Items {
    /// Compiles the items of a sequence.
    pub fn new(sequence: &Sequence, context: &Context) -> Items {
        let found: RefCell<Vec<Expr>> = RefCell::default();
        let lower = |expr: &Expr| match expr {
            Expr::Of(..) | Expr::Captured(..) | Expr::Key(_) | Expr::Partition | Expr::MatchStart => {
                let mut found = found.borrow_mut();
                let known = found.iter().position(|leaf| leaf == expr);
                let column = known.unwrap_or_else(|| {
                    found.push(expr.clone());
                    found.len() - 1
                });
                Some(Expr::Column(column as u32))
            }
            _ => None,
        };
        let lowered: Vec<Expr> = sequence.items.iter().map(|item| item.map(&lower)).collect();
        let leaves: Vec<Leaf> = found.into_inner().into_iter().map(leaf).collect();
        let column = |_| ColumnDef { name: "".into(), ty: Type::Any, keep_null: false, hidden: false };
        let layout = Layout { columns: leaves.iter().map(column).collect(), open: false };
        let compile = |item: &Expr| Kernel::compile(item, &layout, context.functions.clone());
        let names = || Names {
            slots: sequence.slots.iter().map(|slot| (slot.name.clone(), slot.many)).collect(),
            keys: sequence.key.iter().map(|key| key.name.clone()).collect(),
        };
        Items {
            items: lowered.iter().map(compile).collect(),
            values: leaves.iter().map(|_| Vec::new()).collect(),
            leaves,
            whole: sequence.whole.then(names),
            pos: Vec::new(),
            time: Vec::new(),
            rank: Vec::new(),
            wholes: Vec::new(),
            hits: Vec::new(),
        }
    }

    /// Adds a match.
    pub fn push(&mut self, place: Place, tried: &Tried, interpreter: &mut Interpreter) {
        for (leaf, column) in self.leaves.iter().zip(&mut self.values) {
            column.push(match leaf {
                Leaf::Last(slot, index) => tried.last(*slot, *index).clone(),
                Leaf::Other(expr) => interpreter.eval(expr, tried),
            });
        }
        if let Some(names) = &self.whole {
            self.wholes.push(whole_match(tried, names));
        }
        if interpreter.limit_hit() || tried.inner.borrow().limit_hit() {
            interpreter.reset();
            tried.inner.borrow_mut().reset();
            self.hits.push(place.pos >> phase::BITS);
        }
        self.pos.push(place.pos);
        self.time.push(place.time);
        self.rank.push(place.rank);
    }

    /// The records of all matches since the last call, if there are any.
    pub fn rows(&mut self, chunk: &Chunk, context: &Context) -> Option<Rows> {
        if self.pos.is_empty() {
            return None;
        }
        let whole = self.whole.is_some().then(|| Whole::Values(Arc::new(std::mem::take(&mut self.wholes))));
        let columns = self.values.iter_mut().map(|values| {
            let capacity = values.len();
            from_values(std::mem::replace(values, Vec::with_capacity(capacity)))
        });
        let mut rows = Rows {
            columns: columns.collect(),
            pos: Arc::new(std::mem::take(&mut self.pos)),
            time: Arc::new(std::mem::take(&mut self.time)),
            event: EventTypes::One(context.stream()),
            whole,
            released: None,
            rank: Some(Arc::new(std::mem::take(&mut self.rank))),
        };
        for index in std::mem::take(&mut self.hits) {
            context.result_limit(chunk, index);
        }
        let mut columns = Vec::with_capacity(self.items.len());
        for item in &mut self.items {
            columns.push(item.eval(&rows));
            for row in item.limit_hits() {
                context.result_limit(chunk, rows.pos[row as usize] >> phase::BITS);
            }
        }
        rows.columns = columns;
        Some(in_order(rows))
    }
}

fn leaf(expr: Expr) -> Leaf {
    match expr {
        Expr::Of(slot, column) | Expr::Captured(slot, Capture::Last(column)) => {
            Leaf::Last(slot as usize, column as usize)
        }
        other => Leaf::Other(other),
    }
}

/// Results of records that stood at one place come in the order of their keys, as they do when several peers give them.
fn in_order(rows: Rows) -> Rows {
    let Some(rank) = &rows.rank else { return rows };
    let key = |row: u32| (rows.pos[row as usize], rows.time[row as usize], rank[row as usize]);
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    if order.is_sorted_by_key(|&row| key(row)) {
        return rows;
    }
    order.sort_by_key(|&row| key(row));
    rows.take(&order)
}
