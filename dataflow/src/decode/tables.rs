//! What the plan says about its inputs, laid out for the decoder: numbered keys, types to inputs, fields to columns.

use crate::whole::Declared;
use hashbrown::HashMap;
use rarog_lang::plan::{Input, Op, Plan};
use rarog_lang::value::Type;
use std::sync::Arc;

/// Number of a key that means something to the plan; [`OTHER`] for the rest.
pub(super) type KeyId = u32;
/// A key that nothing asks for.
pub(super) const OTHER: KeyId = u32::MAX;
/// `event_type`
pub(super) const EVENT_TYPE: KeyId = 0;
/// `type`
pub(super) const TYPE: KeyId = 1;
/// `data`
pub(super) const DATA: KeyId = 2;
/// `@timestamp`, `timestamp`, `ts`, in the order in which they are asked.
pub(super) const TIMES: [KeyId; 3] = [3, 4, 5];
const NAMED: [&str; 6] = ["event_type", "type", "data", "@timestamp", "timestamp", "ts"];

/// A field that an input declares or reads.
#[derive(Debug)]
pub(super) struct Field {
    pub name: Arc<str>,
    pub key: KeyId,
    pub ty: Type,
    /// Its column, if it is read.
    pub column: Option<u32>,
}

/// An input of the plan.
#[derive(Debug)]
pub(super) struct InputTable {
    pub event: Arc<str>,
    /// Does a stream read it?
    pub read: bool,
    /// Does anything need its records whole?
    pub whole: bool,
    /// The declared time field, as an index into `fields`.
    pub time: Option<u32>,
    /// Declared ones that have a type to check, and those that are read.
    pub fields: Vec<Field>,
    /// Types of its columns.
    pub columns: Vec<Type>,
}

/// All inputs.
#[derive(Debug)]
pub(super) struct Tables {
    pub inputs: Vec<InputTable>,
    pub declared: Declared,
    /// Does a chunk say where each of its records stands, so that a late one is found whole?
    pub places: bool,
    keys: HashMap<Arc<str>, KeyId, foldhash::fast::RandomState>,
    events: HashMap<Arc<str>, u32, foldhash::fast::RandomState>,
}

impl Tables {
    pub fn new(plan: &Plan) -> Tables {
        let mut keys = HashMap::default();
        for (id, name) in NAMED.iter().enumerate() {
            keys.insert(Arc::from(*name), id as KeyId);
        }
        let inputs: Vec<InputTable> = (0_u32..)
            .zip(&plan.inputs)
            .map(|(id, input)| {
                let read = plan.nodes.iter().any(|node| node.op == Op::Input(id));
                input_table(plan, input, read, &mut keys)
            })
            .collect();
        let events = (0..).zip(&plan.inputs).map(|(id, input)| (input.event.clone(), id)).collect();
        let declared = Arc::new(plan.inputs.iter().map(|input| input.declared.clone()).collect());
        let open = inputs
            .iter()
            .zip(&plan.inputs)
            .any(|(table, input)| table.read && plan.layouts[input.layout as usize].open);
        let places = open && plan.nodes.iter().any(|node| node.op.has_late_records());
        Tables { inputs, declared, places, keys, events }
    }

    /// Number of a key.
    pub fn key(&self, name: &str) -> KeyId {
        self.keys.get(name).copied().unwrap_or(OTHER)
    }

    /// How many keys have numbers.
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// The input of an event type.
    pub fn input(&self, event: &str) -> Option<u32> {
        self.events.get(event).copied()
    }
}

fn input_table(
    plan: &Plan,
    input: &Input,
    read: bool,
    keys: &mut HashMap<Arc<str>, KeyId, foldhash::fast::RandomState>,
) -> InputTable {
    let mut number = |name: &Arc<str>| {
        let next = keys.len() as KeyId;
        *keys.entry(name.clone()).or_insert(next)
    };
    let declared: &[(Arc<str>, Type)] = input.declared.as_deref().unwrap_or_default();
    let columns = &plan.layouts[input.layout as usize].columns;
    let mut fields: Vec<Field> = (0..)
        .zip(columns)
        .map(|(column, def)| {
            let ty = declared.iter().find(|(name, _)| *name == def.name).map_or(Type::Any, |(_, ty)| ty.clone());
            Field { name: def.name.clone(), key: number(&def.name), ty, column: Some(column) }
        })
        .collect();
    let types = fields.iter().map(|field| field.ty.clone()).collect();
    let is_time = |name: &Arc<str>| input.time_field.as_ref() == Some(name);
    for (name, ty) in declared {
        if (*ty != Type::Any || is_time(name)) && columns.iter().all(|column| column.name != *name) {
            fields.push(Field { name: name.clone(), key: number(name), ty: ty.clone(), column: None });
        }
    }
    if let Some(name) = &input.time_field
        && fields.iter().all(|field| field.name != *name)
    {
        fields.push(Field { name: name.clone(), key: number(name), ty: Type::Any, column: None });
    }
    let time = (0..).zip(&fields).find(|(_, field)| is_time(&field.name)).map(|(index, _)| index);
    InputTable { event: input.event.clone(), read, whole: input.whole && read, time, fields, columns: types }
}
