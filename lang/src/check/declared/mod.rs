//! The declarations of a program and of what it imports, as tables of names.
//!
//! Events, streams and patterns share a name space, functions and globals another; types, connectors and contexts have
//! one each. A name that is declared twice keeps its first meaning here; the second declaration is still checked by whoever
//! walks the items.

mod collect;
mod inherit;
mod resolve;

use super::dependency::{Dependencies, Node, NodeId};
use crate::ast::{self, Ident, Item};
use crate::span::Span;
use crate::value::Type;
use indexmap::IndexMap;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::problems::Problems;

/// Fields with their types.
pub type Fields = Arc<Vec<(Arc<str>, Type)>>;

/// A declared event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its name where it is declared.
    pub name: Ident,
    /// All fields in order, the parents' first.
    pub fields: Fields,
    /// Are these all? No, if something in its declaration was refused: a field that is missing is then no error.
    pub complete: bool,
}

impl Event {
    /// Its records as values.
    pub fn record(&self) -> Type {
        if self.complete { Type::Record(self.name.name.clone(), self.fields.clone()) } else { super::types::open_map() }
    }
}

/// What a function takes and gives, as far as it is declared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FnType {
    /// Name and type of each parameter.
    pub params: Vec<(Arc<str>, Type)>,
    /// Result type; `Any` if not declared.
    pub ret: Type,
}

/// A user function.
#[derive(Clone, Debug)]
pub struct Function<'a> {
    /// Index into the plan's functions.
    pub id: u32,
    /// As written.
    pub ast: &'a ast::Fn,
    /// What it takes and gives.
    pub ty: Arc<FnType>,
    /// Does it, or a function that it calls, emit?
    pub emits: bool,
}

/// What a name of the shared name space of events, streams and patterns stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// An event.
    Event,
    /// A stream.
    Stream,
    /// A pattern.
    Pattern,
}

/// All declarations by name.
#[derive(Debug, Default)]
pub struct Declared<'a> {
    items: Vec<&'a Item>,
    named: IndexMap<Arc<str>, Named>,
    /// Where each of these is declared first.
    places: HashMap<Arc<str>, Span>,
    events: IndexMap<Arc<str>, Event>,
    types: IndexMap<Arc<str>, Type>,
    functions: IndexMap<Arc<str>, Function<'a>>,
    globals: IndexMap<Arc<str>, &'a ast::Let>,
    connectors: IndexMap<Arc<str>, &'a ast::Connector>,
    contexts: IndexMap<Arc<str>, &'a ast::Context>,
    /// Functions, globals that are lambdas, other globals: in this order, second ones of a name among them. The index of
    /// a function or lambda is its index in the plan.
    nodes: Vec<Node<'a>>,
    /// Type of each function; the declared type of a global is its result.
    signatures: Vec<Arc<FnType>>,
    dependencies: Dependencies,
    self_dependent: HashSet<NodeId>,
}

impl<'a> Declared<'a> {
    /// Collects `items` (imports replaced by what they import). `line` says where a place is, for messages: `line 3`,
    /// `line 3 of other.vpl`.
    pub fn new(items: Vec<&'a Item>, line: &dyn Fn(Span) -> String, problems: &mut Problems) -> Self {
        collect::collect(items, line, problems)
    }

    /// The items in the order of the text.
    pub fn items(&self) -> &[&'a Item] {
        &self.items
    }

