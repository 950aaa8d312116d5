//! Keys of `partition_by` over a batch: their values, and a table from keys to dense slots.
//!
//! Two keys are the same if they are equal in the language's total order (1 and 1.0 are one key); a result shows the key as
//! its first record has it, so who reports contents of his own keeps their keys, too.

use super::sparse::{Moved, Sparse};
use crate::batch::{FiredRank, Rows, phase};
use crate::column::Column;
use crate::kernel::Kernel;
use hashbrown::HashTable;
use rarog_lang::eval::order::hash_key;
use rarog_lang::eval::order::same_key;
use rarog_lang::eval::text::to_text;
use rarog_lang::plan::{Expr, Key};
use rarog_lang::value::Value;
use serde::{Deserialize, Serialize};
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::sync::Arc;

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
const HASHER: foldhash::fast::FixedState = foldhash::fast::FixedState::with_seed(0x0072_6172_6f67);

#[inline]
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

/// The hash of a key of one value more.
#[inline]
fn combined(hash: u64, value: u64) -> u64 {
    hash.rotate_left(5) ^ value
}

/// The hash of a key of these values, as rows that have it do.
pub fn hash_values(key: &[Value]) -> u64 {
    key.iter().fold(0, |hash: u64, value| combined(hash, hash_value(value)))
}

/// A number that is another one if keys are hashed in another way.
pub fn key_hash_check() -> u64 {
    let key = [Value::Str("rarog".into()), Value::Int(7), Value::Float(0.5), Value::Null];
    hash_values(&key)
}

impl Keys {
    /// Compiles the key's expressions.
    pub fn new(keys: &[Key], context: &super::Context) -> Keys {
        Keys::of_port(keys.iter().map(|key| &key.value), 0, context)
    }

    /// Compiles a key's expressions over the records of one input.
    pub fn of_port<'e>(values: impl IntoIterator<Item = &'e Expr>, port: usize, context: &super::Context) -> Keys {
        let layout = context.input_layout(port);
        let kernel = |value| Kernel::compile(value, layout, context.functions.clone());
        Keys { kernels: values.into_iter().map(kernel).collect() }
    }

    /// Keys of all rows.
    pub fn of(&mut self, rows: &Rows) -> KeyColumns {
        KeyColumns::new(self.kernels.iter_mut().map(|kernel| kernel.eval(rows)).collect(), rows.len())
    }
}

impl Keys {
    /// Keys of some rows; the hashes of the others say nothing.
    pub fn of_rows(&mut self, rows: &Rows, picked: &[u32]) -> KeyColumns {
        let columns: Vec<Column> = self.kernels.iter_mut().map(|kernel| kernel.eval(rows)).collect();
        if picked.len() == rows.len() {
            return KeyColumns::new(columns, rows.len());
        }
        let mut hashes = vec![0; rows.len()];
        for column in &columns {
            for &row in picked {
                let hash = &mut hashes[row as usize];
                *hash = combined(*hash, hash_at(column, row as usize));
            }
        }
        KeyColumns { columns, hashes }
    }
}

#[inline]
fn hash_at(column: &Column, row: usize) -> u64 {
    match column {
        Column::Str(texts) => texts.get(row).map_or_else(|| hash_value(&Value::Null), hash_text),
        column => hash_value(&column.get(row)),
    }
}

impl KeyColumns {
    /// Some of the rows.
    pub fn take(&self, rows: &[u32]) -> KeyColumns {
        KeyColumns {
            columns: self.columns.iter().map(|column| column.take(rows)).collect(),
            hashes: rows.iter().map(|&row| self.hashes[row as usize]).collect(),
        }
    }

    /// The values of these columns, row by row, as keys.
    pub fn new(columns: Vec<Column>, rows: usize) -> KeyColumns {
        let mut hashes = vec![0u64; rows];
        for column in &columns {
            match column {
                Column::Str(texts) => {
                    let null = hash_value(&Value::Null);
                    for (row, hash) in hashes.iter_mut().enumerate() {
                        *hash = combined(*hash, texts.get(row).map_or(null, hash_text));
                    }
                }
                column => {
                    for (row, hash) in hashes.iter_mut().enumerate() {
                        *hash = combined(*hash, hash_value(&column.get(row)));
                    }
                }
            }
        }
        KeyColumns { columns, hashes }
    }

    /// The key of a row.
    pub fn values(&self, row: usize) -> Arc<[Value]> {
        self.columns.iter().map(|column| column.get(row)).collect()
    }

    /// Can keys be the same and yet look different? Texts cannot.
    pub fn varies(&self) -> bool {
        !self.columns.iter().all(|column| matches!(column, Column::Str(_)))
    }

