//! Walks the items once: which name is declared where, and twice (E0201), and what functions and globals rest on.

use super::{Declared, FnType, Function, Named, inherit};
use crate::ast::{self, ExprKind, Ident, Item, LetKind, TypeBody};
use crate::check::dependency::{Dependencies, Node, NodeId};
use crate::check::problems::Problems;
use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::value::Type;
use std::collections::HashMap;
use std::sync::Arc;

/// First declarations of one name space: the word for what it is, and where.
type NameSpace = HashMap<Arc<str>, (&'static str, Span)>;

/// The tables while they grow.
struct Collection<'a, 'c> {
    declared: Declared<'a>,
    named: NameSpace,
    callable: NameSpace,
    types: NameSpace,
    connectors: NameSpace,
    contexts: NameSpace,
    events: Vec<&'a ast::Event>,
    type_declarations: Vec<&'a ast::TypeDecl>,
    /// Types in declarations whose name is taken: checked, but nobody reads them.
    unread_types: Vec<&'a ast::TypeExpr>,
    functions: Vec<(Node<'a>, bool)>,
    lambdas: Vec<(Node<'a>, bool)>,
    values: Vec<(Node<'a>, bool)>,
    line: &'c dyn Fn(Span) -> String,
    problems: &'c mut Problems,
}

pub(super) fn collect<'a>(
    items: Vec<&'a Item>,
    line: &dyn Fn(Span) -> String,
    problems: &mut Problems,
) -> Declared<'a> {
    let mut collection = Collection {
        declared: Declared::default(),
        named: NameSpace::new(),
        callable: NameSpace::new(),
        types: NameSpace::new(),
        connectors: NameSpace::new(),
        contexts: NameSpace::new(),
        events: Vec::new(),
        type_declarations: Vec::new(),
        unread_types: Vec::new(),
        functions: Vec::new(),
        lambdas: Vec::new(),
        values: Vec::new(),
        line,
        problems,
    };
    for item in &items {
        collection.item(item);
    }
    let Collection { mut declared, named, events, type_declarations, unread_types, .. } = collection;
    let nodes = collection.functions.into_iter().chain(collection.lambdas).chain(collection.values).collect();
    declared.places = named.into_iter().map(|(name, (_, place))| (name, place)).collect();
    let resolved = inherit::resolve_all(&events, &type_declarations, problems);
    (declared.events, declared.types, declared.items) = (resolved.events, resolved.types, items);
    for ty in unread_types {
        declared.resolve_type(ty, problems);
    }
    declared.add_nodes(nodes, problems);
    declared
}

impl<'a> Collection<'a, '_> {
    fn item(&mut self, item: &'a Item) {
        match item {
            Item::Event(event) => {
                if self.is_named(&event.name, "event", Named::Event) {
                    self.events.push(event);
                } else {
                    self.unread_types.extend(event.fields.iter().map(|field| &field.ty));
                }
            }
            Item::Stream(stream) => {
                self.is_named(&stream.name, "stream", Named::Stream);
            }
            Item::Pattern(pattern) => {
                self.is_named(&pattern.name, "pattern", Named::Pattern);
            }
            Item::Type(ty) => {
                if is_new(&mut self.types, &ty.name, "type", self.line, self.problems) {
                    self.type_declarations.push(ty);
                } else {
                    match &ty.body {
                        TypeBody::Alias(ty) => self.unread_types.push(ty),
                        TypeBody::Struct(fields) => self.unread_types.extend(fields.iter().map(|field| &field.ty)),
                    }
                }
            }
            Item::Connector(connector) => {
                if is_new(&mut self.connectors, &connector.name, "connector", self.line, self.problems) {
                    self.declared.connectors.insert(connector.name.name.clone(), connector);
                }
            }
            Item::Context(context) => {
                if is_new(&mut self.contexts, &context.name, "context", self.line, self.problems) {
                    self.declared.contexts.insert(context.name.name.clone(), context);
                }
            }
            Item::Fn(function) => {
                let first = is_new(&mut self.callable, &function.name, "function", self.line, self.problems);
                self.functions.push((Node::Function(function), first));
            }
            Item::Global(global) => self.global(global),
            Item::Config(word) => {
                self.problems.report(Diagnostic::new("W0101", *word, "config is ignored").help("leave it out"));
            }
            Item::Import(_) => {}
        }
    }

    fn is_named(&mut self, name: &Ident, what: &'static str, named: Named) -> bool {
        let new = is_new(&mut self.named, name, what, self.line, self.problems);
        if new {
            self.declared.named.insert(name.name.clone(), named);
        }
        new
    }

    fn global(&mut self, global: &'a ast::Let) {
        let first = is_new(&mut self.callable, &global.name, word(global.kind), self.line, self.problems);
        if first {
            self.declared.globals.insert(global.name.name.clone(), global);
        }
        warn_of_var(global, self.problems);
        let lambda = matches!(global.value.kind, ExprKind::Lambda(..));
        if lambda { &mut self.lambdas } else { &mut self.values }.push((Node::Global(global), first));
    }
}

/// Notes a declaration; false: the name is taken, which is reported.
fn is_new(
    names: &mut NameSpace,
    name: &Ident,
    what: &'static str,
    line: &dyn Fn(Span) -> String,
    problems: &mut Problems,
) -> bool {
    match names.get(&name.name) {
        None => {
            names.insert(name.name.clone(), (what, name.span));
            true
        }
        Some((what, first)) => {
            let message = format!("{} is already declared as {what} in {}", name.name, line(*first));
            problems.report(Diagnostic::new("E0201", name.span, message).help("give one of them another name"));
            false
        }
    }
}

fn word(kind: LetKind) -> &'static str {
    match kind {
        LetKind::Let => "let",
        LetKind::Var => "var",
        LetKind::Const => "const",
    }
}