    /// The names of all events, in the order of the text.
    pub fn event_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.events.keys()
    }

    /// The event of this name.
    pub fn event(&self, name: &str) -> Option<&Event> {
        self.events.get(name)
    }

    /// The fields of an event, if it is declared.
    pub fn fields(&self, name: &str) -> Option<&Fields> {
        self.events.get(name).map(|event| &event.fields)
    }

    /// What the name stands for among events, streams and patterns; `None`: an undeclared event.
    pub fn named(&self, name: &str) -> Option<Named> {
        self.named.get(name).copied()
    }

    /// Is this the place where an event, stream or pattern is declared first?
    pub fn is_first(&self, name: &Ident) -> bool {
        self.places.get(&name.name) == Some(&name.span)
    }

    /// Is it a stream?
    pub fn is_stream(&self, name: &str) -> bool {
        self.named(name) == Some(Named::Stream)
    }

    /// Is it a pattern?
    pub fn is_pattern(&self, name: &str) -> bool {
        self.named(name) == Some(Named::Pattern)
    }

    /// The pattern of this name.
    pub fn pattern(&self, name: &str) -> Option<&'a ast::Pattern> {
        if !self.is_pattern(name) {
            return None;
        }
        self.items.iter().find_map(|item| match item {
            Item::Pattern(pattern) if *pattern.name.name == *name => Some(pattern),
            _ => None,
        })
    }

    /// The user function of this name.
    pub fn function(&self, name: &str) -> Option<&Function<'a>> {
        self.functions.get(name)
    }

    /// The global of this name.
    pub fn global(&self, name: &str) -> Option<&'a ast::Let> {
        self.globals.get(name).copied()
    }

    /// The declared connector of this name.
    pub fn connector(&self, name: &str) -> Option<&'a ast::Connector> {
        self.connectors.get(name).copied()
    }

    /// Is it a declared context?
    pub fn is_context(&self, name: &str) -> bool {
        self.contexts.contains_key(name)
    }

    /// Names of streams, for did-you-mean.
    pub fn names_of_streams(&self) -> Vec<Arc<str>> {
        self.named.iter().filter(|(_, named)| **named == Named::Stream).map(|(name, _)| name.clone()).collect()
    }

    /// Names of contexts, for did-you-mean.
    pub fn names_of_contexts(&self) -> Vec<Arc<str>> {
        self.contexts.keys().cloned().collect()
    }

    /// Names of functions, lambdas that globals are bound to among them.
    pub fn names_of_functions(&self) -> Vec<Arc<str>> {
        let lambdas = self.globals.iter().filter(|(_, global)| matches!(global.value.kind, ast::ExprKind::Lambda(..)));
        self.functions.keys().chain(lambdas.map(|(name, _)| name)).cloned().collect()
    }

    /// Names of globals.
    pub fn names_of_globals(&self) -> Vec<Arc<str>> {
        self.globals.keys().cloned().collect()
    }

    pub(super) fn contexts(&self) -> impl Iterator<Item = &'a ast::Context> {
        self.items.iter().filter_map(|item| match item {
            Item::Context(context) => Some(context),
            _ => None,
        })
    }

    pub(super) fn connectors(&self) -> impl Iterator<Item = &'a ast::Connector> {
        self.items.iter().filter_map(|item| match item {
            Item::Connector(connector) => Some(connector),
            _ => None,
        })
    }

    /// So many of the nodes are functions of the plan.
    pub(super) fn lowered_functions(&self) -> usize {
        let is_function = |node: &&Node| match node {
            Node::Function(_) => true,
            Node::Global(global) => matches!(global.value.kind, ast::ExprKind::Lambda(..)),
        };
        self.nodes.iter().filter(is_function).count()
    }

    /// Functions and globals, what others rest on first.
    pub(super) fn nodes_in_order(&self) -> impl Iterator<Item = (NodeId, Node<'a>)> {
        self.dependencies.order.iter().map(|id| (*id, self.nodes[*id]))
    }

    /// Does this global rest on itself (reported)?
    pub(super) fn depends_on_itself(&self, id: NodeId) -> bool {
        self.self_dependent.contains(&id)
    }

    /// Type of a function; the declared type of a global is its result.
    pub(super) fn signature(&self, id: NodeId) -> &Arc<FnType> {
        &self.signatures[id]
    }

    /// A type as written in an annotation. False: something in it was refused.
    pub(super) fn resolve_type(&self, ty: &ast::TypeExpr, problems: &mut Problems) -> (Type, bool) {
        resolve::resolve(ty, &|name| self.type_named(name), &|| self.names_of_types(), problems)
    }

    fn type_named(&self, name: &str) -> Option<Type> {
        let event = || self.events.get(name).map(Event::record);
        self.types.get(name).cloned().or_else(|| super::types::builtin(name)).or_else(event)
    }

    fn names_of_types(&self) -> Vec<Arc<str>> {
        let builtin = super::types::BUILTIN.iter().map(|name| Arc::from(*name));
        self.types.keys().chain(self.events.keys()).cloned().chain(builtin).collect()
    }
}
