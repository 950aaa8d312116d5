//! The plan: a checked program as an owned, serialisable graph that knows nothing of the engine that will run it.
//!
//! ```text
//! Input(SensorReading) ──► Filter ──► Window ──► Project ──► Emit
//!        layout 0            0           1          2          2
//! ```
//! Nodes stand in topological order (inputs before readers; within that, in the order of the text). Each node has an
//! output *layout*: the columns that something downstream reads, found by the checker while it resolved names. Filters
//! share their input's layout. Nothing in here has to be rediscovered later: keys, bounds, delays and the fields that
//! are read are all said.

pub use crate::ast::{BinOp, JoinKind, UnOp};
use crate::span::Span;
use crate::value::{Type, Value};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Version of this data structure; a reader refuses others.
pub const PLAN_VERSION: u32 = 1;

/// Index into [`Plan::nodes`].
pub type NodeId = u32;
/// Index into [`Plan::layouts`].
pub type LayoutId = u32;
/// Index into [`Plan::streams`].
pub type StreamId = u32;
/// Index into [`Plan::inputs`].
pub type InputId = u32;

/// A whole program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_VERSION`].
    pub version: u32,
    /// Declared connectors (and those of the cluster that are used).
    pub connectors: Vec<Connector>,
    /// One per `.from`.
    pub subscriptions: Vec<Subscription>,
    /// Event types that come from outside: those that are read (each has an [`Op::Input`] node), and declared ones that
    /// are not (none, with an empty layout): their records are checked, too, and move the clock.
    pub inputs: Vec<Input>,
    /// Record layouts.
    pub layouts: Vec<Layout>,
    /// Operators.
    pub nodes: Vec<Node>,
    /// Streams in the order of the text.
    pub streams: Vec<Stream>,
    /// User functions that are called.
    pub functions: Vec<Function>,
}

/// `connector C = kind(…)`; a cluster's connector has the same form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connector {
    /// Name.
    pub name: Arc<str>,
    /// `mqtt`, `file`, `console`, …
    pub kind: Arc<str>,
    /// Constant parameters.
    pub params: Vec<(Arc<str>, Value)>,
}

/// `.from(C, …)` on an event type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    /// Index into [`Plan::connectors`].
    pub connector: u32,
    /// The event type it stands on.
    pub event: Arc<str>,
    /// Constant parameters other than the connector.
    pub params: Vec<(Arc<str>, Value)>,
    /// `timestamp:`
    pub time_field: Option<Arc<str>>,
    /// `.watermark(idle:)` of the stream it stands on, ns; `None`: the default.
    pub idle: Option<i64>,
}

/// An event type that is read from outside, or declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Type name on the wire.
    pub event: Arc<str>,
    /// All declared fields in order, parents' first; `None`: not declared.
    pub declared: Option<Vec<(Arc<str>, Type)>>,
    /// The field of `.from(timestamp:)`, else the first one declared `timestamp`.
    pub time_field: Option<Arc<str>>,
    /// The columns that are read.
    pub layout: LayoutId,
    /// Does anything need the record as it came (`.to` or an output without emit, `distinct()`, an alias as a value)?
    pub whole: bool,
    /// The `.from` subscriptions that name this type; empty: it comes from every source.
    pub subscriptions: Vec<u32>,
}

/// What a record carries between two nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// Columns in order. For a closed record these are all its fields.
    pub columns: Vec<ColumnDef>,
    /// An open record has more fields than the columns that are read (it came from outside unchanged).
    pub open: bool,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnDef {
    /// Field name.
    pub name: Arc<str>,
    /// Static type; `Any` is decided batch by batch.
    pub ty: Type,
    /// Is a null kept in outputs (the item is the literal `null`)?
    pub keep_null: bool,
    /// Is it readable but not a field of the record (`window_start`, `window_end`, `match_*`, an item hidden from outputs)?
    pub hidden: bool,
}

