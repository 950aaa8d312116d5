//! The built-in functions: names, parameters, result types (docs/language.md). What they compute is the evaluator's.

use super::operator::may_contain;
use crate::check::types;
use crate::plan::Builtin;
use crate::value::Type;

/// What a parameter asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Any,
    Number,
    NumberOrDuration,
    Int,
    Str,
    Array,
    ArrayOrStr,
    Collection,
    Container,
    Map,
    IntOrStr,
    Duration,
    DurationOrTime,
    Comparable,
    ToInt,
    ToFloat,
    StrOrInt,
    /// `x => e`
    Lambda,
}

impl Ask {
    /// For messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Ask::Any => "anything",
            Ask::Number => "a number",
            Ask::NumberOrDuration => "a number or duration",
            Ask::Int => "an int",
            Ask::Str => "a str",
            Ask::Array => "an array",
            Ask::ArrayOrStr => "an array or str",
            Ask::Collection => "an array or map",
            Ask::Container => "a str, array or map",
            Ask::Map => "a map",
            Ask::IntOrStr => "an index or key",
            Ask::Duration => "a duration",
            Ask::DurationOrTime => "a duration or timestamp",
            Ask::Comparable => "a number, str, timestamp or duration",
            Ask::ToInt => "a number, bool, timestamp or str",
            Ask::ToFloat => "a number, bool or str",
            Ask::StrOrInt => "a str or int (milliseconds)",
            Ask::Lambda => "a function x => …",
        }
    }

    /// May a value of this type stand here?
    pub(super) fn accepts(self, ty: &Type) -> bool {
        use Type::{Array, Bool, Duration, Float, Int, Map, Record, Str, Time};
        if types::is_unknown(ty) {
            return true;
        }
        match self {
            Ask::Any => true,
            Ask::Number => matches!(ty, Int | Float),
            Ask::NumberOrDuration => matches!(ty, Int | Float | Duration),
            Ask::Int => matches!(ty, Int),
            Ask::Str => matches!(ty, Str),
            Ask::Array => matches!(ty, Array(_)),
            Ask::ArrayOrStr => matches!(ty, Array(_) | Str),
            Ask::Collection => matches!(ty, Array(_) | Map(..) | Record(..)),
            Ask::Container => matches!(ty, Str | Array(_) | Map(..) | Record(..)),
            Ask::Map => matches!(ty, Map(..) | Record(..)),
            Ask::IntOrStr | Ask::StrOrInt => matches!(ty, Int | Str),
            Ask::Duration => matches!(ty, Duration),
            Ask::DurationOrTime => matches!(ty, Duration | Time),
            Ask::Comparable => matches!(ty, Int | Float | Str | Time | Duration),
            Ask::ToInt => matches!(ty, Int | Float | Bool | Time | Str),
            Ask::ToFloat => matches!(ty, Int | Float | Bool | Str),
            Ask::Lambda => false,
        }
    }
}

/// What is known of a result.
#[derive(Clone, Copy, Debug)]
enum Gives {
    Bool,
    Int,
    Float,
    Str,
    Time,
    Strs,
    Ints,
    /// As the first argument.
    Same,
    /// `**`
    Power,
    /// Of one kind with all arguments.
    OneKind,
    /// An element of the first argument.
    Element,
    /// The first argument with the last as an element more.
    With,
    /// Sum of the elements.
    Sum,
    /// Values of the map.
    Values,
    /// One of the arguments.
    OneOf,
    /// Whether the second is in the first.
    Contains,
    /// Array of what the lambda gives.
    Mapped,
}

/// A name with its parameters. With `more`, the last one may be repeated.
#[derive(Debug)]
pub(super) struct Signature {
    names: &'static [&'static str],
    /// What is called.
    pub(super) builtin: Builtin,
    params: &'static [(&'static str, Ask)],
    required: usize,
    more: bool,
    gives: Gives,
}

const fn of(
    names: &'static [&'static str],
    builtin: Builtin,
    params: &'static [(&'static str, Ask)],
    gives: Gives,
) -> Signature {
    Signature { names, builtin, params, required: params.len(), more: false, gives }
}

const fn optional(mut signature: Signature, required: usize) -> Signature {
    signature.required = required;
    signature
}

const fn repeated(mut signature: Signature) -> Signature {
    signature.more = true;
    signature
}

