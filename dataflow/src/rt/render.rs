//! From the plan to timely: one operator per node, an exchange in front of every keyed one. The code does not know how many
//! peers there are.

use super::align::{Align, Aligned};
use super::collect::Collector;
use super::envelope::Envelope;
use super::route::{self, Spread, Take};
use super::shared::Shared;
use super::source::{self, Intake, SourceBatch};
use super::tick::Tick;
use crate::batch::{Batch, Chunk, Rows};
use crate::operators::{self, Clockwork, Context, Operator};
use crate::snapshot::{self, Restore, Snapshot};
use rarog_lang::plan::{NodeId, Op};
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
    let mut rendered: Vec<Rendered> = Vec::new();
    for (id, node) in shared.plan.nodes.iter().enumerate() {
        let next = match &node.op {
            Op::Input(input) => {
                let edge = input_edge(source.clone(), Some(*input as usize));
                Rendered { edge, spread: Spread::Local }
            }
            _ => operator(scope, id as NodeId, shared, &source, &rendered, clockwork)?,
        };
        rendered.push(next);
    }
    collector(scope, shared, source, rendered);
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
                    session.give(Batch { chunk: batch.chunk, rows });
                }
            });
        }
    })
}

fn operator<'scope>(
    scope: Scope<'scope, Tick>,
    id: NodeId,
    shared: &Arc<Shared>,
    source: &Stream<'scope, Tick, Vec<SourceBatch>>,
    rendered: &[Rendered<'scope>],
    clockwork: Clockwork,
) -> Result<Rendered<'scope>, String> {
    let node = &shared.plan.nodes[id as usize];
    let functions: Arc<[_]> = shared.plan.functions.clone().into();
    let context = Context { shared: shared.clone(), node: id, functions, clockwork };
    let mut inputs: Vec<(Edge, Spread)> =
        node.inputs.iter().map(|&input| &rendered[input as usize]).map(|r| (r.edge.clone(), r.spread)).collect();
    if inputs.is_empty() {
        inputs.push((input_edge(source.clone(), None), Spread::Local));
    }
    let spreads: Vec<Spread> = inputs.iter().map(|(_, spread)| *spread).collect();
    let take = route::take(node, &spreads);
    let peers = scope.peers();
    let spread = route::spread(take, &spreads);
    let mut operator = operators::build(&context)?;
    debug_assert!(operator.state_version().is_none() || snapshot::keeps_state(&node.op));
    restore(&mut *operator, &context, take, (scope.index(), peers))?;
    let turns = Turns { operator, context };
    if let ([(edge, _)], true) = (inputs.as_slice(), take == Take::InPlace || peers == 1) {
        return Ok(Rendered { edge: direct(edge.clone(), turns), spread });
    }
    let senders = |spread: &Spread| if take == Take::InPlace { 1 } else { spread.senders(peers) };
    let align = Align::new(inputs.len(), spreads.iter().map(senders).sum(), take != Take::InPlace, shared.start.chunk);
    let mail: Vec<Mail> = inputs
        .into_iter()
        .enumerate()
        .map(|(port, (edge, _))| address(edge, port as u32, take, &turns.context, peers))
        .collect();
    let mail = scope.concatenate(mail);
    let step = Step { turns, align };
    let edge = if take == Take::InPlace || peers == 1 {
        mail.unary_frontier::<Batches, _, _, _>(Pipeline, "operator", |capability, _| step.logic(capability))
    } else {
        let pact = Exchange::new(|envelope: &Envelope| envelope.to);
        mail.unary_frontier::<Batches, _, _, _>(pact, "operator", |capability, _| step.logic(capability))
    };
    Ok(Rendered { edge, spread })
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
fn direct<'scope>(edge: Edge<'scope>, mut turns: Turns) -> Edge<'scope> {
    let mut open = true;
    edge.unary_frontier::<Batches, _, _, _>(Pipeline, "operator", move |_, _| {
        move |(from, frontier), to| {
            from.for_each(|time, data| {
                let mut session = to.session(&time);
                for Batch { chunk, rows } in data.drain(..) {
                    session.give(turns.turn(chunk, vec![rows]));
                }
            });
            if open && frontier.is_empty() {
                open = false;
                turns.end();
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
                        session.give(Envelope { port, to: 0, batch });
                        continue;
                    };
                    let rows = batch.rows;
                    let parts = shared.guard(|| "the exchange".into(), || scatter(keys, rows, peers));
                    let mut parts = parts.unwrap_or_default().into_iter();
                    for to in 0..peers as u64 {
                        let batch = Batch { chunk: batch.chunk.clone(), rows: parts.next().flatten() };
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
            return Batch { chunk, rows: None };
        }
        let what = || format!("stream {}", context.stream());
        let rows = context.shared.guard(what, || {
            let rows = operator.apply(&chunk, ports, context);
            if let (true, Some(version)) = (chunk.barrier, operator.state_version()) {
                let mut snapshot = Snapshot::new(version);
                operator.snapshot(&mut snapshot, context);
                context.shared.put_snapshot(chunk.seq, context.node, snapshot);
            }
            rows
        });
        Batch { rows: rows.flatten(), chunk }
    }

    /// Nothing follows.
    fn end(&self) {
        self.context.shared.discarded(self.operator.open());
    }
}

/// An operator whose chunks have to be put together, or into order, first.
struct Step {
    turns: Turns,
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
                    to.session(&*capability).give(self.turns.turn(chunk, ports));
                }
                if let (true, Some(tick)) = (self.align.is_empty(), frontier.frontier().iter().min()) {
                    capability.downgrade(tick);
                }
            }
            if frontier.is_empty() && capability.take().is_some() {
                self.turns.end();
            }
        }
    }
}

/// Leads every output, every leaf and the source to the collector at peer 0.
fn collector<'scope>(
    scope: Scope<'scope, Tick>,
    shared: &Arc<Shared>,
    source: Stream<'scope, Tick, Vec<SourceBatch>>,
    rendered: Vec<Rendered<'scope>>,
) {
    let peers = scope.peers();
    let plan = &shared.plan;
    let mut nodes: Vec<Option<NodeId>> = vec![None];
    let mut mail = vec![enclose(input_edge(source, None), 0, false)];
    let mut expected = 1;
    for (id, node) in rendered.into_iter().enumerate() {
        let output = matches!(plan.nodes[id].op, Op::Emit | Op::Send { .. });
        let leaf = !plan.nodes.iter().any(|reader| reader.inputs.contains(&(id as NodeId)));
        if output || leaf {
            mail.push(enclose(node.edge, nodes.len() as u32, output));
            nodes.push(output.then_some(id as NodeId));
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
                    session.give(Envelope { port, to: 0, batch });
                }
            });
        }
    })
}
