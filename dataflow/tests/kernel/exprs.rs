//! Random expressions: mostly of a wanted kind, so that values come out, sometimes of any other.

use crate::batches::{COLUMNS, KINDS, Kind, value};
use crate::random::Random;
use rarog_lang::plan::{BinOp, Body, Builtin, Expr, Function, Stmt, UnOp};
use rarog_lang::value::{Type, Value};
use std::sync::Arc;

fn b(expr: Expr) -> Box<Expr> {
    Box::new(expr)
}

fn binary(op: BinOp, left: Expr, right: Expr) -> Expr {
    Expr::Binary(op, b(left), b(right))
}

fn int(int: i64) -> Expr {
    Expr::Const(Value::Int(int))
}

/// Number of [`functions`].
pub const FUNCTIONS: u32 = 11;

/// User functions: number 0 counts down by calling itself (beyond 128 calls the limit is hit), 1 and 2 are straight, 3
/// sums up in a loop, 4 calls 1 twice, 5 has statements without a loop, 6 never ends, and those after it are [`branching`].
pub fn functions() -> Vec<Function> {
    let function = |name: &str, params: &[Type], ret: Type, slots, body| Function {
        name: name.into(),
        params: params.iter().map(|ty| ("p".into(), ty.clone())).collect(),
        ret,
        slots,
        body,
    };
    let p = |slot| b(Expr::Local(slot));
    let down = Expr::CallFn(0, vec![binary(BinOp::Sub, Expr::Local(0), int(1))]);
    let down = Expr::If(b(Expr::Binary(BinOp::Gt, p(0), b(int(0)))), b(down), p(0));
    let scaled =
        Expr::Binary(BinOp::Add, b(Expr::Binary(BinOp::Mul, p(0), b(Expr::Const(Value::Float(1.8))))), b(int(32)));
    let larger = Expr::If(b(Expr::Binary(BinOp::Ge, p(0), p(1))), p(0), p(1));
    let summed = vec![
        Stmt::Set(1, Type::Any, int(0)),
        Stmt::For(2, Expr::Local(0), vec![Stmt::Set(1, Type::Any, Expr::Binary(BinOp::Add, p(1), p(2)))]),
        Stmt::Return(Some(Expr::Local(1))),
    ];
    let twice = Expr::Binary(
        BinOp::Sub,
        b(Expr::CallFn(1, vec![*p(0)])),
        b(Expr::CallFn(1, vec![Expr::CallFn(1, vec![*p(1)])])),
    );
    let arms = vec![Stmt::If(
        vec![(Expr::IsNull(p(0)), vec![Stmt::Return(Some(int(-1)))])],
        vec![Stmt::Set(1, Type::Int, Expr::Local(0)), Stmt::Expr(Expr::Local(1))],
    )];
    vec![
        function("down", &[Type::Any], Type::Any, 1, vec![Stmt::Expr(down)]),
        function("scaled", &[Type::Float], Type::Float, 1, vec![Stmt::Return(Some(scaled))]),
        function("larger", &[Type::Any, Type::Any], Type::Any, 2, vec![Stmt::Expr(larger)]),
        function("summed", &[Type::Any], Type::Any, 3, summed),
        function("twice", &[Type::Any, Type::Any], Type::Any, 2, vec![Stmt::Expr(twice)]),
        function("arms", &[Type::Any], Type::Any, 2, arms),
        function("endless", &[], Type::Any, 0, vec![Stmt::Expr(Expr::CallFn(6, vec![]))]),
    ]
    .into_iter()
    .chain(branching().map(|body| function("branching", &[Type::Any, Type::Any], Type::Any, 2, body)))
    .collect()
}

