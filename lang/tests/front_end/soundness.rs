//! Random expressions as text: what is known of a value statically is true of it, and an expression is worth the same
//! whether its operands are literals (and folded), fields of known types, or fields of which nothing is known.

use rarog_lang::ast::{Arg, Expr as AstExpr, Ident, Item, StmtKind};
use rarog_lang::check::declared::Declared;
use rarog_lang::check::expression::Expressions;
use rarog_lang::check::problems::Problems;
use rarog_lang::check::scope::{Found, Object, Scope, Typed};
use rarog_lang::check::types;
use rarog_lang::eval::interpreter::{Evaluator, Record};
use rarog_lang::eval::text::write_text;
use rarog_lang::plan::{Expr, Function};
use rarog_lang::span::Span;
use rarog_lang::value::{Type, Value};
use std::sync::Arc;

/// What an expression is generated for. The generator keeps to it most of the time.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Int,
    Number,
    Bool,
    Str,
    Time,
    Duration,
    Ints,
    Map,
}

const KINDS: [Kind; 8] =
    [Kind::Int, Kind::Number, Kind::Bool, Kind::Str, Kind::Time, Kind::Duration, Kind::Ints, Kind::Map];

/// Generates expressions over operands `v0`, `v1`, …
struct Texts {
    state: u64,
    operands: Vec<Value>,
    /// Parameters of lambdas around.
    params: Vec<String>,
}

impl Texts {
    fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn int(&mut self) -> i64 {
        match self.below(8) {
            0 => self.pick(&[i64::MAX, i64::MIN, i64::MAX - 1, 1 << 53, (1 << 53) + 1]),
            _ => self.below(9) as i64 - 3,
        }
    }

    fn value(&mut self, kind: Kind) -> Value {
        match kind {
            Kind::Int => Value::Int(self.int()),
            Kind::Number if self.below(2) == 0 => Value::Int(self.int()),
            Kind::Number => Value::Float(self.pick(&[0.0, -0.0, 0.5, -1.5, 2.0, 1e16, 1e300, 3e-7])),
            Kind::Bool => Value::Bool(self.below(2) == 0),
            Kind::Str => Value::Str(self.pick(&["", "a", "b", "ab", "bébé", "7", "k"]).into()),
            Kind::Time => Value::Time(self.below(4) as i64 * 1_500_000_000),
            Kind::Duration => Value::Duration(self.pick(&[0, 1, 1_500_000_000, -60_000_000_000, i64::MAX])),
            Kind::Ints => {
                let count = self.below(4);
                Value::Array(Arc::new((0..count).map(|_| Value::Int(self.int())).collect()))
            }
            Kind::Map => {
                let value = Value::Int(self.int());
                Value::Map(Arc::new([("a".into(), value), ("k".into(), Value::Null)].into_iter().collect()))
            }
        }
    }

    fn operand(&mut self, kind: Kind) -> String {
        if !self.params.is_empty() && self.below(3) == 0 {
            let at = self.below(self.params.len() as u64) as usize;
            return self.params[at].clone();
        }
        let kind = if self.below(40) == 0 { self.pick(&KINDS) } else { kind };
        let value = if self.below(10) == 0 { Value::Null } else { self.value(kind) };
        self.operands.push(value);
        format!("v{}", self.operands.len() - 1)
    }

    /// An expression, in brackets unless it is an operand.
    fn expr(&mut self, kind: Kind, depth: u32) -> String {
        if depth == 0 || self.below(6) == 0 {
            return self.operand(kind);
        }
        let depth = depth - 1;
        if self.below(8) == 0 {
            return self.of_any_kind(kind, depth);
        }
        match kind {
            Kind::Int => self.of_int(depth),
            Kind::Number => self.of_number(depth),
            Kind::Bool => self.of_bool(depth),
            Kind::Str => self.of_str(depth),
            Kind::Time => self.of_time(depth),
            Kind::Duration => self.of_duration(depth),
            Kind::Ints => self.of_ints(depth),
            Kind::Map => format!(
                "set({}, {}, {})",
                self.expr(kind, depth),
                self.expr(Kind::Str, depth),
                self.expr(Kind::Int, depth)
            ),
        }
    }

