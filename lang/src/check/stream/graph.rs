//! The plan's graph while it grows: nodes, layouts, and the columns that something reads.
//!
//! Columns of a source or merge come to be when a name is resolved to them, so that a layout has exactly what is read.
//! Merges ask their inputs for columns at the end, when all their readers are known.

use super::composite::{Composite, CompositeId};
use super::shape::Shape;
use crate::plan::{ColumnDef, Input, Layout, LayoutId, Node, NodeId, Op, StreamId};
use crate::span::Span;
use crate::value::Type;
use std::collections::HashMap;
use std::sync::Arc;

/// How a layout gets its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// When they are read; the record has more fields than these.
    Open,
    /// When they are read, from the inputs of this merge.
    Merge(NodeId),
    /// When they are read, from the parts of this match or row.
    Composite(CompositeId),
    /// All at once.
    Closed,
}

/// Nodes and layouts.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    pub nodes: Vec<Node>,
    pub layouts: Vec<Layout>,
    pub(super) kinds: Vec<Kind>,
    /// Where each layout has the column of a name.
    pub(super) places: Vec<HashMap<Arc<str>, u32>>,
    pub(super) composites: Vec<Composite>,
    /// Bytes of names of fields that matches and rows have had as whole records.
    pub(super) named_bytes: usize,
    /// Did one of them have too many?
    pub overfull: bool,
    pub inputs: Vec<Input>,
    by_event: HashMap<Arc<str>, NodeId>,
}

pub(super) fn count(len: usize) -> u32 {
    u32::try_from(len).expect("a program of limited size has fewer than 2^32 parts")
}

/// A column that shows its nulls only where a literal `null` stands.
pub(super) fn column(name: Arc<str>, ty: Type) -> ColumnDef {
    ColumnDef { name, ty, keep_null: false, hidden: false }
}

impl Graph {
    /// Adds a node.
    pub fn add(&mut self, op: Op, inputs: Vec<NodeId>, layout: LayoutId, stream: StreamId, span: Span) -> NodeId {
        self.nodes.push(Node { op, inputs, layout, stream, span });
        count(self.nodes.len() - 1)
    }

    pub(super) fn layout(&mut self, layout: Layout, kind: Kind) -> LayoutId {
        let mut places = HashMap::new();
        for (place, column) in layout.columns.iter().enumerate() {
            places.entry(column.name.clone()).or_insert(count(place));
        }
        self.places.push(places);
        self.layouts.push(layout);
        self.kinds.push(kind);
        count(self.layouts.len() - 1)
    }

    /// A layout with all its columns.
    pub fn closed(&mut self, columns: Vec<ColumnDef>) -> LayoutId {
        self.layout(Layout { columns, open: false }, Kind::Closed)
    }

    /// A layout whose columns come when they are read.
    pub fn open(&mut self) -> LayoutId {
        self.layout(Layout { columns: Vec::new(), open: true }, Kind::Open)
    }

    /// The layout of a node's records.
    pub fn layout_of(&self, node: NodeId) -> LayoutId {
        self.nodes[node as usize].layout
    }

    /// The node of an event type that comes from outside.
    pub fn input(&mut self, event: &Arc<str>, stream: StreamId, span: Span) -> NodeId {
        if let Some(node) = self.by_event.get(event) {
            return *node;
        }
        let layout = self.add_input(event);
        let node = self.add(Op::Input(count(self.inputs.len() - 1)), Vec::new(), layout, stream, span);
        self.by_event.insert(event.clone(), node);
        node
    }

    fn add_input(&mut self, event: &Arc<str>) -> LayoutId {
        let layout = self.open();
        self.inputs.push(Input {
            event: event.clone(),
            declared: None,
            time_field: None,
            layout,
            whole: false,
            subscriptions: Vec::new(),
        });
        layout
    }

    /// Makes a declared event an input even if no stream reads it: its records are checked and move the clock.
    pub fn declared_input(&mut self, event: &Arc<str>) {
        if !self.by_event.contains_key(event) {
            self.add_input(event);
        }
    }

    /// Adds a merge; its branches are completed by [`Graph::finish`].
    pub fn merge(&mut self, op: Op, inputs: Vec<NodeId>, shape: &Shape, stream: StreamId, span: Span) -> NodeId {
        let open = shape.open || inputs.iter().any(|input| self.is_open(*input)) || self.differ_in_nulls(&inputs);
        let layout = if open {
            self.layout(Layout { columns: Vec::new(), open: true }, Kind::Closed)
        } else {
            let mut columns: Vec<ColumnDef> =
                shape.fields.iter().map(|(name, ty)| column(name.clone(), ty.clone())).collect();
            for def in &mut columns {
                def.keep_null = self.keep_null(&inputs, &def.name);
            }
            self.layout(Layout { columns, open: false }, Kind::Closed)
        };
        let node = self.add(op, inputs, layout, stream, span);
        self.kinds[layout as usize] = Kind::Merge(node);
        node
    }

    /// Does a field keep its nulls in records of some of these, which are all made here, and not of others? Then each record
    /// has to travel with the fields that it shows.
    fn differ_in_nulls(&self, nodes: &[NodeId]) -> bool {
        let columns = nodes.iter().flat_map(|node| &self.layouts[self.layout_of(*node) as usize].columns);
        let mut kept = columns.filter(|column| !column.hidden && column.keep_null);
        kept.any(|column| !self.keep_null(nodes, &column.name))
    }

    /// Do all of these records keep the nulls of a field?
    fn keep_null(&self, nodes: &[NodeId], name: &str) -> bool {
        nodes.iter().all(|node| {
            let layout = &self.layouts[self.layout_of(*node) as usize];
            layout.columns.iter().any(|column| !column.hidden && column.keep_null && *column.name == *name)
        })
    }

