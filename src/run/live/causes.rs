//! What each row of an output comes from, and so its id.
//!
//! ```text
//!  row caused by a record    -> that message
//!  row fired by a window     -> operator, key, end, revision    (one window between source and output)
//!  row fired by anything else, or by time alone -> its content
//! ```
//! Invariant: two rows of one output node get the same id only if they are the same output, come again.

use super::identity::{Cause, Id, Identity, output};
use super::progress::Origin;
use rarog_connectors::mqtt::Qos;
use rarog_dataflow::batch::{Rows, phase};
use rarog_lang::plan::{NodeId, Op, Plan, Window};
use rarog_lang::value::Value;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Does a plan have a timer?
pub fn has_timer(plan: &Plan) -> bool {
    plan.nodes.iter().any(|node| matches!(node.op, Op::Timer { .. }))
}

/// What fires the rows of an output node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firing {
    /// One window or session operator on the only way to it, and the column of its revision, if it corrects.
    Window {
        /// The operator.
        operator: NodeId,
        /// Column `_revision`.
        revision: Option<usize>,
    },
    /// Something else.
    Other,
}

impl Firing {
    /// What fires the rows of `node`.
    pub fn of(plan: &Plan, node: NodeId) -> Firing {
        let columns = &plan.layouts[plan.nodes[node as usize].layout as usize].columns;
        let revision = columns.iter().position(|column| &*column.name == "_revision");
        let mut at = node;
        loop {
            let here = &plan.nodes[at as usize];
            match &here.op {
                Op::Window { window: Window::Time { .. } | Window::Session { .. }, allowed_lateness, .. } => {
                    let told = *allowed_lateness == 0 || revision.is_some();
                    return if told { Firing::Window { operator: at, revision } } else { Firing::Other };
                }
                Op::Window { .. } => return Firing::Other,
                _ => match here.inputs[..] {
                    [input] => at = input,
                    _ => return Firing::Other,
                },
            }
        }
    }
}

/// Gives ids to the rows of one output node and chunk, in order.
pub struct Ids<'c> {
    identity: Identity,
    node: NodeId,
    firing: Firing,
    origin: &'c Origin,
    /// For each row the index of its message, or its record's position in the source.
    causes: &'c [u64],
    source: u32,
    /// The record of the row before, its cause, and how many rows it has had. Rows of a record stand together.
    last: Option<(u64, Id, u64)>,
    /// How many rows other causes have had.
    counts: HashMap<Mark, u64>,
}

/// Tells causes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Mark {
    Record(u64),
    Window(u64, i64, i64),
    Content(Id),
}

/// Rows of QoS 0 messages have ids that nothing repeats.
static ONCE: AtomicU64 = AtomicU64::new(0);

impl<'c> Ids<'c> {
    /// Ids for rows of `node`.
    pub fn new(
        identity: Identity,
        (node, firing): (NodeId, Firing),
        (origin, source): (&'c Origin, u32),
        causes: &'c [u64],
    ) -> Ids<'c> {
        Ids { identity, node, firing, origin, causes, source, last: None, counts: HashMap::new() }
    }

    /// The id of row `row` with this content; rows are asked for in order.
    pub fn next(&mut self, rows: &Rows, row: usize, content: &[u8]) -> Id {
        let mark = self.mark(rows, row, content);
        let (cause, index) = match (mark, self.last) {
            (Mark::Record(record), Some((last, cause, index))) if last == record => (cause, index + 1),
            (Mark::Record(_), _) => (self.cause(mark), 0),
            (fired, _) => {
                let count = self.counts.entry(fired).or_insert(0);
                *count += 1;
                let index = *count - 1;
                (self.cause(fired), index)
            }
        };
        if let Mark::Record(record) = mark {
            self.last = Some((record, cause, index));
        }
        output(cause, self.node, index)
    }

    fn mark(&self, rows: &Rows, row: usize, content: &[u8]) -> Mark {
        let position = rows.pos[row];
        let fired = position & ((1 << phase::BITS) - 1) != phase::DIRECT;
        match (self.firing, &rows.rank) {
            (Firing::Window { revision, .. }, Some(rank)) if fired => {
                let revision = revision.map(|column| rows.columns[column].get(row));
                let revision = if let Some(Value::Int(number)) = revision { number } else { 0 };
                Mark::Window(rank[row].1, rows.time[row], revision)
            }
            _ if fired || self.is_nobodys(row) => Mark::Content(self.identity.content(rows.time[row], content)),
            _ => Mark::Record(self.causes[row]),
        }
    }

    /// Did no record of the chunk cause the row?
    fn is_nobodys(&self, row: usize) -> bool {
        match self.origin {
            Origin::Messages(messages) => self.causes[row] >= messages.len() as u64,
            Origin::Positions => false,
            Origin::Time => true,
        }
    }

    fn cause(&self, mark: Mark) -> Id {
        let cause = match mark {
            Mark::Content(id) => return id,
            Mark::Window(key, end, revision) => {
                let operator = if let Firing::Window { operator, .. } = self.firing { operator } else { self.node };
                Cause::Window { operator, key, end, revision }
            }
            Mark::Record(index) => match self.origin {
                Origin::Messages(messages) => match &messages[index as usize] {
                    message if message.qos == Qos::AtMostOnce => Cause::Once(ONCE.fetch_add(1, Ordering::Relaxed)),
                    message => Cause::Message {
                        topic: &message.topic,
                        packet_id: message.packet_id,
                        payload: &message.payload,
                    },
                },
                _ => Cause::Position { source: self.source, position: index },
            },
        };
        self.identity.cause(cause)
    }
}
