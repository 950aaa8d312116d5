//! The state of a join as bytes: for each bin of keys and each input its records, held or waiting, column by column.

use super::cells::Cells;
use super::records::Records;
use super::shape::{Inlet, Source};
use super::waiting::Place;
use super::{Join, Side};
use crate::operators::Context;
use crate::snapshot::{self, BINS, Restore, Snapshot, SnapshotError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a cell was: another part of the program may read more or fewer fields than it did then.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum SavedSource {
    /// A column of the input, by name; is it hidden?
    Column(Arc<str>, bool),
    /// A value that is a key, by its number among these.
    Key(u32),
    /// The record as a map.
    Whole,
}

/// Records of one input and bin.
#[derive(Serialize, Deserialize)]
struct SavedRecords {
    input: u32,
    records: Records,
    /// Of a kept side: has it matched?
    matched: Vec<bool>,
    /// Of records that wait: where they stand.
    places: Option<Vec<Place>>,
}

fn sources(input: usize, inlet: &Inlet, context: &Context) -> Vec<SavedSource> {
    let mut keys = 0..;
    let saved = |source: &Source| match source {
        Source::Column(column) => {
            let def = &context.input_layout(input).columns[*column as usize];
            SavedSource::Column(def.name.clone(), def.hidden)
        }
        Source::Value(_) => SavedSource::Key(keys.next().unwrap_or_default()),
        Source::Whole => SavedSource::Whole,
    };
    inlet.sources.iter().map(saved).collect()
}

/// Rows by the bin of their key.
fn by_bin(rows: impl Iterator<Item = u32>, inlet: &Inlet, records: &Records) -> Vec<Vec<u32>> {
    let mut bins = vec![Vec::new(); BINS];
    for row in rows {
        bins[usize::from(snapshot::bin(inlet.key_hash(records, row as usize)))].push(row);
    }
    bins
}

fn write(into: &mut Snapshot, bin: usize, part: SavedRecords) {
    if part.records.len() > 0 {
        into.keyed((bin as u64) << 32, &part);
    }
}

impl Join {
    pub(super) fn save(&self, into: &mut Snapshot, context: &Context) {
        let inlets = || self.shape.inlets.iter().enumerate();
        let columns: Vec<_> = inlets().map(|(input, inlet)| sources(input, inlet, context)).collect();
        into.common(&(self.watermark.saved(), columns));
        let waiting = self.waiting.in_order();
        for (input, inlet) in inlets() {
            let side = &self.sides[input];
            let rows = side.front as u32..side.records.len() as u32;
            for (bin, rows) in by_bin(rows, inlet, &side.records).into_iter().enumerate() {
                let matched = rows.iter().filter_map(|row| side.matched.get(*row as usize).copied()).collect();
                let records = side.records.pick(&rows);
                write(into, bin, SavedRecords { input: input as u32, records, matched, places: None });
            }
            let records = self.waiting.records(input);
            let mut places = vec![Vec::new(); BINS];
            for place in waiting.iter().filter(|place| place.input == input as u32) {
                places[usize::from(snapshot::bin(inlet.key_hash(records, place.row as usize)))].push(*place);
            }
            for (bin, places) in places.into_iter().enumerate() {
                let records = records.pick(&places.iter().map(|place| place.row).collect::<Vec<_>>());
                let matched = Vec::new();
                write(into, bin, SavedRecords { input: input as u32, records, matched, places: Some(places) });
            }
        }
    }

    pub(super) fn take_over(&mut self, from: &Restore<'_>, context: &Context) -> Result<(), SnapshotError> {
        let (watermark, saved): (_, Vec<Vec<SavedSource>>) = from.common()?;
        self.watermark.restore(watermark);
        if saved.len() != self.sides.len() {
            return Err(SnapshotError::Misfit(format!("it joins {} inputs, not {}", saved.len(), self.sides.len())));
        }
        let mut held: Vec<Vec<(Records, Vec<bool>)>> = self.sides.iter().map(|_| Vec::new()).collect();
        from.each(|mut part: SavedRecords| {
            let input = part.input as usize;
            let inlet = self.shape.inlets.get(input).ok_or(SnapshotError::Damaged)?;
            realign(&mut part.records, &saved[input], &sources(input, inlet, context), inlet)?;
            match part.places {
                Some(places) if places.len() == part.records.len() => {
                    self.waiting.restore(input, &part.records, places);
                }
                Some(_) => return Err(SnapshotError::Damaged),
                None => held[input].push((part.records, part.matched)),
            }
            Ok(())
        })?;
        for (input, parts) in held.into_iter().enumerate() {
            restore_side(&mut self.sides[input], &self.shape.inlets[input], parts, self.kept[input]);
        }
        Ok(())
    }
}

/// Puts the cells of records into today's order. Fields that were not read then are null.
fn realign(
    records: &mut Records,
    saved: &[SavedSource],
    today: &[SavedSource],
    inlet: &Inlet,
) -> Result<(), SnapshotError> {
    let rows = records.len();
    let fits = records.cells.len() == saved.len()
        && records.cells.iter().all(|cells| cells.len() == rows)
        && records.hashes.iter().all(|hashes| hashes.len() == rows)
        && records.began.len() == rows;
    if !fits {
        return Err(SnapshotError::Damaged);
    }
    if records.hashes.len() != inlet.classes.len() {
        return Err(SnapshotError::Misfit("it was written for other conditions of the join".into()));
    }
    let mut cells: Vec<Option<Cells>> = std::mem::take(&mut records.cells).into_iter().map(Some).collect();
    let place = |source: &SavedSource| saved.iter().position(|other| other == source);
    let mut take = |source| place(source).and_then(|place| cells[place].take()).unwrap_or(Cells::Null(rows));
    records.cells = today.iter().map(&mut take).collect();
    Ok(())
}

/// Held records of all bins, in order of time. Those of one key have one bin, and stay in their order.
fn restore_side(side: &mut Side, inlet: &Inlet, parts: Vec<(Records, Vec<bool>)>, kept: bool) {
    let mut all = Records::new(inlet.sources.len(), inlet.classes.len());
    let mut matched = Vec::new();
    for (records, flags) in parts {
        let rows: Vec<u32> = (0..records.len() as u32).collect();
        all.append(&records.gather(&rows), &rows);
        matched.extend(flags);
    }
    let mut order: Vec<u32> = (0..all.len() as u32).collect();
    order.sort_by_key(|row| (all.time[*row as usize], all.began[*row as usize]));
    side.append(&all.gather(&order), &(0..order.len() as u32).collect::<Vec<_>>(), kept);
    if kept && matched.len() == order.len() {
        side.matched = order.iter().map(|row| matched[*row as usize]).collect();
    }
    // They entered before all that will.
    order.iter().for_each(|_| side.enter(inlet, 0));
}
