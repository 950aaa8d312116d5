//! Matches of sequences and rows of joins while the plan grows: their columns come to be when something reads them, and
//! with them the columns that are kept of the records that they consist of.
//!
//! Whatever stands behind such a node reads plain columns of its layout; what a column takes from the parts is said once,
//! by its item. Columns that are fields of the record as a whole are visible and have a field's name.

use super::graph::{Graph, Kind, column, count};
use super::matched::{Matched, Of};
use crate::plan::{
    Builtin, Capture, ColumnDef, Element, Event, Expr, Layout, Node, NodeId, Op, Sequence, Slot, StreamId,
};
use crate::span::Span;
use crate::value::Type;
use std::collections::HashMap;
use std::sync::Arc;

/// Most bytes of names that the fields of all matches and rows as whole records may have together: matches of matches of
/// matches have ever more and longer ones.
const NAMED_BYTES: usize = 4 << 20;

/// Index into the composites of a [`Graph`].
pub(super) type CompositeId = u32;

/// Where captured records of one name will lie.
#[derive(Clone, Debug)]
struct DraftSlot {
    name: Arc<str>,
    columns: Vec<ColumnDef>,
    places: HashMap<Arc<str>, u32>,
    whole: bool,
    many: bool,
    /// The nodes whose records it takes.
    nodes: Vec<NodeId>,
}

/// A match or row on its way into the plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Composite {
    matched: Option<Arc<Matched>>,
    node: NodeId,
    /// One per column of the layout.
    items: Vec<Expr>,
    /// The column of each item, by its text.
    known: HashMap<String, u32>,
    slots: Vec<DraftSlot>,
    /// Have all parts no fields but those that are known?
    closed: bool,
    /// Is the record needed as a whole?
    whole: bool,
    /// Indices in `part[i].f`, with the part.
    indices: Vec<(usize, Expr)>,
}

impl Graph {
    /// A composite of which nothing is known yet.
    pub fn composite(&mut self) -> CompositeId {
        self.composites.push(Composite::default());
        count(self.composites.len() - 1)
    }

    /// Adds the node of a composite, all of whose parts are known.
    pub fn add_composite(
        &mut self,
        matched: &Arc<Matched>,
        op: Op,
        inputs: Vec<NodeId>,
        stream: StreamId,
        span: Span,
    ) -> NodeId {
        let composite = &mut self.composites[matched.composite as usize];
        let kept = |node: &NodeId| self.layouts[self.nodes[*node as usize].layout as usize].open;
        composite.closed = !match matched.of {
            Of::Join => inputs.iter().any(kept),
            _ => composite.slots.iter().flat_map(|slot| &slot.nodes).any(kept),
        };
        composite.matched = Some(matched.clone());
        let open = !composite.closed;
        let layout = self.layout(Layout { columns: Vec::new(), open }, Kind::Composite(matched.composite));
        let node = self.add(op, inputs, layout, stream, span);
        self.composites[matched.composite as usize].node = node;
        node
    }

    /// A slot for the records of a node.
    pub fn slot(&mut self, id: CompositeId, name: &Arc<str>, node: NodeId, many: bool) -> u32 {
        let slots = &mut self.composites[id as usize].slots;
        let (columns, places, whole) = (Vec::new(), HashMap::new(), false);
        slots.push(DraftSlot { name: name.clone(), columns, places, whole, many, nodes: vec![node] });
        count(slots.len() - 1)
    }

    /// Lets a slot take the records of one more node.
    pub fn share_slot(&mut self, id: CompositeId, slot: u32, node: NodeId, many: bool) {
        let slot = &mut self.composites[id as usize].slots[slot as usize];
        slot.nodes.push(node);
        slot.many |= many;
    }

    /// The column of a field in a slot.
    pub fn slot_column(&mut self, id: CompositeId, slot: u32, name: &Arc<str>, ty: &Type) -> u32 {
        let slot = &mut self.composites[id as usize].slots[slot as usize];
        if let Some(&place) = slot.places.get(name) {
            let known = &mut slot.columns[place as usize].ty;
            *known = crate::check::types::join(std::mem::take(known), ty.clone());
            return place;
        }
        let place = count(slot.columns.len());
        slot.columns.push(column(name.clone(), ty.clone()));
        slot.places.insert(name.clone(), place);
        place
    }

