//! From the plan to timely: one operator per chain of nodes, an exchange in front of every keyed node. The code does not know
//! how many peers there are.

use super::align::{Align, Aligned};
use super::chain::{Readers, is_output};
use super::collect::Collector;
use super::envelope::Envelope;
use super::route::{self, Spread, Take};
use super::shared::Shared;
use super::source::{self, Intake, SourceBatch};
use super::tick::Tick;
use crate::batch::{Batch, Chunk, Rows};
use crate::operators::{self, Clockwork, Context, Operator};
use crate::snapshot::{self, Restore, Snapshot};
use rarog_lang::plan::{Node, NodeId, Op};
use std::sync::Arc;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Concatenate;
use timely::dataflow::operators::generic::Operator as _;
use timely::dataflow::{Scope, Stream};

type Edge<'scope> = Stream<'scope, Tick, Vec<Batch>>;
type Mail<'scope> = Stream<'scope, Tick, Vec<Envelope>>;
type Batches = CapacityContainerBuilder<Vec<Batch>>;
type Envelopes = CapacityContainerBuilder<Vec<Envelope>>;

struct Rendered<'scope> {
    edge: Edge<'scope>,
    spread: Spread,
}

/// Builds the graph of a plan at this peer.
pub fn render<'scope>(
    scope: Scope<'scope, Tick>,
    shared: &Arc<Shared>,
    intake: &Arc<dyn Intake>,
    clockwork: Clockwork,
) -> Result<(), String> {
    let peers = scope.peers();
    let source = source::render(scope, peers, shared.clone(), intake.clone());
    let readers = Readers::of(&shared.plan);
    // What the last node of each chain gives: those in front of it have no other reader.
    let mut rendered: Vec<Option<Rendered>> = shared.plan.nodes.iter().map(|_| None).collect();
    let mut done = vec![false; rendered.len()];
    for (id, node) in shared.plan.nodes.iter().enumerate() {
        if done[id] {
            continue;
        }
        if let Op::Input(input) = &node.op {
            let edge = input_edge(source.clone(), Some(*input as usize));
            rendered[id] = Some(Rendered { edge, spread: Spread::Local });
            continue;
        }
        if matches!(node.op, Op::Late { .. }) {
            rendered[id] = Some(late_edge(&rendered, node)?);
            continue;
        }
        let (chain, last) = operator(scope, id as NodeId, shared, &source, &rendered, (&readers, clockwork))?;
        chain.iter().for_each(|&node| done[node as usize] = true);
        rendered[chain[chain.len() - 1] as usize] = Some(last);
    }
    collector(scope, shared, source, rendered, &readers);
    Ok(())
}

/// The rows of one input of the plan, chunk by chunk; `None`: the chunks alone.
fn input_edge<'scope>(source: Stream<'scope, Tick, Vec<SourceBatch>>, input: Option<usize>) -> Edge<'scope> {
    source.unary::<Batches, _, _, _>(Pipeline, "input", move |_, _| {
        move |from, to| {
            from.for_each(|time, data| {
                let mut session = to.session(&time);
                for batch in data.drain(..) {
                    let rows = input.and_then(|input| batch.inputs[input].clone());
                    session.give(Batch { chunk: batch.chunk, rows, late: None });
                }
            });
        }
    })
}

/// The late rows of the operator that a `late(S)` reads.
fn late_edge<'scope>(rendered: &[Option<Rendered<'scope>>], node: &Node) -> Result<Rendered<'scope>, String> {
    let of = node.inputs.first().and_then(|of| rendered.get(*of as usize)).and_then(Option::as_ref);
    let Rendered { edge, spread } = of.ok_or("a late() of the plan reads nothing")?;
    let edge = edge.clone().unary::<Batches, _, _, _>(Pipeline, "late", |_, _| {
        |from, to| {
            from.for_each(|time, data| {
                let mut session = to.session(&time);
                for Batch { chunk, late, .. } in data.drain(..) {
                    session.give(Batch { chunk, rows: late, late: None });
                }
            });
        }
    });
    Ok(Rendered { edge, spread: *spread })
}

