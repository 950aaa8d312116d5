//! The syntax tree that the parser makes and the checker reads. One type per rule of the grammar (docs/language.md, "Grammar").
//!
//! Every node that a diagnostic can point at carries a [`Span`]. `for` templates are expanded before this tree exists.

use crate::span::Span;
use std::sync::Arc;

/// A name as it stands in the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Ident {
    /// The text.
    pub name: Arc<str>,
    /// Where.
    pub span: Span,
}

/// A whole program: its declarations in the order of the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// Declarations.
    pub items: Vec<Item>,
}

/// A top-level declaration.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `event T …`
    Event(Event),
    /// `type T …`
    Type(TypeDecl),
    /// `stream S = …`
    Stream(Stream),
    /// `pattern P = …`
    Pattern(Pattern),
    /// `connector C = kind(…)`
    Connector(Connector),
    /// `context c(…)`
    Context(Context),
    /// `fn f(…): …`
    Fn(Fn),
    /// `let`, `var`, `const`
    Global(Let),
    /// `import "f"`
    Import(Import),
    /// `config …` (ignored, W0101); the span is that of the word.
    Config(Span),
}

/// `event ID [extends ID] fields`
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Name.
    pub name: Ident,
    /// Parent.
    pub extends: Option<Ident>,
    /// Own fields.
    pub fields: Vec<FieldDecl>,
}

/// `ID : T`
#[derive(Clone, Debug, PartialEq)]
pub struct FieldDecl {
    /// Name.
    pub name: Ident,
    /// Type.
    pub ty: TypeExpr,
}

/// `type ID = T` or `type ID fields`
#[derive(Clone, Debug, PartialEq)]
pub struct TypeDecl {
    /// Name.
    pub name: Ident,
    /// What it stands for.
    pub body: TypeBody,
}

/// Right side of a `type`.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeBody {
    /// `= T`
    Alias(TypeExpr),
    /// fields
    Struct(Vec<FieldDecl>),
}

/// A type as written.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeExpr {
    /// What.
    pub kind: TypeKind,
    /// Where.
    pub span: Span,
}

/// Forms of a type.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// A name.
    Name(Ident),
    /// `[T]`
    Array(Box<TypeExpr>),
    /// `{K: V}`
    Map(Box<TypeExpr>, Box<TypeExpr>),
    /// `Stream<T>`
    Stream(Box<TypeExpr>),
    /// `T?`
    Optional(Box<TypeExpr>),
    /// `(T, U)`: parsed so that it can be refused by name (E0902).
    Tuple,
}

/// `connector ID = ID args`
#[derive(Clone, Debug, PartialEq)]
pub struct Connector {
    /// Name.
    pub name: Ident,
    /// `mqtt`, `file`, …
    pub kind: Ident,
    /// Parameters.
    pub args: Vec<Arg>,
}

/// `context ID [(cores: e)]`
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// Name.
    pub name: Ident,
    /// `cores:`
    pub cores: Option<Expr>,
}

/// `import "f"`
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// As written.
    pub path: Arc<str>,
    /// The string's place.
    pub span: Span,
}

/// Which word introduced a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetKind {
    /// `let`
    Let,
    /// `var`
    Var,
    /// `const`
    Const,
}

/// `let ID [: T] = expr`, at top level or in a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Let {
    /// Word.
    pub kind: LetKind,
    /// The word's place.
    pub word: Span,
    /// Name.
    pub name: Ident,
    /// Annotation.
    pub ty: Option<TypeExpr>,
    /// Value.
    pub value: Expr,
}

/// `fn ID(params) [-> T] body`
#[derive(Clone, Debug, PartialEq)]
pub struct Fn {
    /// Name.
    pub name: Ident,
    /// Parameters.
    pub params: Vec<Param>,
    /// Result type.
    pub ret: Option<TypeExpr>,
    /// Statements.
    pub body: Vec<Stmt>,
}

/// `ID [: T]`
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Name.
    pub name: Ident,
    /// Type.
    pub ty: Option<TypeExpr>,
}

/// A statement with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Stmt {
    /// What.
    pub kind: StmtKind,
    /// The whole statement.
    pub span: Span,
}