/// A stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    /// Name.
    pub name: Arc<str>,
    /// Its last node: what readers of the stream read.
    pub node: NodeId,
    /// Its watermark w = min over these of (clock of the input type's sources - delay).
    pub clock: Vec<ClockTerm>,
    /// Does it have an output (`emit`, `to`, `process`) or a reader?
    pub used: bool,
    /// Place of its name.
    pub span: Span,
}

/// A term of a stream's watermark. A timer counts like a source that follows all the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClockTerm {
    /// The input; `None`: all sources (timers).
    pub input: Option<InputId>,
    /// Sum of `out_of_order` on the (longest) way from there to this stream, its own included, ns ≥ 0.
    pub delay: i64,
}

/// A node of the graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// What it does.
    pub op: Op,
    /// Nodes it reads; `Merge`, `Join` and `Sequence` have several.
    pub inputs: Vec<NodeId>,
    /// Layout of its records.
    pub layout: LayoutId,
    /// The stream in whose text it stands (for `Input`: the first reader).
    pub stream: StreamId,
    /// Where its operator stands in the text.
    pub span: Span,
}

/// What a node does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// Records of an event type from outside.
    Input(InputId),
    /// `timer(interval, initial_delay:)`: columns `timestamp` (int, epoch ms) and `tick` (int), as far as they are read.
    Timer {
        /// ns > 0.
        interval: i64,
        /// ns ≥ 0.
        initial_delay: i64,
        /// `Timer_<stream>`
        event: Arc<str>,
    },
    /// `merge(…)`: a record of input node i enters if any condition of a branch on it holds.
    Merge(Vec<Branch>),
    /// `where`, `filter`, `having`.
    Filter(Expr),
    /// `select`, `emit`: a new record. The event type becomes `event` if that is given (`emit`: the stream's name or T).
    Project {
        /// One per column of the layout.
        items: Vec<Expr>,
        /// New event type.
        event: Option<Arc<str>>,
    },
    /// Readers of a stream see its name as the event type.
    Retype(Arc<str>),
    /// A window whose aggregate, if any, is computed in the same node.
    Window {
        /// Bounds.
        window: Window,
        /// Key of the `partition_by` before it (columns by expression over the input layout).
        key: Vec<Key>,
        /// Fused aggregate; `None`: the window releases its records, with `window_start` and `window_end` as the last
        /// two (hidden) columns of its layout as far as they are read.
        aggregate: Option<Aggregate>,
        /// `.allowed_lateness`, ns.
        allowed_lateness: i64,
        /// Does a correction release the whole content again, because an aggregate behind the window computes it anew?
        /// Otherwise, without a fused aggregate, it releases the late record alone.
        releases_again: bool,
    },
    /// An aggregate over what a window released (there are operators between them, or it groups otherwise): one record
    /// per released window and key.
    AggregateReleased {
        /// Key of the last `partition_by`.
        key: Vec<Key>,
        /// Aggregate.
        aggregate: Aggregate,
    },
    /// An aggregate without a window: the running result per record.
    AggregateRunning {
        /// Key of the last `partition_by`.
        key: Vec<Key>,
        /// Aggregate.
        aggregate: Aggregate,
    },
    /// `distinct`: by these values; empty: the whole record.
    Distinct {
        /// Values.
        by: Vec<Expr>,
        /// ns.
        within: Option<i64>,
        /// Behind a window without aggregate: per released window and these keys of it.
        per_window: bool,
    },
    /// `limit(n)`, `first()`.
    Limit(u64),
    /// `process(f(args))`.
    Process {
        /// Index into [`Plan::functions`].
        function: u32,
        /// Arguments over the input layout.
        args: Vec<Expr>,
    },
    /// `print(e…)` to stderr; empty: the record.
    Print(Vec<Expr>),
    /// `log(level:, message:, data:)`.
    Log {
        /// `error warn info debug trace`
        level: Arc<str>,
        /// Text.
        message: Option<Expr>,
        /// Anything.
        data: Option<Expr>,
    },
    /// `alert(webhook:, message:)`.
    Alert {
        /// URL.
        webhook: Option<Arc<str>>,
        /// Text around fields.
        message: Vec<AlertPart>,
    },
    /// `to(C, …)`.
    Send {
        /// Index into [`Plan::connectors`].
        connector: u32,
        /// Constant parameters other than the connector.
        params: Vec<(Arc<str>, Value)>,
        /// Is it an output of the run (a stream without emit)?
        output: bool,
    },
    /// An output of the run (behind each emit; behind process in a stream without emit and to).
    Emit,
    /// A join (section 11).
    Join(Join),
    /// A sequence or pattern (section 10).
    Sequence(Box<Sequence>),
    /// `late(S)`: the late records of its one input, the event-time operator of S, as they stand in front of it.
    Late {
        /// The stream whose late records these are.
        of: StreamId,
        /// For each input of that operator, and each column of this node's layout, the column of the input, if it has it.
        columns: Vec<Vec<Option<u32>>>,
    },
}

