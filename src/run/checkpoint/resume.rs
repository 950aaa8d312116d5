//! What a run takes over from a checkpoint, and what it says of it.
//!
//! A program may have been edited since: an operator whose stable id is in the checkpoint gets its state, whatever its number
//! and the name of its stream are now. Each of the others is named.

use super::format::Checkpoint;
use super::manifest::Operator;
use rarog_dataflow::snapshot::{States, hash_check, keeps_state};
use rarog_lang::describe;
use rarog_lang::plan::{NodeId, Plan};
use rarog_lang::stable_id::{StableId, stable_ids};
use std::collections::BTreeMap;

/// The operators of a program that have state, and its identity as a whole.
pub struct Program {
    /// All operators in one number.
    pub id: StableId,
    /// Operators with state, without their parts.
    pub operators: BTreeMap<NodeId, Operator>,
}

impl Program {
    /// Of a plan.
    pub fn of(plan: &Plan) -> Program {
        let ids = stable_ids(plan);
        let operator = |(node, id): (usize, &StableId)| {
            let of = &plan.nodes[node];
            let stream = plan.streams[of.stream as usize].name.to_string();
            let does = describe::operator(plan, of);
            keeps_state(&of.op)
                .then(|| (node as NodeId, Operator { id: *id, stream, does, version: 0, parts: Vec::new() }))
        };
        let operators = ids.iter().enumerate().filter_map(operator).collect();
        let mut sorted: Vec<String> = ids.iter().map(StableId::to_string).collect();
        sorted.sort();
        let (high, low) = rarog_lang::hash::hash128(sorted.concat().as_bytes());
        Program { id: StableId(high, low), operators }
    }

    /// The states of a checkpoint for this program's operators, and a line for each operator for which there is something
    /// to say.
    pub fn take_over(&self, checkpoint: Checkpoint) -> Result<(States, Vec<String>), String> {
        let Checkpoint { manifest, states, .. } = checkpoint;
        if manifest.key_hash != hash_check() {
            return Err(format!(
                "the checkpoint was written by rarog {}, which hashes keys in another way; begin anew with --forget",
                manifest.build
            ));
        }
        let mut stored: BTreeMap<StableId, _> = manifest
            .operators
            .into_iter()
            .zip(states)
            .map(|(operator, state)| (operator.id, (operator, state)))
            .collect();
        let (mut taken, mut lines) = (States::new(), Vec::new());
        let changed = manifest.program != self.id;
        for (node, operator) in &self.operators {
            let what = format!("stream {}: {}", operator.stream, operator.does);
            match stored.remove(&operator.id) {
                Some((_, state)) => {
                    taken.insert(*node, state);
                    if changed {
                        lines.push(format!("kept: {what}"));
                    }
                }
                None => lines.push(format!("new, begins without anything: {what}")),
            }
        }
        for (operator, _) in stored.values() {
            lines.push(format!("dropped with its state: stream {}: {}", operator.stream, operator.does));
        }
        if changed {
            let some = if lines.is_empty() { "; no operator with state" } else { "" };
            lines.insert(0, format!("the program has changed since{some}"));
        }
        Ok((taken, lines))
    }
}
