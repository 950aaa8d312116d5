//! Joins: section 11. All rows are looked for among all records, again whenever time advances.

use crate::expr::holds;
use crate::program::{Input, Join, Kept};
use crate::record::{Part, Rec};
use std::rc::Rc;

/// So many choices of records a join of a case may have to look at; one that has more is not run.
pub const MOST_LOOKED_AT: usize = 100_000;

/// A record of one input.
struct Side {
    input: usize,
    record: Rec,
    /// The watermark had reached it when rows were last looked for.
    entered: bool,
    /// It has been in a row.
    matched: bool,
}

/// A join that runs.
pub struct Joined<'p> {
    join: &'p Join,
    sides: Vec<Side>,
    /// Choices of records that were looked at.
    pub looked_at: usize,
}

impl<'p> Joined<'p> {
    /// A join without records.
    pub fn new(join: &'p Join) -> Joined<'p> {
        Joined { join, sides: Vec::new(), looked_at: 0 }
    }

    /// Takes a record: for every input that it is one of.
    pub fn take(&mut self, from: &str, record: Rec) {
        for (input, of) in self.join.inputs.iter().enumerate() {
            if is_of(of, from, &record) {
                self.sides.push(Side { input, record: record.clone(), entered: false, matched: false });
            }
        }
    }

    /// Rows that the advance of the watermark brings, by row time, pairs before unmatched records.
    pub fn fire(&mut self, before: i128, w: i128) -> Vec<Rec> {
        let reached = |side: &Side| i128::from(side.record.time) <= w;
        let mut pairs = Vec::new();
        for members in self.combinations(w) {
            let last = members.iter().map(|member| self.sides[*member].record.time).max();
            let row = self.row(&members, last.expect("a join has inputs"));
            if self.join.on.iter().all(|condition| holds(condition, &row)) {
                pairs.push(row);
                members.iter().for_each(|member| self.sides[*member].matched = true);
            }
        }
        self.sides.iter_mut().filter(|side| reached(side)).for_each(|side| side.entered = true);
        let mut rows: Vec<(i64, bool, Rec)> = pairs.into_iter().map(|row| (row.time, false, row)).collect();
        for (index, side) in self.sides.iter().enumerate() {
            let over = i128::from(side.record.time + self.join.window);
            if self.keeps(side.input) && !side.matched && before <= over && over < w {
                rows.push((over as i64, true, self.row(&[index], over as i64)));
            }
        }
        rows.sort_by_key(|(time, unmatched, _)| (*time, *unmatched));
        rows.into_iter().map(|(_, _, row)| row).collect()
    }

    /// Every choice of one record per input that w has reached, near enough in time, with one that is new among them.
    fn combinations(&mut self, w: i128) -> Vec<Vec<usize>> {
        let reached = |index: &usize| i128::from(self.sides[*index].record.time) <= w;
        if !(0..self.sides.len()).any(|index| reached(&index) && !self.sides[index].entered) {
            return Vec::new();
        }
        let time = |index: usize| self.sides[index].record.time;
        let mut combinations = vec![Vec::new()];
        for input in 0..self.join.inputs.len() {
            let of_input: Vec<usize> =
                (0..self.sides.len()).filter(|index| self.sides[*index].input == input).filter(reached).collect();
            let near = |members: &[usize], index: usize| {
                members.iter().all(|member| (time(*member) - time(index)).abs() <= self.join.window)
            };
            let mut longer: Vec<Vec<usize>> = Vec::new();
            for members in combinations {
                if self.looked_at + longer.len() > MOST_LOOKED_AT {
                    break;
                }
                let fitting = of_input.iter().filter(|index| near(&members, **index));
                longer.extend(fitting.map(|index| [members.clone(), vec![*index]].concat()));
            }
            self.looked_at += longer.len();
            combinations = longer;
        }
        combinations.retain(|members| members.iter().any(|member| !self.sides[*member].entered));
        combinations
    }

    fn keeps(&self, input: usize) -> bool {
        match self.join.kept {
            Kept::Inner => false,
            Kept::Left => input == 0,
            Kept::Right => input == 1,
            Kept::Full => true,
        }
    }

    /// The row of some sides: of all inputs, all `input_f` in order.
    fn row(&self, members: &[usize], time: i64) -> Rec {
        let part = |(input, of): (usize, &Input)| {
            let record = members.iter().map(|member| &self.sides[*member]).find(|side| side.input == input);
            Part {
                name: of.name.clone(),
                of: of.of.clone(),
                records: record.iter().map(|s| s.record.clone()).collect(),
            }
        };
        let parts: Vec<Part> = self.join.inputs.iter().enumerate().map(part).collect();
        let fields = parts.iter().flat_map(|part| {
            let fields = part.records.iter().flat_map(|record| &record.fields);
            fields.map(|(name, value)| (format!("{}_{name}", part.name), value.clone()))
        });
        Rec { time, fields: fields.collect(), parts: Rc::new(parts), ..Rec::default() }
    }
}

fn is_of(input: &Input, from: &str, record: &Rec) -> bool {
    input.of == from && input.condition.as_ref().is_none_or(|condition| holds(condition, record))
}
