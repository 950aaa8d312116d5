//! Random programs: the machine gives what recursion on the program gives.

use super::reference::Reference;
use super::*;

/// A generator of programs; equal seeds give equal programs.
struct Programs {
    state: u64,
    /// Slots of the frame that may be read.
    slots: u32,
    /// Functions that may be called.
    callable: u32,
    /// May `break` and `continue` stand here?
    in_loop: bool,
}

impl Programs {
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

    fn value(&mut self) -> Value {
        match self.below(12) {
            0 => Value::Null,
            1 | 2 => Value::Bool(self.below(2) == 0),
            3..=6 => Value::Int(self.below(7) as i64 - 3),
            7 => Value::Float(self.below(9) as f64 / 2.0 - 2.0),
            8 => Value::Str(self.pick(&["", "a", "b", "ab", "é"]).into()),
            9 => Value::Duration(self.below(5) as i64),
            10 => list(&[1, 2, 3][..self.below(4) as usize]),
            _ => Value::Map(Arc::new([("a".into(), Value::Int(1)), ("b".into(), Value::Null)].into_iter().collect())),
        }
    }

    fn leaf(&mut self) -> Expr {
        match self.below(4) {
            0 => Expr::Column(self.below(3) as u32),
            1 | 2 if self.slots > 0 => local(self.below(self.slots.into()) as u32),
            _ => Expr::Const(self.value()),
        }
    }

    fn boxed(&mut self, depth: u32) -> Box<Expr> {
        self.expr(depth).into()
    }

    fn exprs(&mut self, depth: u32, count: u64) -> Vec<Expr> {
        (0..count).map(|_| self.expr(depth)).collect()
    }

    fn expr(&mut self, depth: u32) -> Expr {
        if depth == 0 {
            return self.leaf();
        }
        let depth = depth - 1;
        match self.below(24) {
            0 => Expr::Unary(self.pick(&[UnOp::Neg, UnOp::Not, UnOp::BitNot]), self.boxed(depth)),
            1..=5 => {
                use BinOp::*;
                let op = self.pick(&[
                    Eq, Ne, Lt, Le, Gt, Ge, Add, Add, Sub, Sub, Mul, Div, Rem, Pow, BitOr, BitAnd, BitXor, Shl, Shr,
                ]);
                Expr::Binary(op, self.boxed(depth), self.boxed(depth))
            }
            6 => Expr::And(self.boxed(depth), self.boxed(depth)),
            7 => Expr::Or(self.boxed(depth), self.boxed(depth)),
            8 => Expr::Coalesce(self.boxed(depth), self.boxed(depth)),
            9 => Expr::In(self.boxed(depth), self.boxed(depth)),
            10 => Expr::In(self.boxed(depth), self.range(depth).into()),
            11 => Expr::IsNull(self.boxed(depth)),
            12 => self.range(depth),
            13 => Expr::If(self.boxed(depth), self.boxed(depth), self.boxed(depth)),
            14 => {
                let count = self.below(4);
                Expr::Array(self.exprs(depth, count))
            }
            15 => Expr::Map(["a", "b", "a"].iter().map(|key| (Arc::from(*key), self.expr(depth))).collect()),
            16 => Expr::Index(self.boxed(depth), self.boxed(depth)),
            17 => {
                let mut bound = |here: u64| (here == 0).then(|| self.boxed(depth));
                let (from, to) = (bound(depth as u64 % 2), bound(0));
                Expr::Slice(self.boxed(depth), from, to)
            }
            18 => Expr::Member(self.boxed(depth), self.pick(&["a", "b", "c"]).into()),
            19 => self.builtin(depth),
            20 if self.callable > 0 => {
                let function = self.below(self.callable.into()) as u32;
                Expr::CallFn(function, self.exprs(depth, 2))
            }
            21 => self.with_lambda(depth, |programs, body, depth| {
                let function = programs.pick(&[Builtin::MapFn, Builtin::FilterFn, Builtin::AnyFn, Builtin::AllFn]);
                let items = Expr::Array(programs.exprs(depth, 3));
                Expr::Call(function, vec![items, body])
            }),
            22 => self.with_lambda(depth, |programs, lambda, depth| match lambda {
                Expr::Lambda(slots, body) => Expr::Apply(slots, body, programs.exprs(depth, 1)),
                other => other,
            }),
            _ => Expr::Convert(self.pick(&[&Type::Int, &Type::Float, &Type::Str]).clone(), self.boxed(depth)),
        }
    }

    /// A range that is short whatever its bounds are.
    fn range(&mut self, depth: u32) -> Expr {
        let included = self.below(2) == 0;
        let mut bound = || Box::new(binary(BinOp::Rem, self.expr(depth), int(4)));
        let (from, to) = (bound(), bound());
        Expr::Range(included, from, to)
    }

    fn builtin(&mut self, depth: u32) -> Expr {
        use Builtin::*;
        let (function, args) = self.pick(&[
            (Len, 1),
            (Push, 2),
            (Pop, 1),
            (Set, 3),
            (Min, 2),
            (Concat, 2),
            (TypeOf, 1),
            (Coalesce, 3),
            (IfNull, 2),
            (Sort, 1),
            (ToString, 1),
            (Round, 2),
            (Unique, 1),
            (Get, 2),
            (Contains, 2),
            (Reverse, 1),
        ]);
        Expr::Call(function, self.exprs(depth, args))
    }

