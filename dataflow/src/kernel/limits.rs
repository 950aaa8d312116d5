//! Which expressions can run into a limit: those that loop, apply lambdas to elements, or call functions that do or that
//! nest too deeply.

use rarog_lang::eval::interpreter::CALL_DEPTH;
use rarog_lang::plan::{Body, Builtin, Capture, Expr, Function, Stmt};

/// Per function of a plan: can a call of it hit a limit?
pub struct Limits(Vec<bool>);

impl Limits {
    /// Looks at all functions. Those that loop, that call each other in a circle, or that call such ones are never
    /// resolved, and count as limited; a nesting that is too deep is inherited by its height.
    pub fn new(functions: &[Function]) -> Limits {
        let mut callers = vec![Vec::new(); functions.len()];
        let mut open = vec![0usize; functions.len()];
        let mut heights = vec![1u32; functions.len()];
        let mut limited = vec![true; functions.len()];
        let mut ready = Vec::new();
        for (caller, function) in functions.iter().enumerate() {
            // A function with a loop waits for nothing, in vain.
            let Some(callees) = callees(function) else { continue };
            open[caller] = callees.len();
            for callee in &callees {
                if let Some(of) = callers.get_mut(*callee as usize) {
                    of.push(caller);
                }
            }
            if callees.is_empty() {
                ready.push(caller);
            }
        }
        while let Some(function) = ready.pop() {
            limited[function] = heights[function] > CALL_DEPTH;
            for &caller in &callers[function] {
                heights[caller] = heights[caller].max(heights[function].saturating_add(1));
                open[caller] -= 1;
                if open[caller] == 0 {
                    ready.push(caller);
                }
            }
        }
        Limits(limited)
    }

    /// Can a call of the function hit a limit?
    pub fn limited(&self, function: u32) -> bool {
        self.0.get(function as usize).is_none_or(|limited| *limited)
    }

    /// Can an evaluation hit a limit?
    pub fn can_hit(&self, expr: &Expr) -> bool {
        let mut open = vec![expr];
        while let Some(expr) = open.pop() {
            match expr {
                Expr::CallFn(function, _) if self.0.get(*function as usize).is_none_or(|limited| *limited) => {
                    return true;
                }
                Expr::Apply(..) => return true,
                Expr::Call(function, _) if takes_lambda(*function) => return true,
                _ => operands(expr, &mut open),
            }
        }
        false
    }
}

/// Is it a function that applies a lambda to elements?
pub fn takes_lambda(function: Builtin) -> bool {
    matches!(function, Builtin::MapFn | Builtin::FilterFn | Builtin::AnyFn | Builtin::AllFn)
}

/// The functions that a function calls, once per call; `None` if it has a loop.
fn callees(function: &Function) -> Option<Vec<u32>> {
    let mut callees = Vec::new();
    let mut statements: Vec<&Stmt> = function.body.iter().collect();
    let mut exprs = Vec::new();
    while let Some(statement) = statements.pop() {
        match statement {
            Stmt::For(..) | Stmt::While(..) => return None,
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
        match expr {
            Expr::Apply(..) => return None,
            Expr::Call(function, _) if takes_lambda(*function) => return None,
            Expr::CallFn(callee, _) => callees.push(*callee),
            _ => {}
        }
        operands(expr, &mut exprs);
    }
    Some(callees)
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
        | Expr::EventType
        | Expr::WindowStart
        | Expr::WindowEnd
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
        let limits = Limits::new(&functions);
        let found: Vec<bool> = (0..8).map(|callee| limits.can_hit(&Expr::CallFn(callee, vec![]))).collect();
        assert_eq!(found, [false, true, true, true, true, false, true, true]);
    }

    #[test]
    fn a_chain_of_calls_can_hit_where_the_interpreter_does() {
        let functions: Vec<Function> =
            [calls(&[])].into_iter().chain((0..140).map(|callee| calls(&[callee]))).collect();
        let limits = Limits::new(&functions);
        for callee in 0..=140 {
            let call = Expr::CallFn(callee, vec![]);
            let mut evaluator = Evaluator::new(&functions[..]);
            evaluator.eval(&call, &NoRecord);
            assert_eq!(limits.can_hit(&call), evaluator.limit_hit(), "{callee}");
        }
    }
}