impl Op {
    /// Does it keep something of earlier records that later results depend on?
    pub fn keeps_state(&self) -> bool {
        match self {
            Op::Window { .. } | Op::AggregateRunning { .. } | Op::Limit(_) | Op::Join(_) | Op::Sequence(_) => true,
            Op::Distinct { per_window, .. } => !per_window,
            _ => false,
        }
    }

    /// Can records come too late for it? Only event-time operators know lateness.
    pub fn has_late_records(&self) -> bool {
        match self {
            Op::Window { window, .. } => !matches!(window, Window::Count { .. }),
            Op::Join(_) | Op::Sequence(_) => true,
            _ => false,
        }
    }
}

/// An input of a merge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Branch {
    /// Index into the node's `inputs`.
    pub input: u32,
    /// Over the input's layout.
    pub condition: Option<Expr>,
    /// For each column of the merge's layout the column of the input, if it has it.
    pub columns: Vec<Option<u32>>,
}

/// A part of an alert's message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AlertPart {
    /// Literal text.
    Text(Arc<str>),
    /// `{f}`
    Field(Expr),
}

/// A key of `partition_by`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Key {
    /// Its name in results.
    pub name: Arc<str>,
    /// Value over the input layout.
    pub value: Expr,
}

/// Window bounds (section 8); times in ns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Window {
    /// `[s, s + size)` for every multiple `s` of `slide`; tumbling: `slide == size`.
    Time {
        /// ns
        size: i64,
        /// ns
        slide: i64,
    },
    /// Chains with gaps ≤ `gap`.
    Session {
        /// ns
        gap: i64,
    },
    /// Last `size` records, first when there are that many, then every `slide`.
    Count {
        /// Records.
        size: u64,
        /// Records; tumbling: `slide == size`.
        slide: u64,
    },
}

/// What `.aggregate` computes. Its layout: columns of the output in order (keys, items, `_partition`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Aggregate {
    /// Every call of an aggregate function.
    pub calls: Vec<AggregateCall>,
    /// One expression per column of the node's layout, over [`Expr::Aggregate`], [`Expr::Key`], [`Expr::Partition`],
    /// [`Expr::WindowStart`], [`Expr::WindowEnd`], [`Expr::Revision`], [`Expr::EventTime`].
    pub items: Vec<Expr>,
}

/// A call of an aggregate function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AggregateCall {
    /// Which.
    pub function: AggregateFn,
    /// Its argument over the input layout; `count()` has none.
    pub argument: Option<Expr>,
}

