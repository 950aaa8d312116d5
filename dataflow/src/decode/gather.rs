//! Records of a chunk becoming rows of the plan's inputs, with their times and clocks.
//!
//! Invariant: a record that is refused leaves nothing behind, neither in a column nor in the clock.

use super::build::{Build, Texts, fits, push, time_of};
use super::dead::{Reason, Refusal};
use super::recipe::{NO_COLUMN, Recipe, Step};
use super::tables::{InputTable, Tables};
use super::token::{Kind, Token};
use super::{EARLY_BEFORE_NS, MAX_AHEAD_NS};
use crate::batch::{EventTypes, Rows, phase};
use crate::whole::{Declared, IN_DATA, RawRow, Whole};
use std::sync::Arc;

/// The time of a record that has none of its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arrival {
    /// This one, ns.
    At(i64),
    /// The time of the record before; `None`: it is in the chunk before this one.
    Before(Option<i64>),
}

/// Rows of one input.
#[derive(Default)]
struct Taken {
    pos: Vec<u64>,
    time: Vec<i64>,
    columns: Vec<Build>,
    whole: Vec<RawRow>,
}

/// What a chunk has given so far.
pub(super) struct Gather<'t> {
    tables: &'t Tables,
    pub texts: Texts<'t>,
    taken: Vec<Taken>,
    /// Expected rows by input.
    expected: &'t [usize],
    clocks: Vec<i64>,
    /// Where each record stands, if that is asked for.
    places: Vec<RawRow>,
    clock: i64,
    arrival: Arrival,
    /// Leading records whose time is that of the last record of the chunk before.
    untimed: usize,
    /// Live: no time is beyond this, ns.
    latest: i64,
    /// Live: times before this are suspicious, ns.
    earliest: i64,
    no_reader: u64,
    early: u64,
}

/// The rows of a chunk.
pub(super) struct Gathered {
    pub inputs: Vec<Option<Rows>>,
    pub clocks: Vec<i64>,
    pub records: Option<Whole>,
    pub no_reader: u64,
    /// Live records from before the year 2000.
    pub early: u64,
}

/// A record as the scanner gives it.
#[derive(Clone, Copy)]
pub(super) struct Record<'r> {
    pub recipe: &'r Recipe,
    pub tokens: &'r [Token],
    /// Its first byte and the one behind its last.
    pub span: (usize, usize),
    /// `@offset` or BATCH, ns.
    pub offset: Option<i64>,
}

