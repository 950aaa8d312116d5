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
                Mark::Window(rank[row].2, rows.time[row], revision)
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

#[cfg(test)]
mod tests {
    use super::*;
    use rarog_connectors::mqtt::{Message, Receipt};
    use rarog_dataflow::batch::{EventTypes, FiredRank};
    use rarog_dataflow::column::from_values;
    use rarog_lang::plan::{ColumnDef, Layout, Node};
    use rarog_lang::span::Span;
    use rarog_lang::value::Type;
    use std::collections::HashSet;
    use std::sync::Arc;

    const DIRECT: u64 = phase::DIRECT;
    const FIRED: u64 = phase::FIRED;

    /// Rows at (record, phase), with a time, a rank and a revision each.
    fn rows(list: &[(u64, u64, i64, FiredRank, i64)]) -> Rows {
        Rows {
            pos: Arc::new(list.iter().map(|(record, phase, ..)| record << phase::BITS | phase).collect()),
            time: Arc::new(list.iter().map(|row| row.2).collect()),
            event: EventTypes::One("E".into()),
            columns: vec![from_values(list.iter().map(|row| Value::Int(row.4)).collect())],
            whole: None,
            released: None,
            rank: Some(Arc::new(list.iter().map(|row| row.3).collect())),
        }
    }

    fn message(packet_id: u16, payload: &'static [u8], qos: Qos) -> Message {
        Message {
            payload: payload.into(),
            topic: "t".into(),
            packet_id,
            dup: false,
            retain: false,
            generation: 1,
            qos,
            receipt: Receipt::NONE,
        }
    }

    fn messages(list: Vec<Message>) -> Origin {
        Origin::Messages(Arc::new(list))
    }

    fn ids(firing: Firing, origin: &Origin, rows: &Rows, contents: &[&str]) -> Vec<Id> {
        let causes: Vec<u64> = rows.pos.iter().map(|pos| pos >> phase::BITS).collect();
        let mut ids = Ids::new(Identity::new("n", 0), (7, firing), (origin, 0), &causes);
        (0..rows.len()).map(|row| ids.next(rows, row, contents[row % contents.len()].as_bytes())).collect()
    }

    fn distinct(ids: &[Id]) -> usize {
        ids.iter().collect::<HashSet<_>>().len()
    }

    #[test]
    fn rows_of_a_record_have_its_id_wherever_it_stands_in_its_chunk() {
        let (a, b) = (message(1, b"a", Qos::AtLeastOnce), message(2, b"b", Qos::AtLeastOnce));
        let together = messages(vec![a.clone(), b.clone()]);
        let none = (0, 0, 0);
        let both = rows(&[(0, DIRECT, 5, none, 0), (0, DIRECT, 5, none, 0), (1, DIRECT, 6, none, 0)]);
        let of_both = ids(Firing::Other, &together, &both, &["x"]);
        assert_eq!(distinct(&of_both), 3);
        let alone = ids(Firing::Other, &messages(vec![b]), &rows(&[(0, DIRECT, 6, none, 0)]), &["y"]);
        assert_eq!(alone[0], of_both[2], "neither the chunk nor the content counts");
        let again = message(1, b"a", Qos::AtMostOnce);
        let unnamed = messages(vec![again]);
        let once = |origin| ids(Firing::Other, origin, &rows(&[(0, DIRECT, 5, none, 0)]), &["x"])[0];
        assert_ne!(once(&unnamed), once(&unnamed), "QoS 0: nothing says that it is the same message");
    }

    #[test]
    fn results_of_windows_go_by_key_end_and_revision() {
        let window = Firing::Window { operator: 3, revision: Some(0) };
        let list = [
            (0, FIRED, 10, (0, 1, 70), 0),
            (0, FIRED, 10, (0, 2, 71), 0),
            (1, FIRED, 20, (0, 3, 70), 0),
            (1, FIRED, 20, (0, 3, 70), 1),
        ];
        let origin = messages(vec![message(1, b"a", Qos::AtLeastOnce), message(2, b"b", Qos::AtLeastOnce)]);
        let first = ids(window, &origin, &rows(&list), &["x"]);
        assert_eq!(distinct(&first), 4);
        // Fired by time instead, with another content, from windows that began elsewhere.
        let list = [(0, FIRED, 20, (0, 9, 70), 0), (0, FIRED, 10, (0, 8, 71), 0)];
        let later = ids(window, &Origin::Time, &rows(&list), &["other"]);
        assert_eq!(later, [first[2], first[1]]);
    }

    #[test]
    fn what_else_fires_goes_by_its_content() {
        let rank = (0, 0, 0);
        let list = [(0, FIRED, 10, rank, 0), (0, FIRED, 10, rank, 0), (0, FIRED, 10, rank, 0), (0, FIRED, 11, rank, 0)];
        let origin = messages(vec![message(1, b"a", Qos::AtLeastOnce)]);
        let fired = ids(Firing::Other, &origin, &rows(&list), &["x", "y"]);
        assert_eq!(distinct(&fired), 4, "the third has the content of the first");
        assert_eq!(ids(Firing::Other, &Origin::Time, &rows(&list), &["x", "y"]), fired);
    }

    #[test]
    fn a_window_is_found_on_a_way_without_branches() {
        let node =
            |op, inputs: &[NodeId]| Node { op, inputs: inputs.to_vec(), layout: 0, stream: 0, span: Span::default() };
        let window = |window, allowed_lateness| Op::Window {
            window,
            key: vec![],
            aggregate: None,
            allowed_lateness,
            releases_again: false,
        };
        let time = Window::Time { size: 5, slide: 5 };
        let revision = ColumnDef { name: "_revision".into(), ty: Type::Int, keep_null: false, hidden: false };
        let plan = |correcting: i64, columns: Vec<ColumnDef>| Plan {
            layouts: vec![Layout { columns, open: false }],
            nodes: vec![
                node(Op::Input(0), &[]),
                node(window(time.clone(), correcting), &[0]),
                node(Op::Emit, &[1]),
                node(window(Window::Count { size: 2, slide: 2 }, 0), &[0]),
                node(Op::Emit, &[3]),
                node(Op::Merge(vec![]), &[1, 3]),
                node(Op::Emit, &[5]),
                node(Op::Emit, &[0]),
            ],
            ..Plan::default()
        };
        let of = |plan: &Plan, node| Firing::of(plan, node);
        let plain = plan(0, vec![]);
        assert_eq!(of(&plain, 2), Firing::Window { operator: 1, revision: None });
        for node in [4, 6, 7] {
            assert_eq!(of(&plain, node), Firing::Other, "node {node}");
        }
        assert_eq!(of(&plan(9, vec![]), 2), Firing::Other, "corrections that cannot be told apart");
        let told = plan(9, vec![revision]);
        assert_eq!(of(&told, 2), Firing::Window { operator: 1, revision: Some(0) });
    }
}