/// Forms of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum StmtKind {
    /// A binding.
    Let(Let),
    /// `x := e`
    Assign(Ident, Expr),
    /// `if … elif … else`; the first arm is the `if`.
    If(Vec<(Expr, Vec<Stmt>)>, Option<Vec<Stmt>>),
    /// `for x in e:`
    For(Ident, Expr, Vec<Stmt>),
    /// `while e:`
    While(Expr, Vec<Stmt>),
    /// `return [e]`
    Return(Option<Expr>),
    /// `break`
    Break,
    /// `continue`
    Continue,
    /// `emit X(…)`
    Emit(Ident, Vec<Arg>),
    /// An expression.
    Expr(Expr),
}

/// `stream ID [: T] = source ops`
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// Name.
    pub name: Ident,
    /// Annotation (W0102).
    pub ty: Option<TypeExpr>,
    /// Where the records come from.
    pub source: Source,
    /// Operators in the order of the text.
    pub ops: Vec<Op>,
}

/// First part of a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// `merge(…)`; the span is the word's.
    Merge(Span, Vec<Input>),
    /// `join(…)` and its outer forms.
    Join(JoinKind, Span, Vec<Input>),
    /// `timer(…)`
    Timer(Span, Vec<Arg>),
    /// `late(S)`
    Late(Span, Ident),
    /// `sequence(a: A, …)`: each step with its name as alias.
    Sequence(Span, Vec<(Ident, Step)>),
    /// `fork(…)` and other source words that are known and refused (E0901).
    Unsupported(Ident),
    /// A type, stream or pattern name, possibly the first step of a sequence.
    Step(Box<Step>),
    /// A pattern expression that begins with `(`, `SEQ(`, `AND(`, `OR(` or `NOT(`.
    Pattern(Box<PExpr>),
}

/// Which unmatched records a join keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum JoinKind {
    /// `join`, `inner_join`
    Inner,
    /// `left_join`
    Left,
    /// `right_join`
    Right,
    /// `full_join`
    Full,
}

/// An input of `merge` or `join`.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// `stream X =`
    pub name: Option<Ident>,
    /// Event type or stream.
    pub source: Ident,
    /// `as X`
    pub alias: Option<Ident>,
    /// `where e`, `.where(e)`, `.filter(e)`
    pub conditions: Vec<Expr>,
    /// `on e`, `.on(e)`; the span is the word's.
    pub on: Vec<(Span, Expr)>,
}

/// An operator of a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// `-> step`; the span is the arrow's.
    Then(Span, Step),
    /// `.emit as T(args)`
    EmitAs {
        /// The word `emit`.
        word: Span,
        /// `T`
        ty: Ident,
        /// Items.
        args: Vec<Arg>,
    },
    /// `.not(step)`; the span is the word's.
    Not(Span, Step),
    /// `.name(args)`
    Call(Ident, Vec<Arg>),
}

/// Repetition of a pattern step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// `+`
    Plus,
    /// `*`
    Star,
    /// `?`
    Optional,
}

/// A step of a sequence, or a plain source name (then only `target` and perhaps `alias` and `conditions` are set).
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// `not`/`NOT` before it.
    pub negated: bool,
    /// `all` before it.
    pub all: bool,
    /// What it takes.
    pub target: StepTarget,
    /// `+ * ?` with its place.
    pub quantifier: Option<(Quantifier, Span)>,
    /// `where e` and `[e]`; they add up.
    pub conditions: Vec<Expr>,
    /// `as X`
    pub alias: Option<Ident>,
    /// `.increasing(f)` (true) or `.decreasing(f)` (false); the span is the word's.
    pub monotone: Vec<(bool, Span, Ident)>,
    /// `.within(e)` of a step in `sequence()`, or `within d` of a step in a pattern; the span is the word's.
    pub within: Option<(Span, Expr)>,
    /// The whole step.
    pub span: Span,
}

/// What a step takes.
#[derive(Clone, Debug, PartialEq)]
pub enum StepTarget {
    /// An event type, stream or pattern.
    Name(Ident),
    /// `( pexpr )`. In a pattern only where the group carries a quantifier, a sign, or an alias and is neither `And` nor `Or`:
    /// otherwise the group is what stands in it, `(A OR B) as x` the `Or` with that alias. Behind `->` in a stream always.
    Group(Box<PExpr>),
}