/// Functions in which it matters what a branch does: 7 sets a slot that the other way reads, 8 has a branch that is dear
/// and reads slots, 9 goes on with what a branch has set, 10 has a value that only the interpreter makes.
fn branching() -> [Vec<Stmt>; 4] {
    let p = |slot| b(Expr::Local(slot));
    let positive = || Expr::Binary(BinOp::Gt, p(0), b(int(0)));
    let when_positive = |arm| Stmt::If(vec![(positive(), arm)], vec![]);
    let more = || Expr::Binary(BinOp::Add, p(0), b(int(1)));
    let root = Expr::Binary(BinOp::Add, b(Expr::Call(Builtin::Sqrt, vec![*p(0)])), p(1));
    let element = Expr::Index(b(Expr::Array(vec![*p(0), *p(1)])), b(int(1)));
    [
        vec![
            when_positive(vec![Stmt::Set(0, Type::Any, more()), Stmt::Return(Some(*p(0)))]),
            Stmt::Return(Some(Expr::Binary(BinOp::Mul, p(0), b(int(2))))),
        ],
        vec![when_positive(vec![Stmt::Return(Some(root))]), Stmt::Return(Some(*p(1)))],
        vec![when_positive(vec![Stmt::Set(1, Type::Any, more())]), Stmt::Return(Some(*p(1)))],
        vec![Stmt::Return(Some(Expr::Binary(BinOp::Add, p(0), b(element))))],
    ]
}

/// Slots of the functions that [`Exprs::user_function`] makes; the first two are parameters.
const SLOTS: u32 = 5;

/// Makes expressions over columns or, for the body of a function, over its slots.
pub struct Exprs<'r> {
    random: &'r mut Random,
    in_function: bool,
    /// The functions that may be called: all before this one.
    callable: u32,
}

