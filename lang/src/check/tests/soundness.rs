//! Types against values: what the checker knows of an expression is held against what the evaluator makes of sample values
//! of all kinds.
//!
//! - An expression is refused exactly if it is null (or, for `==`, `!=` and `in`, always the same) whatever the values are.
//! - The value of an accepted one is of its static type, or null.

use super::{Record, outcome};
use crate::check::expression::signatures;
use crate::check::types::{converts, name};
use crate::eval::convert::convert;
use crate::eval::interpreter::{self, Evaluator};
use crate::plan::Expr;
use crate::value::{Map, Type, Value};
use std::sync::Arc;

/// So many fields there are of each kind.
const ALIKE: usize = 3;

/// A field with sample values.
#[derive(Clone)]
struct Field {
    name: &'static str,
    ty: Type,
    samples: Vec<Value>,
}

fn array(items: &[Value]) -> Value {
    Value::Array(Arc::new(items.to_vec()))
}

/// A field of each kind, again and again.
fn fields() -> Vec<Field> {
    let text = |text: &str| Value::Str(text.into());
    let map = |entries: &[(&str, f64)]| {
        let entries: Map = entries.iter().map(|(key, value)| (Arc::from(*key), Value::Float(*value))).collect();
        Value::Map(Arc::new(entries))
    };
    let of = |element: Type| Type::Array(Box::new(element));
    let field = |name, ty, samples: Vec<Value>| Field { name, ty, samples };
    let kinds = [
        field("b", Type::Bool, vec![Value::Bool(true), Value::Bool(false)]),
        field("i", Type::Int, vec![Value::Int(1), Value::Int(-3), Value::Int(0)]),
        field("f", Type::Float, vec![Value::Float(0.5), Value::Float(-2.0), Value::Float(1.0)]),
        field("s", Type::Str, vec![text("a"), text("12"), text("2024-01-01T00:00:00Z"), text("5s")]),
        field("t", Type::Time, vec![Value::Time(5_000_000_000), Value::Time(0)]),
        field("d", Type::Duration, vec![Value::Duration(2_000_000_000), Value::Duration(1)]),
        field("xs", of(Type::Int), vec![array(&[Value::Int(1), Value::Int(2)]), array(&[])]),
        field(
            "ws",
            of(Type::Str),
            vec![array(&[text("a"), text("b")]), array(&[text("2024-01-01T00:00:00Z")]), array(&[])],
        ),
        field(
            "m",
            Type::Map(Box::new(Type::Str), Box::new(Type::Float)),
            vec![map(&[("a", 0.5)]), map(&[("a", 1.0)]), map(&[])],
        ),
    ];
    let named = |prefix: &str, field: &Field| Field { name: format!("{prefix}{}", field.name).leak(), ..field.clone() };
    ["", "other_", "third_"].iter().flat_map(|prefix| kinds.iter().map(|field| named(prefix, field))).collect()
}

struct Row<'r>(&'r [&'r Value]);

impl interpreter::Record for Row<'_> {
    fn column(&self, column: u32) -> Value {
        self.0[column as usize].clone()
    }
    fn event_type(&self) -> Arc<str> {
        "E".into()
    }
}

/// Is it null, or a value of the type?
fn is_of(value: &Value, ty: &Type) -> bool {
    match (value, ty) {
        (Value::Null, _) | (_, Type::Any) => true,
        (Value::Bool(_), Type::Bool)
        | (Value::Int(_), Type::Int)
        | (Value::Float(_), Type::Float)
        | (Value::Str(_), Type::Str)
        | (Value::Time(_), Type::Time)
        | (Value::Duration(_), Type::Duration) => true,
        (Value::Array(items), Type::Array(element)) => items.iter().all(|item| is_of(item, element)),
        (Value::Map(map), Type::Map(_, element)) => map.values().all(|item| is_of(item, element)),
        _ => false,
    }
}

/// The values of an expression over all combinations of samples of the fields that it names.
fn values(expr: &Expr, fields: &[Field], used: &[usize]) -> Vec<Value> {
    let mut evaluator = Evaluator::new([]);
    let mut chosen = vec![0; used.len()];
    let mut values = Vec::new();
    loop {
        let mut row: Vec<&Value> = fields.iter().map(|field| &field.samples[0]).collect();
        used.iter().zip(&chosen).for_each(|(field, sample)| row[*field] = &fields[*field].samples[*sample]);
        values.push(evaluator.eval(expr, &Row(&row)));
        let Some(next) = (0..used.len()).find(|place| chosen[*place] + 1 < fields[used[*place]].samples.len()) else {
            return values;
        };
        chosen[next] += 1;
        chosen[..next].fill(0);
    }
}