    /// Does the key of a row, which is the same as this one, look like it?
    fn looks_like(&self, row: usize, key: &[Value]) -> bool {
        self.columns.iter().zip(key).all(|(column, value)| match (column, value) {
            (Column::Str(_), Value::Str(_)) => true,
            (column, value) => match (column.get(row), value) {
                (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
                (a, b) => a == *b,
            },
        })
    }

    /// The key of a row, shared with one that is the same, if it looks like it.
    pub fn like(&self, row: usize, key: &Arc<[Value]>) -> Arc<[Value]> {
        if self.looks_like(row, key) { key.clone() } else { self.values(row) }
    }

    /// Is this the key of a row?
    #[inline]
    pub fn is(&self, row: usize, key: &[Value]) -> bool {
        self.columns.iter().zip(key).all(|(column, value)| match (column, value) {
            (Column::Str(texts), Value::Str(text)) => texts.get(row) == Some(text),
            (column, value) => same_key(&column.get(row), value),
        })
    }
}

struct Entry {
    hash: u64,
    /// As the earliest record has it.
    key: Arc<[Value]>,
    /// Event time of the earliest record, where that was asked for.
    time: i64,
    /// Where its first record stood; see [`began`].
    began: u64,
}

/// A key of a table, to be written down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedKey {
    /// As the earliest record has it.
    pub key: Arc<[Value]>,
    time: i64,
    began: u64,
}

impl SavedKey {
    /// A key of which no more is known.
    pub fn of(key: Arc<[Value]>) -> SavedKey {
        SavedKey { key, time: 0, began: 0 }
    }

    /// Its hash.
    pub fn hash(&self) -> u64 {
        hash_values(&self.key)
    }
}

/// Where a record stands among all of the run.
pub fn began(chunk: u64, pos: u64) -> u64 {
    chunk << 24 | (pos >> phase::BITS).min((1 << 24) - 1)
}

/// Keys with dense numbers in order of appearance; the slots of keys that were removed are used again.
#[derive(Default)]
pub struct KeyTable {
    table: HashTable<u32>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    sparse: Sparse,
}

impl KeyTable {
    /// A table that will hold about as many keys as another one does.
    pub fn like(other: &KeyTable) -> KeyTable {
        let keys = other.len();
        KeyTable {
            table: HashTable::with_capacity(keys),
            entries: Vec::with_capacity(keys),
            free: Vec::new(),
            sparse: Sparse::default(),
        }
    }

