//! Functions and globals: statements with block scope, parameters and results with declared types.

use super::declared::FnType;
use super::dependency::{Node, NodeId};
use super::expression::{Expressions, Frame, Global, Local, is_within};
use super::scope::{NoRecord, Scope, Typed};
use super::types;
use crate::ast::{self, Arg, Expr as AstExpr, ExprKind, Ident, LetKind, StmtKind};
use crate::diagnostic::Diagnostic;
use crate::plan::{self, Body, Expr, Stmt};
use crate::value::{Type, Value};
use std::collections::HashSet;
use std::sync::Arc;

/// The value of a global has at most so many parts and bytes of text: it stands in the plan wherever it is used.
const GLOBAL_SIZE: usize = 1 << 20;

impl Expressions<'_> {
    /// Lowers every function and evaluates every global, what others rest on first.
    pub(super) fn lower_functions_and_globals(&mut self) {
        let declared = self.declared;
        self.functions = vec![plan::Function::default(); declared.lowered_functions()];
        for (id, node) in declared.nodes_in_order() {
            if declared.depends_on_itself(id) {
                self.globals.insert(node.name().name.clone(), Global::Refused);
            }
        }
        for (id, node) in declared.nodes_in_order() {
            match node {
                Node::Function(function) => self.functions[id] = self.lower_function(id, function),
                Node::Global(global) => self.lower_global(id, global),
            }
        }
    }

    fn lower_function(&mut self, id: NodeId, function: &ast::Fn) -> plan::Function {
        let FnType { params, ret } = FnType::clone(self.declared.signature(id));
        let result = (function.name.clone(), ret.clone());
        let mut frame = Frame::of_function(result);
        for (name, ty) in &params {
            let slot = frame.slot();
            let (ty, declared) = (ty.clone(), ty.clone());
            if frame.find(name).is_some() {
                continue;
            }
            frame.declare(Local { name: name.clone(), slot, ty, declared, mutable: true, lambda: None });
        }
        let outer = std::mem::replace(&mut self.frame, frame);
        self.report_twice(function.params.iter().map(|param| &param.name));
        let body = self.statements(&function.body, true, &mut NoRecord);
        let frame = std::mem::replace(&mut self.frame, outer);
        plan::Function { name: function.name.name.clone(), params, ret, slots: frame.slots(), body }
    }

    fn lower_global(&mut self, id: NodeId, global: &ast::Let) {
        let name = &global.name.name;
        let lowered = if self.declared.depends_on_itself(id) {
            Global::Refused
        } else if let ExprKind::Lambda(params, body) = &global.value.kind {
            let outer = std::mem::take(&mut self.frame);
            let lambda = self.lambda(params, body, &Type::Any, &mut NoRecord);
            let frame = std::mem::replace(&mut self.frame, outer);
            let body = match lambda.body {
                Body::Expr(expr) => vec![Stmt::Expr(expr)],
                Body::Block(statements) => statements,
            };
            let params = params.iter().map(|param| (param.name.clone(), Type::Any)).collect();
            let ty = FnType { params, ret: Type::Any };
            let (params, slots) = (ty.params.clone(), frame.slots());
            self.functions[id] = plan::Function { name: name.clone(), params, ret: Type::Any, slots, body };
            Global::Lambda(u32::try_from(id).expect("a program has fewer than 2^32 functions"), Arc::new(ty))
        } else {
            self.evaluate_global(id, global)
        };
        // Of two globals of one name the first is meant.
        if self.declared.global(name).is_some_and(|first| first.name.span == global.name.span) {
            self.globals.insert(name.clone(), lowered);
        }
    }

    fn evaluate_global(&mut self, id: NodeId, global: &ast::Let) -> Global {
        let refusals = self.refusals();
        let typed = self.check(&global.value, &mut NoRecord);
        let declared = global.ty.as_ref().map(|_| self.declared.signature(id).ret.clone());
        self.check_declared(&global.name, declared.as_ref(), &typed.ty);
        if self.refusals() != refusals {
            return Global::Refused;
        }
        let ty = declared.clone().filter(|ty| *ty != Type::Any).unwrap_or(typed.ty);
        let value = self.evaluate(&conversion(typed.expr, declared));
        if !is_within(&value, GLOBAL_SIZE) {
            let message = format!("the value of {} is larger than 1 MiB", global.name.name);
            self.report(Diagnostic::new("E0109", global.name.span, message).help("compute it where it is used"));
            return Global::Refused;
        }
        Global::Value(value, ty)
    }

    /// E0301 if a value can never be of the declared type.
    fn check_declared(&mut self, name: &Ident, declared: Option<&Type>, found: &Type) {
        if let Some(declared) = declared
            && !types::converts(found, declared)
        {
            let (declared, found) = (types::name(declared), types::name(found));
            let message = format!("{} is declared {declared}, the value is {found}", name.name);
            self.report(Diagnostic::new("E0301", name.span, message));
        }
    }

    /// The statements of a lambda's block.
    pub(super) fn block(&mut self, statements: &[ast::Stmt], scope: &mut dyn Scope) -> Vec<Stmt> {
        self.statements(statements, false, scope)
    }

    /// Statements with a scope of their own. `tail`: the value of the last one is the function's.
    fn statements(&mut self, statements: &[ast::Stmt], tail: bool, scope: &mut dyn Scope) -> Vec<Stmt> {
        let block = self.frame.enter();
        let mut lowered = Vec::with_capacity(statements.len());
        for (index, statement) in statements.iter().enumerate() {
            let tail = tail && index + 1 == statements.len();
            lowered.extend(self.statement(statement, tail, scope));
        }
        self.frame.leave(block);
        lowered
    }

    fn statement(&mut self, statement: &ast::Stmt, tail: bool, scope: &mut dyn Scope) -> Option<Stmt> {
        Some(match &statement.kind {
            StmtKind::Let(binding) => self.binding(binding, scope),
            StmtKind::Assign(name, value) => return self.assignment(name, value, scope),
            StmtKind::If(arms, otherwise) => {
                let mut lowered = Vec::new();
                for (condition, body) in arms {
                    let condition = self.condition(condition, scope).expr;
                    lowered.push((condition, self.statements(body, tail, scope)));
                }
                Stmt::If(lowered, self.statements(otherwise.as_deref().unwrap_or_default(), tail, scope))
            }
            StmtKind::For(name, iterated, body) => self.for_loop(name, iterated, body, scope),
            StmtKind::While(condition, body) => {
                let condition = self.condition(condition, scope).expr;
                Stmt::While(condition, self.loop_body(body, scope))
            }
            StmtKind::Return(value) => {
                let value = value.as_ref().map(|value| {
                    let value = self.check(value, scope);
                    self.check_result(&value);
                    value.expr
                });
                Stmt::Return(value)
            }
            StmtKind::Break | StmtKind::Continue => {
                let (word, lowered) = match &statement.kind {
                    StmtKind::Break => ("break", Stmt::Break),
                    _ => ("continue", Stmt::Continue),
                };
                if self.frame.loops == 0 {
                    self.report(Diagnostic::new("E0111", statement.span, format!("{word} outside of a loop")));
                }
                lowered
            }
            StmtKind::Emit(name, args) => self.emission(name, args, scope),
            StmtKind::Expr(value) => {
                let value = self.check(value, scope);
                if tail {
                    self.check_result(&value);
                }
                Stmt::Expr(value.expr)
            }
        })
    }

    fn binding(&mut self, binding: &ast::Let, scope: &mut dyn Scope) -> Stmt {
        if let ExprKind::Lambda(params, body) = &binding.value.kind {
            self.bind_lambda(&binding.name, &binding.value, params, body, scope);
            return Stmt::Expr(Expr::Const(Value::Null));
        }
        let value = self.check(&binding.value, scope);
        let declared = binding.ty.as_ref().map(|ty| self.resolve_type(ty));
        self.check_declared(&binding.name, declared.as_ref(), &value.ty);
        let mutable = binding.kind == LetKind::Var;
        let ty = match &declared {
            Some(declared) if *declared != Type::Any => declared.clone(),
            // Later assignments may change what an undeclared variable holds.
            _ if mutable => Type::Any,
            _ => value.ty.clone(),
        };
        let slot = self.frame.slot();
        let declared = declared.unwrap_or(Type::Any);
        let (name, stored) = (binding.name.name.clone(), declared.clone());
        self.frame.declare(Local { name, slot, ty, declared, mutable, lambda: None });
        Stmt::Set(slot, stored, value.expr)
    }

    fn assignment(&mut self, name: &Ident, value: &AstExpr, scope: &mut dyn Scope) -> Option<Stmt> {
        let value = self.check(value, scope);
        let local = self.frame.find(&name.name).map(|local| (local.slot, local.declared.clone(), local.mutable));
        let Some((slot, declared, mutable)) = local else {
            self.no_such_variable(name);
            return None;
        };
        if !mutable {
            let problem = Diagnostic::new("E0216", name.span, format!("{} is constant", name.name));
            self.report(problem.help(format!("declare it with `var {}`", name.name)));
            return None;
        }
        self.check_declared(name, Some(&declared), &value.ty);
        Some(Stmt::Set(slot, declared, value.expr))
    }

    /// An assignment to what is no local: a global is constant, and there is no other variable.
    fn no_such_variable(&mut self, name: &Ident) {
        let problem = match self.declared.global(&name.name).map(|global| global.kind) {
            Some(LetKind::Var) => {
                let message = format!("assignment to the top-level variable {} is not supported yet", name.name);
                Diagnostic::new("E0903", name.span, message).help("keep state in an aggregate or a local `var`")
            }
            Some(_) => Diagnostic::new("E0216", name.span, format!("{} is constant", name.name))
                .help(format!("declare a local with `var {} = …`", name.name)),
            None => {
                let help = self.did_you_mean(&name.name, || self.frame.names().collect());
                let problem = Diagnostic::new("E0207", name.span, format!("unknown variable {}", name.name));
                problem.help(help.unwrap_or_else(|| format!("declare it with `var {} = …`", name.name)))
            }
        };
        self.report(problem);
    }

    fn for_loop(&mut self, name: &Ident, iterated: &AstExpr, body: &[ast::Stmt], scope: &mut dyn Scope) -> Stmt {
        // A range that is run over is not made into an array: it may be longer than any array.
        let iterated = match &iterated.kind {
            ExprKind::Range(inclusive, symbol, from, to) => self.range(*inclusive, *symbol, from, to, scope),
            _ => self.check(iterated, scope),
        };
        let ty = match iterated.ty {
            Type::Array(element) => *element,
            Type::Int => Type::Int,
            Type::Map(..) | Type::Record(..) => types::open_array(),
            _ => Type::Any,
        };
        let block = self.frame.enter();
        let slot = self.frame.slot();
        let declared = Type::Any;
        self.frame.declare(Local { name: name.name.clone(), slot, ty, declared, mutable: false, lambda: None });
        let body = self.loop_body(body, scope);
        self.frame.leave(block);
        Stmt::For(slot, iterated.expr, body)
    }

    fn loop_body(&mut self, body: &[ast::Stmt], scope: &mut dyn Scope) -> Vec<Stmt> {
        self.frame.loops += 1;
        let body = self.statements(body, false, scope);
        self.frame.loops -= 1;
        body
    }

    /// E0301 if a result can never be of the declared type.
    fn check_result(&mut self, value: &Typed) {
        if let Some((name, declared)) = self.frame.result.clone() {
            self.check_declared(&name, Some(&declared), &value.ty);
        }
    }

    /// `emit X(items)`
    fn emission(&mut self, name: &Ident, args: &[Arg], scope: &mut dyn Scope) -> Stmt {
        if !self.frame.emits {
            let message = "emit can only be used in a function of .process";
            self.report(
                Diagnostic::new("E0308", name.span, message).help("move it into a `fn`, and call that in .process"),
            );
        }
        let mut names = HashSet::new();
        let mut items = Vec::new();
        for arg in args {
            let value = self.check(&arg.value, scope);
            let Some(item) = arg.name.as_ref().cloned().or_else(|| item_name(&arg.value)) else {
                let problem = Diagnostic::new("E0304", arg.value.span, "name this item");
                self.report(problem.help("write `name: value`"));
                continue;
            };
            if !names.insert(item.name.clone()) {
                self.report(Diagnostic::new("E0217", item.span, format!("field {} is given twice", item.name)));
            }
            // Only the literal null is kept in the record; the wrapping tells a computed one from it.
            let computed_null = value.expr == Expr::Const(Value::Null) && arg.value.kind != ExprKind::Null;
            let value = if computed_null { Expr::Convert(Type::Any, Box::new(value.expr)) } else { value.expr };
            items.push((item.name, value));
        }
        Stmt::Emit(name.name.clone(), items)
    }
}

/// The name of an item that is given without one: `f` and `a.f` are named f.
pub fn item_name(value: &AstExpr) -> Option<Ident> {
    match &value.kind {
        ExprKind::Name(name) => Some(Ident { name: name.clone(), span: value.span }),
        ExprKind::Member(_, name) => Some(name.clone()),
        _ => None,
    }
}

/// `expr`, converted to the declared type if there is one.
fn conversion(expr: Expr, declared: Option<Type>) -> Expr {
    match declared {
        Some(ty) if ty != Type::Any => Expr::Convert(ty, Box::new(expr)),
        _ => expr,
    }
}