impl<'t> Gather<'t> {
    /// An empty chunk. `now`: the wall clock of a live one.
    pub fn new(
        tables: &'t Tables,
        text: &'t str,
        expected: &'t [usize],
        arrival: Arrival,
        now: Option<i64>,
    ) -> Gather<'t> {
        Gather {
            tables,
            texts: Texts { text, extra: String::new() },
            taken: tables.inputs.iter().map(|_| Taken::default()).collect(),
            expected,
            clocks: Vec::with_capacity(expected.iter().sum::<usize>()),
            places: Vec::with_capacity(if tables.places { expected.iter().sum() } else { 0 }),
            clock: i64::MIN,
            arrival,
            untimed: 0,
            latest: now.map_or(i64::MAX, |now| now.saturating_add(MAX_AHEAD_NS)),
            earliest: now.map_or(i64::MIN, |_| EARLY_BEFORE_NS),
            no_reader: 0,
            early: 0,
        }
    }

    /// Takes a record.
    #[inline(always)]
    pub fn take(&mut self, record: Record<'_>) -> Result<(), Box<Refusal>> {
        let taken = self.try_take(record);
        if taken.is_err()
            && let Some(input) = record.recipe.input
        {
            self.taken[input as usize].truncate();
        }
        taken
    }

    /// Columns that a record of an input may be put into before it is taken.
    #[inline(always)]
    pub fn columns(&mut self, input: Option<u32>) -> (&mut [Build], &mut Texts<'t>) {
        let Some(input) = input else { return (&mut [], &mut self.texts) };
        let taken = &mut self.taken[input as usize];
        if taken.pos.is_empty() {
            taken.prepare(&self.tables.inputs[input as usize], self.expected[input as usize]);
        }
        (&mut taken.columns, &mut self.texts)
    }

    /// Takes back what has been put into columns for a record that is not taken.
    #[cold]
    pub fn take_back(&mut self, input: Option<u32>) {
        if let Some(input) = input {
            self.taken[input as usize].truncate();
        }
    }

    #[inline(always)]
    fn try_take(&mut self, record: Record<'_>) -> Result<(), Box<Refusal>> {
        let time = self.time(record)?;
        if time.is_some_and(|time| time > self.latest) {
            return Err(refusal(Reason::Future, "its time is more than a minute ahead of the clock"));
        }
        match record.recipe.input {
            Some(input) => self.row(record, input as usize, time)?,
            None => self.no_reader += 1,
        }
        match time {
            Some(time) => self.clock = self.clock.max(time),
            None => self.untimed += 1,
        }
        self.clocks.push(self.clock);
        if self.tables.places {
            self.places.push(place(record));
        }
        self.early += u64::from(time.is_some_and(|time| time < self.earliest));
        if let (Arrival::Before(before), Some(_)) = (&mut self.arrival, time) {
            *before = time;
        }
        Ok(())
    }

    /// The event time; `None`: that of the last record of the chunk before.
    #[inline(always)]
    fn time(&self, record: Record<'_>) -> Result<Option<i64>, Box<Refusal>> {
        let Record { recipe, tokens, .. } = record;
        if let Some(token) = recipe.time.map(|index| tokens[index as usize])
            && token.kind != Kind::Null
        {
            let time = time_of(token, &self.texts);
            return time.map(Some).ok_or_else(|| self.bad_time(record));
        }
        if record.offset.is_some() {
            return Ok(record.offset);
        }
        let told = recipe.times.iter().find_map(|&index| time_of(tokens[index as usize], &self.texts));
        Ok(told.or(match self.arrival {
            Arrival::At(now) => Some(now),
            Arrival::Before(before) => before,
        }))
    }

    #[inline(always)]
    fn row(&mut self, record: Record<'_>, input: usize, time: Option<i64>) -> Result<(), Box<Refusal>> {
        let table = &self.tables.inputs[input];
        let taken = &mut self.taken[input];
        if taken.pos.is_empty() {
            taken.prepare(table, self.expected[input]);
        }
        for &step in &record.recipe.steps {
            let token = record.tokens[step.token as usize];
            let ty = &table.fields[step.field as usize].ty;
            let fits = match step.column {
                NO_COLUMN => fits(step.action, ty, token, &self.texts),
                column => push(&mut taken.columns[column as usize], step.action, ty, token, &mut self.texts).is_some(),
            };
            if !fits {
                return Err(self.bad_field(table, step));
            }
        }
        if !table.read {
            self.no_reader += 1;
            return Ok(());
        }
        for &column in &record.recipe.missing {
            taken.columns[column as usize].push_null();
        }
        taken.pos.push((self.clocks.len() as u64) << phase::BITS | phase::DIRECT);
        taken.time.push(time.unwrap_or_default());
        if table.whole {
            let (start, end) = match record.recipe.object {
                Some(object) => {
                    let (start, len) = record.tokens[object as usize].span();
                    (start, start + len)
                }
                None => (record.span.0 as u32, record.span.1 as u32),
            };
            let type_key = if record.recipe.object.is_some() { 0 } else { record.recipe.type_key };
            taken.whole.push(RawRow { start, len: end - start, input: input as u32, type_key });
        }
        Ok(())
    }

    #[cold]
    fn bad_field(&self, table: &InputTable, step: Step) -> Box<Refusal> {
        let field = &table.fields[step.field as usize];
        refusal(
            Reason::BadField,
            format!("{} of {} is declared {}", field.name, table.event, rarog_lang::check::types::name(&field.ty)),
        )
    }

    #[cold]
    fn bad_time(&self, record: Record<'_>) -> Box<Refusal> {
        let table = record.recipe.input.map(|input| &self.tables.inputs[input as usize]);
        let field = table.and_then(|table| Some(&table.fields[table.time? as usize]));
        let name = field.map_or("", |field| &field.name);
        refusal(Reason::BadEventTime, format!("{name} is neither RFC 3339 with a zone nor epoch milliseconds"))
    }

    /// Time of the last record, as far as it is known without the chunk before.
    pub fn last_time(&self) -> Option<i64> {
        match self.arrival {
            Arrival::At(now) => Some(now),
            Arrival::Before(before) => before,
        }
    }

    /// Does the chunk begin with records that have the time of the last one before it?
    pub fn is_untimed(&self) -> bool {
        self.untimed > 0
    }

    /// Gives the leading records without a time this one.
    pub fn date(&mut self, time: i64) {
        for clock in &mut self.clocks {
            *clock = time.max(*clock);
        }
        let head = (self.untimed as u64) << phase::BITS;
        for taken in &mut self.taken {
            let rows = taken.pos.partition_point(|pos| *pos < head);
            taken.time[..rows].fill(time);
        }
    }

    /// The rows.
    pub fn finish(self, text: &Arc<str>) -> Gathered {
        let extra: Arc<str> = self.texts.extra.into();
        let finish = |(taken, table): (Taken, &InputTable)| taken.finish(table, text, &extra, &self.tables.declared);
        let inputs = self.taken.into_iter().zip(&self.tables.inputs).map(finish).collect();
        let records = self.tables.places.then(|| Whole::Raw {
            text: text.clone(),
            rows: Arc::new(self.places),
            declared: self.tables.declared.clone(),
        });
        Gathered { inputs, clocks: self.clocks, records, no_reader: self.no_reader, early: self.early }
    }
}