    /// Have its records more fields than the columns that are read?
    pub fn is_open(&self, node: NodeId) -> bool {
        self.layouts[self.layout_of(node) as usize].open
    }

    /// The column of a field of a node's records, which comes to be if it is not there; `None`: there is no such field.
    pub fn column(&mut self, node: NodeId, name: &Arc<str>, ty: &Type) -> Option<u32> {
        let id = self.layout_of(node) as usize;
        if let Some(place) = self.places[id].get(name) {
            return Some(*place);
        }
        match self.kinds[id] {
            Kind::Closed => return None,
            Kind::Composite(composite) => return self.composite_field(composite, name),
            Kind::Open | Kind::Merge(_) => {}
        }
        let columns = &mut self.layouts[id].columns;
        let place = count(columns.len());
        columns.push(column(name.clone(), ty.clone()));
        self.places[id].insert(name.clone(), place);
        Some(place)
    }

    /// Says that a node's records are needed as they came.
    pub fn need_whole(&mut self, node: NodeId) {
        let mut nodes = vec![node];
        let mut seen = vec![false; self.nodes.len()];
        while let Some(node) = nodes.pop() {
            if let Kind::Composite(composite) = self.kinds[self.layout_of(node) as usize] {
                nodes.extend(self.need_composite(composite));
                continue;
            }
            if !self.is_open(node) || std::mem::replace(&mut seen[node as usize], true) {
                continue;
            }
            let draft = &self.nodes[node as usize];
            match draft.op {
                Op::Input(input) => self.inputs[input as usize].whole = true,
                // Late records are whole always.
                Op::Process { .. } | Op::Late { .. } => {}
                Op::Merge(_) => {
                    nodes.extend(&draft.inputs);
                    self.take_made_fields(node);
                }
                _ => nodes.extend(&draft.inputs),
            }
        }
    }

    /// Says that some of the records that a node gives may be needed whole, because they are late. What came from outside and
    /// was only filtered on the way is found again by its place in the chunk; anything else has to travel whole.
    pub fn need_late(&mut self, node: NodeId) {
        let mut nodes = vec![node];
        while let Some(node) = nodes.pop() {
            let draft = &self.nodes[node as usize];
            let closed = |inputs: &[NodeId]| inputs.iter().any(|input| !self.is_open(*input));
            match &draft.op {
                Op::Input(_) | Op::Process { .. } | Op::Late { .. } => {}
                _ if !self.is_open(node) => {}
                Op::Merge(_) if closed(&draft.inputs) => self.need_whole(node),
                // What fires in time is never late.
                Op::Window { allowed_lateness: 0, .. } | Op::Join(_) | Op::Sequence(_) => {}
                Op::Window { .. } => self.need_whole(node),
                _ => nodes.extend(&draft.inputs),
            }
        }
    }

    /// Adds the late records of an event-time operator: they are what its inputs give.
    pub fn late(&mut self, operator: NodeId, of: StreamId, stream: StreamId, span: Span) -> NodeId {
        let layout = match self.nodes[operator as usize].inputs[..] {
            [input] => self.layout_of(input),
            _ => self.open(),
        };
        self.add(Op::Late { of, columns: Vec::new() }, vec![operator], layout, stream, span)
    }

    /// Lets a merge have all fields of those inputs whose records are made here: they come as columns, and not whole.
    fn take_made_fields(&mut self, merge: NodeId) {
        let inputs = &self.nodes[merge as usize].inputs;
        let made: Vec<NodeId> = inputs.iter().copied().filter(|input| !self.is_open(*input)).collect();
        for &input in &made {
            if let Kind::Composite(composite) = self.kinds[self.layout_of(input) as usize] {
                self.need_composite(composite);
            }
            let columns = self.layouts[self.layout_of(input) as usize].columns.clone();
            for ColumnDef { name, ty, .. } in columns.into_iter().filter(|column| !column.hidden) {
                if let Some(place) = self.column(merge, &name, &ty) {
                    let (layout, keep_null) = (self.layout_of(merge) as usize, self.keep_null(&made, &name));
                    self.layouts[layout].columns[place as usize].keep_null = keep_null;
                }
            }
        }
    }

    /// Gives merges, matches, rows and late records the columns of their inputs; readers stand behind what they read, so one
    /// way back is enough.
    pub fn finish(&mut self) {
        for node in (0..count(self.nodes.len())).rev() {
            if let Kind::Composite(composite) = self.kinds[self.layout_of(node) as usize]
                && self.is_composite(composite, node)
            {
                self.finish_composite(composite);
                continue;
            }
            match self.nodes[node as usize].op.clone() {
                Op::Merge(mut branches) => {
                    let inputs = self.nodes[node as usize].inputs.clone();
                    for branch in &mut branches {
                        branch.columns = self.columns_of(inputs[branch.input as usize], node);
                    }
                    self.nodes[node as usize].op = Op::Merge(branches);
                }
                Op::Late { of, .. } => {
                    let operator = self.nodes[node as usize].inputs[0];
                    let inputs = self.nodes[operator as usize].inputs.clone();
                    let columns = inputs.iter().map(|input| self.columns_of(*input, node)).collect();
                    self.nodes[node as usize].op = Op::Late { of, columns };
                }
                _ => {}
            }
        }
    }

    /// Where a node that gives records has the columns of one that takes them on.
    fn columns_of(&mut self, from: NodeId, to: NodeId) -> Vec<Option<u32>> {
        let columns = self.layouts[self.layout_of(to) as usize].columns.clone();
        columns.iter().map(|def| self.column(from, &def.name, &def.ty)).collect()
    }
}
