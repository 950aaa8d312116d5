//! A sequence compiled once: what can take a record, and for each state of a run which of these are tried.
//!
//! ```text
//! A -> B? -> not X -> C      state   guards   candidates (last to first)   may end
//!                            after A   X        C, B                        no
//!                            after B   X        C                           no
//! ```
//! Invariant: a state says all that the position of a run decides; a run itself keeps only which members of an unfinished
//! AND are filled.

use super::predicate::{Predicate, slots_of};
use rarog_lang::plan::{Element, Event, Expr, Mode, Note, Sequence};

/// Takers of one input that have a bit of their own in the mask of a record; those beyond share the last one.
const BITS: u32 = 64;
/// Members that one AND may have.
pub const MAX_MEMBERS: usize = 64;

/// Something that takes, or guards against, a record.
pub struct Taker {
    /// Input port.
    pub port: usize,
    /// Its bit in the mask of that port's records.
    pub bit: u64,
    /// The filter, if the bit is shared and does not tell.
    pub unsure: Option<Expr>,
    /// Where the record goes.
    pub slot: usize,
    /// For each column of the slot the column of the input.
    pub columns: Vec<Option<u32>>,
    /// For each column of the slot the key that has the same value.
    pub keys: Vec<Option<usize>>,
    /// Longest time since the last captured record, ns.
    pub within: Option<i64>,
    /// Rises (true) or falls: column of the input, column of the slot.
    pub monotone: Vec<(bool, Option<u32>, u32)>,
    /// What the condition says beside the filter.
    pub predicate: Predicate,
    /// What is said of a captured record.
    pub notes: Vec<Note>,
    /// By which values runs are found; none: all runs of the key are looked at.
    pub lookup: Option<Lookup>,
}

/// How a record finds runs without looking at all of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Index into [`Automaton::signatures`].
    pub signature: usize,
    /// Index into the probes of the port.
    pub probe: usize,
}

/// Values of what a run captured, by which it is found.
pub struct Signature {
    /// Over captured records; empty: one list for the taker.
    pub captured: Vec<Expr>,
    /// Slots that they read.
    pub slots: Vec<usize>,
}

/// Where a run goes when a candidate has taken a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// To this state.
    State(u32),
    /// Past the end of the list.
    Past,
}

/// A member of an AND.
#[derive(Clone, Copy)]
pub struct Member {
    /// Its bit.
    pub bit: u64,
    /// The bits of all members.
    pub all: u64,
    /// Where the run stays while the AND is unfinished.
    pub unfinished: u32,
}

/// A candidate of a state.
#[derive(Clone, Copy)]
pub struct Candidate {
    /// Index into [`Automaton::takers`].
    pub taker: usize,
    /// Index of its element in the alternative.
    pub element: usize,
    /// Where the run goes.
    pub next: Next,
    /// It is a member of an AND.
    pub member: Option<Member>,
    /// Is that AND the first element?
    pub leads: bool,
    /// Is it a Kleene element that ends its list?
    pub trailing: bool,
}

/// What a run waits for.
#[derive(Default)]
pub struct State {
    /// Alternative.
    pub alternative: usize,
    /// Takers that end it: every `.not` and the active guards.
    pub guards: Vec<usize>,
    /// Last to first.
    pub candidates: Vec<Candidate>,
    /// Does the scan reach the end of the list?
    pub may_end: bool,
    /// By port: bits of guards and candidates.
    pub wants: Vec<u64>,
    /// Signatures under which a run in this state is listed, ascending.
    pub signatures: Vec<usize>,
}

/// An alternative.
pub struct Alternative {
    /// A run before its first capture.
    pub first: u32,
    /// What its first element is tried with; `next` and `member` as in a state.
    pub opens: Vec<Candidate>,
    /// Is the first element an AND?
    pub leads_with_and: bool,
    /// `.each()`: slot of the last Kleene element, and whether it ends the list.
    pub each: Option<(usize, bool)>,
}

/// The whole.
pub struct Automaton {
    /// Everything that is tried on records.
    pub takers: Vec<Taker>,
    /// States of all alternatives.
    pub states: Vec<State>,
    /// Alternatives in order.
    pub alternatives: Vec<Alternative>,
    /// How runs are found.
    pub signatures: Vec<Signature>,
    /// By port: filter of each bit (none: everything passes).
    pub filters: Vec<Vec<Option<Expr>>>,
    /// By port: values of a record by which runs are looked up.
    pub probes: Vec<Vec<Vec<Expr>>>,
    /// By port: bits of takers that look at all runs of a partition.
    pub by_partition: Vec<u64>,
    /// By port: bits of takers that look runs up, and how.
    pub by_lookup: Vec<Vec<(u64, Lookup)>>,
    /// By port: bits of takers with which an alternative opens.
    pub opening: Vec<u64>,
    /// Selection strategy.
    pub mode: Mode,
    /// Is a match that another one contains left out?
    pub contains: bool,
    /// Can a run match at its deadline?
    pub ends_at_deadline: bool,
    /// ns
    pub within: Option<i64>,
    /// Of a key.
    pub max_runs: usize,
}

