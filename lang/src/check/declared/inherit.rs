//! Events and types that name each other: parents before children, parts before wholes.
//!
//! A type is a finite tree at run time, so nothing may contain itself. A limit on the size of what is written out keeps
//! a short program from naming a type that is exponentially large.

use super::resolve::{names, resolve, size};
use super::{Event, Fields};
use crate::ast::{self, FieldDecl, Ident, TypeBody};
use crate::check::dependency::components;
use crate::check::problems::Problems;
use crate::check::types;
use crate::diagnostic::Diagnostic;
use crate::value::Type;
use indexmap::IndexMap;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Parts of a type when everything that it names is written out.
const TYPE_PARTS: u64 = 1 << 17;
/// Fields that all events of a program may have from their parents.
const INHERITED_FIELDS: usize = 1 << 20;
/// How deep its parts may nest.
const TYPE_DEPTH: u32 = 128;

/// A declaration that makes a type.
#[derive(Clone, Copy)]
enum Declaration<'a> {
    Event(&'a ast::Event),
    Type(&'a ast::TypeDecl),
}

impl<'a> Declaration<'a> {
    fn name(self) -> &'a Ident {
        match self {
            Declaration::Event(event) => &event.name,
            Declaration::Type(ty) => &ty.name,
        }
    }

    fn fields(self) -> &'a [FieldDecl] {
        match self {
            Declaration::Event(event) => &event.fields,
            Declaration::Type(ast::TypeDecl { body: TypeBody::Struct(fields), .. }) => fields,
            Declaration::Type(_) => &[],
        }
    }

    fn parent(self) -> Option<&'a Ident> {
        match self {
            Declaration::Event(event) => event.extends.as_ref(),
            Declaration::Type(_) => None,
        }
    }

    fn named_types(self) -> Vec<&'a str> {
        let mut found = Vec::new();
        match self {
            Declaration::Type(ast::TypeDecl { body: TypeBody::Alias(ty), .. }) => names(ty, &mut found),
            other => other.fields().iter().for_each(|field| names(&field.ty, &mut found)),
        }
        found
    }
}

/// Resolved events and types by name.
#[derive(Default)]
pub(super) struct Resolved {
    pub(super) events: IndexMap<Arc<str>, Event>,
    pub(super) types: IndexMap<Arc<str>, Type>,
    /// Names of all of them, resolved or not.
    declared: HashSet<Arc<str>>,
    /// Fields that events have from their parents so far.
    inherited: usize,
    /// Parts and depth of each struct or event, by the address of its fields.
    sizes: HashMap<usize, (u64, u32)>,
}

