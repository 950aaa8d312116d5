//! Plans to decode for, without the front end.

use crate::batch::{Chunk, Rows};
use crate::decode::{Baton, Decoder, Relay};
use crate::rt::Decoded;
use rarog_lang::plan::{ColumnDef, Input, Layout, Node, Op, Plan};
use rarog_lang::span::Span;
use rarog_lang::value::{Type, Value};

/// An input of a plan.
pub struct Of {
    pub event: &'static str,
    pub declared: Option<Vec<(&'static str, Type)>>,
    pub time_field: Option<&'static str>,
    pub columns: Vec<&'static str>,
    pub whole: bool,
    pub read: bool,
}

impl Of {
    /// An undeclared type of which these columns are read.
    pub fn any(event: &'static str, columns: &[&'static str]) -> Of {
        Of { event, declared: None, time_field: None, columns: columns.to_vec(), whole: false, read: true }
    }

    /// A declared type of which these columns are read.
    pub fn declared(event: &'static str, fields: &[(&'static str, Type)], columns: &[&'static str]) -> Of {
        let time_field = fields.iter().find(|(_, ty)| *ty == Type::Time).map(|(name, _)| *name);
        Of { declared: Some(fields.to_vec()), time_field, ..Of::any(event, columns) }
    }
}

pub fn plan(inputs: &[Of]) -> Plan {
    let mut plan = Plan::default();
    for (id, of) in (0..).zip(inputs) {
        let declared = of.declared.as_ref();
        let ty = |name: &str| {
            let field = declared.and_then(|fields| fields.iter().find(|(field, _)| *field == name));
            field.map_or(Type::Any, |(_, ty)| ty.clone())
        };
        let column = |name: &&str| ColumnDef { name: (*name).into(), ty: ty(name), keep_null: false, hidden: false };
        plan.layouts.push(Layout { columns: of.columns.iter().map(column).collect(), open: true });
        plan.inputs.push(Input {
            event: of.event.into(),
            declared: declared.map(|fields| fields.iter().map(|(name, ty)| ((*name).into(), ty.clone())).collect()),
            time_field: of.time_field.map(Into::into),
            layout: id,
            whole: of.whole,
            subscriptions: vec![],
        });
        if of.read {
            let span = Span::default();
            plan.nodes.push(Node { op: Op::Input(id), inputs: vec![], layout: id, stream: 0, span });
        }
    }
    plan
}

pub fn lines(decoder: &Decoder, text: &[u8]) -> Decoded {
    decoder.lines(Chunk::default(), text, &baton())
}

pub fn baton() -> Baton {
    Relay::default().baton()
}

/// The columns of all rows, row by row.
pub fn rows(rows: Option<&Rows>) -> Vec<Vec<Value>> {
    let Some(rows) = rows else { return Vec::new() };
    (0..rows.len()).map(|row| rows.columns.iter().map(|column| column.get(row)).collect()).collect()
}

/// Reasons of the dead letters, in order.
pub fn reasons(decoded: &Decoded) -> Vec<(&'static str, u64)> {
    decoded.dead.iter().map(|dead| (dead.reason, dead.index)).collect()
}
