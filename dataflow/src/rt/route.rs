//! Where a node runs and how its inputs get there.
//!
//! A node's output is *local* (each chunk is at the peer that decoded it), at *all* peers (each has a part of every chunk)
//! or at *one* (peer 0 has it all). Operators without state run where their input is; keyed ones at all peers behind an
//! exchange on the key; those over the whole stream at one.

use crate::operators;
use rarog_lang::plan::{Expr, Node, Op};

/// Which peers hold the rows of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// The peer that decoded the chunk.
    Local,
    /// Every peer a part.
    All,
    /// Peer 0.
    One,
}

impl Spread {
    /// Envelopes per chunk that one consumer peer gets when all of an output goes to it.
    pub fn senders(self, peers: usize) -> usize {
        if self == Spread::All { peers } else { 1 }
    }
}

/// How a node takes its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// Where they are; chunks in any order.
    InPlace,
    /// By the hash of the key, chunks in order.
    Keyed,
    /// Everything at peer 0, chunks in order.
    Single,
}

/// How this node takes its inputs, given where they are.
pub fn take(node: &Node, inputs: &[Spread]) -> Take {
    match &node.op {
        Op::Window { key, .. } | Op::AggregateRunning { key, .. } if !key.is_empty() => Take::Keyed,
        Op::Sequence(sequence) if !sequence.key.is_empty() => Take::Keyed,
        Op::Join(join) if !operators::join_key(join, 0).is_empty() => Take::Keyed,
        Op::Window { .. } | Op::AggregateRunning { .. } | Op::Limit(_) | Op::Timer { .. } => Take::Single,
        Op::Sequence(_) | Op::Join(_) => Take::Single,
        Op::Distinct { per_window: false, .. } => Take::Single,
        Op::Merge(_) if inputs.iter().any(|s| *s != inputs[0]) || inputs.first() == Some(&Spread::All) => Take::Single,
        _ => Take::InPlace,
    }
}

/// The key by which the rows of an input are sent to peers: equal keys, of whatever inputs, meet at one.
pub fn key(node: &Node, port: usize) -> Vec<Expr> {
    match &node.op {
        Op::Window { key, .. } | Op::AggregateRunning { key, .. } => key.iter().map(|key| key.value.clone()).collect(),
        Op::Sequence(sequence) => sequence.key.iter().map(|key| key.values[port].clone()).collect(),
        Op::Join(join) => operators::join_key(join, port),
        _ => Vec::new(),
    }
}

/// Where the output is.
pub fn spread(take: Take, inputs: &[Spread]) -> Spread {
    match take {
        Take::InPlace => inputs.first().copied().unwrap_or(Spread::Local),
        Take::Keyed => Spread::All,
        Take::Single => Spread::One,
    }
}
