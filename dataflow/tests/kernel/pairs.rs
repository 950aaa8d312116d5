//! Every operator and function over operands of every kind, columns and constants.

use crate::batches::{COLUMNS, FLOATS, INTS, KINDS, Kind, batch, value};
use crate::random::Random;
use rarog_dataflow::batch::Rows;
use rarog_dataflow::column::from_values;
use rarog_lang::plan::{BinOp, Builtin, Expr, UnOp};
use rarog_lang::value::{Type, Value};
use std::sync::Arc;

/// What is applied.
#[derive(Clone, Debug)]
enum Operation {
    Unary(UnOp),
    Binary(BinOp),
    And,
    Or,
    Coalesce,
    IsNull,
    In,
    InConstants,
    InRange,
    Index,
    If,
    Convert(Type),
    Call(Builtin),
    Inlined(u32),
}

/// An operation, and for each operand its kind and whether it is a constant.
#[derive(Clone, Debug)]
pub struct Shape(Operation, Vec<(Kind, bool)>);

/// Functions of one argument.
#[rustfmt::skip]
const UNARY: [Builtin; 43] = {
    use Builtin::*;
    [
        Abs, Sqrt, Ln, Log10, Exp, Sin, Cos, Tan, Floor, Ceil, Round, Min, Max, Len, Reverse, First, Last, Pop, Sort,
        Unique, Sum, Avg, Keys, Values, Trim, Lower, Upper, Concat, ToString, ToInt, ToFloat, ToTimestamp, Seconds, Millis,
        TypeOf, IsNull, IsInt, IsFloat, IsString, IsBool, IsArray, IsMap, Coalesce,
    ]
};

/// All shapes of one and two operands, and of three of like kinds.
pub fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for operation in of_one() {
        shapes.extend(KINDS.iter().map(|kind| Shape(operation.clone(), vec![(*kind, false)])));
    }
    for operation in of_two() {
        for (left, right) in KINDS.iter().flat_map(|left| KINDS.iter().map(move |right| (*left, *right))) {
            for constants in [(false, false), (false, true), (true, false)] {
                shapes.push(Shape(operation.clone(), vec![(left, constants.0), (right, constants.1)]));
            }
        }
    }
    for operation in of_three() {
        for (first, second) in KINDS.iter().flat_map(|first| KINDS.iter().map(move |second| (*first, *second))) {
            for constant in [false, true] {
                shapes.push(Shape(operation.clone(), vec![(first, false), (second, constant), (second, !constant)]));
            }
        }
    }
    shapes
}

fn of_one() -> impl Iterator<Item = Operation> {
    let types =
        [Type::Bool, Type::Int, Type::Float, Type::Str, Type::Time, Type::Duration, Type::Array(Type::Int.into())];
    let others = [Operation::IsNull, Operation::Inlined(1), Operation::Inlined(5)];
    // What matters of an array of constants is much.
    let others = others.into_iter().chain(std::iter::repeat_n(Operation::InConstants, 30));
    let signs = [UnOp::Neg, UnOp::BitNot, UnOp::Not].map(Operation::Unary);
    signs.into_iter().chain(types.map(Operation::Convert)).chain(others).chain(UNARY.map(Operation::Call))
}

fn of_two() -> impl Iterator<Item = Operation> {
    use Builtin::*;
    let others = [Operation::And, Operation::Or, Operation::Coalesce, Operation::In, Operation::Index];
    let calls = [
        Pow, Round, Min, Max, Contains, Get, Push, StartsWith, EndsWith, Split, Join, Concat, IfNull, Coalesce,
        Substring, RangeFn,
    ];
    let functions = [2, 4, 7, 8, 9, 10].map(Operation::Inlined);
    OPERATORS.map(Operation::Binary).into_iter().chain(others).chain(functions).chain(calls.map(Operation::Call))
}

fn of_three() -> impl Iterator<Item = Operation> {
    use Builtin::*;
    [Operation::If, Operation::InRange]
        .into_iter()
        .chain([Clamp, Max, Substring, Replace, Set, Concat, Coalesce].map(Operation::Call))
}