    /// A lambda with a slot that is not used for anything else.
    fn with_lambda(&mut self, depth: u32, make: impl FnOnce(&mut Programs, Expr, u32) -> Expr) -> Expr {
        let slot = self.slots;
        self.slots += 1;
        let in_loop = std::mem::replace(&mut self.in_loop, false);
        let body =
            if self.below(3) == 0 { Body::Block(self.block(depth.min(2))) } else { Body::Expr(self.expr(depth)) };
        self.in_loop = in_loop;
        make(self, Expr::Lambda(vec![slot], body.into()), depth)
    }

    fn block(&mut self, depth: u32) -> Vec<Stmt> {
        let count = 1 + self.below(4);
        (0..count).map(|_| self.stmt(depth)).collect()
    }

    fn in_loop(&mut self, depth: u32) -> Vec<Stmt> {
        let before = std::mem::replace(&mut self.in_loop, true);
        let block = self.block(depth);
        self.in_loop = before;
        block
    }

    fn stmt(&mut self, depth: u32) -> Stmt {
        let inner = depth.saturating_sub(1);
        match self.below(if depth == 0 { 6 } else { 12 }) {
            0 | 1 if self.slots > 0 => {
                let slot = self.below(self.slots.into()) as u32;
                let ty = self.pick(&[&Type::Any, &Type::Any, &Type::Int, &Type::Array(Type::Any.into())]).clone();
                let value = match self.below(3) {
                    0 => Expr::Call(Builtin::Push, vec![local(slot), self.expr(inner)]),
                    1 => Expr::Call(Builtin::Set, vec![local(slot), self.expr(inner), self.expr(inner)]),
                    _ => self.expr(depth),
                };
                Stmt::Set(slot, ty, value)
            }
            2 => Stmt::Emit("X".into(), vec![("a".into(), self.expr(depth)), ("b".into(), self.leaf())]),
            3 if self.in_loop => self.pick(&[&Stmt::Break, &Stmt::Continue]).clone(),
            4 if self.below(3) == 0 => Stmt::Return(Some(self.expr(depth))),
            6 | 7 => {
                let count = 1 + self.below(2);
                let arms = (0..count).map(|_| (self.expr(inner), self.block(inner))).collect();
                Stmt::If(arms, if self.below(2) == 0 { self.block(inner) } else { vec![] })
            }
            8 | 9 => {
                let over = match self.below(3) {
                    0 => Expr::Array(self.exprs(inner, 3)),
                    1 => Expr::Call(Builtin::RangeFn, vec![binary(BinOp::Rem, self.expr(inner), int(4))]),
                    _ => self.range(inner),
                };
                let slot = self.fresh();
                Stmt::For(slot, over, self.in_loop(inner))
            }
            10 => self.bounded_while(inner),
            _ => Stmt::Expr(self.expr(depth)),
        }
    }

    fn fresh(&mut self) -> u32 {
        self.slots += 1;
        self.slots - 1
    }

    /// A `while` that counts its turns in a slot which nothing else changes.
    fn bounded_while(&mut self, depth: u32) -> Stmt {
        let turns = Expr::Coalesce(local(COUNTER).into(), int(0).into());
        let more = binary(BinOp::Lt, turns.clone(), int(6));
        let condition = Expr::And(more.into(), Expr::Coalesce(self.boxed(depth), bool(true).into()).into());
        let mut body = vec![set(COUNTER, add(turns, int(1)))];
        body.extend(self.in_loop(depth));
        Stmt::While(condition, body)
    }

    fn function(&mut self) -> Function {
        self.slots = 2;
        let mut body = self.block(3);
        body.push(ret(Expr::Array((0..self.slots).map(local).collect())));
        let mut function = function(2, 0, body);
        function.params[1].1 = self.pick(&[&Type::Any, &Type::Float]).clone();
        function.ret = self.pick(&[&Type::Any, &Type::Any, &Type::Int]).clone();
        function.slots = self.slots;
        function
    }
}

/// A slot above all that the generator hands out.
const COUNTER: u32 = 1_000;

#[test]
fn programs_mean_what_recursion_says() {
    let (mut loops, mut emits, mut known) = (0, 0, 0);
    for seed in 0..3_000 {
        let mut programs = Programs { state: seed, slots: 0, callable: 0, in_loop: false };
        let mut functions = Vec::new();
        for callable in 0..3 {
            programs.callable = callable;
            functions.push(programs.function());
        }
        (programs.callable, programs.slots) = (3, 0);
        let expr = programs.expr(2 + seed as u32 % 4);
        loops += functions.iter().filter(|function| format!("{function:?}").contains("For(")).count();

        let mut evaluator = Evaluator::new(&functions[..]);
        let mut reference = Reference { functions: &functions, record: &Sample, frame: vec![], emitted: vec![] };
        let value = evaluator.eval(&expr, &Sample);
        known += usize::from(value != Value::Null);
        assert_eq!(value, reference.eval(&expr), "seed {seed}: {expr:#?} with {functions:#?}");
        for function in 0..3 {
            let args = || vec![list(&[4, 5]), Value::Int(2)];
            let mut reference = Reference { functions: &functions, record: &NoRecord, frame: vec![], emitted: vec![] };
            let value = reference.call(function, args());
            known += usize::from(value != Value::Null);
            assert_eq!(evaluator.call(function, args()), value, "seed {seed}: {functions:#?}");
            emits += reference.emitted.len();
            assert_eq!(evaluator.process(function, args()), reference.emitted, "seed {seed}");
        }
        assert!(!evaluator.limit_hit());
    }
    assert!(loops > 500 && emits > 1_000 && known > 3_000, "{loops} {emits} {known}");
}