/// Where a position's states begin in [`Automaton::states`]: without a capture of its own, then with one.
fn state_of(first: usize, position: usize, captured: bool) -> u32 {
    (first + 2 * position + usize::from(captured)) as u32
}

impl Automaton {
    /// Compiles a sequence whose node reads `ports` inputs; `same[p]` is the port that stands for p.
    pub fn new(sequence: &Sequence, same: &[usize]) -> Result<Automaton, String> {
        let ports = same.len();
        let mut automaton = Automaton {
            takers: Vec::new(),
            states: Vec::new(),
            alternatives: Vec::new(),
            signatures: Vec::new(),
            filters: vec![Vec::new(); ports],
            probes: vec![Vec::new(); ports],
            by_partition: vec![0; ports],
            by_lookup: vec![Vec::new(); ports],
            opening: vec![0; ports],
            mode: sequence.mode,
            contains: sequence.mode == Mode::Next && !sequence.each && has_kleene(sequence),
            ends_at_deadline: false,
            within: sequence.within,
            max_runs: usize::try_from(sequence.max_runs).unwrap_or(usize::MAX),
        };
        // In strict mode every record of a key looks at all of its runs; so does one that a `.not` without equality takes.
        let looked_up = |keyed: bool| (sequence.mode != Mode::Strict).then_some(keyed);
        let keyed = !sequence.key.is_empty();
        let nots: Vec<usize> =
            sequence.nots.iter().map(|event| automaton.taker(sequence, event, same, looked_up(true))).collect();
        for (index, elements) in sequence.alternatives.iter().enumerate() {
            let takers = automaton.takers_of(sequence, elements, same, looked_up(keyed))?;
            automaton.alternative(index, elements, &takers, &nots, sequence.each);
        }
        automaton.ends_at_deadline = sequence.mode != Mode::Any
            && sequence.within.is_some()
            && automaton.states.iter().any(|state| state.may_end);
        Ok(automaton)
    }

    fn takers_of(
        &mut self,
        sequence: &Sequence,
        elements: &[Element],
        same: &[usize],
        lookup: Option<bool>,
    ) -> Result<Vec<Vec<usize>>, String> {
        let mut takers = Vec::with_capacity(elements.len());
        for (index, element) in elements.iter().enumerate() {
            // What can only open a run looks none up.
            let single = matches!(element, Element::Event(Event { many: false, .. }) | Element::Or(_));
            let lookup = lookup.filter(|_| index > 0 || !single);
            let events = match element {
                Element::Event(event) | Element::Absence(event) => std::slice::from_ref(event),
                Element::And(events) if events.len() > MAX_MEMBERS => {
                    return Err(format!("an AND has {} members, more than {MAX_MEMBERS}", events.len()));
                }
                Element::And(events) | Element::Or(events) => events,
            };
            takers.push(events.iter().map(|event| self.taker(sequence, event, same, lookup)).collect());
        }
        Ok(takers)
    }

    /// `lookup`: are runs looked up at all, and is there a key that narrows them down already?
    fn taker(&mut self, sequence: &Sequence, event: &Event, same: &[usize], lookup: Option<bool>) -> usize {
        let port = same[event.input as usize];
        let filters = &mut self.filters[port];
        let shared = filters.len() as u32 == BITS;
        let bit = if shared { BITS - 1 } else { filters.len() as u32 };
        // The filter of the shared bit lets everything pass.
        let unsure = (bit == BITS - 1).then(|| event.filter.clone()).flatten();
        if !shared {
            filters.push(if bit == BITS - 1 { None } else { event.filter.clone() });
        }
        let monotone = event
            .monotone
            .iter()
            .map(|&(rises, column)| (rises, event.columns.get(column as usize).copied().flatten(), column));
        let taker = Taker {
            port,
            bit: 1 << bit,
            unsure,
            slot: event.slot as usize,
            columns: event.columns.clone(),
            keys: event.columns.iter().map(|column| key_of(sequence, event.input, *column)).collect(),
            within: event.within,
            monotone: monotone.collect(),
            predicate: Predicate::of(&event.equalities, event.condition.as_ref()),
            notes: event.notes.clone(),
            lookup: lookup.and_then(|keyed| self.lookup(event, port, keyed)),
        };
        self.takers.push(taker);
        self.takers.len() - 1
    }

    /// How a record that this may take finds runs.
    fn lookup(&mut self, event: &Event, port: usize, keyed: bool) -> Option<Lookup> {
        if keyed && event.equalities.is_empty() {
            return None;
        }
        let mut equalities: Vec<&(Expr, Expr)> = event.equalities.iter().collect();
        equalities.sort_by_cached_key(|(_, captured)| format!("{captured:?}"));
        let captured: Vec<Expr> = equalities.iter().map(|(_, captured)| captured.clone()).collect();
        let known = self.signatures.iter().position(|other| !captured.is_empty() && other.captured == captured);
        let signature = known.unwrap_or_else(|| {
            let slots = slots_of(&captured);
            self.signatures.push(Signature { captured, slots });
            self.signatures.len() - 1
        });
        let values: Vec<Expr> = equalities.iter().map(|(value, _)| value.clone()).collect();
        let probes = &mut self.probes[port];
        let probe = probes.iter().position(|other| *other == values).unwrap_or_else(|| {
            probes.push(values);
            probes.len() - 1
        });
        Some(Lookup { signature, probe })
    }

