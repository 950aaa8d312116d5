//! Types as written to types.

use super::Fields;
use crate::ast::{TypeExpr, TypeKind};
use crate::check::problems::Problems;
use crate::diagnostic::Diagnostic;
use crate::value::Type;
use std::sync::Arc;

/// The type; `Any` and false where something was refused (E0209, E0902).
pub(super) fn resolve(
    ty: &TypeExpr,
    named: &dyn Fn(&str) -> Option<Type>,
    known: &dyn Fn() -> Vec<Arc<str>>,
    problems: &mut Problems,
) -> (Type, bool) {
    match &ty.kind {
        TypeKind::Name(name) => match named(&name.name) {
            Some(ty) => (ty, true),
            None => {
                let problem = Diagnostic::new("E0209", name.span, format!("unknown type {}", name.name));
                let near = problems.did_you_mean(&name.name, known);
                let declare = || format!("declare it with `type {} = …` or `event {0}: …`", name.name);
                problems.report(problem.help(near.unwrap_or_else(declare)));
                (Type::Any, false)
            }
        },
        TypeKind::Array(element) => {
            let (element, ok) = resolve(element, named, known, problems);
            (Type::Array(Box::new(element)), ok)
        }
        TypeKind::Map(key, value) => {
            let (key, key_ok) = resolve(key, named, known, problems);
            let (value, value_ok) = resolve(value, named, known, problems);
            (Type::Map(Box::new(key), Box::new(value)), key_ok && value_ok)
        }
        TypeKind::Stream(inner) | TypeKind::Optional(inner) => resolve(inner, named, known, problems),
        TypeKind::Tuple => {
            let problem = Diagnostic::new("E0902", ty.span, "tuple types are not supported yet");
            problems.report(problem.help("use an array `[T]` or a struct `type N: …`"));
            (Type::Any, false)
        }
    }
}

/// The names that stand in a type.
pub(super) fn names<'t>(ty: &'t TypeExpr, found: &mut Vec<&'t str>) {
    match &ty.kind {
        TypeKind::Name(name) => found.push(&name.name),
        TypeKind::Array(inner) | TypeKind::Stream(inner) | TypeKind::Optional(inner) => names(inner, found),
        TypeKind::Map(key, value) => {
            names(key, found);
            names(value, found);
        }
        TypeKind::Tuple => {}
    }
}

/// How large a type is when everything that it names is written out: parts and depth.
pub(super) fn size(ty: &Type, of_record: &dyn Fn(&Fields) -> (u64, u32)) -> (u64, u32) {
    match ty {
        Type::Array(element) => {
            let (parts, depth) = size(element, of_record);
            (parts.saturating_add(1), depth + 1)
        }
        Type::Map(key, value) => {
            let ((kp, kd), (vp, vd)) = (size(key, of_record), size(value, of_record));
            (kp.saturating_add(vp).saturating_add(1), kd.max(vd) + 1)
        }
        Type::Record(_, fields) => of_record(fields),
        _ => (1, 1),
    }
}