/// The operator of a node and of those that go on with what it gives; which these are.
fn operator<'scope>(
    scope: Scope<'scope, Tick>,
    id: NodeId,
    shared: &Arc<Shared>,
    source: &Stream<'scope, Tick, Vec<SourceBatch>>,
    rendered: &[Option<Rendered<'scope>>],
    (readers, clockwork): (&Readers, Clockwork),
) -> Result<(Vec<NodeId>, Rendered<'scope>), String> {
    let node = &shared.plan.nodes[id as usize];
    let inputs = node.inputs.iter().filter_map(|&input| rendered[input as usize].as_ref());
    let mut inputs: Vec<(Edge, Spread)> = inputs.map(|r| (r.edge.clone(), r.spread)).collect();
    if inputs.len() != node.inputs.len() {
        return Err(format!("node {id} of the plan reads one that comes after it"));
    }
    if inputs.is_empty() {
        inputs.push((input_edge(source.clone(), None), Spread::Local));
    }
    let spreads: Vec<Spread> = inputs.iter().map(|(_, spread)| *spread).collect();
    let take = route::take(node, &spreads);
    let peers = scope.peers();
    let turns = |id, take| turns(id, shared, clockwork, take, (scope.index(), peers));
    let (mut ids, mut chain) = (vec![id], vec![turns(id, take)?]);
    let mut spread = route::spread(take, &spreads);
    while let Some(next) = readers.next(&shared.plan, ids[ids.len() - 1]) {
        let take = route::take(&shared.plan.nodes[next as usize], &[spread]);
        if take != Take::InPlace && peers > 1 {
            break;
        }
        chain.push(turns(next, take)?);
        ids.push(next);
        spread = route::spread(take, &[spread]);
    }
    let chain = Chain(chain);
    if let ([(edge, _)], true) = (inputs.as_slice(), take == Take::InPlace || peers == 1) {
        return Ok((ids, Rendered { edge: direct(edge.clone(), chain), spread }));
    }
    let senders = |spread: &Spread| if take == Take::InPlace { 1 } else { spread.senders(peers) };
    let align = Align::new(inputs.len(), spreads.iter().map(senders).sum(), take != Take::InPlace, shared.start.chunk);
    let mail: Vec<Mail> = inputs
        .into_iter()
        .enumerate()
        .map(|(port, (edge, _))| address(edge, port as u32, take, &chain.0[0].context, peers))
        .collect();
    let mail = scope.concatenate(mail);
    let step = Step { chain, align };
    let edge = if take == Take::InPlace || peers == 1 {
        mail.unary_frontier::<Batches, _, _, _>(Pipeline, "operator", |capability, _| step.logic(capability))
    } else {
        let pact = Exchange::new(|envelope: &Envelope| envelope.to);
        mail.unary_frontier::<Batches, _, _, _>(pact, "operator", |capability, _| step.logic(capability))
    };
    Ok((ids, Rendered { edge, spread }))
}

/// The operator of a node, with the state that the run begins with.
fn turns(
    id: NodeId,
    shared: &Arc<Shared>,
    clockwork: Clockwork,
    take: Take,
    peer: (usize, usize),
) -> Result<Turns, String> {
    let context = Context::new(shared.clone(), id, clockwork);
    let mut operator = operators::build(&context)?;
    debug_assert!(operator.state_version().is_none() || snapshot::keeps_state(&context.node().op));
    restore(&mut *operator, &context, take, peer)?;
    Ok(Turns { operator, context })
}

/// Gives an operator the state that the run begins with, if there is one.
fn restore(
    operator: &mut dyn Operator,
    context: &Context,
    take: Take,
    (peer, peers): (usize, usize),
) -> Result<(), String> {
    let Some(state) = context.shared.start.states.get(&context.node) else { return Ok(()) };
    let restore = match take {
        Take::Keyed => Restore::new(state, peer, peers),
        // Its chunks all go to peer 0.
        Take::Single | Take::InPlace if peer == 0 => Restore::new(state, 0, 1),
        Take::Single | Take::InPlace => return Ok(()),
    };
    let restored = restore.check_version(operator.state_version());
    let restored = restored.and_then(|()| operator.restore(&restore, context));
    restored.map_err(|error| format!("stream {}: its state cannot be taken over: {error}", context.stream()))
}

