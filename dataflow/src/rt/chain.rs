//! Which nodes one operator of timely takes together: chains of nodes each of which alone reads the one before it (a filter, its
//! projection, its output). timely's bookkeeping per operator and chunk costs as much as filtering hundreds of rows.
//!
//! ```text
//! input ─┬─► filter ► project ► emit        two chains behind one input
//!        └─► filter ► window ► project ► emit
//! ```

use rarog_lang::plan::{NodeId, Op, Plan};

/// Who reads the output of which node.
pub struct Readers(Vec<Vec<NodeId>>);

impl Readers {
    /// The readers of a plan's nodes.
    pub fn of(plan: &Plan) -> Readers {
        let mut readers = vec![Vec::new(); plan.nodes.len()];
        for (id, node) in (0..).zip(&plan.nodes) {
            node.inputs.iter().for_each(|&input| readers[input as usize].push(id));
        }
        Readers(readers)
    }

    /// Does nobody read it?
    pub fn is_leaf(&self, id: NodeId) -> bool {
        self.0[id as usize].is_empty()
    }

    /// The node that may go on in the same operator: it reads nothing else, and nobody else reads this one.
    pub fn next(&self, plan: &Plan, id: NodeId) -> Option<NodeId> {
        let [reader] = self.0[id as usize][..] else { return None };
        let node = &plan.nodes[reader as usize];
        let alone = node.inputs.len() == 1 && !matches!(node.op, Op::Late { .. });
        (alone && !is_output(&plan.nodes[id as usize].op)).then_some(reader)
    }
}

/// Does the collector take its rows?
pub fn is_output(op: &Op) -> bool {
    matches!(op, Op::Emit | Op::Send { .. } | Op::Alert { .. })
}
