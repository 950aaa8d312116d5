//! `process(f(args))`: the records that a user function emits take the place of its input.

use super::arrival::numbered;
use super::{Context, Operator};
use crate::batch::{Chunk, EventTypes, FiredRank, Rows, phase};
use crate::column::from_values;
use crate::kernel::Kernel;
use crate::rt::DeadRecord;
use crate::whole::Whole;
use rarog_lang::eval::interpreter::Evaluator;
use rarog_lang::plan::{Expr, Function};
use rarog_lang::value::{Map, Value};
use std::sync::Arc;

/// The operator.
pub struct Process {
    function: u32,
    args: Vec<Kernel>,
    functions: Arc<[Function]>,
    /// Type of the records: the stream's name.
    event: Arc<str>,
}

impl Process {
    /// Compiles the arguments.
    pub fn new(function: u32, args: &[Expr], context: &Context) -> Process {
        let layout = context.input_layout(0);
        Process {
            function,
            args: args.iter().map(|arg| Kernel::compile(arg, layout, context.functions.clone())).collect(),
            functions: context.functions.clone(),
            event: context.stream(),
        }
    }
}

impl Operator for Process {
    fn state_version(&self) -> Option<u32> {
        None
    }

    fn apply(&mut self, chunk: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, context: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten()?;
        let args: Vec<_> = self.args.iter_mut().map(|arg| arg.eval(&rows)).collect();
        for arg in &mut self.args {
            context.limit_hits(chunk, &rows, &arg.limit_hits());
        }
        let (mut pos, mut time, mut from) = (Vec::new(), Vec::new(), Vec::new());
        let mut rank: Vec<FiredRank> = Vec::new();
        let mut records: Vec<Map> = Vec::new();
        let mut hits = Vec::new();
        let mut evaluator = Evaluator::new(&self.functions);
        for row in 0..rows.len() {
            let values = args.iter().map(|column| column.get(row)).collect();
            let came = rows.rank.as_ref().map_or((0, 0, 0), |rank| rank[row]);
            for (index, (_, fields)) in (0..).zip(evaluator.process(self.function, values)) {
                rank.push(numbered(rows.pos[row], came, index));
                pos.push(rows.pos[row]);
                time.push(rows.time[row]);
                from.push(row);
                records.push(fields);
            }
            if evaluator.limit_hit() {
                evaluator.reset();
                hits.push(row as u32);
            }
        }
        report(chunk, &rows, &hits, context);
        if pos.is_empty() {
            return None;
        }
        let column =
            |name: &Arc<str>| from_values(records.iter().map(|r| r.get(name).cloned().unwrap_or_default()).collect());
        let columns = context.layout().columns.iter().map(|def| column(&def.name)).collect();
        let whole = records.into_iter().map(|record| Value::Map(Arc::new(record))).collect();
        Some(Rows {
            pos: Arc::new(pos),
            time: Arc::new(time),
            event: EventTypes::One(self.event.clone()),
            columns,
            whole: Some(Whole::Values(Arc::new(whole))),
            released: rows.released.map(|all| Arc::new(from.iter().map(|&row| all[row]).collect())),
            rank: Some(Arc::new(rank)),
        })
    }
}

fn report(chunk: &Chunk, rows: &Rows, hits: &[u32], context: &Context) {
    for &row in hits {
        context.shared.host.dead(DeadRecord {
            reason: "eval_limit",
            chunk: chunk.seq,
            index: rows.pos[row as usize] >> phase::BITS,
            position: None,
            stream: Some(context.stream()),
            detail: "the function of .process made more than 128 nested calls or 10000000 loop turns".into(),
            raw: crate::encode::record_json(rows, context.input_layout(0), row as usize),
        });
    }
}