    fn of_any_kind(&mut self, kind: Kind, depth: u32) -> String {
        let (a, b) = (self.expr(kind, depth), self.expr(kind, depth));
        match self.below(5) {
            0 => format!("(if {} then {a} else {b})", self.expr(Kind::Bool, depth)),
            1 => format!("({a} ?? {b})"),
            2 => format!("coalesce({a}, {b})"),
            3 => format!("if_null(b: {a}, a: {b})"),
            _ => format!("[{a}, {b}][{}]", self.expr(Kind::Int, depth)),
        }
    }

    fn of_int(&mut self, depth: u32) -> String {
        let (a, b) = (self.expr(Kind::Int, depth), self.expr(Kind::Int, depth));
        match self.below(10) {
            0..=2 => format!("({a} {} {b})", self.pick(&["+", "-", "*", "/", "%"])),
            3 => format!("({a} {} {b})", self.pick(&["&", "|", "^", "<<", ">>", "**"])),
            4 => format!("({}{a})", self.pick(&["- ", "~"])),
            5 => format!("len({})", {
                let kind = self.pick(&[Kind::Str, Kind::Ints, Kind::Map]);
                self.expr(kind, depth)
            }),
            6 => format!("{}({})", self.pick(&["floor", "ceil", "round", "to_int"]), self.expr(Kind::Number, depth)),
            7 => format!("{}.{}()", self.expr(Kind::Ints, depth), self.pick(&["first", "last", "sum"])),
            8 => format!("{}({a}, {b})", self.pick(&["min", "max", "pow"])),
            _ => format!("millis({})", {
                let kind = self.pick(&[Kind::Time, Kind::Duration]);
                self.expr(kind, depth)
            }),
        }
    }

    fn of_number(&mut self, depth: u32) -> String {
        let (a, b) = (self.expr(Kind::Number, depth), self.expr(Kind::Number, depth));
        match self.below(7) {
            0..=2 => format!("({a} {} {b})", self.pick(&["+", "-", "*", "/", "%", "**"])),
            3 => format!("{}({a}, {b})", self.pick(&["min", "max", "pow"])),
            4 => format!("{}({a})", self.pick(&["abs", "sqrt", "to_float", "-"])),
            5 => format!("round({a}, {})", self.below(4)),
            _ => format!("({} / {})", self.expr(Kind::Duration, depth), self.expr(Kind::Duration, depth)),
        }
    }

    fn of_bool(&mut self, depth: u32) -> String {
        let kind = self.pick(&KINDS);
        let (a, b) = (self.expr(kind, depth), self.expr(kind, depth));
        match self.below(9) {
            0 => format!("({a} {} {b})", self.pick(&["==", "!="])),
            1 | 2 => {
                let kind = self.pick(&[Kind::Int, Kind::Number, Kind::Str, Kind::Time, Kind::Duration]);
                format!(
                    "({} {} {})",
                    self.expr(kind, depth),
                    self.pick(&["<", "<=", ">", ">="]),
                    self.expr(kind, depth)
                )
            }
            3 => format!(
                "({} {} {})",
                self.expr(Kind::Bool, depth),
                self.pick(&["and", "or"]),
                self.expr(Kind::Bool, depth)
            ),
            4 => format!("(not {})", self.expr(Kind::Bool, depth)),
            5 => format!("({a} {})", self.pick(&["is null", "is not null", "== null", "!= null"])),
            6 => format!(
                "({} {} {})",
                self.expr(Kind::Int, depth),
                self.pick(&["in", "not in"]),
                self.expr(Kind::Ints, depth)
            ),
            7 => format!(
                "({} in {}..{})",
                self.expr(Kind::Number, depth),
                self.expr(Kind::Int, depth),
                self.expr(Kind::Int, depth)
            ),
            _ => self.lambda("any", "all", Kind::Bool, depth),
        }
    }