    /// Number of slots, free ones included.
    pub fn slots(&self) -> usize {
        self.entries.len()
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    #[inline]
    fn find(&self, columns: &KeyColumns, row: usize) -> Option<usize> {
        let hash = columns.hashes[row];
        let same = |slot: &u32| {
            let entry = &self.entries[*slot as usize];
            entry.hash == hash && columns.is(row, &entry.key)
        };
        self.table.find(hash, same).map(|slot| *slot as usize)
    }

    /// Slot of the key of a row; true if it is new.
    #[inline]
    pub fn slot(&mut self, columns: &KeyColumns, row: usize) -> (usize, bool) {
        match self.find(columns, row) {
            Some(slot) => (slot, false),
            None => {
                let entry = Entry { hash: columns.hashes[row], key: columns.values(row), time: 0, began: 0 };
                (self.insert(entry), true)
            }
        }
    }

    /// Slots of the keys of some rows, of which `at` gives the event time and where they stand ([`began`]). Keys that
    /// `known` has are shared with it.
    pub fn slots_of(
        &mut self,
        columns: &KeyColumns,
        rows: Range<usize>,
        at: impl Fn(usize) -> (i64, u64),
        known: Option<&KeyTable>,
        slots: &mut Vec<u32>,
    ) {
        slots.clear();
        let varies = columns.varies();
        let mut slot_at = |row: usize| match self.find(columns, row) {
            Some(slot) => {
                if varies {
                    self.show_earlier(slot, columns, row, at(row).0);
                }
                slot as u32
            }
            None => {
                let shared = known.and_then(|known| known.find(columns, row).map(|slot| known.key(slot)));
                let key = shared.map_or_else(|| columns.values(row), |key| columns.like(row, key));
                let (time, began) = at(row);
                self.insert(Entry { hash: columns.hashes[row], key, time, began }) as u32
            }
        };
        if columns.columns.is_empty() && !rows.is_empty() {
            // Without keys all rows have one.
            slots.resize(rows.len(), slot_at(rows.start));
        } else {
            slots.extend(rows.map(slot_at));
        }
    }

    /// A key looks as its earliest record has it.
    fn show_earlier(&mut self, slot: usize, columns: &KeyColumns, row: usize, time: i64) {
        let entry = &mut self.entries[slot];
        if time < entry.time {
            entry.time = time;
            entry.key = columns.like(row, &entry.key);
        }
    }

    /// Slot of a key that another table has, of later records.
    pub fn slot_of(&mut self, other: &KeyTable, slot: usize) -> usize {
        let Entry { hash, key, time, began } = &other.entries[slot];
        let same = |slot: &u32| {
            let entry = &self.entries[*slot as usize];
            entry.hash == *hash && entry.key.iter().zip(key.iter()).all(|(a, b)| same_key(a, b))
        };
        match self.table.find(*hash, same) {
            Some(&slot) => {
                let entry = &mut self.entries[slot as usize];
                entry.began = entry.began.min(*began);
                slot as usize
            }
            None => self.insert(Entry { hash: *hash, key: key.clone(), time: *time, began: *began }),
        }
    }

    fn insert(&mut self, entry: Entry) -> usize {
        let hash = entry.hash;
        let slot = match self.free.pop() {
            Some(slot) => {
                self.entries[slot as usize] = entry;
                slot
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            }
        };
        let entries = &self.entries;
        self.table.insert_unique(hash, slot, |&slot| entries[slot as usize].hash);
        slot as usize
    }

    /// Forgets a key; its slot may get another one.
    pub fn remove(&mut self, slot: usize) {
        if let Ok(entry) = self.table.find_entry(self.entries[slot].hash, |&other| other as usize == slot) {
            entry.remove();
            self.entries[slot].key = Arc::from([]);
            self.free.push(slot as u32);
        }
    }

    /// Gives slots back behind a chunk of so many records, if few have been used for long; where they have gone then.
    pub fn give_back(&mut self, records: usize) -> Option<Moved> {
        if !self.sparse.is_due(self.len(), self.entries.len(), records) {
            return None;
        }
        let moved = Moved::without(self.entries.len(), self.free.iter().map(|slot| *slot as usize));
        moved.keep(&mut self.entries);
        self.free = Vec::new();
        self.table = HashTable::with_capacity(self.entries.len());
        let entries = &self.entries;
        for (entry, slot) in entries.iter().zip(0..) {
            self.table.insert_unique(entry.hash, slot, |&slot| entries[slot as usize].hash);
        }
        Some(moved)
    }

    /// Order of a key among those that are reported together.
    pub fn rank(&self, slot: usize) -> FiredRank {
        let entry = &self.entries[slot];
        (0, entry.began, entry.hash)
    }

    /// Slots that have a key.
    pub fn used(&self) -> Vec<usize> {
        let mut used = vec![true; self.entries.len()];
        self.free.iter().for_each(|&slot| used[slot as usize] = false);
        (0..used.len()).filter(|&slot| used[slot]).collect()
    }

    /// The key of a slot as it is written down.
    pub fn saved(&self, slot: usize) -> SavedKey {
        let entry = &self.entries[slot];
        SavedKey { key: entry.key.clone(), time: entry.time, began: entry.began }
    }

    /// Takes over a key that was written down, and that the table does not have; its slot.
    pub fn restore(&mut self, saved: SavedKey) -> usize {
        self.insert(Entry { hash: saved.hash(), key: saved.key, time: saved.time, began: saved.began })
    }

    /// All slots in the order of their ranks. Only for tables from which nothing was removed.
    pub fn in_order(&self) -> Vec<u32> {
        let mut slots: Vec<u32> = (0..self.entries.len() as u32).collect();
        let rank = |slot: &u32| self.rank(*slot as usize);
        if !slots.is_sorted_by_key(rank) {
            slots.sort_by_key(rank);
        }
        slots
    }

    /// The hash of a slot's key.
    pub fn hash(&self, slot: usize) -> u64 {
        self.entries[slot].hash
    }

    /// The key of a slot.
    #[inline]
    pub fn key(&self, slot: usize) -> &Arc<[Value]> {
        &self.entries[slot].key
    }
}

/// `_partition`: the keys' texts joined by `|`, null as `default`; without keys `default`.
pub fn partition_text(key: &[Value]) -> Value {
    if key.is_empty() {
        return Value::Str("default".into());
    }
    let texts: Vec<String> = key
        .iter()
        .map(|value| if *value == Value::Null { "default".to_string() } else { to_text(value).to_string() })
        .collect();
    Value::Str(texts.join("|").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::from_values;

    /// Bins, and with them saved states, and ids of window results go by these numbers: a change needs a new version of
    /// checkpoints.
    #[test]
    fn hashes_of_keys_stay_what_they_are() {
        assert_eq!(key_hash_check(), 11_702_423_170_176_585_791);
        let values = vec![Value::Str("a".into()), Value::Null, Value::Int(3), Value::Float(3.0)];
        let columns = KeyColumns::new(vec![from_values(values.clone())], 4);
        let alone: Vec<u64> = values.iter().map(|value| hash_values(std::slice::from_ref(value))).collect();
        assert_eq!(columns.hashes, alone);
    }

    #[test]
    fn slots_of_removed_keys_are_used_again() {
        let text = |text: &str| Value::Str(text.into());
        let values = vec![text("a"), text("b"), Value::Int(1), Value::Float(1.0), Value::Null, text("a")];
        let columns = KeyColumns::new(vec![from_values(values)], 6);
        let mut table = KeyTable::default();
        let mut slots = Vec::new();
        table.slots_of(&columns, 0..6, |row| (0, row as u64), None, &mut slots);
        assert_eq!(slots, [0, 1, 2, 2, 3, 0]);
        table.remove(1);
        assert_eq!((table.len(), table.slots()), (3, 4));
        assert_eq!(table.slot(&columns, 1), (1, true));
        let mut other = KeyTable::default();
        assert_eq!(other.slot_of(&table, 2), 0);
        assert_eq!(other.slot(&columns, 3), (0, false));
    }
}