/// Aggregate functions (section 9).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum AggregateFn {
    /// `count()`
    Count,
    /// `count(x)`
    CountValues,
    /// `sum`
    Sum,
    /// `avg`
    Avg,
    /// `min`
    Min,
    /// `max`
    Max,
    /// `variance`
    Variance,
    /// `stddev`
    Stddev,
    /// `first`
    First,
    /// `last`
    Last,
    /// `ema(x, n)`
    Ema(f64),
    /// `count_distinct` and its other spellings
    CountDistinct,
    /// `collect`
    Collect,
    /// `top_k(x, k)`
    TopK(u64),
    /// `percentile(x, q)` and its other spellings; 0 ≤ q ≤ 1
    Percentile(f64),
}

/// A join (section 11).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Join {
    /// Which unmatched records are kept.
    pub kind: JoinKind,
    /// Name of each input, by which its fields are prefixed in the record as a whole.
    pub names: Vec<Arc<str>>,
    /// Own condition of each input, over its layout.
    pub conditions: Vec<Option<Expr>>,
    /// Equalities between inputs that all rows obey: for each, the inputs that it is between and the value over each one's
    /// layout ([`Expr::Column`]). Hash keys; an equality with null holds for nobody.
    pub equalities: Vec<Vec<(u32, Expr)>>,
    /// What else `.on` asks, over [`Expr::Of`] (input, column of its layout); [`Expr::EventTime`] is the row's, and
    /// [`Capture::Record`] of an input its record as a map.
    pub residual: Option<Expr>,
    /// ns
    pub window: i64,
    /// One per column of the node's layout, over the same; the columns of an input without a record are null.
    pub items: Vec<Expr>,
    /// Does anything need the rows as whole records (all `input_f`, in order)? An input's fields are those of its whole record
    /// if its layout is open, else its visible columns. If no input is open, the fields are columns instead.
    pub whole: bool,
}

/// A sequence or pattern (section 10).
///
/// Captured records lie in *slots*, which all alternatives share: members of the same name have one slot. A record that is
/// being tried is read by [`Expr::Column`] over the layout of its input, captured ones by [`Expr::Of`] (slot, column of the
/// slot: the last record, null if there is none) and [`Expr::Captured`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    /// Alternatives of a top-level OR, each a list of elements.
    pub alternatives: Vec<Vec<Element>>,
    /// `.not(N where …)`
    pub nots: Vec<Event>,
    /// What is kept of captured records.
    pub slots: Vec<Slot>,
    /// Keys in the order of the text.
    pub key: Vec<SequenceKey>,
    /// ns
    pub within: Option<i64>,
    /// Selection strategy.
    pub mode: Mode,
    /// `.each()`
    pub each: bool,
    /// `.max_runs`
    pub max_runs: u64,
    /// One per column of the node's layout, evaluated at a match: over [`Expr::Of`], [`Expr::Captured`], [`Expr::Key`],
    /// [`Expr::Partition`], [`Expr::MatchStart`] and [`Expr::EventTime`], which is the match's end.
    pub items: Vec<Expr>,
    /// Does anything need the matches as whole records (`alias_f` of all slots that are whole, `_count_alias`, keys,
    /// `_partition`)? If no input is open, the fields are columns instead.
    pub whole: bool,
}

/// Where captured records of one name lie.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    /// Alias, or type: what its fields are prefixed with in the record as a whole.
    pub name: Arc<str>,
    /// Its columns: those that conditions and items read.
    pub columns: Vec<ColumnDef>,
    /// Is each record kept as a map, too ([`Capture::Record`], [`Capture::Records`], [`Sequence::whole`])?
    pub whole: bool,
    /// Does it hold several records?
    pub many: bool,
}

/// A key of a sequence, evaluated on every record that takes part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SequenceKey {
    /// Its name in results.
    pub name: Arc<str>,
    /// Its value, for each input of the node over that input's layout.
    pub values: Vec<Expr>,
}

/// Selection strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Skip till next match.
    Next,
    /// `.strict()`
    Strict,
    /// `.skip_till_any()`
    Any,
}