impl Exprs<'_> {
    /// Over columns, with calls of functions below this number.
    pub fn new(random: &mut Random, callable: u32) -> Exprs<'_> {
        Exprs { random, in_function: false, callable }
    }

    /// A function without loops, that may call those before it.
    pub fn user_function(random: &mut Random, number: u32) -> Function {
        let mut exprs = Exprs { random, in_function: true, callable: number };
        let types = [Type::Any, Type::Any, Type::Float, Type::Int];
        let mut body = exprs.statements(3);
        body.push(Stmt::Expr(exprs.item(Kind::Float)));
        let params = vec![("p".into(), exprs.random.pick(&types)), ("q".into(), Type::Any)];
        Function { name: "f".into(), params, ret: exprs.random.pick(&types), slots: SLOTS, body }
    }

    /// The kind of a function's slot, mostly.
    fn kind_of(&mut self, slot: u32) -> Kind {
        match slot {
            1 => self.random.pick(&KINDS),
            4 => Kind::Bool,
            _ => self.random.pick(&[Kind::Int, Kind::Float]),
        }
    }

    fn statements(&mut self, depth: u32) -> Vec<Stmt> {
        let mut statements = Vec::new();
        for _ in 0..self.random.below(4) {
            statements.push(match self.random.below(6) {
                0 | 1 => {
                    let ty = self.random.pick(&[Type::Any, Type::Any, Type::Int]);
                    let slot = self.random.below(SLOTS as usize) as u32;
                    let kind = self.kind_of(slot);
                    Stmt::Set(slot, ty, self.item(kind))
                }
                2 if depth > 0 => {
                    let arms = (0..1 + self.random.below(2)).map(|_| (self.item(Kind::Bool), self.arm(depth - 1)));
                    let arms = arms.collect();
                    Stmt::If(arms, if self.random.once_in(2) { self.arm(depth - 1) } else { vec![] })
                }
                3 => Stmt::Return((!self.random.once_in(8)).then(|| self.item(Kind::Float))),
                _ => Stmt::Expr(self.item(Kind::Float)),
            });
        }
        statements
    }

    /// Statements that mostly end the function.
    fn arm(&mut self, depth: u32) -> Vec<Stmt> {
        let mut statements = self.statements(depth);
        if !self.random.once_in(4) {
            statements.push(Stmt::Return(Some(self.item(Kind::Float))));
        }
        statements
    }

    /// A value in a function: mostly of operations that have loops over columns, so that calls can be put in place.
    fn item(&mut self, kind: Kind) -> Expr {
        if self.random.once_in(12) { self.expr(kind, 2) } else { self.plain(kind, 2) }
    }

    fn plain(&mut self, kind: Kind, depth: u32) -> Expr {
        if depth == 0 || self.random.once_in(4) {
            return self.leaf(kind);
        }
        let depth = depth - 1;
        let (first, second) = (b(self.plain(kind, depth)), b(self.plain(kind, depth)));
        if self.random.once_in(5) {
            return Expr::If(b(self.plain(Kind::Bool, depth)), first, second);
        }
        match kind {
            Kind::Bool => match self.random.below(5) {
                0 => Expr::And(first, second),
                1 => Expr::Or(first, second),
                2 => Expr::IsNull(b(self.plain(Kind::Int, depth))),
                _ => {
                    let (left, right) = (self.plain(Kind::Int, depth), self.plain(Kind::Float, depth));
                    binary(self.random.pick(&[BinOp::Lt, BinOp::Ge, BinOp::Eq]), left, right)
                }
            },
            Kind::Int | Kind::Float => match self.random.below(6) {
                0 => Expr::Coalesce(first, second),
                1 => Expr::Call(self.random.pick(&[Builtin::Abs, Builtin::Round]), vec![*first]),
                // Dear enough to be evaluated only where it is needed.
                2 => Expr::Call(Builtin::Sqrt, vec![*first]),
                3 if self.callable > FUNCTIONS => {
                    let function = FUNCTIONS + self.random.below((self.callable - FUNCTIONS) as usize) as u32;
                    Expr::CallFn(function, vec![*first, *second])
                }
                _ => Expr::Binary(self.random.pick(&[BinOp::Add, BinOp::Sub, BinOp::Mul]), first, second),
            },
            _ => *first,
        }
    }

    /// Of any kind, nested at most this deep.
    pub fn any(&mut self, depth: u32) -> Expr {
        let kind = self.random.pick(&KINDS);
        self.expr(kind, depth)
    }

    /// Probably of a kind.
    pub fn expr(&mut self, kind: Kind, depth: u32) -> Expr {
        if self.random.once_in(14) {
            let kind = self.random.pick(&KINDS);
            return self.expr(kind, depth.saturating_sub(1));
        }
        if depth == 0 {
            return self.leaf(kind);
        }
        match self.random.below(10) {
            0 => self.leaf(kind),
            1 => self.choice(kind, depth - 1),
            2 => self.function(kind, depth - 1),
            _ => self.operation(kind, depth - 1),
        }
    }

    /// Logic around calls that hit a limit on some rows.
    pub fn logic(&mut self, depth: u32) -> Expr {
        let limited = |random: &mut Random| Expr::CallFn(0, vec![Expr::Column(random.pick(&[1, 10]))]);
        if depth == 0 {
            return match self.random.below(4) {
                0 => binary(self.random.pick(&[BinOp::Eq, BinOp::Gt]), limited(self.random), int(0)),
                1 => Expr::IsNull(b(limited(self.random))),
                2 => Expr::Column(self.random.pick(&[1, 2])),
                _ => Expr::Column(self.random.pick(&[0, 9])),
            };
        }
        let (first, second) = (b(self.logic(depth - 1)), b(self.logic(depth - 1)));
        match self.random.below(8) {
            0 | 1 => Expr::And(first, second),
            2 | 3 => Expr::Or(first, second),
            4 => Expr::Coalesce(first, second),
            5 => Expr::If(first, second, b(self.logic(depth - 1))),
            6 => Expr::Call(Builtin::Coalesce, vec![*first, *second, self.logic(depth - 1)]),
            _ => Expr::Unary(UnOp::Not, first),
        }
    }

    fn leaf(&mut self, kind: Kind) -> Expr {
        if self.in_function {
            let slots: &[u32] = match kind {
                Kind::Int | Kind::Float => &[0, 0, 2, 3],
                Kind::Bool => &[4],
                _ => &[1],
            };
            return match self.random.below(5) {
                0 => Expr::Const(value(self.random, kind, 1)),
                1..4 => Expr::Local(self.random.pick(slots)),
                _ => Expr::Local(self.random.below(SLOTS as usize) as u32),
            };
        }
        if self.random.once_in(40) {
            return self.random.pick(&[
                Expr::Const(Value::Null),
                Expr::Record,
                Expr::EventType,
                Expr::WindowStart,
                Expr::WindowEnd,
                Expr::Revision,
            ]);
        }
        if kind == Kind::Time && self.random.once_in(3) {
            return Expr::EventTime;
        }
        if self.random.once_in(3) {
            return Expr::Const(value(self.random, kind, 1));
        }
        let of_kind: Vec<u32> =
            (0..COLUMNS).filter(|index| KINDS[index % KINDS.len()] == kind).map(|i| i as u32).collect();
        Expr::Column(self.random.pick(&of_kind))
    }

    fn two(&mut self, kind: Kind, depth: u32) -> (Box<Expr>, Box<Expr>) {
        (b(self.expr(kind, depth)), b(self.expr(kind, depth)))
    }

    fn one_of(&mut self, kinds: &[Kind], depth: u32) -> Expr {
        let kind = self.random.pick(kinds);
        self.expr(kind, depth)
    }

    /// Probably a number.
    pub fn number(&mut self, depth: u32) -> Expr {
        self.one_of(&[Kind::Int, Kind::Float, Kind::Any], depth)
    }

    fn choice(&mut self, kind: Kind, depth: u32) -> Expr {
        let (first, second) = self.two(kind, depth);
        match self.random.below(4) {
            0 => Expr::Coalesce(first, second),
            1 => Expr::Call(Builtin::Coalesce, vec![*first, *second, self.expr(kind, depth)]),
            2 => Expr::Call(Builtin::IfNull, vec![*first, *second]),
            _ => Expr::If(b(self.expr(Kind::Bool, depth)), first, second),
        }
    }

    /// What calls user functions and lambdas, and may hit limits.
    fn function(&mut self, kind: Kind, depth: u32) -> Expr {
        let slot = |slot| Expr::Local(SLOTS + slot);
        match self.random.below(if self.callable > FUNCTIONS { 14 } else { 10 }) {
            // Lambdas' slots are beyond those of these functions.
            7 | 8 if self.in_function => self.leaf(kind),
            10.. => {
                let function = FUNCTIONS + self.random.below((self.callable - FUNCTIONS) as usize) as u32;
                Expr::CallFn(function, vec![self.number(depth), self.expr(kind, depth)])
            }
            0 => Expr::CallFn(0, vec![self.expr(Kind::Int, depth)]),
            1 => Expr::CallFn(1, vec![self.number(depth)]),
            2 => Expr::CallFn(2, vec![self.expr(kind, depth), self.expr(kind, depth)]),
            3 => Expr::CallFn(3, vec![Expr::Call(Builtin::Clamp, vec![self.expr(Kind::Int, depth), int(0), int(40)])]),
            4 => Expr::CallFn(4, vec![self.number(depth), self.number(depth)]),
            5 => Expr::CallFn(5, vec![self.number(depth)]),
            6 if self.random.once_in(3) => Expr::CallFn(6, vec![]),
            7 => {
                let body = binary(self.random.pick(&[BinOp::Mul, BinOp::Eq, BinOp::Gt]), slot(0), self.leaf(Kind::Int));
                let each = [Builtin::MapFn, Builtin::FilterFn, Builtin::AnyFn, Builtin::AllFn];
                let lambda = Expr::Lambda(vec![SLOTS], Box::new(Body::Expr(body)));
                Expr::Call(self.random.pick(&each), vec![self.expr(Kind::Array, depth), lambda])
            }
            8 => {
                let body = binary(BinOp::Add, slot(0), slot(1));
                Expr::Apply(
                    vec![0, 1],
                    Box::new(Body::Expr(body)),
                    vec![self.expr(kind, depth), self.expr(kind, depth)],
                )
            }
            _ => {
                let types = [Type::Any, Type::Bool, Type::Int, Type::Float, Type::Str, Type::Time, Type::Duration];
                Expr::Convert(self.random.pick(&types), b(self.expr(kind, depth)))
            }
        }
    }

    fn operation(&mut self, kind: Kind, depth: u32) -> Expr {
        match kind {
            Kind::Bool => self.bool(depth),
            Kind::Int => self.int(depth),
            Kind::Float => self.float(depth),
            Kind::Str => self.str(depth),
            Kind::Time => self.time(depth),
            Kind::Duration => self.duration(depth),
            Kind::Array => self.array(depth),
            Kind::Map => self.map(depth),
            Kind::Any => match self.random.below(5) {
                0 => Expr::Index(b(self.one_of(&[Kind::Array, Kind::Str], depth)), b(self.expr(Kind::Int, depth))),
                1 => Expr::Member(b(self.expr(Kind::Map, depth)), self.random.pick(&["k", "a"]).into()),
                2 => Expr::Call(
                    self.random.pick(&[Builtin::First, Builtin::Last, Builtin::Sum, Builtin::Avg]),
                    vec![self.expr(Kind::Array, depth)],
                ),
                3 => Expr::Call(Builtin::Get, vec![self.expr(Kind::Map, depth), self.expr(Kind::Str, depth)]),
                _ => {
                    let kind = self.random.pick(&KINDS[..8]);
                    self.expr(kind, depth)
                }
            },
        }
    }

    fn bool(&mut self, depth: u32) -> Expr {
        const COMPARISONS: [BinOp; 6] = [BinOp::Eq, BinOp::Ne, BinOp::Lt, BinOp::Le, BinOp::Gt, BinOp::Ge];
        match self.random.below(14) {
            0..=3 => {
                let op = self.random.pick(&COMPARISONS);
                let kind = self.random.pick(&KINDS);
                let (left, right) = match kind {
                    Kind::Int | Kind::Float => (b(self.number(depth)), b(self.number(depth))),
                    kind => self.two(kind, depth),
                };
                Expr::Binary(op, left, right)
            }
            4 | 5 => {
                let (left, right) = self.two(Kind::Bool, depth);
                Expr::And(left, right)
            }
            6 | 7 => {
                let (left, right) = self.two(Kind::Bool, depth);
                Expr::Or(left, right)
            }
            8 => Expr::Unary(UnOp::Not, b(self.expr(Kind::Bool, depth))),
            9 => Expr::IsNull(b(self.any(depth))),
            10 => self.membership(depth),
            11 => Expr::Call(
                self.random.pick(&[Builtin::StartsWith, Builtin::EndsWith]),
                vec![self.expr(Kind::Str, depth), self.expr(Kind::Str, depth)],
            ),
            12 => {
                use Builtin::*;
                let tests = [IsNull, IsInt, IsFloat, IsString, IsBool, IsArray, IsMap];
                Expr::Call(self.random.pick(&tests), vec![self.any(depth)])
            }
            _ => Expr::Call(
                Builtin::Contains,
                vec![self.one_of(&[Kind::Array, Kind::Str, Kind::Map], depth), self.any(depth)],
            ),
        }
    }

    fn membership(&mut self, depth: u32) -> Expr {
        match self.random.below(5) {
            0 => Expr::In(b(self.expr(Kind::Str, depth)), b(self.one_of(&[Kind::Str, Kind::Map], depth))),
            1 => {
                let (from, to) = self.two(Kind::Int, depth);
                Expr::In(b(self.number(depth)), b(Expr::Range(self.random.once_in(2), from, to)))
            }
            2 => {
                let (from, to) = (int(self.random.below(5) as i64 - 2), int(self.random.below(200_000) as i64));
                Expr::In(b(self.number(depth)), b(Expr::Range(self.random.once_in(2), b(from), b(to))))
            }
            3 => Expr::In(b(self.any(depth)), b(self.expr(Kind::Array, depth))),
            _ => {
                let kind = self.random.pick(&KINDS[..6]);
                let len = self.random.below(14);
                let items: Vec<Value> = (0..len)
                    .map(|_| {
                        let kind = if self.random.once_in(20) { Kind::Any } else { kind };
                        value(self.random, kind, 0)
                    })
                    .collect();
                let looked =
                    if matches!(kind, Kind::Int | Kind::Float) { self.number(depth) } else { self.expr(kind, depth) };
                Expr::In(b(looked), b(Expr::Const(Value::Array(Arc::new(items)))))
            }
        }
    }

    fn int(&mut self, depth: u32) -> Expr {
        use BinOp::*;
        match self.random.below(8) {
            0..=2 => {
                let (left, right) = self.two(Kind::Int, depth);
                Expr::Binary(
                    self.random.pick(&[Add, Sub, Mul, Div, Rem, Pow, BitOr, BitXor, BitAnd, Shl, Shr]),
                    left,
                    right,
                )
            }
            3 => Expr::Unary(self.random.pick(&[UnOp::Neg, UnOp::BitNot]), b(self.expr(Kind::Int, depth))),
            4 => Expr::Call(
                self.random.pick(&[Builtin::Floor, Builtin::Ceil, Builtin::Round, Builtin::Abs]),
                vec![self.number(depth)],
            ),
            5 => Expr::Call(Builtin::ToInt, vec![self.any(depth)]),
            6 => Expr::Call(Builtin::Len, vec![self.one_of(&[Kind::Str, Kind::Array, Kind::Map], depth)]),
            _ => Expr::Call(Builtin::Millis, vec![self.one_of(&[Kind::Time, Kind::Duration], depth)]),
        }
    }

    fn float(&mut self, depth: u32) -> Expr {
        use BinOp::*;
        use Builtin::*;
        match self.random.below(8) {
            0..=2 => {
                binary(self.random.pick(&[Add, Sub, Mul, Div, Rem, BinOp::Pow]), self.number(depth), self.number(depth))
            }
            3 => Expr::Call(self.random.pick(&[Sqrt, Ln, Log10, Exp, Sin, Cos, Tan, Abs]), vec![self.number(depth)]),
            4 => Expr::Call(Round, vec![self.number(depth), int(self.random.below(20) as i64 - 2)]),
            5 => {
                let kinds = [Kind::Int, Kind::Float, Kind::Any, Kind::Duration, Kind::Time, Kind::Str];
                let kind = self.random.pick(&kinds);
                let args = (0..1 + self.random.below(3)).map(|_| self.expr(kind, depth)).collect();
                Expr::Call(self.random.pick(&[Min, Max]), args)
            }
            6 => Expr::Call(ToFloat, vec![self.any(depth)]),
            _ => match self.random.below(4) {
                0 => Expr::Call(Seconds, vec![self.expr(Kind::Duration, depth)]),
                1 => Expr::Unary(UnOp::Neg, b(self.number(depth))),
                2 => Expr::Call(Builtin::Pow, vec![self.number(depth), self.number(depth)]),
                _ => Expr::Call(Clamp, vec![self.number(depth), self.number(depth), self.number(depth)]),
            },
        }
    }

    fn str(&mut self, depth: u32) -> Expr {
        use Builtin::*;
        match self.random.below(9) {
            0 => {
                let (left, right) = self.two(Kind::Str, depth);
                Expr::Binary(BinOp::Add, left, right)
            }
            1 => Expr::Call(self.random.pick(&[Lower, Upper, Trim, Reverse]), vec![self.expr(Kind::Str, depth)]),
            2 => Expr::Call(ToString, vec![self.any(depth)]),
            3 => Expr::Call(Concat, vec![self.any(depth), self.any(depth)]),
            4 => Expr::Call(Replace, (0..3).map(|_| self.expr(Kind::Str, depth)).collect()),
            5 => Expr::Call(
                Substring,
                vec![self.expr(Kind::Str, depth), self.expr(Kind::Int, depth), self.expr(Kind::Int, depth)],
            ),
            6 => Expr::Call(TypeOf, vec![self.any(depth)]),
            7 => Expr::Slice(b(self.expr(Kind::Str, depth)), Some(b(self.expr(Kind::Int, depth))), None),
            _ => Expr::Call(Join, vec![self.expr(Kind::Array, depth), self.expr(Kind::Str, depth)]),
        }
    }

    fn time(&mut self, depth: u32) -> Expr {
        match self.random.below(4) {
            0 => Expr::Call(Builtin::ToTimestamp, vec![self.one_of(&[Kind::Int, Kind::Str], depth)]),
            1 => binary(BinOp::Add, self.expr(Kind::Duration, depth), self.expr(Kind::Time, depth)),
            _ => binary(
                self.random.pick(&[BinOp::Add, BinOp::Sub]),
                self.expr(Kind::Time, depth),
                self.expr(Kind::Duration, depth),
            ),
        }
    }

    fn duration(&mut self, depth: u32) -> Expr {
        use BinOp::*;
        match self.random.below(6) {
            0 => binary(Sub, self.expr(Kind::Time, depth), self.expr(Kind::Time, depth)),
            1 => binary(self.random.pick(&[Mul, Div]), self.expr(Kind::Duration, depth), self.number(depth)),
            2 => binary(Mul, self.number(depth), self.expr(Kind::Duration, depth)),
            3 => Expr::Unary(UnOp::Neg, b(self.expr(Kind::Duration, depth))),
            4 => Expr::Call(Builtin::Abs, vec![self.expr(Kind::Duration, depth)]),
            _ => {
                let (left, right) = self.two(Kind::Duration, depth);
                Expr::Binary(self.random.pick(&[Add, Sub, Div, Rem]), left, right)
            }
        }
    }

    fn array(&mut self, depth: u32) -> Expr {
        use Builtin::*;
        match self.random.below(8) {
            0 => Expr::Array((0..self.random.below(4)).map(|_| self.any(depth)).collect()),
            1 => Expr::Call(self.random.pick(&[Sort, Unique, Reverse, Pop]), vec![self.expr(Kind::Array, depth)]),
            2 => Expr::Call(Push, vec![self.expr(Kind::Array, depth), self.any(depth)]),
            3 => Expr::Call(Split, vec![self.expr(Kind::Str, depth), self.expr(Kind::Str, depth)]),
            4 => Expr::Call(self.random.pick(&[Keys, Values]), vec![self.expr(Kind::Map, depth)]),
            5 => Expr::Slice(b(self.expr(Kind::Array, depth)), None, Some(b(self.expr(Kind::Int, depth)))),
            6 => Expr::Call(RangeFn, vec![Expr::Call(Clamp, vec![self.expr(Kind::Int, depth), int(-3), int(5)])]),
            _ => Expr::Call(Set, vec![self.expr(Kind::Array, depth), self.expr(Kind::Int, depth), self.any(depth)]),
        }
    }

    fn map(&mut self, depth: u32) -> Expr {
        match self.random.below(2) {
            0 => Expr::Map(vec![("k".into(), self.any(depth)), ("a".into(), self.any(depth))]),
            _ => Expr::Call(
                Builtin::Set,
                vec![self.expr(Kind::Map, depth), self.expr(Kind::Str, depth), self.any(depth)],
            ),
        }
    }
}
