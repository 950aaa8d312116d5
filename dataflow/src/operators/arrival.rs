//! In which order what one record causes arrives at an operator that reads several nodes.
//!
//! Direct results go breadth first, so they arrive by the number of streams that they came through, and among equally many
//! by where their ways parted: the stream that stands first in the text, the result that was given first. What the advance
//! of w fires arrives by result time and, at one time, in the order of the streams in the text.
//!
//! ```text
//!  A ─► S3 ─► S4 ─┐    ways:  A            no stream
//!  ├──► S1 ───────┼─► M       S1           one
//!  └──────────────┘           S3 S4        two
//! ```
//! The ways are known when the graph is built. A row says in its rank which one it came, as the place of that way among all
//! that lead to the merge behind which it is; the next merge knows these places and gives it one of its own. Operators on
//! the way that make several results of a record (`.process`, corrections of overlapping windows) number them, so ways are compared part by part, with the numbers between.
//!
//! ```text
//!  rank of a direct result    way up to the first numbering : number │ on to the second : number │ the rest : number
//! ```
//! Invariant: the rank of rows of one cause and one node is the same however many peers there are.

use crate::batch::{FiredRank, Rows, phase};
use rarog_lang::plan::{Node, NodeId, Op, Plan};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// So many streams the ways to all nodes of a plan may lead through. Where there are more, direct results come in the order
/// in which the streams stand in the text.
const MAX_STEPS: usize = 1 << 20;
/// Parts of a way that a rank tells apart.
const PARTS: usize = 3;
/// Bits of a number behind each of them.
const NUMBER_BITS: u32 = 32;
const NUMBER: u64 = (1 << NUMBER_BITS) - 1;

/// Places of the parts of a way among those of all ways.
type Places = [u32; PARTS];

/// The way of direct results from a record: the order is the one in which they arrive.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    /// The timer that it begins with: what different timers cause never mixes.
    timer: Option<u32>,
    /// Streams that it leads through.
    hops: usize,
    /// These streams, cut behind each operator that numbers its results.
    parts: Vec<Vec<u32>>,
}

impl Way {
    fn through(mut self, stream: u32) -> Way {
        self.hops += 1;
        match self.parts.last_mut() {
            Some(part) => part.push(stream),
            None => self.parts.push(vec![stream]),
        }
        self
    }

    fn numbered(mut self) -> Way {
        if self.parts.is_empty() {
            self.parts.push(Vec::new());
        }
        if self.parts.len() < PARTS {
            self.parts.push(Vec::new());
        }
        self
    }

    fn part(&self, part: usize) -> &[u32] {
        self.parts.get(part).map_or(&[], Vec::as_slice)
    }
}

/// Ways to the output of a node, with the places that rows have which came them.
type Ways = Vec<(Way, Places)>;

/// The order in which rows of several ports arrive.
pub struct Arrival {
    /// By port.
    ports: Vec<Port>,
    /// Do some ports have records of one cause, here or at another operator? Then rows have to say which way they came.
    ties: bool,
    /// Does it take more than the port to tell which of two rows comes first?
    mixed: bool,
}

#[derive(Default)]
struct Port {
    /// Place among the ports for what was fired.
    fired: u32,
    /// Place among them for direct results, if it takes no more than that.
    direct: u32,
    /// From places that rows come with to those among all ways to this operator.
    places: BTreeMap<Places, Places>,
}

/// Is this the position of something that the advance of w fired?
fn is_fired(pos: u64) -> bool {
    pos & ((1 << phase::BITS) - 1) == phase::FIRED
}

/// At all operators of a plan that read several nodes.
#[derive(Default)]
pub struct Arrivals(BTreeMap<NodeId, Arc<Arrival>>);