impl Shape {
    /// With random columns and constants of these kinds.
    pub fn expr(&self, random: &mut Random) -> Expr {
        let mut operands: Vec<Expr> = self.1.iter().map(|(kind, constant)| operand(random, *kind, *constant)).collect();
        let kind = self.1[0].0;
        if let Operation::Call(function) = self.0 {
            return Expr::Call(function, operands);
        }
        if let Operation::Inlined(function) = self.0 {
            return Expr::CallFn(function, operands);
        }
        let mut next = || Box::new(operands.remove(0));
        match self.0.clone() {
            Operation::Unary(op) => Expr::Unary(op, next()),
            Operation::Binary(op) => Expr::Binary(op, next(), next()),
            Operation::And => Expr::And(next(), next()),
            Operation::Or => Expr::Or(next(), next()),
            Operation::Coalesce => Expr::Coalesce(next(), next()),
            Operation::IsNull => Expr::IsNull(next()),
            Operation::In => Expr::In(next(), next()),
            Operation::Index => Expr::Index(next(), next()),
            Operation::If => Expr::If(next(), next(), next()),
            Operation::Convert(ty) => Expr::Convert(ty, next()),
            Operation::InRange => {
                let value = next();
                Expr::In(value, Box::new(Expr::Range(random.once_in(2), next(), next())))
            }
            Operation::InConstants => Expr::In(next(), Box::new(Expr::Const(constants(random, kind)))),
            Operation::Call(_) | Operation::Inlined(_) => Expr::Const(Value::Null),
        }
    }
}

fn operand(random: &mut Random, kind: Kind, constant: bool) -> Expr {
    if constant {
        return Expr::Const(if random.once_in(30) { Value::Null } else { value(random, kind, 1) });
    }
    let twice = COLUMNS / KINDS.len();
    let place = KINDS.iter().position(|other| *other == kind).expect("it is one of them");
    Expr::Column((place + KINDS.len() * random.below(twice)) as u32)
}

/// An array of few or many constants, mostly of the kind.
fn constants(random: &mut Random, kind: Kind) -> Value {
    let len = random.pick(&[0, 1, 3, 20]);
    let mut one = || match random.below(12) {
        0 => Value::Null,
        1 => value(random, Kind::Any, 1),
        2..6 if kind == Kind::Int => value(random, Kind::Float, 0),
        2..6 if kind == Kind::Float => value(random, Kind::Int, 0),
        _ => value(random, kind, 0),
    };
    Value::Array(Arc::new((0..len).map(|_| one()).collect()))
}

const OPERATORS: [BinOp; 17] = {
    use BinOp::*;
    [Eq, Ne, Lt, Le, Gt, Ge, Add, Sub, Mul, Div, Rem, Pow, BitOr, BitXor, BitAnd, Shl, Shr]
};

/// A column of values, in place of the first of a batch.
fn rows_of(values: &[Value]) -> Rows {
    let mut rows = batch(&mut Random::new(0), values.len());
    rows.columns[0] = from_values(values.to_vec());
    rows
}

/// Numbers at the edges of ints and floats with each other, as columns and as constants.
pub fn edges() -> Vec<(Expr, Rows)> {
    let kinds = [INTS.map(Value::Int).to_vec(), FLOATS.map(Value::Float).to_vec()];
    let columns = kinds.each_ref().map(|values| rows_of(values));
    let mut cases = Vec::new();
    for (values, rows) in kinds.iter().flat_map(|values| columns.iter().map(move |rows| (values, rows))) {
        for value in values {
            let (column, constant) = (|| Expr::Column(0), || Expr::Const(value.clone()));
            let constants = Expr::Const(Value::Array(Arc::new(vec![value.clone()])));
            cases.push((Expr::In(Box::new(column()), Box::new(constants)), rows.clone()));
            for [left, right] in [[column(), constant()], [constant(), column()]] {
                for op in OPERATORS {
                    cases.push((Expr::Binary(op, Box::new(left.clone()), Box::new(right.clone())), rows.clone()));
                }
                for function in [Builtin::Min, Builtin::Max, Builtin::Round] {
                    cases.push((Expr::Call(function, vec![left.clone(), right.clone()]), rows.clone()));
                }
            }
        }
    }
    for (lefts, rights) in kinds.iter().flat_map(|lefts| kinds.iter().map(move |rights| (lefts, rights))) {
        let pairs: Vec<(Value, Value)> =
            lefts.iter().flat_map(|a| rights.iter().map(move |b| (a.clone(), b.clone()))).collect();
        let (lefts, rights): (Vec<Value>, Vec<Value>) = pairs.into_iter().unzip();
        let mut rows = rows_of(&lefts);
        rows.columns[1] = from_values(rights);
        let (a, b) = (Expr::Column(0), Expr::Column(1));
        let operators = OPERATORS.map(|op| Expr::Binary(op, Box::new(a.clone()), Box::new(b.clone())));
        let functions = [Builtin::Min, Builtin::Max].map(|function| Expr::Call(function, vec![a.clone(), b.clone()]));
        cases.extend(operators.into_iter().chain(functions).map(|expr| (expr, rows.clone())));
    }
    cases
}