/// An element of a sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Element {
    /// One event, or a Kleene run of it.
    Event(Event),
    /// `not X`
    Absence(Event),
    /// `A AND B` in any order.
    And(Vec<Event>),
    /// `A OR B`
    Or(Vec<Event>),
}

/// What takes one record in a sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Index into the node's `inputs`.
    pub input: u32,
    /// Where the record goes; of an absence: nowhere, and this says nothing.
    pub slot: u32,
    /// For each column of the slot the column of the input, if it has it.
    pub columns: Vec<Option<u32>>,
    /// Least number of records: 0 or 1.
    pub min: u32,
    /// Are more taken?
    pub many: bool,
    /// The part of the condition that reads the record alone, over [`Expr::Column`].
    pub filter: Option<Expr>,
    /// Parts of the condition that compare a value of the record ([`Expr::Column`]) for equality with one of what was
    /// captured before ([`Expr::Of`], [`Expr::Captured`]).
    pub equalities: Vec<(Expr, Expr)>,
    /// What is left of the condition, over both.
    pub condition: Option<Expr>,
    /// Step limit, ns.
    pub within: Option<i64>,
    /// `.increasing(f)` (true), `.decreasing(f)`: the column of the slot.
    pub monotone: Vec<(bool, u32)>,
    /// `print` and `log` behind the step, for each record that it captures; expressions as in `condition`.
    pub notes: Vec<Note>,
}

/// What is said of a captured record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Note {
    /// `print(e…)`; empty: the record.
    Print(Vec<Expr>),
    /// `log(level:, message:, data:)`
    Log {
        /// `error warn info debug trace`
        level: Arc<str>,
        /// Text.
        message: Option<Expr>,
        /// Anything.
        data: Option<Expr>,
    },
}

/// A user function. Locals live in numbered slots of its frame; parameters come first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Name.
    pub name: Arc<str>,
    /// Name and declared type of each parameter; arguments are converted as event fields are, a misfit is null.
    pub params: Vec<(Arc<str>, Type)>,
    /// Declared result type, converted likewise.
    pub ret: Type,
    /// Frame size.
    pub slots: u32,
    /// Statements. The value is `return`'s, or the last statement's.
    pub body: Vec<Stmt>,
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Stmt {
    /// `let`/`var`, `:=`: store in a slot after conversion to the type.
    Set(u32, Type, Expr),
    /// Arms in order, then `else`.
    If(Vec<(Expr, Vec<Stmt>)>, Vec<Stmt>),
    /// `for slot in e`
    For(u32, Expr, Vec<Stmt>),
    /// `while e`
    While(Expr, Vec<Stmt>),
    /// `return`
    Return(Option<Expr>),
    /// `break`
    Break,
    /// `continue`
    Continue,
    /// `emit X(items)`: null items are left out unless they are the literal null.
    Emit(Arc<str>, Vec<(Arc<str>, Expr)>),
    /// Value of the last statement, or evaluated for nothing.
    Expr(Expr),
}

