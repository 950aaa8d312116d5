//! The rows that a join gives: combinations in the order in which they came about, and unmatched records.

use super::formulas::{Formulas, Tuples, report_limits};
use super::lookup::Passage;
use super::shape::{Shape, Source};
use super::side::Side;
use crate::batch::{Chunk, EventTypes, FiredRank, Rows};
use crate::operators::Context;
use crate::whole::Whole;
use rarog_lang::plan::{self, Expr};
use rarog_lang::value::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// At one time unmatched records come after combinations: as if by a later input of a merge.
const UNMATCHED: u64 = 1 << 56;

/// Makes rows.
pub struct Results {
    items: Formulas,
    /// Name of each input.
    names: Vec<Arc<str>>,
    /// For each input the cell of its records as maps, if the rows are needed whole.
    wholes: Vec<Option<usize>>,
    /// For each input the names of its fields in the rows.
    prefixed: Vec<HashMap<Arc<str>, Arc<str>>>,
}

/// Hidden columns of rows.
#[derive(Default)]
struct Hidden {
    pos: Vec<u64>,
    time: Vec<i64>,
    rank: Vec<FiredRank>,
}

impl Results {
    /// Compiles the items.
    pub fn new(join: &plan::Join, shape: &Shape, context: &Context) -> Results {
        let whole = |input: usize| shape.inlets[input].cell_of(&Source::Whole).filter(|_| join.whole);
        Results {
            items: Formulas::compile(&join.items.iter().collect::<Vec<&Expr>>(), shape, context),
            names: join.names.clone(),
            wholes: (0..join.names.len()).map(whole).collect(),
            prefixed: vec![HashMap::new(); join.names.len()],
        }
    }

    /// Combinations, those of one position and time in an order that does not depend on the number of peers.
    pub fn matched(&mut self, found: Tuples, sides: &[Side], shape: &Shape, passage: &Passage) -> Option<Rows> {
        let rank = |entry: &u32| {
            let entry = &passage.entries[*entry as usize];
            let (inlet, records) = (&shape.inlets[entry.input as usize], &sides[entry.input as usize].records);
            let row = entry.row as usize;
            (entry.pos, entry.time, (0, records.began[row], inlet.key_hash(records, row)))
        };
        let mut places: Vec<(u64, i64, FiredRank)> = found.entry.iter().map(rank).collect();
        let mut found = found;
        if !(1..places.len()).all(|at| (places[at - 1], found.entry[at - 1]) <= (places[at], found.entry[at])) {
            let mut order: Vec<u32> = (0..places.len() as u32).collect();
            order.sort_by_key(|&at| (places[at as usize], found.entry[at as usize]));
            places = order.iter().map(|&at| places[at as usize]).collect();
            found = found.take(&order);
        }
        let mut hidden = Hidden::default();
        for (pos, time, rank) in places {
            hidden.pos.push(pos);
            hidden.time.push(time);
            hidden.rank.push(rank);
        }
        self.rows(&found.rows, hidden, sides, passage.chunk, passage.context)
    }

    /// Records of one input that nothing matched, with position and time of their rows.
    pub fn unmatched(
        &mut self,
        input: usize,
        left: &[(u64, i64, u32)],
        sides: &[Side],
        shape: &Shape,
        (chunk, context): (&Chunk, &Context),
    ) -> Option<Rows> {
        let (inlet, records) = (&shape.inlets[input], &sides[input].records);
        let rank = |row: usize| (UNMATCHED, records.began[row], inlet.key_hash(records, row));
        let mut rows = vec![Vec::new(); sides.len()];
        rows[input] = left.iter().map(|(.., row)| *row).collect();
        let hidden = Hidden {
            pos: left.iter().map(|(pos, ..)| *pos).collect(),
            time: left.iter().map(|(_, time, _)| *time).collect(),
            rank: left.iter().map(|(.., row)| rank(*row as usize)).collect(),
        };
        self.rows(&rows, hidden, sides, chunk, context)
    }

    fn rows(
        &mut self,
        rows: &[Vec<u32>],
        hidden: Hidden,
        sides: &[Side],
        chunk: &Chunk,
        context: &Context,
    ) -> Option<Rows> {
        let Hidden { pos, time, rank } = hidden;
        if time.is_empty() {
            return None;
        }
        let whole = self.whole(rows, sides, time.len());
        let table = self.items.table(sides, rows, pos, time);
        let mut columns = Vec::with_capacity(self.items.kernels.len());
        for kernel in &mut self.items.kernels {
            columns.push(kernel.eval(&table));
            report_limits(chunk, &table, &kernel.limit_hits(), context);
        }
        let event = EventTypes::One(context.stream());
        Some(Rows { columns, event, whole, rank: Some(Arc::new(rank)), ..table })
    }

    /// All fields of the records of each row, as `input_field`, if somebody needs them.
    fn whole(&mut self, rows: &[Vec<u32>], sides: &[Side], count: usize) -> Option<Whole> {
        self.wholes.iter().any(Option::is_some).then(|| {
            let maps = (0..count).map(|index| Value::Map(Arc::new(self.fields(rows, sides, index))));
            Whole::Values(Arc::new(maps.collect()))
        })
    }

    fn fields(&mut self, rows: &[Vec<u32>], sides: &[Side], index: usize) -> Map {
        let mut map = Map::default();
        for (input, cell) in self.wholes.iter().enumerate() {
            let (Some(cell), Some(row)) = (cell, rows[input].get(index)) else { continue };
            let Value::Map(fields) = sides[input].records.cells[*cell].get(*row as usize) else { continue };
            for (field, value) in fields.iter() {
                let named = || format!("{}_{field}", self.names[input]).into();
                let name = match self.prefixed[input].get(field) {
                    Some(name) => name.clone(),
                    None => self.prefixed[input].entry(field.clone()).or_insert_with(named).clone(),
                };
                map.insert(name, value.clone());
            }
        }
        map
    }
}
