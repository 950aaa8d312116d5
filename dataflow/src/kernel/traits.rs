//! What is known of expressions before they run: whether they can run into a limit (they loop, apply lambdas to elements,
//! or call functions that do or that nest too deeply), and whether they build collections.

use rarog_lang::eval::interpreter::CALL_DEPTH;
use rarog_lang::plan::{Body, Builtin, Capture, Expr, Function, Stmt};
use rarog_lang::value::Type;

/// What is known of a plan's functions.
pub struct Traits {
    /// Can a call of it hit a limit?
    limited: Vec<bool>,
    /// Can its value be a collection that it has built?
    building: Vec<bool>,
}

impl Traits {
    /// Looks at all functions.
    pub fn new(functions: &[Function]) -> Traits {
        let bodies: Vec<Summary> = functions.iter().map(Summary::of).collect();
        let mut callers = vec![Vec::new(); functions.len()];
        for (caller, body) in bodies.iter().enumerate() {
            for callee in &body.callees {
                if let Some(of) = callers.get_mut(*callee as usize) {
                    of.push(caller);
                }
            }
        }
        Traits { limited: limited(&bodies, &callers), building: building(functions, &bodies, &callers) }
    }

    /// Can a call of the function hit a limit?
    pub fn limited(&self, function: u32) -> bool {
        self.limited.get(function as usize).is_none_or(|limited| *limited)
    }

    /// Can an evaluation hit a limit?
    pub fn can_hit(&self, expr: &Expr) -> bool {
        let mut open = vec![expr];
        while let Some(expr) = open.pop() {
            match expr {
                Expr::CallFn(function, _) if self.limited(*function) => return true,
                Expr::Apply(..) => return true,
                Expr::Call(function, _) if takes_lambda(*function) => return true,
                _ => operands(expr, &mut open),
            }
        }
        false
    }

    /// Can the value be a collection that did not exist before?
    pub fn builds(&self, expr: &Expr) -> bool {
        let mut open = vec![expr];
        while let Some(expr) = open.pop() {
            match expr {
                Expr::If(_, a, b) | Expr::Coalesce(a, b) => open.extend([&**a, &**b]),
                Expr::Call(Builtin::Coalesce | Builtin::IfNull, args) => open.extend(args),
                Expr::CallFn(function, _) if self.building.get(*function as usize).is_none_or(|builds| *builds) => {
                    return true;
                }
                expr if is_built(expr) => return true,
                _ => {}
            }
        }
        false
    }
}

/// Those that loop, that call each other in a circle, or that call such ones are never resolved, and count as limited; a
/// nesting that is too deep is inherited by its height.
fn limited(bodies: &[Summary], callers: &[Vec<usize>]) -> Vec<bool> {
    let mut limited = vec![true; bodies.len()];
    let mut heights = vec![1u32; bodies.len()];
    let mut open: Vec<usize> = bodies.iter().map(|body| body.callees.len()).collect();
    let mut ready: Vec<usize> = (0..bodies.len()).filter(|&function| open[function] == 0).collect();
    while let Some(function) = ready.pop() {
        if bodies[function].loops {
            continue;
        }
        limited[function] = heights[function] > CALL_DEPTH;
        for &caller in &callers[function] {
            heights[caller] = heights[caller].max(heights[function].saturating_add(1));
            open[caller] -= 1;
            if open[caller] == 0 {
                ready.push(caller);
            }
        }
    }
    limited
}

/// Those that build a collection anywhere, and what calls them, unless the result is of a simple type.
fn building(functions: &[Function], bodies: &[Summary], callers: &[Vec<usize>]) -> Vec<bool> {
    let mut building = vec![false; bodies.len()];
    let mut open: Vec<usize> = (0..bodies.len()).filter(|&function| bodies[function].builds).collect();
    while let Some(function) = open.pop() {
        if !building[function] && !is_simple(&functions[function].ret) {
            building[function] = true;
            open.extend(&callers[function]);
        }
    }
    building
}

/// A type whose values are no collections.
fn is_simple(ty: &Type) -> bool {
    !matches!(ty, Type::Any | Type::Array(_) | Type::Map(..) | Type::Record(..))
}

/// Is it an operation that builds a collection (or cuts or turns around what may be one)?
fn is_built(expr: &Expr) -> bool {
    use Builtin::*;
    match expr {
        Expr::Array(_) | Expr::Map(_) | Expr::Range(..) | Expr::Slice(..) | Expr::Record | Expr::Apply(..) => true,
        Expr::Convert(ty, _) => !is_simple(ty) && *ty != Type::Any,
        Expr::Call(function, _) => matches!(
            function,
            Reverse | Push | Pop | Sort | Unique | Set | Keys | Values | RangeFn | MapFn | FilterFn | Split
        ),
        _ => false,
    }
}

/// What matters of a function's body.
struct Summary {
    /// The functions that it calls, once per call.
    callees: Vec<u32>,
    /// Has it loops or lambdas?
    loops: bool,
    /// Does it build a collection anywhere?
    builds: bool,
}