    /// Says that records of a part are needed as maps: of a slot, or of an input of a join.
    pub fn need_part(&mut self, id: CompositeId, place: u32, node: NodeId) {
        let mut nodes = vec![node];
        if let Some(slot) = self.composites[id as usize].slots.get_mut(place as usize) {
            slot.whole = true;
            nodes.clone_from(&slot.nodes);
        }
        nodes.into_iter().for_each(|node| self.need_whole(node));
    }

    /// The number of an index in `part[i]`.
    pub fn note_index(&mut self, id: CompositeId, part: usize, index: Expr) -> u32 {
        let indices = &mut self.composites[id as usize].indices;
        indices.push((part, index));
        count(indices.len() - 1)
    }

    /// The part and the index of that number.
    pub fn noted_index(&self, id: CompositeId, number: u32) -> (usize, Expr) {
        self.composites[id as usize].indices[number as usize].clone()
    }

    /// The column that has this value, which comes to be, hidden, if it is not there.
    pub fn item(&mut self, id: CompositeId, expr: Expr, ty: &Type) -> u32 {
        let text = format!("{expr:?}");
        if let Some(&place) = self.composites[id as usize].known.get(&text) {
            return place;
        }
        let name = self.label(id, &expr);
        self.push_item(id, ColumnDef { hidden: true, ..column(name, ty.clone()) }, expr)
    }

    fn push_item(&mut self, id: CompositeId, def: ColumnDef, expr: Expr) -> u32 {
        let layout = self.layout_of(self.composites[id as usize].node) as usize;
        let composite = &mut self.composites[id as usize];
        let place = count(composite.items.len());
        composite.known.entry(format!("{expr:?}")).or_insert(place);
        composite.items.push(expr);
        if !def.hidden {
            self.places[layout].insert(def.name.clone(), place);
        }
        self.layouts[layout].columns.push(def);
        place
    }

    /// What a hidden column is called in explanations; no program can write such a name.
    fn label(&self, id: CompositeId, expr: &Expr) -> Arc<str> {
        let composite = &self.composites[id as usize];
        let inputs = &self.nodes[composite.node as usize].inputs;
        let part = |place: u32| match composite.slots.get(place as usize) {
            Some(slot) => slot.name.to_string(),
            None => {
                let parts = composite.matched.iter().flat_map(|matched| &matched.parts);
                parts.into_iter().nth(place as usize).map_or_else(String::new, |part| part.prefix.to_string())
            }
        };
        let field = |place: u32, at: u32| match composite.slots.get(place as usize) {
            Some(slot) => slot.columns[at as usize].name.to_string(),
            None => {
                let layout = inputs.get(place as usize).map(|input| &self.layouts[self.layout_of(*input) as usize]);
                layout.map_or_else(String::new, |layout| layout.columns[at as usize].name.to_string())
            }
        };
        match expr {
            Expr::Of(place, at) => format!("{}.{}", part(*place), field(*place, *at)),
            Expr::Captured(place, Capture::First(at)) => format!("{}.first.{}", part(*place), field(*place, *at)),
            Expr::Captured(place, Capture::At(at, _)) => format!("{}[…].{}", part(*place), field(*place, *at)),
            Expr::Captured(place, Capture::Count) => format!("{}.len", part(*place)),
            Expr::Captured(place, Capture::Time) => format!("event_time({})", part(*place)),
            Expr::Captured(place, Capture::Aggregate(_)) => format!("aggregate over {}", part(*place)),
            Expr::Captured(place, _) => format!("{} as a value", part(*place)),
            Expr::Key(key) => {
                let keys = composite.matched.iter().flat_map(|matched| &matched.keys);
                keys.into_iter().nth(*key as usize).map_or_else(String::new, |(name, _)| name.to_string())
            }
            Expr::Partition => "_partition".to_string(),
            Expr::EventTime => "match_end()".to_string(),
            Expr::Call(Builtin::Millis, _) => "match_duration_ms()".to_string(),
            Expr::MatchStart => "match_start()".to_string(),
            Expr::Coalesce(..) => "first of the inputs".to_string(),
            _ => format!("item {}", composite.items.len()),
        }
        .into()
    }

    /// The visible column of a field of the record as a whole, which comes to be if there is such a field.
    pub fn composite_field(&mut self, id: CompositeId, name: &Arc<str>) -> Option<u32> {
        let layout = self.layout_of(self.composites[id as usize].node) as usize;
        if let Some(&place) = self.places[layout].get(name) {
            return Some(place);
        }
        let matched = self.composites[id as usize].matched.clone()?;
        let typed = matched.record_field(self, name)?;
        let def = column(name.clone(), typed.ty);
        if let Some(&place) = self.composites[id as usize].known.get(&format!("{:?}", typed.expr)) {
            let hidden = &mut self.layouts[layout].columns[place as usize];
            if hidden.hidden {
                *hidden = def;
                self.places[layout].insert(name.clone(), place);
                return Some(place);
            }
        }
        Some(self.push_item(id, def, typed.expr))
    }