const NUMBER: &[(&str, Ask)] = &[("n", Ask::Number)];
const ANY: &[(&str, Ask)] = &[("x", Ask::Any)];
const ARRAY: &[(&str, Ask)] = &[("array", Ask::Array)];
const TEXT: &[(&str, Ask)] = &[("s", Ask::Str)];
const TWO_TEXTS: &[(&str, Ask)] = &[("s", Ask::Str), ("p", Ask::Str)];
const COMPARED: &[(&str, Ask)] = &[("a", Ask::Comparable), ("b", Ask::Comparable)];
const EACH: &[(&str, Ask)] = &[("array", Ask::Array), ("f", Ask::Lambda)];

const SIGNATURES: &[Signature] = &[
    of(&["abs"], Builtin::Abs, &[("n", Ask::NumberOrDuration)], Gives::Same),
    of(&["sqrt"], Builtin::Sqrt, NUMBER, Gives::Float),
    of(&["ln", "log"], Builtin::Ln, NUMBER, Gives::Float),
    of(&["log10"], Builtin::Log10, NUMBER, Gives::Float),
    of(&["exp"], Builtin::Exp, NUMBER, Gives::Float),
    of(&["sin"], Builtin::Sin, NUMBER, Gives::Float),
    of(&["cos"], Builtin::Cos, NUMBER, Gives::Float),
    of(&["tan"], Builtin::Tan, NUMBER, Gives::Float),
    of(&["floor"], Builtin::Floor, NUMBER, Gives::Int),
    of(&["ceil"], Builtin::Ceil, NUMBER, Gives::Int),
    optional(of(&["round"], Builtin::Round, &[("n", Ask::Number), ("digits", Ask::Int)], Gives::Int), 1),
    of(&["pow"], Builtin::Pow, &[("a", Ask::Number), ("b", Ask::Number)], Gives::Power),
    repeated(of(&["min"], Builtin::Min, COMPARED, Gives::OneKind)),
    repeated(of(&["max"], Builtin::Max, COMPARED, Gives::OneKind)),
    of(
        &["clamp"],
        Builtin::Clamp,
        &[("x", Ask::Comparable), ("lo", Ask::Comparable), ("hi", Ask::Comparable)],
        Gives::OneKind,
    ),
    of(&["len"], Builtin::Len, &[("x", Ask::Container)], Gives::Int),
    of(&["reverse"], Builtin::Reverse, &[("x", Ask::ArrayOrStr)], Gives::Same),
    of(&["first"], Builtin::First, ARRAY, Gives::Element),
    of(&["last"], Builtin::Last, ARRAY, Gives::Element),
    of(&["push"], Builtin::Push, &[("array", Ask::Array), ("x", Ask::Any)], Gives::With),
    of(&["pop"], Builtin::Pop, ARRAY, Gives::Same),
    of(&["sort"], Builtin::Sort, ARRAY, Gives::Same),
    of(&["unique"], Builtin::Unique, ARRAY, Gives::Same),
    of(&["sum"], Builtin::Sum, ARRAY, Gives::Sum),
    of(&["avg"], Builtin::Avg, ARRAY, Gives::Float),
    of(&["contains"], Builtin::Contains, &[("c", Ask::Container), ("x", Ask::Any)], Gives::Contains),
    of(&["get"], Builtin::Get, &[("c", Ask::Collection), ("i", Ask::IntOrStr)], Gives::Element),
    of(&["set"], Builtin::Set, &[("c", Ask::Collection), ("i", Ask::IntOrStr), ("x", Ask::Any)], Gives::With),
    of(&["keys"], Builtin::Keys, &[("map", Ask::Map)], Gives::Strs),
    of(&["values"], Builtin::Values, &[("map", Ask::Map)], Gives::Values),
    optional(of(&["range"], Builtin::RangeFn, &[("a", Ask::Int), ("b", Ask::Int)], Gives::Ints), 1),
    of(&["map"], Builtin::MapFn, EACH, Gives::Mapped),
    of(&["filter"], Builtin::FilterFn, EACH, Gives::Same),
    of(&["any"], Builtin::AnyFn, EACH, Gives::Bool),
    of(&["all"], Builtin::AllFn, EACH, Gives::Bool),
    of(&["trim"], Builtin::Trim, TEXT, Gives::Str),
    of(&["lower", "lowercase", "to_lower"], Builtin::Lower, TEXT, Gives::Str),
    of(&["upper", "uppercase", "to_upper"], Builtin::Upper, TEXT, Gives::Str),
    of(&["starts_with"], Builtin::StartsWith, TWO_TEXTS, Gives::Bool),
    of(&["ends_with"], Builtin::EndsWith, TWO_TEXTS, Gives::Bool),
    of(&["split"], Builtin::Split, &[("s", Ask::Str), ("sep", Ask::Str)], Gives::Strs),
    of(&["replace"], Builtin::Replace, &[("s", Ask::Str), ("a", Ask::Str), ("b", Ask::Str)], Gives::Str),
    optional(
        of(&["substring"], Builtin::Substring, &[("s", Ask::Str), ("i", Ask::Int), ("j", Ask::Int)], Gives::Str),
        2,
    ),
    of(&["join"], Builtin::Join, &[("array", Ask::Array), ("sep", Ask::Str)], Gives::Str),
    repeated(of(&["concat"], Builtin::Concat, ANY, Gives::Str)),
    of(&["to_string"], Builtin::ToString, ANY, Gives::Str),
    of(&["to_int"], Builtin::ToInt, &[("x", Ask::ToInt)], Gives::Int),
    of(&["to_float"], Builtin::ToFloat, &[("x", Ask::ToFloat)], Gives::Float),
    of(&["to_timestamp"], Builtin::ToTimestamp, &[("x", Ask::StrOrInt)], Gives::Time),
    of(&["seconds"], Builtin::Seconds, &[("d", Ask::Duration)], Gives::Float),
    of(&["millis"], Builtin::Millis, &[("d", Ask::DurationOrTime)], Gives::Int),
    of(&["type_of"], Builtin::TypeOf, ANY, Gives::Str),
    of(&["is_null"], Builtin::IsNull, ANY, Gives::Bool),
    of(&["is_int"], Builtin::IsInt, ANY, Gives::Bool),
    of(&["is_float"], Builtin::IsFloat, ANY, Gives::Bool),
    of(&["is_string"], Builtin::IsString, ANY, Gives::Bool),
    of(&["is_bool"], Builtin::IsBool, ANY, Gives::Bool),
    of(&["is_array"], Builtin::IsArray, ANY, Gives::Bool),
    of(&["is_map"], Builtin::IsMap, ANY, Gives::Bool),
    repeated(of(&["coalesce"], Builtin::Coalesce, ANY, Gives::OneOf)),
    of(&["if_null"], Builtin::IfNull, &[("a", Ask::Any), ("b", Ask::Any)], Gives::OneOf),
];

