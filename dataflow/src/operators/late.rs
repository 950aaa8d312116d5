//! Late records: rows that came behind the watermark of an event-time operator, whole and as they stand in front of it.
//!
//! ```text
//!            ┌──────────┐ Batch::rows ──► readers of the stream
//!  inputs ──►│ operator │
//!            └──────────┘ Batch::late ──► late(S), if somebody reads it, else dead letters
//! ```
//! An operator notes them row by row with [`Context::late`]; what becomes of them is decided behind each chunk. Invariant:
//! late rows of a chunk stand in order of position, whatever the number of peers, and a record that has more fields than
//! the columns that are read is whole.

use super::Context;
use crate::batch::{Chunk, Rows, phase};
use crate::column::Column;
use crate::encode::Encoder;
use crate::rt::DeadRecord;
use crate::whole::Whole;
use rarog_lang::plan::{NodeId, Op, Plan};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The late rows of one operator, as far as the chunk that it works on has been read.
pub struct Late {
    noted: RefCell<Vec<Noted>>,
    reader: Option<NodeId>,
}

/// Late rows of one batch.
struct Noted {
    port: usize,
    rows: Rows,
    late: Vec<u32>,
}

impl Late {
    /// Of the operator at `node`.
    pub fn new(plan: &Plan, node: NodeId) -> Late {
        let reads = |reader: &NodeId| {
            let reader = &plan.nodes[*reader as usize];
            matches!(reader.op, Op::Late { .. }) && reader.inputs == [node]
        };
        let reader = (0..plan.nodes.len() as NodeId).find(reads);
        Late { noted: RefCell::default(), reader }
    }
}

impl Context {
    /// Notes that row `row` of the batch at input `port` is late.
    pub fn late(&self, port: usize, rows: &Rows, row: usize) {
        let mut noted = self.late.noted.borrow_mut();
        let same = |noted: &&mut Noted| noted.port == port && Arc::ptr_eq(&noted.rows.pos, &rows.pos);
        match noted.iter_mut().find(same) {
            Some(noted) => noted.late.push(row as u32),
            None => noted.push(Noted { port, rows: rows.clone(), late: vec![row as u32] }),
        }
    }

    /// What has been noted of this chunk: counted, and handed to the readers of `late(S)` or to the dead letters.
    pub fn late_rows(&self, chunk: &Chunk) -> Option<Rows> {
        let noted = self.late.noted.take();
        if noted.is_empty() {
            return None;
        }
        let count: usize = noted.iter().map(|noted| noted.late.len()).sum();
        self.shared.counters.late.fetch_add(count as u64, Ordering::Relaxed);
        let parts =
            noted.into_iter().map(|Noted { port, rows, late }| (port, self.whole(chunk, port, rows.take(&late))));
        let Some(reader) = self.late.reader else {
            parts.for_each(|(port, rows)| self.late_letters(chunk, port, &rows));
            return None;
        };
        let plan = self.plan();
        let reader = &plan.nodes[reader as usize];
        let Op::Late { columns, .. } = &reader.op else { return None };
        let open = plan.layouts[reader.layout as usize].open;
        let fit = |(port, rows): (usize, Rows)| {
            let whole = rows.whole.clone().filter(|_| open);
            let whole = whole.or_else(|| open.then(|| Whole::of_columns(&rows, self.input_layout(port))));
            let column = |column: &Option<u32>| {
                column.map_or_else(|| Column::Null(rows.len()), |column| rows.columns[column as usize].clone())
            };
            Rows { columns: columns[port].iter().map(column).collect(), whole, ..rows }
        };
        Rows::in_order(parts.map(fit).collect())
    }

    /// Records that have more fields than their columns get them back from the chunk that they came in.
    fn whole(&self, chunk: &Chunk, port: usize, rows: Rows) -> Rows {
        let direct = |pos: &u64| pos & ((1 << phase::BITS) - 1) == phase::DIRECT;
        match &chunk.records {
            Some(records) if rows.whole.is_none() && self.input_layout(port).open && rows.pos.iter().all(direct) => {
                let index: Vec<u32> = rows.pos.iter().map(|pos| (pos >> phase::BITS) as u32).collect();
                Rows { whole: Some(records.take(&index)), ..rows }
            }
            _ => rows,
        }
    }

    fn late_letters(&self, chunk: &Chunk, port: usize, rows: &Rows) {
        let encoder = Encoder::new(self.input_layout(port));
        for row in 0..rows.len() {
            let mut raw = Vec::new();
            encoder.flat(&mut raw, rows, row);
            self.shared.host.dead(DeadRecord {
                reason: "late",
                chunk: chunk.seq,
                index: rows.pos[row] >> phase::BITS,
                position: None,
                stream: Some(self.stream()),
                detail: "all that it could have changed is closed; .watermark(out_of_order: d) waits longer, and \
                         late(…) of the stream reads what comes too late"
                    .into(),
                raw,
            });
        }
    }
}