/// An expression: names resolved, constants folded, named arguments in order, declared conversions explicit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Expr {
    /// A constant.
    Const(Value),
    /// A column of the layout.
    Column(u32),
    /// A column of the record of an input (join) or of the last captured record of a slot (sequence).
    Of(u32, u32),
    /// A slot of the frame (parameter, local, lambda parameter). An expression outside a function has a frame, too.
    Local(u32),
    /// The record as a map.
    Record,
    /// Its event time.
    EventTime,
    /// Its event type.
    EventType,
    /// Start of the window that is being reported.
    WindowStart,
    /// Its end.
    WindowEnd,
    /// How often the window had fired before this result, null if it is the first.
    Revision,
    /// Result of call i of the aggregate.
    Aggregate(u32),
    /// Key i of the aggregate.
    Key(u32),
    /// The keys' texts joined by `|`, null as `default`.
    Partition,
    /// Unary operator.
    Unary(UnOp, Box<Expr>),
    /// Binary operator.
    Binary(BinOp, Box<Expr>, Box<Expr>),
    /// `and`
    And(Box<Expr>, Box<Expr>),
    /// `or`
    Or(Box<Expr>, Box<Expr>),
    /// `??`
    Coalesce(Box<Expr>, Box<Expr>),
    /// `in`; `not in` is `Not(In)`.
    In(Box<Expr>, Box<Expr>),
    /// `is null`, `== null`.
    IsNull(Box<Expr>),
    /// `a..b`; true: b included.
    Range(bool, Box<Expr>, Box<Expr>),
    /// `if c then a else b`
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `[a, b]`
    Array(Vec<Expr>),
    /// `{k: v}`
    Map(Vec<(Arc<str>, Expr)>),
    /// `a[i]`
    Index(Box<Expr>, Box<Expr>),
    /// `a[i:j]`
    Slice(Box<Expr>, Option<Box<Expr>>, Option<Box<Expr>>),
    /// `m.k` of a value
    Member(Box<Expr>, Arc<str>),
    /// A built-in function; higher-order ones have a [`Expr::Lambda`] as last argument.
    Call(Builtin, Vec<Expr>),
    /// A user function, all arguments in the order of its parameters.
    CallFn(u32, Vec<Expr>),
    /// Parameters' slots and body; only as an argument of `map filter any all`, or called by [`Expr::Apply`].
    Lambda(Vec<u32>, Box<Body>),
    /// A lambda bound by `let` and called: its parameters' slots and body, and the arguments.
    Apply(Vec<u32>, Box<Body>, Vec<Expr>),
    /// Conversion to a declared type; a misfit is null.
    Convert(Type, Box<Expr>),
    /// Something of the captured records of a slot (sequence), or of the record of an input (join: [`Capture::Record`] only).
    Captured(u32, Capture),
    /// Sequences only: time of the first captured record of a match.
    MatchStart,
}

/// What is read of the captured records of a slot; columns are the slot's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Capture {
    /// `b.len`, `b.count`, `count(b)`
    Count,
    /// All records as an array of maps.
    Records,
    /// Column of the first record.
    First(u32),
    /// Column of the last record.
    Last(u32),
    /// Column of the record before the one that is tried, or null: `prev(b).f`
    Previous(u32),
    /// Column of record i, counted as in `a[i]`: negative from the end, null beyond it.
    At(u32, Box<Expr>),
    /// Time of the last record.
    Time,
    /// The only or last record as a map, or null.
    Record,
    /// An aggregate over the records; [`Expr::Of`] (this slot, column) inside reads the record.
    Aggregate(Box<AggregateCall>),
}

/// Body of a lambda.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// An expression.
    Expr(Expr),
    /// Statements; the value is as a function's.
    Block(Vec<Stmt>),
}

/// Built-in functions (docs/language.md), one variant per name that has a meaning of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Builtin {
    Abs,
    Sqrt,
    Ln,
    Log10,
    Exp,
    Sin,
    Cos,
    Tan,
    Floor,
    Ceil,
    Round,
    Pow,
    Min,
    Max,
    Clamp,
    Len,
    Reverse,
    First,
    Last,
    Push,
    Pop,
    Sort,
    Unique,
    Sum,
    Avg,
    Contains,
    Get,
    Set,
    Keys,
    Values,
    RangeFn,
    MapFn,
    FilterFn,
    AnyFn,
    AllFn,
    Trim,
    Lower,
    Upper,
    StartsWith,
    EndsWith,
    Split,
    Replace,
    Substring,
    Join,
    Concat,
    ToString,
    ToInt,
    ToFloat,
    ToTimestamp,
    Seconds,
    Millis,
    TypeOf,
    IsNull,
    IsInt,
    IsFloat,
    IsString,
    IsBool,
    IsArray,
    IsMap,
    Coalesce,
    IfNull,
}