/// One input whose chunks come as they must be taken: no envelopes, nothing to align.
fn direct<'scope>(edge: Edge<'scope>, mut chain: Chain) -> Edge<'scope> {
    let mut open = true;
    edge.unary_frontier::<Batches, _, _, _>(Pipeline, "operator", move |_, _| {
        move |(from, frontier), to| {
            from.for_each(|time, data| {
                let mut session = to.session(&time);
                for Batch { chunk, rows, .. } in data.drain(..) {
                    session.give(chain.turn(chunk, vec![rows]));
                }
            });
            if open && frontier.is_empty() {
                open = false;
                chain.end();
            }
        }
    })
}

/// Puts batches into envelopes for the peers that take them.
fn address<'scope>(edge: Edge<'scope>, port: u32, take: Take, context: &Context, peers: usize) -> Mail<'scope> {
    let key = route::key(context.node(), port as usize);
    let mut keys = (take == Take::Keyed && peers > 1).then(|| operators::Keys::of_port(&key, port as usize, context));
    let shared = context.shared.clone();
    edge.unary::<Envelopes, _, _, _>(Pipeline, "address", move |_, _| {
        move |from, to| {
            from.for_each(|time, data| {
                let mut session = to.session(&time);
                for batch in data.drain(..) {
                    let Some(keys) = &mut keys else {
                        session.give(Envelope { port, to: 0, batch: Batch { late: None, ..batch } });
                        continue;
                    };
                    let rows = batch.rows;
                    let parts = shared.guard(|| "the exchange".into(), || scatter(keys, rows, peers));
                    let mut parts = parts.unwrap_or_default().into_iter();
                    for to in 0..peers as u64 {
                        let batch = Batch { chunk: batch.chunk.clone(), rows: parts.next().flatten(), late: None };
                        session.give(Envelope { port, to, batch });
                    }
                }
            });
        }
    })
}

/// Splits rows by the bin of their key.
fn scatter(keys: &mut operators::Keys, rows: Option<Rows>, peers: usize) -> Vec<Option<Rows>> {
    let Some(rows) = rows else { return Vec::new() };
    let columns = keys.of(&rows);
    let mut parts = vec![Vec::new(); peers];
    for (row, hash) in columns.hashes.iter().enumerate() {
        parts[snapshot::peer(snapshot::bin(*hash), peers)].push(row as u32);
    }
    parts.into_iter().map(|part| rows.clone().select(&part)).collect()
}

/// An operator and its surroundings.
struct Turns {
    operator: Box<dyn Operator>,
    context: Context,
}

impl Turns {
    /// Applies one chunk.
    fn turn(&mut self, chunk: Arc<Chunk>, ports: Vec<Option<Rows>>) -> Batch {
        let Turns { operator, context } = self;
        if context.shared.failed() {
            return Batch { chunk, rows: None, late: None };
        }
        let what = || format!("stream {}", context.stream());
        let applied = context.shared.guard(what, || {
            let rows = operator.apply(&chunk, ports, context);
            let late = context.late_rows(&chunk);
            if let (true, Some(version)) = (chunk.barrier, operator.state_version()) {
                let mut snapshot = Snapshot::new(version);
                operator.snapshot(&mut snapshot, context);
                context.shared.put_snapshot(chunk.seq, context.node, snapshot);
            }
            (rows, late)
        });
        let (rows, late) = applied.unwrap_or_default();
        Batch { chunk, rows, late }
    }

    /// Nothing follows.
    fn end(&self) {
        self.context.shared.discarded(self.operator.open());
    }
}

/// Nodes, each of which takes what the one before it gives.
struct Chain(Vec<Turns>);

impl Chain {
    /// Applies one chunk: its rows by port of the first node.
    fn turn(&mut self, chunk: Arc<Chunk>, mut ports: Vec<Option<Rows>>) -> Batch {
        let mut batch = Batch { chunk, rows: None, late: None };
        for turns in &mut self.0 {
            batch = turns.turn(batch.chunk, ports);
            ports = vec![batch.rows.take()];
        }
        Batch { rows: ports.pop().flatten(), ..batch }
    }

    /// Nothing follows.
    fn end(&self) {
        self.0.iter().for_each(Turns::end);
    }
}