/// The function of this name.
pub(super) fn find(name: &str) -> Option<&'static Signature> {
    SIGNATURES.iter().find(|signature| signature.names.contains(&name))
}

/// All names, for did-you-mean.
pub(super) fn names<'n>() -> impl Iterator<Item = &'n str> {
    SIGNATURES.iter().flat_map(|signature| signature.names.iter().copied()).chain(["event_time", "event_type"])
}

/// Name and numbers of arguments of each function that takes values only; three arguments stand for any number.
#[cfg(test)]
pub(in crate::check) fn signatures() -> impl Iterator<Item = (&'static str, std::ops::RangeInclusive<usize>)> {
    SIGNATURES.iter().filter(|signature| !signature.takes_lambda()).map(|signature| {
        let most = if signature.more { 3 } else { signature.params.len() };
        (signature.names[0], signature.required..=most)
    })
}

impl Signature {
    /// Is the name that of a function only, not of an aggregate, too?
    pub(super) fn is_no_aggregate(&self) -> bool {
        use Builtin::{Avg, First, Last, Max, Min, Sum};
        !matches!(self.builtin, Avg | First | Last | Max | Min | Sum)
    }

    /// `min(x)` and `max(x)` can only be meant as aggregates.
    pub(super) fn is_aggregate_form(&self, found: usize) -> bool {
        matches!(self.builtin, Builtin::Min | Builtin::Max) && found == 1
    }

    /// How many arguments are asked, if `found` are not right.
    pub(super) fn wrong_number(&self, found: usize) -> Option<String> {
        let most = if self.more { usize::MAX } else { self.params.len() };
        if (self.required..=most).contains(&found) {
            return None;
        }
        let noun = |n: usize| if n == 1 { "argument" } else { "arguments" };
        Some(match (self.required, most) {
            (least, usize::MAX) => format!("at least {least} {}", noun(least)),
            (least, most) if least == most => format!("{least} {}", noun(least)),
            (least, most) => format!("{least} to {most} arguments"),
        })
    }