impl Arrivals {
    /// Of a plan.
    pub fn new(plan: &Plan) -> Arrivals {
        let several = || (0..).zip(&plan.nodes).filter(|(_, node)| node.inputs.len() > 1);
        let ties = several().any(|(_, node)| has_ties(plan, node));
        let ways = if ties { ways_to_all(plan) } else { Vec::new() };
        let arrival = |(id, node): (NodeId, &Node)| {
            let mut arrival = Arrival::of_text(plan, node, ties);
            let of_ports = node.inputs.iter().map(|input| ways.get(*input as usize).and_then(Option::as_deref));
            if let Some(of_ports) = of_ports.collect::<Option<Vec<_>>>() {
                arrival.place(&of_ports);
            }
            (id, Arc::new(arrival))
        };
        Arrivals(several().map(arrival).collect())
    }

    /// At a node.
    pub fn at(&self, node: NodeId) -> Arc<Arrival> {
        let nothing = || Arc::new(Arrival { ports: vec![Port::default()], ties: false, mixed: false });
        self.0.get(&node).cloned().unwrap_or_else(nothing)
    }
}

impl Arrival {
    /// By the order of the text alone.
    fn of_text(plan: &Plan, node: &Node, ties: bool) -> Arrival {
        let inputs = &node.inputs;
        let mut ports: Vec<Port> = inputs.iter().map(|_| Port::default()).collect();
        let mut order: Vec<usize> = (0..inputs.len()).collect();
        order.sort_by_key(|&port| (plan.nodes[inputs[port] as usize].stream, inputs[port]));
        for (&port, place) in order.iter().zip(1..) {
            (ports[port].fired, ports[port].direct) = (place, place);
        }
        Arrival { ports, ties, mixed: false }
    }

    /// Gives the ways to each port their places.
    fn place(&mut self, ways: &[&[(Way, Places)]]) {
        let mut all: Vec<&Way> = ways.iter().copied().flatten().map(|(way, _)| way).collect();
        all.sort_unstable();
        all.dedup();
        let ranks = Ranks::new(&all);
        let at = |way: &Way| all.partition_point(|other| *other < way);
        let spans: Vec<Option<(usize, usize)>> = ways
            .iter()
            .map(|ways| {
                let places = || ways.iter().map(|(way, _)| at(way));
                places().min().zip(places().max())
            })
            .collect();
        let mut order: Vec<usize> = (0..ways.len()).collect();
        order.sort_by_key(|&port| (spans[port], self.ports[port].fired));
        let overlaps = |pair: &[usize]| match (spans[pair[0]], spans[pair[1]]) {
            (Some((_, last)), Some((first, _))) => first <= last,
            _ => false,
        };
        let numbers = all.iter().any(|way| way.parts.len() > 1);
        self.mixed =
            numbers || order.windows(2).any(|pair| overlaps(pair) && ways[pair[0]].len() + ways[pair[1]].len() > 2);
        for (&port, place) in order.iter().zip(1..) {
            self.ports[port].direct = place;
            self.ports[port].places = ways[port].iter().map(|(way, places)| (*places, ranks.of(way))).collect();
        }
    }

    /// The rank with which a row of a port goes on, given the one that it came with.
    fn rank(&self, port: usize, pos: u64, (first, second, third): FiredRank) -> FiredRank {
        let port = &self.ports[port];
        if is_fired(pos) {
            return (u64::from(port.fired.min(255)) << 56 | first >> 8, second, third);
        }
        let came = [first, second, third].map(|part| (part >> NUMBER_BITS) as u32);
        let places = port.places.get(&came).unwrap_or(&came).map(|place| u64::from(place) << NUMBER_BITS);
        (places[0] | first & NUMBER, places[1] | second & NUMBER, places[2] | third & NUMBER)
    }

    /// Rows of a port with the ranks by which they are in order among those of all ports. `ranked`: some have ranks already.
    pub fn ranked(&self, port: usize, rows: Rows, ranked: bool) -> Rows {
        if !ranked && !self.ties {
            return rows;
        }
        let rank = (0..rows.len()).map(|row| self.rank(port, rows.pos[row], rank_of(&rows, row))).collect();
        Rows { rank: Some(Arc::new(rank)), ..rows }
    }

