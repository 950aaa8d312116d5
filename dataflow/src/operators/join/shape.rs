//! How a join is run, found once from the plan: what is kept of each input, by what its records are found, and in which
//! order the other inputs are looked up when a record enters.
//!
//! ```text
//! on(A.k == B.k and B.j == C.j):   a enters: B by k, then C by j;   b enters: A by k, then C by j;   c enters: B by j, …
//! ```
//! An input that shares an equality with those that are found already is looked up by it; only if none does, all records of
//! an input are taken. What else `.on` asks is asked as soon as the inputs that it reads are found.

use super::classes::{Class, classes};
use super::records::Records;
use rarog_lang::plan::{BinOp, Capture, Expr, Join};
use std::cell::RefCell;

/// Where the values of a cell come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A column of the input's layout.
    Column(u32),
    /// A value that is a key.
    Value(Expr),
    /// The record as a map.
    Whole,
}

/// What is kept of an input.
#[derive(Clone, Debug, Default)]
pub struct Inlet {
    /// Its cells.
    pub sources: Vec<Source>,
    /// The classes in which it has a value: number of the class, and the cell of the value.
    pub classes: Vec<(usize, usize)>,
    /// Hash indexes, each by some of [`Inlet::classes`].
    pub indexes: Vec<Vec<usize>>,
    /// Those of [`Inlet::classes`] that all inputs have: the key by which records come to this peer.
    pub key: Vec<usize>,
}

/// An equality by which an input is looked up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tie {
    /// Cell of the input that is looked up.
    pub cell: usize,
    /// The input that is found already, the place of the class among its classes, and its cell.
    pub of: (usize, usize, usize),
}

/// The lookup of one input.
#[derive(Clone, Debug)]
pub struct Step {
    /// The input.
    pub input: usize,
    /// Which of its indexes; `None`: all of its records are taken.
    pub index: Option<usize>,
    /// In the order of the index's classes.
    pub ties: Vec<Tie>,
    /// What the records that are found by now must fulfil.
    pub condition: Option<Expr>,
}

/// A join, laid out.
#[derive(Debug)]
pub struct Shape {
    /// Per input.
    pub inlets: Vec<Inlet>,
    /// Per input: the lookups when a record of it enters.
    pub routes: Vec<Vec<Step>>,
}

/// The hash of several values by those of each.
pub fn combined(hashes: impl Iterator<Item = u64>) -> u64 {
    hashes.fold(0, |all: u64, hash| all.rotate_left(5) ^ hash)
}

impl Inlet {
    fn cell(&mut self, source: Source) -> usize {
        self.cell_of(&source).unwrap_or_else(|| {
            self.sources.push(source);
            self.sources.len() - 1
        })
    }

    fn class(&self, class: usize) -> Option<(usize, usize)> {
        self.classes.iter().position(|(known, _)| *known == class).map(|place| (place, self.classes[place].1))
    }

    /// The cell of a source, if it is kept.
    pub fn cell_of(&self, source: &Source) -> Option<usize> {
        self.sources.iter().position(|other| other == source)
    }

    /// Has a record a value in all classes? One that has null somewhere matches nothing.
    pub fn is_keyed(&self, records: &Records, row: usize) -> bool {
        self.classes.iter().all(|(_, cell)| !records.cells[*cell].is_null(row))
    }

    /// Hash of a record in an index; `None`: it matches nothing.
    pub fn index_hash(&self, records: &Records, index: usize, row: usize) -> Option<u64> {
        let hash = || combined(self.indexes[index].iter().map(|place| records.hashes[*place][row]));
        self.is_keyed(records, row).then(hash)
    }

    /// Hash of a record's key among peers.
    pub fn key_hash(&self, records: &Records, row: usize) -> u64 {
        combined(self.key.iter().map(|place| records.hashes[*place][row]))
    }
}

impl Shape {
    /// Lays a join out.
    pub fn new(join: &Join) -> Shape {
        let (classes, within) = classes(join);
        let mut inlets = vec![Inlet::default(); join.names.len()];
        for (input, inlet) in inlets.iter_mut().enumerate() {
            for (number, class) in classes.iter().enumerate() {
                if let Some(value) = &class[input] {
                    let cell = inlet.cell(source(value));
                    if class.iter().all(Option::is_some) {
                        inlet.key.push(inlet.classes.len());
                    }
                    inlet.classes.push((number, cell));
                }
            }
            if join.whole {
                inlet.cell(Source::Whole);
            }
        }
        let conditions = conditions(join, &within);
        for (input, source) in join.items.iter().chain(&conditions).flat_map(reads) {
            inlets[input].cell(source);
        }
        let routes = (0..inlets.len()).map(|input| route(input, &classes, &mut inlets, &conditions)).collect();
        Shape { inlets, routes }
    }
}

fn source(value: &Expr) -> Source {
    match value {
        Expr::Column(column) => Source::Column(*column),
        value => Source::Value(value.clone()),
    }
}

/// What an expression reads of the record of an input, if it is no operator.
pub fn read(expr: &Expr) -> Option<(usize, Source)> {
    match expr {
        Expr::Of(input, column) => Some((*input as usize, Source::Column(*column))),
        Expr::Captured(input, Capture::Record) => Some((*input as usize, Source::Whole)),
        _ => None,
    }
}

/// What an expression reads of the records of inputs.
pub fn reads(expr: &Expr) -> Vec<(usize, Source)> {
    let all = RefCell::new(Vec::new());
    expr.map(&|expr| {
        all.borrow_mut().extend(read(expr));
        None
    });
    all.into_inner()
}