/// Resolves all of them. Each list holds one declaration per name.
pub(super) fn resolve_all<'a>(
    events: &[&'a ast::Event],
    type_declarations: &[&'a ast::TypeDecl],
    problems: &mut Problems,
) -> Resolved {
    let declarations: Vec<Declaration> = (events.iter().map(|event| Declaration::Event(event)))
        .chain(type_declarations.iter().map(|ty| Declaration::Type(ty)))
        .collect();
    let place = |(index, declaration): (usize, &Declaration<'a>)| (&*declaration.name().name, index);
    let event_places: HashMap<&str, usize> = declarations[..events.len()].iter().enumerate().map(place).collect();
    let type_places: HashMap<&str, usize> = declarations.iter().enumerate().skip(events.len()).map(place).collect();
    let circling = parents_in_circles(&declarations[..events.len()], &event_places, problems);
    let uses: Vec<Vec<usize>> = (declarations.iter().enumerate())
        .map(|(index, declaration)| {
            let named = declaration.named_types().into_iter().filter_map(|name| {
                let builtin = types::builtin(name).is_some();
                type_places.get(name).or_else(|| event_places.get(name).filter(|_| !builtin)).copied()
            });
            let parent = declaration.parent().filter(|_| !circling.contains(&index));
            named.chain(parent.and_then(|parent| event_places.get(&*parent.name).copied())).collect()
        })
        .collect();
    let declared = declarations.iter().map(|declaration| declaration.name().name.clone()).collect();
    let mut resolved = Resolved { declared, ..Resolved::default() };
    for mut component in components(&uses) {
        component.sort_unstable_by_key(|index| declarations[*index].name().span);
        let whole = component.len() == 1 && !uses[component[0]].contains(&component[0]);
        if !whole {
            let name = declarations[component[0]].name();
            let problem = Diagnostic::new("E0215", name.span, format!("{} depends on itself", name.name));
            problems.report(problem.help("a type is finite: refer to the other record by an id"));
        }
        for index in component {
            let parent_known = whole && !circling.contains(&index);
            resolved.add(declarations[index], whole, parent_known, &declarations, problems);
        }
    }
    resolved
}

/// Reports the events that extend themselves (E0203), once per circle, and gives all of them.
fn parents_in_circles(
    events: &[Declaration],
    places: &HashMap<&str, usize>,
    problems: &mut Problems,
) -> HashSet<usize> {
    let parent = |event: &Declaration| event.parent().and_then(|parent| places.get(&*parent.name).copied());
    let uses: Vec<Vec<usize>> = events.iter().map(|event| parent(event).into_iter().collect()).collect();
    let mut circling = HashSet::new();
    for component in components(&uses) {
        if component.len() > 1 || uses[component[0]].contains(&component[0]) {
            let first = component.iter().map(|index| events[*index].name()).min_by_key(|name| name.span);
            let name = first.expect("a component has a member");
            problems.report(Diagnostic::new("E0203", name.span, format!("event {} extends itself", name.name)));
            circling.extend(component);
        }
    }
    circling
}

impl Resolved {
    /// `whole`: its parts are known. `parent_known`: so is its parent, if it is declared at all.
    fn add(
        &mut self,
        declaration: Declaration,
        whole: bool,
        parent_known: bool,
        all: &[Declaration],
        problems: &mut Problems,
    ) {
        let name = declaration.name();
        if let Declaration::Type(ast::TypeDecl { body: TypeBody::Alias(ty), .. }) = declaration {
            let resolved = self.resolve(ty, whole, all, problems).0;
            let resolved = self.limited(name, resolved, problems);
            self.types.insert(name.name.clone(), resolved);
            return;
        }
        let (mut fields, mut complete) = (Vec::new(), whole && parent_known);
        if let Some(parent) = declaration.parent() {
            complete &= whole && parent_known && self.take_from_parent(name, parent, &mut fields, all, problems);
        }
        let mut seen: HashSet<Arc<str>> = fields.iter().map(|(field, _)| field.clone()).collect();
        for field in declaration.fields() {
            let (ty, ok) = self.resolve(&field.ty, whole, all, problems);
            complete &= ok;
            if seen.insert(field.name.name.clone()) {
                fields.push((field.name.name.clone(), ty));
            } else {
                let message = format!("field {} is given twice", field.name.name);
                problems.report(Diagnostic::new("E0217", field.name.span, message));
            }
        }
        let mut fields: Fields = Arc::new(fields);
        let (parts, depth) = self.size_of(&fields);
        if parts > TYPE_PARTS || depth > TYPE_DEPTH {
            self.too_large(name, problems);
            (fields, complete) = (Arc::default(), false);
        }
        let size = self.size_of(&fields);
        self.sizes.insert(Arc::as_ptr(&fields).addr(), size);
        match declaration {
            Declaration::Event(_) => {
                let event = Event { name: name.clone(), fields, complete };
                self.events.insert(name.name.clone(), event);
            }
            Declaration::Type(_) => {
                let ty = if complete { Type::Record(name.name.clone(), fields) } else { types::open_map() };
                self.types.insert(name.name.clone(), ty);
            }
        }
    }

    /// Puts the fields of an event's parent before its own. False: they are not all there.
    fn take_from_parent(
        &mut self,
        name: &Ident,
        parent: &Ident,
        fields: &mut Vec<(Arc<str>, Type)>,
        all: &[Declaration],
        problems: &mut Problems,
    ) -> bool {
        let Some(event) = self.events.get(&parent.name) else {
            self.unknown_parent(parent, all, problems);
            return false;
        };
        self.inherited += event.fields.len();
        if self.inherited > INHERITED_FIELDS {
            self.inherited -= event.fields.len();
            let message = format!("the events of a program inherit more than {INHERITED_FIELDS} fields");
            problems.report(Diagnostic::new("E0108", name.span, message).help("declare fewer, or fewer levels"));
            return false;
        }
        fields.extend(event.fields.iter().cloned());
        event.complete
    }

    /// A type in a declaration that does not contain itself; else `Any`, but unknown names in it are reported.
    fn resolve(&self, ty: &ast::TypeExpr, whole: bool, all: &[Declaration], problems: &mut Problems) -> (Type, bool) {
        let known = || {
            let builtin = types::BUILTIN.iter().map(|name| Arc::from(*name));
            all.iter().map(|declaration| declaration.name().name.clone()).chain(builtin).collect()
        };
        let named = |name: &str| {
            let event = || self.events.get(name).map(Event::record);
            let found = self.types.get(name).cloned().or_else(|| types::builtin(name)).or_else(event);
            // In a circle some are not resolved yet; they are known all the same.
            found.or_else(|| (!whole && self.declared.contains(name)).then_some(Type::Any))
        };
        let (ty, ok) = resolve(ty, &named, &known, problems);
        if whole { (ty, ok) } else { (Type::Any, false) }
    }

    fn unknown_parent(&self, parent: &Ident, all: &[Declaration], problems: &mut Problems) {
        let events = all.iter().filter(|declaration| matches!(declaration, Declaration::Event(_)));
        let problem = Diagnostic::new("E0202", parent.span, format!("unknown event {}", parent.name));
        let help = problems.did_you_mean(&parent.name, || events.map(|event| event.name().name.clone()).collect());
        problems.report(problem.help(help.unwrap_or_else(|| format!("declare it with `event {}: …`", parent.name))));
    }

    fn size_of(&self, fields: &Fields) -> (u64, u32) {
        let known = |fields: &Fields| self.sizes.get(&Arc::as_ptr(fields).addr()).copied().unwrap_or((1, 1));
        fields.iter().fold((1, 1), |(parts, depth): (u64, u32), (_, ty)| {
            let (field_parts, field_depth) = size(ty, &known);
            (parts.saturating_add(field_parts), depth.max(field_depth + 1))
        })
    }

    fn limited(&self, name: &Ident, ty: Type, problems: &mut Problems) -> Type {
        let known = |fields: &Fields| self.sizes.get(&Arc::as_ptr(fields).addr()).copied().unwrap_or((1, 1));
        let (parts, depth) = size(&ty, &known);
        if parts > TYPE_PARTS || depth > TYPE_DEPTH {
            self.too_large(name, problems);
            return Type::Any;
        }
        ty
    }

    fn too_large(&self, name: &Ident, problems: &mut Problems) {
        let message =
            format!("type {} is nested deeper than {TYPE_DEPTH} or has more than {TYPE_PARTS} parts", name.name);
        problems.report(Diagnostic::new("E0108", name.span, message).help("use `any` for what need not be checked"));
    }
}