    /// For each port the place of each of its rows in one chunk: of two rows with one position and one time, the one with
    /// the lower place comes first.
    pub fn order(&self, ports: &[Option<&Rows>]) -> Vec<Vec<u32>> {
        let mut places: Vec<Vec<u32>> = vec![Vec::new(); ports.len()];
        if !self.mixed {
            for (port, rows) in ports.iter().enumerate() {
                let place = |pos: &u64| if is_fired(*pos) { self.ports[port].fired } else { self.ports[port].direct };
                places[port] = rows.map_or_else(Vec::new, |rows| rows.pos.iter().map(place).collect());
            }
            return places;
        }
        let mut all = Vec::new();
        for (port, rows) in ports.iter().enumerate() {
            let Some(rows) = rows else { continue };
            let at = |row: usize| (rows.pos[row], self.rank(port, rows.pos[row], rank_of(rows, row)), port, row);
            all.extend((0..rows.len()).map(at));
            places[port] = vec![0; rows.len()];
        }
        all.sort_unstable();
        all.iter().zip(0..).for_each(|((.., port, row), place)| places[*port][*row] = place);
        places
    }

    /// Places for records that stand in order already, and that came before all others.
    pub fn taken_over(&self, port: usize, count: usize, before: &mut u32) -> Vec<u32> {
        if !self.mixed {
            return vec![self.ports[port].direct; count];
        }
        let first = *before;
        *before += count as u32;
        (first..*before).collect()
    }

    /// Ports as their streams stand in the text.
    pub fn ports(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.ports.len()).collect();
        order.sort_by_key(|&port| self.ports[port].fired);
        order
    }
}

fn rank_of(rows: &Rows, row: usize) -> FiredRank {
    rows.rank.as_ref().map_or((0, 0, 0), |rank| rank[row])
}

/// The rank of the result with this number that an operator made of a row: results of one row keep their order wherever
/// their keys send them.
pub fn numbered(pos: u64, (first, second, third): FiredRank, number: u64) -> FiredRank {
    if is_fired(pos) {
        return (first, second, third.saturating_add(number));
    }
    let number = (number + 1).min(NUMBER);
    match (first & NUMBER, second & NUMBER, third & NUMBER) {
        (0, ..) => (first | number, second, third),
        (_, 0, _) => (first, second | number, third),
        (.., last) => (first, second, third & !NUMBER | (last + number).min(NUMBER)),
    }
}

/// The rank of the correction with this number that a late row brings about at once. Corrections by what was fired stand
/// where other results that are fired do, and go by their windows.
pub fn corrected(rows: &Rows, row: usize, number: u64) -> Option<FiredRank> {
    let pos = rows.pos[row];
    (!is_fired(pos)).then(|| numbered(pos, rank_of(rows, row), number))
}

