//! Walks the items once: which name is declared where, and twice (E0201), and what functions and globals rest on.

use super::{Declared, FnType, Function, Named, inherit};
use crate::ast::{self, ExprKind, Ident, Item, LetKind};
use crate::check::dependency::{Dependencies, Node, NodeId};
use crate::check::problems::Problems;
use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::value::Type;
use std::collections::HashMap;
use std::sync::Arc;

/// First declarations of one name space: the word for what it is, and where.
type NameSpace = HashMap<Arc<str>, (&'static str, Span)>;

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

pub(super) fn collect<'a>(
    items: Vec<&'a Item>,
    line: &dyn Fn(Span) -> String,
    problems: &mut Problems,
) -> Declared<'a> {
    let mut declared = Declared::default();
    let (mut named, mut callable, mut types, mut connectors, mut contexts) =
        (NameSpace::new(), NameSpace::new(), NameSpace::new(), NameSpace::new(), NameSpace::new());
    let (mut events, mut type_declarations) = (Vec::new(), Vec::new());
    let (mut functions, mut lambdas, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for item in &items {
        let mut new = |names: &mut NameSpace, name: &Ident, what| is_new(names, name, what, line, problems);
        match item {
            Item::Event(event) => {
                if new(&mut named, &event.name, "event") {
                    declared.named.insert(event.name.name.clone(), Named::Event);
                    events.push(event);
                }
            }
            Item::Stream(stream) => {
                if new(&mut named, &stream.name, "stream") {
                    declared.named.insert(stream.name.name.clone(), Named::Stream);
                }
            }
            Item::Pattern(pattern) => {
                if new(&mut named, &pattern.name, "pattern") {
                    declared.named.insert(pattern.name.name.clone(), Named::Pattern);
                }
            }
            Item::Type(ty) => {
                if new(&mut types, &ty.name, "type") {
                    type_declarations.push(ty);
                }
            }
            Item::Connector(connector) => {
                if new(&mut connectors, &connector.name, "connector") {
                    declared.connectors.insert(connector.name.name.clone(), connector);
                }
            }
            Item::Context(context) => {
                if new(&mut contexts, &context.name, "context") {
                    declared.contexts.insert(context.name.name.clone(), context);
                }
            }
            Item::Fn(function) => {
                let first = new(&mut callable, &function.name, "function");
                functions.push((Node::Function(function), first));
            }
            Item::Global(global) => {
                let first = new(&mut callable, &global.name, word(global.kind));
                if first {
                    declared.globals.insert(global.name.name.clone(), global);
                }
                warn_of_var(global, problems);
                let lambda = matches!(global.value.kind, ExprKind::Lambda(..));
                if lambda { &mut lambdas } else { &mut values }.push((Node::Global(global), first));
            }
            Item::Config(word) => {
                problems.report(Diagnostic::new("W0101", *word, "config is ignored").help("leave it out"));
            }
            Item::Import(_) => {}
        }
    }
    declared.places = named.into_iter().map(|(name, (_, place))| (name, place)).collect();
    let resolved = inherit::resolve_all(&events, &type_declarations, problems);
    (declared.events, declared.types, declared.items) = (resolved.events, resolved.types, items);
    let nodes = functions.into_iter().chain(lambdas).chain(values).collect();
    declared.add_nodes(nodes, problems);
    declared
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
