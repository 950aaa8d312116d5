//! Keys of `partition_by` over a batch: their values, and a table from keys to dense slots.
//!
//! Two keys are the same if they are equal in the language's total order (1 and 1.0 are one key); a key shows the values of
//! its first record.

use crate::batch::Rows;
use crate::column::Column;
use crate::kernel::Kernel;
use hashbrown::HashTable;
use rarog_lang::eval::order::hash_key;
use rarog_lang::eval::order::same_key;
use rarog_lang::eval::text::to_text;
use rarog_lang::plan::Key;
use rarog_lang::value::Value;
use std::hash::{BuildHasher, Hasher};

/// Evaluates the key of each row.
pub struct Keys {
    kernels: Vec<Kernel>,
}

/// Key values of the rows of a batch.
pub struct KeyColumns {
    columns: Vec<Column>,
    /// One per row.
    pub hashes: Vec<u64>,
}

/// A fixed seed: peers and runs must agree on where a key lives.
const HASHER: foldhash::fast::FixedState = foldhash::fast::FixedState::with_seed(0x7261_726f_67);

fn hash_text(text: &str) -> u64 {
    let mut hasher = HASHER.build_hasher();
    hasher.write(text.as_bytes());
    hasher.finish()
}

fn hash_value(value: &Value) -> u64 {
    if let Value::Str(text) = value {
        return hash_text(text);
    }
    let mut hasher = HASHER.build_hasher();
    hash_key(value, &mut hasher);
    hasher.finish()
}

impl Keys {
    /// Compiles the key's expressions.
    pub fn new(keys: &[Key], context: &super::Context) -> Keys {
        let layout = context.input_layout(0);
        Keys { kernels: keys.iter().map(|key| Kernel::compile(&key.value, layout, context.functions.clone())).collect() }
    }

    /// Is there no key (everything is one group)?
    pub fn is_empty(&self) -> bool {
        self.kernels.is_empty()
    }

    /// Keys of all rows.
    pub fn of(&mut self, rows: &Rows) -> KeyColumns {
        let columns: Vec<Column> = self.kernels.iter_mut().map(|kernel| kernel.eval(rows)).collect();
        let mut hashes = vec![0u64; rows.len()];
        for column in &columns {
            match column {
                Column::Str(texts) => {
                    for (row, hash) in hashes.iter_mut().enumerate() {
                        let own = texts.get(row).map_or_else(|| hash_value(&Value::Null), hash_text);
                        *hash = hash.rotate_left(5) ^ own;
                    }
                }
                column => {
                    for (row, hash) in hashes.iter_mut().enumerate() {
                        *hash = hash.rotate_left(5) ^ hash_value(&column.get(row));
                    }
                }
            }
        }
        KeyColumns { columns, hashes }
    }
}

impl KeyColumns {
    /// The key of a row.
    pub fn values(&self, row: usize) -> Box<[Value]> {
        self.columns.iter().map(|column| column.get(row)).collect()
    }

    #[inline]
    fn is(&self, row: usize, key: &[Value]) -> bool {
        self.columns.iter().zip(key).all(|(column, value)| match (column, value) {
            (Column::Str(texts), Value::Str(text)) => texts.get(row) == Some(text),
            (column, value) => same_key(&column.get(row), value),
        })
    }
}

/// Keys with dense numbers in order of appearance.
#[derive(Default)]
pub struct KeyTable {
    table: HashTable<u32>,
    keys: Vec<(u64, Box<[Value]>)>,
}

impl KeyTable {
    /// Slot of the key of a row; true if it is new.
    #[inline]
    pub fn slot(&mut self, columns: &KeyColumns, row: usize) -> (usize, bool) {
        let hash = columns.hashes[row];
        let keys = &self.keys;
        if let Some(&slot) = self.table.find(hash, |&slot| {
            let (known, key) = &keys[slot as usize];
            *known == hash && columns.is(row, key)
        }) {
            return (slot as usize, false);
        }
        self.insert(hash, columns.values(row))
    }

    /// Slot of a key that another table has.
    pub fn slot_of(&mut self, hash: u64, key: &[Value]) -> (usize, bool) {
        let keys = &self.keys;
        let same = |slot: &u32| {
            let (known, values) = &keys[*slot as usize];
            *known == hash && values.iter().zip(key).all(|(a, b)| same_key(a, b))
        };
        if let Some(&slot) = self.table.find(hash, same) {
            return (slot as usize, false);
        }
        self.insert(hash, key.into())
    }

    fn insert(&mut self, hash: u64, key: Box<[Value]>) -> (usize, bool) {
        let slot = self.keys.len();
        self.keys.push((hash, key));
        let keys = &self.keys;
        self.table.insert_unique(hash, slot as u32, |&slot| keys[slot as usize].0);
        (slot, true)
    }

    /// All keys with their hashes, by slot.
    pub fn keys(&self) -> &[(u64, Box<[Value]>)] {
        &self.keys
    }
}

/// `_partition`: the keys' texts joined by `|`, null as `default`; without keys `default`.
pub fn partition_text(key: &[Value]) -> Value {
    if key.is_empty() {
        return Value::Str("default".into());
    }
    let texts: Vec<String> = key
        .iter()
        .map(|value| if *value == Value::Null { "default".to_string() } else { to_text(value) })
        .collect();
    Value::Str(texts.join("|").into())
}