/// `pattern ID = pexpr {within e | partition by f, …}`
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// Name.
    pub name: Ident,
    /// Body.
    pub expr: PExpr,
    /// Each `within e`; the span is the word's.
    pub within: Vec<(Span, Expr)>,
    /// Each `partition by`; the span is the word's.
    pub partition: Vec<(Span, Vec<Ident>)>,
}

/// A pattern expression.
#[derive(Clone, Debug, PartialEq)]
pub struct PExpr {
    /// What.
    pub kind: PKind,
    /// Where.
    pub span: Span,
}

/// Forms of a pattern expression.
#[derive(Clone, Debug, PartialEq)]
pub enum PKind {
    /// `a -> b -> …` or `SEQ(a, b, …)`, at least two (a `SEQ` may have one).
    Seq(Vec<PExpr>),
    /// `a AND b`, `AND(a, b) [as X]`
    And(Vec<PExpr>, Option<Ident>),
    /// `a OR b`, `OR(a, b) [as X]`
    Or(Vec<PExpr>, Option<Ident>),
    /// A step.
    Step(Step),
}

/// `[ID:] expr`
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// Name, if given.
    pub name: Option<Ident>,
    /// Value.
    pub value: Expr,
}

/// An expression with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What.
    pub kind: ExprKind,
    /// The whole expression.
    pub span: Span,
}

/// Binary operators, without `and or ?? in` and ranges, which have forms of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[allow(missing_docs)]
pub enum BinOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Pow,
    BitOr,
    BitXor,
    BitAnd,
    Shl,
    Shr,
}

/// Unary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum UnOp {
    /// `-`
    Neg,
    /// `~`
    BitNot,
    /// `not`
    Not,
}

/// Forms of an expression. Where a form has an operator symbol or name, its place is the `Span` beside it.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// Integer literal.
    Int(i64),
    /// Float literal.
    Float(f64),
    /// String literal, escapes decoded.
    Str(Arc<str>),
    /// Duration literal in ns.
    Duration(i64),
    /// Timestamp literal in ns since the epoch.
    Time(i64),
    /// `true`, `false`
    Bool(bool),
    /// `null`
    Null,
    /// A name.
    Name(Arc<str>),
    /// `op e`
    Unary(UnOp, Span, Box<Expr>),
    /// `a op b`
    Binary(BinOp, Span, Box<Expr>, Box<Expr>),
    /// `a and b`
    And(Span, Box<Expr>, Box<Expr>),
    /// `a or b`
    Or(Span, Box<Expr>, Box<Expr>),
    /// `a ?? b`
    Coalesce(Span, Box<Expr>, Box<Expr>),
    /// `a [not] in b`; true when negated.
    In(bool, Span, Box<Expr>, Box<Expr>),
    /// `a is [not] null`; true when negated.
    IsNull(bool, Span, Box<Expr>),
    /// `a is X` with something else than `null` (E0902); the span is that of X.
    IsOther(Span, Box<Expr>),
    /// `a..b`, `a..=b` (true).
    Range(bool, Span, Box<Expr>, Box<Expr>),
    /// `if c then a else b`
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `[a, b]`
    Array(Vec<Expr>),
    /// `{k: v}`
    Map(Vec<(Ident, Expr)>),
    /// `x => e`, `(a, b) => e`
    Lambda(Vec<Ident>, Box<LambdaBody>),
    /// `e.f` and `e?.f` without arguments.
    Member(Box<Expr>, Ident),
    /// `e.f(args)`: a call of `f` with `e` as first argument, unless `e` names an alias (`b.first.f`).
    Method(Box<Expr>, Ident, Vec<Arg>),
    /// `f(args)`
    Call(Ident, Vec<Arg>),
    /// `e[i]`; the span is the bracket's.
    Index(Box<Expr>, Span, Box<Expr>),
    /// `e[a:b]`
    Slice(Box<Expr>, Span, Option<Box<Expr>>, Option<Box<Expr>>),
}

/// What stands behind `=>`.
#[derive(Clone, Debug, PartialEq)]
pub enum LambdaBody {
    /// An expression.
    Expr(Expr),
    /// `{ stmt; stmt }`
    Block(Vec<Stmt>),
}