/// Holds an expression's type against its values. `constant_is_wrong`: an expression that is always the same is to be refused.
fn hold(text: &str, fields: &[Field], used: &[usize], constant_is_wrong: bool, differences: &mut Vec<String>) {
    let scope = |typed: bool| Record {
        fields: fields.iter().map(|field| (field.name, if typed { field.ty.clone() } else { Type::Any })).collect(),
        open: false,
    };
    let untyped = outcome("", text, &mut scope(false));
    assert_eq!(untyped.errors(), [], "{text}: nothing is known of its operands");
    let values = values(&untyped.typed().expr, fields, used);
    let null = values.iter().all(|value| *value == Value::Null);
    let pointless = null || constant_is_wrong && values.iter().all(|value| *value == values[0]);
    let typed = outcome("", text, &mut scope(true));
    match (typed.errors().as_slice(), pointless) {
        ([], false) => {
            let ty = &typed.typed().ty;
            if let Some(value) = values.iter().find(|value| !is_of(value, ty)) {
                differences.push(format!("{text} is {ty:?}, but gives {value:?}"));
            }
        }
        ([("E0301" | "E0206", _)], true) => {}
        // Numbers are asked, others are skipped.
        ([], true) if text.starts_with("avg(") => {}
        ([], true) => differences.push(format!("{text} is accepted, but always gives {:?}", values[0])),
        (errors, pointless) => differences.push(format!("{text}: {errors:?}, pointless {pointless}, {values:?}")),
    }
}

/// All ways to choose `count` kinds, each time a field of its own.
fn choices(fields: usize, count: usize) -> Vec<Vec<usize>> {
    let kinds = fields / ALIKE;
    let longer = |shorter: Vec<usize>| {
        (0..kinds).map(move |kind| [shorter.clone(), vec![shorter.len() * kinds + kind]].concat())
    };
    (0..count).fold(vec![Vec::new()], |shorter, _| shorter.into_iter().flat_map(longer).collect())
}

#[test]
fn operators_have_the_types_of_their_values() {
    let fields = fields();
    let mut differences = Vec::new();
    for operator in
        ["+", "-", "*", "/", "%", "**", "|", "&", "^", "<<", ">>", "<", "<=", ">", ">=", "==", "!=", "..", "in"]
    {
        for used in choices(fields.len(), 2) {
            let text = format!("{} {operator} {}", fields[used[0]].name, fields[used[1]].name);
            hold(&text, &fields, &used, matches!(operator, "==" | "!=" | "in"), &mut differences);
        }
    }
    for used in choices(fields.len(), 1) {
        for operator in ["-", "~", "not "] {
            hold(&format!("{operator}{}", fields[used[0]].name), &fields, &used, false, &mut differences);
        }
        for behind in ["[0]", "[0:1]", "['a']", ".a"] {
            hold(&format!("{}{behind}", fields[used[0]].name), &fields, &used, false, &mut differences);
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn functions_have_the_types_of_their_values() {
    let fields = fields();
    let mut differences = Vec::new();
    for (name, arguments) in signatures() {
        for count in arguments {
            for used in choices(fields.len(), count) {
                let args: Vec<&str> = used.iter().map(|field| fields[*field].name).collect();
                hold(&format!("{name}({})", args.join(", ")), &fields, &used, name == "contains", &mut differences);
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn declared_types_take_what_conversion_can_take() {
    let fields = &fields()[..9];
    let array_of = |element: Type| Type::Array(Box::new(element));
    let map_of = |element: Type| Type::Map(Box::new(Type::Str), Box::new(element));
    let more = [array_of(Type::Float), array_of(Type::Time), map_of(Type::Int), map_of(Type::Str), Type::Any];
    // An empty collection is of any element type, which says nothing.
    let says = |value: &&Value| match value {
        Value::Array(items) => !items.is_empty(),
        Value::Map(map) => !map.is_empty(),
        _ => true,
    };
    for to in fields.iter().map(|field| field.ty.clone()).chain(more) {
        for from in fields {
            let some = from.samples.iter().filter(says).any(|value| convert(&to, value.clone()).is_some());
            assert_eq!(converts(&from.ty, &to), some, "{} to {}", name(&from.ty), name(&to));
        }
    }
}