    fn of_str(&mut self, depth: u32) -> String {
        let (a, b) = (self.expr(Kind::Str, depth), self.expr(Kind::Str, depth));
        let kind = self.pick(&KINDS);
        match self.below(7) {
            0 => format!("({a} + {b})"),
            1 => format!("concat({a}, {})", self.expr(kind, depth)),
            2 => format!("to_string({})", self.expr(kind, depth)),
            3 => format!("{}({a})", self.pick(&["upper", "trim", "reverse", "type_of"])),
            4 => format!("{a}[{}:]", self.expr(Kind::Int, depth)),
            5 => format!("join({}, {a})", self.expr(Kind::Ints, depth)),
            _ => format!("replace({a}, {b}, \"-\")"),
        }
    }

    fn of_time(&mut self, depth: u32) -> String {
        match self.below(3) {
            0 => format!("to_timestamp({})", self.expr(Kind::Int, depth)),
            _ => format!(
                "({} {} {})",
                self.expr(Kind::Time, depth),
                self.pick(&["+", "-"]),
                self.expr(Kind::Duration, depth)
            ),
        }
    }

    fn of_duration(&mut self, depth: u32) -> String {
        let a = self.expr(Kind::Duration, depth);
        match self.below(4) {
            0 => format!("({a} {} {})", self.pick(&["+", "-", "%"]), self.expr(Kind::Duration, depth)),
            1 => format!("({a} {} {})", self.pick(&["*", "/"]), self.expr(Kind::Number, depth)),
            2 => format!("({} - {})", self.expr(Kind::Time, depth), self.expr(Kind::Time, depth)),
            _ => format!("abs({a})"),
        }
    }

    fn of_ints(&mut self, depth: u32) -> String {
        let a = self.expr(Kind::Ints, depth);
        match self.below(7) {
            0 => format!("[{}, {}]", self.expr(Kind::Int, depth), self.expr(Kind::Int, depth)),
            1 => format!("{a}.{}()", self.pick(&["sort", "unique", "reverse", "pop"])),
            2 => format!("push({a}, {})", self.expr(Kind::Int, depth)),
            3 => format!("{a}[{}:{}]", self.expr(Kind::Int, depth), self.expr(Kind::Int, depth)),
            4 => format!("(({} % 5)..={} % 7)", self.expr(Kind::Int, depth), self.operand(Kind::Int)),
            5 => self.lambda("map", "map", Kind::Int, depth),
            _ => self.lambda("filter", "filter", Kind::Bool, depth),
        }
    }

    fn lambda(&mut self, one: &str, other: &str, body: Kind, depth: u32) -> String {
        let function = if self.below(2) == 0 { one } else { other };
        let items = self.expr(Kind::Ints, depth);
        let param = format!("x{}", self.params.len());
        self.params.push(param.clone());
        let body = self.expr(body, depth);
        self.params.pop();
        format!("{function}({items}, {param} => {body})")
    }
}