    fn alternative(&mut self, index: usize, elements: &[Element], takers: &[Vec<usize>], nots: &[usize], each: bool) {
        let first = self.states.len();
        for position in 0..elements.len() {
            for captured in [false, true] {
                let mut state = scan(elements, takers, first, position, captured);
                state.alternative = index;
                state.guards.splice(0..0, nots.iter().copied());
                // Nothing has to find runs where none can be: before the first capture, or in an element that takes one.
                let occupied = if captured { stays(&elements[position]) } else { position > 0 };
                if occupied {
                    self.finish(&mut state);
                }
                self.states.push(state);
            }
        }
        let opens = candidates(elements, takers, first, 0);
        for candidate in &opens {
            let taker = &self.takers[candidate.taker];
            self.opening[taker.port] |= taker.bit;
        }
        let kleene = |element: &Element| matches!(element, Element::Event(event) if event.many);
        let last = elements.iter().rposition(kleene).filter(|_| each);
        let each = last.and_then(|last| {
            let slot = takers[last].first().map(|&taker| self.takers[taker].slot)?;
            Some((slot, last + 1 == elements.len()))
        });
        let leads_with_and = matches!(elements.first(), Some(Element::And(_)));
        self.alternatives.push(Alternative { first: state_of(first, 0, false), opens, leads_with_and, each });
    }

    /// What follows from the guards and candidates of a state.
    fn finish(&mut self, state: &mut State) {
        state.wants = vec![0; self.filters.len()];
        for taker in state.guards.iter().copied().chain(state.candidates.iter().map(|candidate| candidate.taker)) {
            let Taker { port, bit, lookup, .. } = self.takers[taker];
            state.wants[port] |= bit;
            let Some(lookup) = lookup else {
                self.by_partition[port] |= bit;
                continue;
            };
            state.signatures.push(lookup.signature);
            if !self.by_lookup[port].contains(&(bit, lookup)) {
                self.by_lookup[port].push((bit, lookup));
            }
        }
        state.signatures.sort_unstable();
        state.signatures.dedup();
    }
}

/// The candidates that the element at `position` is.
fn candidates(elements: &[Element], takers: &[Vec<usize>], first: usize, position: usize) -> Vec<Candidate> {
    let past = position + 1 == elements.len();
    let after = if past { Next::Past } else { Next::State(state_of(first, position + 1, false)) };
    let stay = state_of(first, position, true);
    let single =
        |taker: usize| Candidate { taker, element: position, next: after, member: None, leads: false, trailing: false };
    match &elements[position] {
        Element::Absence(_) => Vec::new(),
        Element::Event(event) if event.many => takers[position]
            .iter()
            .map(|&taker| Candidate { next: Next::State(stay), trailing: past, ..single(taker) })
            .collect(),
        Element::Event(_) | Element::Or(_) => takers[position].iter().map(|&taker| single(taker)).collect(),
        Element::And(members) => {
            let all = u64::MAX >> (MAX_MEMBERS - members.len().max(1));
            let member = |(index, &taker): (usize, &usize)| Candidate {
                member: Some(Member { bit: 1 << index, all, unfinished: stay }),
                leads: position == 0,
                ..single(taker)
            };
            takers[position].iter().enumerate().map(member).collect()
        }
    }
}

/// What a run at `position` waits for; `captured`: the element there has captured a record.
fn scan(elements: &[Element], takers: &[Vec<usize>], first: usize, position: usize, captured: bool) -> State {
    let mut state = State { may_end: true, ..State::default() };
    let mut tried = Vec::new();
    for (index, element) in elements.iter().enumerate().skip(position) {
        if let Element::Absence(_) = element {
            state.guards.extend(&takers[index]);
            continue;
        }
        tried.push(candidates(elements, takers, first, index));
        let passed = match element {
            Element::Event(event) => event.min == 0 || event.many && captured && index == position,
            _ => false,
        };
        if !passed {
            state.may_end = false;
            break;
        }
    }
    state.candidates = tried.into_iter().rev().flatten().collect();
    state
}

/// Does a run stay at an element that has captured a record?
fn stays(element: &Element) -> bool {
    matches!(element, Element::Event(Event { many: true, .. }) | Element::And(_))
}

/// The key that is a column of an input.
fn key_of(sequence: &Sequence, input: u32, column: Option<u32>) -> Option<usize> {
    let column = Expr::Column(column?);
    sequence.key.iter().position(|key| key.values[input as usize] == column)
}

fn has_kleene(sequence: &Sequence) -> bool {
    let kleene = |element: &Element| matches!(element, Element::Event(event) if event.many);
    sequence.alternatives.iter().flatten().any(kleene)
}