/// A chain whose chunks have to be put together, or into order, first.
struct Step {
    chain: Chain,
    align: Align,
}

type Frontier = timely::progress::frontier::MutableAntichain<Tick>;
type Inlet<P> = timely::dataflow::operators::generic::InputHandleCore<Tick, Vec<Envelope>, P>;
type Outlet<'a> = timely::dataflow::operators::generic::OutputBuilderSession<'a, Tick, Batches>;

impl Step {
    /// What has become complete is applied, one chunk after the other.
    fn logic<P: timely::communication::Pull<timely::dataflow::channels::Message<Tick, Vec<Envelope>>>>(
        mut self,
        capability: timely::dataflow::operators::Capability<Tick>,
    ) -> impl FnMut((&mut Inlet<P>, &Frontier), &mut Outlet<'_>) {
        let mut capability = Some(capability);
        move |(from, frontier), to| {
            from.for_each(|_, data| data.drain(..).for_each(|envelope| self.align.push(envelope)));
            if let Some(capability) = &mut capability {
                while let Some(Aligned { chunk, ports }) = self.align.pop() {
                    let ports = ports.into_iter().map(Rows::in_order).collect();
                    to.session(&*capability).give(self.chain.turn(chunk, ports));
                }
                if let (true, Some(tick)) = (self.align.is_empty(), frontier.frontier().iter().min()) {
                    capability.downgrade(tick);
                }
            }
            if frontier.is_empty() && capability.take().is_some() {
                self.chain.end();
            }
        }
    }
}

/// Leads every output, every leaf and the source to the collector at peer 0.
fn collector<'scope>(
    scope: Scope<'scope, Tick>,
    shared: &Arc<Shared>,
    source: Stream<'scope, Tick, Vec<SourceBatch>>,
    rendered: Vec<Option<Rendered<'scope>>>,
    readers: &Readers,
) {
    let peers = scope.peers();
    let plan = &shared.plan;
    let mut nodes: Vec<Option<NodeId>> = vec![None];
    let mut mail = vec![enclose(input_edge(source, None), 0, false)];
    let mut expected = 1;
    for (id, node) in (0..).zip(rendered) {
        let Some(node) = node else { continue };
        let output = is_output(&plan.nodes[id as usize].op);
        if output || readers.is_leaf(id) {
            mail.push(enclose(node.edge, nodes.len() as u32, output));
            nodes.push(output.then_some(id));
            expected += node.spread.senders(peers);
        }
    }
    let mut collector = Collector::new(nodes, expected, shared.clone());
    let mail = scope.concatenate(mail);
    let of_collector = shared.clone();
    let logic = move |data: &mut Vec<Envelope>| {
        of_collector.guard(|| "an output".into(), || data.drain(..).for_each(|envelope| collector.push(envelope)));
    };
    if peers == 1 {
        finish(mail, Pipeline, shared.clone(), logic);
    } else {
        finish(mail, Exchange::new(|envelope: &Envelope| envelope.to), shared.clone(), logic);
    }
}

fn finish<'scope, P>(
    mail: Mail<'scope>,
    pact: P,
    shared: Arc<Shared>,
    mut logic: impl FnMut(&mut Vec<Envelope>) + 'static,
) where
    P: timely::dataflow::channels::pact::ParallelizationContract<Tick, Vec<Envelope>>,
{
    let mut open = true;
    mail.unary_frontier::<Batches, _, _, _>(pact, "collect", move |_, _| {
        move |(from, frontier), _| {
            from.for_each(|_, data| logic(data));
            if open && frontier.is_empty() {
                open = false;
                shared.come_through();
            }
        }
    });
}

fn enclose<'scope>(edge: Edge<'scope>, port: u32, with_rows: bool) -> Mail<'scope> {
    edge.unary::<Envelopes, _, _, _>(Pipeline, "enclose", move |_, _| {
        move |from, to| {
            from.for_each(|time, data| {
                let mut session = to.session(&time);
                for mut batch in data.drain(..) {
                    batch.rows = batch.rows.filter(|_| with_rows);
                    batch.late = None;
                    session.give(Envelope { port, to: 0, batch });
                }
            });
        }
    })
}