/// A literal that gives the value, not bare where that would mean something else.
fn literal(value: &Value) -> String {
    match value {
        // Beside a bare `null` an equality is a test for null.
        Value::Null => "[null][0]".into(),
        Value::Str(text) => format!("\"{text}\""),
        Value::Time(_) => format!("(@{})", text(value)),
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Map(map) => {
            let entries: Vec<String> = map.iter().map(|(key, value)| format!("{key}: {}", literal(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        value => format!("({})", text(value)),
    }
}

fn text(value: &Value) -> String {
    let mut text = String::new();
    write_text(&mut text, value);
    text
}

/// The fields `v0`, `v1`, … with what is known of them.
struct Fields(Vec<Type>);

impl Scope for Fields {
    fn name(&mut self, name: &Ident, _: &mut Expressions) -> Found {
        let column = name.name.strip_prefix('v').and_then(|number| number.parse::<u32>().ok());
        match column {
            Some(column) => Found::Value(Typed { expr: Expr::Column(column), ty: self.0[column as usize].clone() }),
            None => Found::Unknown,
        }
    }
    fn open_field(&mut self, _: &Ident, _: &mut Expressions) -> Found {
        Found::Unknown
    }
    fn object(&mut self, _: Object, _: Span, expressions: &mut Expressions) -> Typed {
        expressions.refused()
    }
    fn member(&mut self, _: Object, _: &Ident, _: &mut Expressions) -> Found {
        Found::Unknown
    }
    fn index(&mut self, _: Object, _: &AstExpr, _: &mut Expressions) -> Found {
        Found::Unknown
    }
    fn call(&mut self, _: &Ident, _: &[Arg], _: Span, _: &mut Expressions) -> Option<Found> {
        None
    }
    fn has_record(&self) -> bool {
        true
    }
    fn names(&self) -> Vec<Arc<str>> {
        Vec::new()
    }
}

struct Operands<'v>(&'v [Value]);

impl Record for Operands<'_> {
    fn column(&self, column: u32) -> Value {
        self.0[column as usize].clone()
    }
}

/// The value of an expression whose fields have these types; `None` if the checker refuses it.
fn value(text: &str, types: Vec<Type>, operands: &[Value]) -> Option<Value> {
    let (program, syntax) = rarog_lang::parser::parse(&format!("fn row(): {text}\n"), 0);
    assert_eq!(syntax, [], "{text}");
    let [Item::Fn(row)] = &program.items[..] else { panic!("one function: {text}") };
    let StmtKind::Expr(expr) = &row.body[0].kind else { panic!("one expression: {text}") };
    let mut problems = Problems::default();
    let declared = Declared::new(Vec::new(), &|_| String::new(), &mut problems);
    let mut expressions = Expressions::new(&declared, &[], problems);
    let typed = expressions.check(expr, &mut Fields(types));
    if expressions.finish().problems.has_errors() {
        return None;
    }
    let value = Evaluator::new(Vec::<Function>::new()).eval(&typed.expr, &Operands(operands));
    assert!(
        is_of(&typed.ty, &value),
        "{text} is {} by its type, and is {value:?} for {operands:?}",
        types::name(&typed.ty)
    );
    Some(value)
}

fn is_of(ty: &Type, value: &Value) -> bool {
    match (ty, value) {
        (Type::Any, _)
        | (_, Value::Null)
        | (Type::Bool, Value::Bool(_))
        | (Type::Int, Value::Int(_))
        | (Type::Float, Value::Float(_))
        | (Type::Str, Value::Str(_))
        | (Type::Time, Value::Time(_))
        | (Type::Duration, Value::Duration(_)) => true,
        (Type::Array(element), Value::Array(items)) => items.iter().all(|item| is_of(element, item)),
        (Type::Map(_, element), Value::Map(map)) => map.values().all(|value| is_of(element, value)),
        (Type::Record(_, fields), Value::Map(map)) => {
            fields.iter().all(|(name, ty)| map.get(name).is_none_or(|value| is_of(ty, value)))
        }
        _ => false,
    }
}

/// The text with literals in place of the operands.
fn with_literals(template: &str, operands: &[Value]) -> String {
    let mut text = template.to_string();
    for (index, operand) in operands.iter().enumerate().rev() {
        text = text.replace(&format!("v{index}"), &literal(operand));
    }
    text
}

#[test]
fn an_expression_is_worth_the_same_however_its_operands_come() {
    let (mut literals, mut known, mut present) = (0, 0, 0);
    for seed in 0..6_000 {
        let mut texts = Texts { state: seed, operands: Vec::new(), params: Vec::new() };
        let kind = texts.pick(&KINDS);
        let template = texts.expr(kind, 1 + (seed % 4) as u32);
        let operands = texts.operands;
        let unknown = value(&template, vec![Type::Any; operands.len()], &operands);
        let types =
            operands.iter().map(|operand| if *operand == Value::Null { Type::Any } else { types::of_value(operand) });
        let typed = value(&template, types.collect(), &operands);
        let folded = value(&with_literals(&template, &operands), Vec::new(), &[]);
        present += usize::from(unknown.as_ref().is_some_and(|value| *value != Value::Null));
        if let (Some(typed), Some(unknown)) = (&typed, &unknown) {
            known += 1;
            assert_eq!(typed, unknown, "{template} for {operands:?}");
        }
        if let (Some(folded), Some(unknown)) = (&folded, &unknown) {
            literals += 1;
            assert_eq!(folded, unknown, "{template} for {operands:?}");
        }
    }
    assert!(literals > 3_000 && known > 3_000 && present > 2_000, "{literals} {known} {present}");
}