/// Places of parts among those of all ways.
struct Ranks<'w> {
    first: Vec<(Option<u32>, usize, &'w [u32])>,
    others: [Vec<&'w [u32]>; PARTS - 1],
}

impl<'w> Ranks<'w> {
    fn new(ways: &[&'w Way]) -> Ranks<'w> {
        let first: BTreeSet<_> = ways.iter().map(|way| (way.timer, way.hops, way.part(0))).collect();
        let other = |part: usize| {
            let parts: BTreeSet<&[u32]> = ways.iter().map(|way| way.part(part)).collect();
            parts.into_iter().collect()
        };
        Ranks { first: first.into_iter().collect(), others: [other(1), other(2)] }
    }

    fn of(&self, way: &Way) -> Places {
        let first = (way.timer, way.hops, way.part(0));
        let other = |part: usize| self.others[part - 1].partition_point(|other| *other < way.part(part)) as u32;
        [self.first.partition_point(|other| *other < first) as u32, other(1), other(2)]
    }
}

/// Nodes whose direct results a node passes on, or makes its own of.
fn sources<'p>(plan: &'p Plan, node: &'p Node) -> &'p [NodeId] {
    match &node.op {
        // What they give is fired.
        Op::Join(_) | Op::Sequence(_) => &[],
        Op::Late { .. } => node.inputs.first().map_or(&[], |operator| &plan.nodes[*operator as usize].inputs),
        _ => &node.inputs,
    }
}

/// Do several ports of a node get records of one cause?
fn has_ties(plan: &Plan, node: &Node) -> bool {
    if node.inputs.len() < 2 {
        return false;
    }
    // Which port has led to a node; timers count as one.
    let mut reached: BTreeMap<NodeId, usize> = BTreeMap::new();
    let mut timed = None;
    for (port, &input) in node.inputs.iter().enumerate() {
        let mut open = vec![input];
        while let Some(at) = open.pop() {
            match reached.insert(at, port) {
                Some(other) if other == port => continue,
                Some(_) => return true,
                None => {}
            }
            let node = &plan.nodes[at as usize];
            if matches!(node.op, Op::Timer { .. }) && *timed.get_or_insert(port) != port {
                return true;
            }
            open.extend(sources(plan, node));
        }
    }
    false
}

/// The ways to the output of each node; `None` where there are too many.
fn ways_to_all(plan: &Plan) -> Vec<Option<Ways>> {
    let mut ways: Vec<Option<Ways>> = Vec::with_capacity(plan.nodes.len());
    let mut left = MAX_STEPS;
    for node in &plan.nodes {
        let of_node = ways_to(plan, node, &ways);
        let steps = of_node.iter().flatten().map(|(way, _)| way.hops + 1).sum();
        let fits = left.checked_sub(steps);
        left = fits.unwrap_or(0);
        ways.push(of_node.filter(|_| fits.is_some()));
    }
    ways
}

/// The ways to the output of a node, given those to the nodes before it.
fn ways_to(plan: &Plan, node: &Node, known: &[Option<Ways>]) -> Option<Ways> {
    let of = |input: &NodeId| known.get(*input as usize).cloned().flatten();
    let ways: Ways = match &node.op {
        Op::Input(_) => vec![(Way::default(), Places::default())],
        Op::Timer { .. } => {
            let begun = Way { timer: Some(node.stream), ..Way::default() };
            vec![(begun.through(node.stream), Places::default())]
        }
        Op::Merge(_) => {
            let all: Vec<Ways> = node.inputs.iter().map(of).collect::<Option<_>>()?;
            let ways: BTreeSet<Way> = all.into_iter().flatten().map(|(way, _)| way).collect();
            let ranks = Ranks::new(&ways.iter().collect::<Vec<_>>());
            let places: Vec<Places> = ways.iter().map(|way| ranks.of(way)).collect();
            ways.into_iter().map(|way| way.through(node.stream)).zip(places).collect()
        }
        Op::Late { .. } => {
            // Rows that are late at an operator of several inputs do not say by which of them they came.
            let Some((operator, first)) = node.inputs.first().zip(sources(plan, node).first()) else {
                return Some(Ways::new());
            };
            let in_front = enter(of(first)?, plan, *first, plan.nodes[*operator as usize].stream);
            in_front.into_iter().map(|(way, places)| (way.through(node.stream), places)).collect()
        }
        _ => match sources(plan, node).first() {
            Some(input) => enter(of(input)?, plan, *input, node.stream),
            None => Ways::new(),
        },
    };
    Some(match node.op {
        Op::Process { .. } | Op::Window { allowed_lateness: 1.., .. } => {
            ways.into_iter().map(|(way, places)| (way.numbered(), places)).collect()
        }
        _ => ways,
    })
}

/// Ways from the output of a node to where an operator of this stream takes it.
fn enter(ways: Ways, plan: &Plan, from: NodeId, stream: u32) -> Ways {
    let from = &plan.nodes[from as usize];
    if !matches!(from.op, Op::Input(_)) && from.stream == stream {
        return ways;
    }
    ways.into_iter().map(|(way, places)| (way.through(stream), places)).collect()
}