    /// `f(a, b)`
    pub(super) fn usage(&self, name: &str) -> String {
        let params: Vec<&str> = self.params.iter().map(|(param, _)| *param).collect();
        let more = if self.more { ", …" } else { "" };
        format!("{name}({}{more})", params.join(", "))
    }

    /// Is the last argument a lambda?
    pub(super) fn takes_lambda(&self) -> bool {
        self.params.iter().any(|(_, ask)| *ask == Ask::Lambda)
    }

    /// The parameters, the last one repeated for ever.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (&'static str, Ask)> {
        let last = self.params.last().copied().filter(|_| self.more);
        self.params.iter().copied().chain(std::iter::repeat_n(last, if self.more { usize::MAX } else { 0 }).flatten())
    }

    /// What is known of the result; the arguments have what the parameters ask for. `Err`: parameter, what it would have to
    /// be beside the others, and what it is.
    pub(super) fn result(&self, args: &[Type]) -> Result<Type, (&'static str, String, Type)> {
        let first = args.first().cloned().unwrap_or_default();
        Ok(match self.gives {
            Gives::Bool => Type::Bool,
            Gives::Int if self.builtin == Builtin::Round && args.len() == 2 => Type::Float,
            Gives::Int => Type::Int,
            Gives::Float => Type::Float,
            Gives::Str => Type::Str,
            Gives::Time => Type::Time,
            Gives::Strs => Type::Array(Box::new(Type::Str)),
            Gives::Ints => Type::Array(Box::new(Type::Int)),
            Gives::Same => first,
            Gives::Power => match (&first, &args[1]) {
                (Type::Int, Type::Int) => Type::Int,
                (Type::Float, Type::Int | Type::Float) | (Type::Int, Type::Float) => Type::Float,
                _ => Type::Any,
            },
            Gives::OneKind => return self.one_kind(args),
            Gives::Element | Gives::With if self.builtin != Builtin::Push && !is_place_in(args.get(1), &first) => {
                let asked = if matches!(first, Type::Array(_)) { "an int" } else { "a str" };
                return Err(("i", asked.into(), args[1].clone()));
            }
            Gives::Element => element(first),
            Gives::With => match (first, args.last().cloned().unwrap_or_default()) {
                (Type::Array(element), added) => Type::Array(Box::new(types::join(*element, added))),
                (Type::Map(key, value), added) => Type::Map(key, Box::new(types::join(*value, added))),
                (Type::Record(..), _) => types::open_map(),
                _ => Type::Any,
            },
            Gives::Sum => match first {
                Type::Array(element) if matches!(*element, Type::Int | Type::Float) => *element,
                _ => Type::Any,
            },
            Gives::Values => Type::Array(Box::new(element(first))),
            Gives::OneOf => types::join_all(args.iter().cloned()),
            Gives::Contains if !may_contain(&first, &args[1]) => {
                return Err(("x", format!("what a {} may contain", types::name(&first)), args[1].clone()));
            }
            Gives::Contains => Type::Bool,
            Gives::Mapped => types::open_array(),
        })
    }

    /// Arguments that must be of one kind.
    fn one_kind(&self, args: &[Type]) -> Result<Type, (&'static str, String, Type)> {
        let known = args.iter().find(|ty| types::kind(ty).is_some());
        let kind = known.and_then(types::kind);
        for (ty, (param, _)) in args.iter().zip(self.parameters()) {
            if types::kind(ty).is_some_and(|other| Some(other) != kind) {
                let asked = known.map(types::name).unwrap_or_default();
                return Err((param, asked, ty.clone()));
            }
        }
        let unknown = args.contains(&Type::Any);
        Ok(if unknown { Type::Any } else { types::join_all(args.iter().cloned()) })
    }
}

/// Is this (if anything) an index of an array, a key of a map?
fn is_place_in(place: Option<&Type>, collection: &Type) -> bool {
    match (collection, place) {
        (Type::Array(_), Some(place)) => Ask::Int.accepts(place),
        (Type::Map(..) | Type::Record(..), Some(place)) => Ask::Str.accepts(place),
        _ => true,
    }
}

/// The elements of an array, the values of a map.
fn element(collection: Type) -> Type {
    match collection {
        Type::Array(element) => *element,
        Type::Map(_, value) => *value,
        _ => Type::Any,
    }
}