    /// May all fields of such a record be named? Not if that were too many in this program.
    pub fn afford(&mut self, matched: &Matched) -> bool {
        for part in matched.parts.iter().filter(|part| part.shown) {
            for name in part.shape.fields.keys() {
                self.named_bytes += name.len() + part.prefix.len();
                if self.named_bytes > NAMED_BYTES {
                    return false;
                }
            }
        }
        true
    }

    /// Says that the record is needed as a whole. Gives the nodes that are needed whole for it.
    pub(super) fn need_composite(&mut self, id: CompositeId) -> Vec<NodeId> {
        let composite = &mut self.composites[id as usize];
        if std::mem::replace(&mut composite.whole, true) {
            return Vec::new();
        }
        let Some(matched) = composite.matched.clone() else { return Vec::new() };
        if !composite.closed {
            let shown = matched.parts.iter().filter(|part| part.shown).map(|part| part.place);
            let slots: Vec<u32> = if matched.of == Of::Join { Vec::new() } else { shown.collect() };
            let mut nodes = Vec::new();
            for slot in slots {
                composite.slots[slot as usize].whole = true;
                nodes.extend(&composite.slots[slot as usize].nodes);
            }
            if matched.of == Of::Join {
                nodes.clone_from(&self.nodes[composite.node as usize].inputs);
            }
            return nodes;
        }
        if !self.afford(&matched) {
            self.overfull = true;
            return Vec::new();
        }
        // Those that were read already stand in the order of reading: they stay, hidden, for those who read them.
        let layout = self.layout_of(self.composites[id as usize].node) as usize;
        self.layouts[layout].columns.iter_mut().for_each(|def| def.hidden = true);
        self.places[layout].clear();
        for name in matched.shape().fields.keys() {
            if let Some(typed) = matched.record_field(self, name) {
                self.push_item(id, column(name.clone(), typed.ty), typed.expr);
            }
        }
        Vec::new()
    }
    /// The node of a composite.
    pub fn composite_node(&mut self, id: CompositeId) -> &mut Node {
        &mut self.nodes[self.composites[id as usize].node as usize]
    }

    /// Is it the node of the composite, and not one that passes its records on?
    pub(super) fn is_composite(&self, id: CompositeId, node: NodeId) -> bool {
        let composite = &self.composites[id as usize];
        composite.matched.is_some() && composite.node == node
    }

    /// Completes the node of a composite, when all that reads it is known.
    pub(super) fn finish_composite(&mut self, id: CompositeId) {
        let Composite { node, items, slots, closed, whole, .. } = std::mem::take(&mut self.composites[id as usize]);
        let draft = &mut self.nodes[node as usize];
        let (layout, inputs) = (draft.layout as usize, draft.inputs.clone());
        // Fields that nobody reads have no columns.
        self.layouts[layout].open = !(closed && whole);
        match std::mem::replace(&mut draft.op, Op::Emit) {
            Op::Join(mut join) => {
                (join.items, join.whole) = (items, whole && !closed);
                self.nodes[node as usize].op = Op::Join(join);
            }
            Op::Sequence(mut sequence) => {
                (sequence.items, sequence.whole) = (items, whole && !closed);
                for event in events(&mut sequence) {
                    let Some(slot) = slots.get(event.slot as usize) else { continue };
                    let input = inputs[event.input as usize];
                    event.columns = slot.columns.iter().map(|def| self.column(input, &def.name, &def.ty)).collect();
                }
                sequence.slots = slots.into_iter().map(DraftSlot::into_slot).collect();
                self.nodes[node as usize].op = Op::Sequence(sequence);
            }
            other => self.nodes[node as usize].op = other,
        }
    }
}

/// The events of a sequence that are captured.
fn events(sequence: &mut Sequence) -> impl Iterator<Item = &mut Event> {
    sequence.alternatives.iter_mut().flatten().flat_map(|element| match element {
        Element::Event(event) => std::slice::from_mut(event),
        Element::And(events) | Element::Or(events) => events.as_mut_slice(),
        Element::Absence(_) => &mut [],
    })
}

impl DraftSlot {
    fn into_slot(self) -> Slot {
        Slot { name: self.name, columns: self.columns, whole: self.whole, many: self.many }
    }
}