/// What `.on` asks besides the classes, in parts that must all be true. Parts of a join of two inputs stay together.
fn conditions(join: &Join, within: &[(u32, Expr, Expr)]) -> Vec<Expr> {
    let of = |input: u32, value: &Expr| {
        value.map(&|expr| if let Expr::Column(column) = expr { Some(Expr::Of(input, *column)) } else { None })
    };
    let equal =
        |(input, a, b): &(u32, Expr, Expr)| Expr::Binary(BinOp::Eq, Box::new(of(*input, a)), Box::new(of(*input, b)));
    let mut parts: Vec<Expr> = within.iter().map(equal).collect();
    let mut open: Vec<&Expr> = join.residual.iter().collect();
    while let Some(expr) = open.pop() {
        match expr {
            Expr::And(a, b) if join.names.len() > 2 => open.extend([&**b, &**a]),
            expr => parts.push(expr.clone()),
        }
    }
    parts
}

fn route(from: usize, classes: &[Class], inlets: &mut [Inlet], conditions: &[Expr]) -> Vec<Step> {
    let mut found = vec![false; inlets.len()];
    found[from] = true;
    let mut asked = vec![false; conditions.len()];
    let mut steps = Vec::new();
    for _ in 1..inlets.len() {
        let shared = |input: usize| -> Vec<(usize, usize)> {
            let of = |class: &Class| (0..class.len()).find(|other| found[*other] && class[*other].is_some());
            let numbered = classes.iter().enumerate().filter(|(_, class)| class[input].is_some());
            numbered.filter_map(|(number, class)| Some((number, of(class)?))).collect()
        };
        let open = (0..inlets.len()).filter(|input| !found[*input]).rev();
        let Some((input, shared)) = open.map(|input| (input, shared(input))).max_by_key(|(_, shared)| shared.len())
        else {
            break;
        };
        let step = step(input, &shared, inlets);
        found[input] = true;
        let ready = |place: &usize| !asked[*place] && reads(&conditions[*place]).iter().all(|(read, _)| found[*read]);
        let ready: Vec<usize> = (0..conditions.len()).filter(ready).collect();
        ready.iter().for_each(|place| asked[*place] = true);
        let condition = ready.iter().map(|place| conditions[*place].clone());
        let condition = condition.reduce(|all, next| Expr::And(Box::new(all), Box::new(next)));
        steps.push(Step { condition, ..step });
    }
    steps
}

/// The lookup of an input by classes, each with an input that is found already.
fn step(input: usize, shared: &[(usize, usize)], inlets: &mut [Inlet]) -> Step {
    let (mut places, mut ties) = (Vec::new(), Vec::new());
    for &(class, of) in shared {
        if let (Some((place, cell)), Some((of_place, of_cell))) = (inlets[input].class(class), inlets[of].class(class))
        {
            places.push(place);
            ties.push(Tie { cell, of: (of, of_place, of_cell) });
        }
    }
    let indexes = &mut inlets[input].indexes;
    let index = (!places.is_empty()).then(|| {
        let known = indexes.iter().position(|index| *index == places);
        known.unwrap_or_else(|| {
            indexes.push(places);
            indexes.len() - 1
        })
    });
    Step { input, index, ties, condition: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rarog_lang::plan::JoinKind;

    fn equal(a: (u32, u32), b: (u32, u32)) -> Vec<(u32, Expr)> {
        vec![(a.0, Expr::Column(a.1)), (b.0, Expr::Column(b.1))]
    }

    fn join(inputs: usize, equalities: Vec<Vec<(u32, Expr)>>, residual: Option<Expr>) -> Join {
        Join {
            kind: JoinKind::Inner,
            names: (0..inputs).map(|input| format!("i{input}").into()).collect(),
            conditions: vec![None; inputs],
            equalities,
            residual,
            window: 1,
            items: vec![Expr::Of(0, 4)],
            whole: false,
        }
    }

    fn less(a: (u32, u32), b: (u32, u32)) -> Expr {
        Expr::Binary(BinOp::Lt, Box::new(Expr::Of(a.0, a.1)), Box::new(Expr::Of(b.0, b.1)))
    }

    #[test]
    fn inputs_are_looked_up_by_what_they_share_with_those_found() {
        let chain = join(3, vec![equal((0, 0), (1, 0)), equal((1, 1), (2, 1))], None);
        let shape = Shape::new(&chain);
        let order = |route: &[Step]| route.iter().map(|step| (step.input, step.index)).collect::<Vec<_>>();
        assert_eq!(order(&shape.routes[0]), [(1, Some(0)), (2, Some(0))]);
        assert_eq!(order(&shape.routes[2]), [(1, Some(1)), (0, Some(0))]);
        assert_eq!(shape.inlets[0].sources, [Source::Column(0), Source::Column(4)]);
        assert_eq!(shape.inlets[1].indexes, [vec![0], vec![1]]);
        assert!(shape.inlets.iter().all(|inlet| inlet.key.is_empty()));
    }

    #[test]
    fn conditions_are_asked_as_soon_as_they_can_be() {
        let residual = Expr::And(Box::new(less((0, 1), (2, 1))), Box::new(less((0, 2), (1, 2))));
        let shape = Shape::new(&join(3, vec![], Some(residual)));
        let asked: Vec<_> = shape.routes[0].iter().map(|step| step.condition.clone()).collect();
        assert_eq!(asked, [Some(less((0, 2), (1, 2))), Some(less((0, 1), (2, 1)))]);
        assert!(shape.routes[0].iter().all(|step| step.index.is_none()));
    }
}