fn warn_of_var(global: &ast::Let, problems: &mut Problems) {
    if global.kind == LetKind::Var {
        let problem = Diagnostic::new("W0103", global.word, "var is a constant at top level");
        problems.report(problem.help("write `let` or `const`"));
    }
}

impl<'a> Declared<'a> {
    fn add_nodes(&mut self, nodes: Vec<(Node<'a>, bool)>, problems: &mut Problems) {
        let mut places: HashMap<Arc<str>, NodeId> = HashMap::new();
        for (id, (node, first)) in nodes.iter().enumerate() {
            let signature = self.annotations(*node, problems);
            self.signatures.push(Arc::new(signature));
            if *first {
                places.insert(node.name().name.clone(), id);
            }
        }
        let (nodes, firsts): (Vec<Node>, Vec<bool>) = nodes.into_iter().unzip();
        self.dependencies = Dependencies::of(&nodes, &places);
        self.refuse_circles(&nodes, problems);
        for (id, (node, first)) in nodes.iter().zip(firsts).enumerate() {
            if let Node::Function(ast) = *node
                && first
            {
                let ty = self.signatures[id].clone();
                let emits = self.dependencies.emitting.contains(&id);
                let id = u32::try_from(id).expect("a program has fewer than 2^32 functions");
                self.functions.insert(ast.name.name.clone(), Function { id, ast, ty, emits });
            }
        }
        self.nodes = nodes;
    }

    fn annotations(&self, node: Node, problems: &mut Problems) -> FnType {
        let mut resolved = |ty: &Option<ast::TypeExpr>| match ty {
            Some(ty) => self.resolve_type(ty, problems).0,
            None => Type::Any,
        };
        match node {
            Node::Function(function) => {
                let params =
                    function.params.iter().map(|param| (param.name.name.clone(), resolved(&param.ty))).collect();
                FnType { params, ret: resolved(&function.ret) }
            }
            Node::Global(global) => FnType { params: Vec::new(), ret: resolved(&global.ty) },
        }
    }

    /// E0215 for globals that rest on themselves, once per circle.
    fn refuse_circles(&mut self, nodes: &[Node], problems: &mut Problems) {
        for circle in &self.dependencies.cycles {
            let globals = || circle.iter().filter(|id| matches!(nodes[**id], Node::Global(_)));
            self.self_dependent.extend(globals());
            if let Some(name) = globals().map(|id| nodes[*id].name()).min_by_key(|name| name.span) {
                problems.report(Diagnostic::new("E0215", name.span, format!("{} depends on itself", name.name)));
            }
        }
    }
}