impl Summary {
    fn of(function: &Function) -> Summary {
        let mut summary = Summary { callees: Vec::new(), loops: false, builds: false };
        let mut exprs = Vec::new();
        let mut statements: Vec<&Stmt> = function.body.iter().collect();
        while let Some(statement) = statements.pop() {
            match statement {
                Stmt::For(_, over, body) => {
                    exprs.push(over);
                    statements.extend(body);
                    summary.loops = true;
                }
                Stmt::While(condition, body) => {
                    exprs.push(condition);
                    statements.extend(body);
                    summary.loops = true;
                }
                Stmt::Set(_, _, expr) | Stmt::Return(Some(expr)) | Stmt::Expr(expr) => exprs.push(expr),
                Stmt::If(arms, otherwise) => {
                    exprs.extend(arms.iter().map(|(condition, _)| condition));
                    statements.extend(arms.iter().flat_map(|(_, body)| body).chain(otherwise));
                }
                Stmt::Emit(_, items) => exprs.extend(items.iter().map(|(_, item)| item)),
                Stmt::Return(None) | Stmt::Break | Stmt::Continue => {}
            }
        }
        while let Some(expr) = exprs.pop() {
            summary.builds |= is_built(expr);
            match expr {
                // A block's statements are not looked at.
                Expr::Apply(..) => summary.loops = true,
                Expr::Call(function, _) if takes_lambda(*function) => summary.loops = true,
                Expr::CallFn(callee, _) => summary.callees.push(*callee),
                _ => {}
            }
            operands(expr, &mut exprs);
        }
        summary
    }
}

/// Is it a function that applies a lambda to elements?
pub fn takes_lambda(function: Builtin) -> bool {
    matches!(function, Builtin::MapFn | Builtin::FilterFn | Builtin::AnyFn | Builtin::AllFn)
}

/// Adds the direct operands of an expression, bodies of lambdas that are expressions included.
pub fn operands<'e>(expr: &'e Expr, out: &mut Vec<&'e Expr>) {
    match expr {
        Expr::Unary(_, a) | Expr::IsNull(a) | Expr::Member(a, _) | Expr::Convert(_, a) => out.push(a),
        Expr::Binary(_, a, b)
        | Expr::And(a, b)
        | Expr::Or(a, b)
        | Expr::Coalesce(a, b)
        | Expr::In(a, b)
        | Expr::Range(_, a, b)
        | Expr::Index(a, b) => out.extend([&**a, &**b]),
        Expr::If(c, a, b) => out.extend([&**c, &**a, &**b]),
        Expr::Array(items) | Expr::Call(_, items) | Expr::CallFn(_, items) => out.extend(items),
        Expr::Map(entries) => out.extend(entries.iter().map(|(_, value)| value)),
        Expr::Slice(a, from, to) => {
            out.extend([Some(a), from.as_ref(), to.as_ref()].into_iter().flatten().map(|e| &**e))
        }
        Expr::Lambda(_, body) | Expr::Apply(_, body, _) => {
            if let Body::Expr(body) = &**body {
                out.push(body);
            }
            if let Expr::Apply(_, _, args) = expr {
                out.extend(args);
            }
        }
        Expr::Captured(_, Capture::At(_, at)) => out.push(at),
        Expr::Const(_)
        | Expr::Column(_)
        | Expr::Of(..)
        | Expr::Local(_)
        | Expr::Record
        | Expr::EventTime
        | Expr::MatchStart
        | Expr::EventType
        | Expr::WindowStart
        | Expr::WindowEnd
        | Expr::Revision
        | Expr::Aggregate(_)
        | Expr::Key(_)
        | Expr::Partition
        | Expr::Captured(..) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rarog_lang::eval::interpreter::{Evaluator, NoRecord};
    use rarog_lang::plan::BinOp;
    use rarog_lang::value::{Type, Value};

    fn function(body: Vec<Stmt>) -> Function {
        Function { name: "f".into(), params: vec![], ret: Type::Any, slots: 1, body }
    }

    fn calls(callees: &[u32]) -> Function {
        let sum =
            |a: Expr, callee: &u32| Expr::Binary(BinOp::Add, Box::new(a), Box::new(Expr::CallFn(*callee, vec![])));
        function(vec![Stmt::Return(Some(callees.iter().fold(Expr::Const(Value::Int(0)), sum)))])
    }

    #[test]
    fn loops_and_circles_can_hit_and_so_can_what_calls_them() {
        let endless = function(vec![Stmt::While(Expr::Const(Value::Bool(true)), vec![])]);
        let functions = [calls(&[]), endless, calls(&[1]), calls(&[4]), calls(&[3]), calls(&[0, 0]), calls(&[0, 3])];
        let traits = Traits::new(&functions);
        let found: Vec<bool> = (0..8).map(|callee| traits.can_hit(&Expr::CallFn(callee, vec![]))).collect();
        assert_eq!(found, [false, true, true, true, true, false, true, true]);
    }

    #[test]
    fn a_chain_of_calls_can_hit_where_the_interpreter_does() {
        let functions: Vec<Function> =
            [calls(&[])].into_iter().chain((0..140).map(|callee| calls(&[callee]))).collect();
        let traits = Traits::new(&functions);
        for callee in 0..=140 {
            let call = Expr::CallFn(callee, vec![]);
            let mut evaluator = Evaluator::new(&functions[..]);
            evaluator.eval(&call, &NoRecord);
            assert_eq!(traits.can_hit(&call), evaluator.limit_hit(), "{callee}");
        }
    }

    #[test]
    fn what_builds_collections_is_passed_on_by_untyped_functions() {
        let array = || Expr::Array(vec![]);
        let mut typed = calls(&[0]);
        typed.ret = Type::Int;
        let functions = [function(vec![Stmt::Expr(array())]), calls(&[0]), typed, calls(&[2]), calls(&[])];
        let traits = Traits::new(&functions);
        let found: Vec<bool> = (0..5).map(|callee| traits.builds(&Expr::CallFn(callee, vec![]))).collect();
        assert_eq!(found, [true, true, false, false, false]);
        let choice = |a, b| Expr::If(Box::new(Expr::Column(0)), Box::new(a), Box::new(b));
        assert!(traits.builds(&choice(Expr::Column(0), array())));
        assert!(!traits.builds(&choice(Expr::Column(0), Expr::IsNull(Box::new(array())))));
    }
}