/// Where a record stands, with an object in its `data` that holds the fields.
#[inline(always)]
fn place(record: Record<'_>) -> RawRow {
    let (start, end) = (record.span.0 as u32, record.span.1 as u32);
    let type_key = if record.recipe.object.is_some() { IN_DATA } else { record.recipe.type_key };
    RawRow { start, len: end - start, input: record.recipe.input.unwrap_or(u32::MAX), type_key }
}

#[cold]
pub(super) fn refusal(reason: Reason, detail: impl Into<String>) -> Box<Refusal> {
    Box::new(Refusal::new(reason, detail))
}

impl Taken {
    /// Makes room; once per chunk and input.
    #[cold]
    fn prepare(&mut self, table: &InputTable, rows: usize) {
        if !table.read || !self.columns.is_empty() {
            return;
        }
        self.pos.reserve(rows);
        self.time.reserve(rows);
        if table.whole {
            self.whole.reserve(rows);
        }
        self.columns = table.columns.iter().map(|ty| Build::new(ty, rows)).collect();
    }

    /// Takes back what the record that is being refused has put into columns.
    #[cold]
    fn truncate(&mut self) {
        let rows = self.pos.len();
        self.columns.iter_mut().for_each(|column| column.truncate(rows));
    }

    fn finish(self, table: &InputTable, text: &Arc<str>, extra: &Arc<str>, declared: &Declared) -> Option<Rows> {
        if self.pos.is_empty() {
            return None;
        }
        let whole = table.whole.then(|| Whole::Raw {
            text: text.clone(),
            rows: Arc::new(self.whole),
            declared: declared.clone(),
        });
        Some(Rows {
            pos: Arc::new(self.pos),
            time: Arc::new(self.time),
            event: EventTypes::One(table.event.clone()),
            columns: self.columns.into_iter().map(|column| column.finish(text, extra)).collect(),
            whole,
            released: None,
            rank: None,
        })
    }
}
