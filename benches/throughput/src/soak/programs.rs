//! The programs of the soak: one per operator that keeps something per key.

/// What has to become of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// State goes when its time has passed: memory returns to where it was.
    Time,
    /// Nothing ever frees a key: the pipeline stops at `max_keys`, and says so.
    Keys,
}

/// An operator under soak.
pub struct Program {
    pub name: &'static str,
    pub bound: Bound,
    /// What stands behind the declarations.
    pub text: &'static str,
}

/// The events that all of them read.
pub const EVENTS: &str = "event A:\n    ts: timestamp\n    key: str\n    v: int\nevent B extends A {}\n";

const fn timed(name: &'static str, text: &'static str) -> Program {
    Program { name, bound: Bound::Time, text }
}

const fn keyed(name: &'static str, text: &'static str) -> Program {
    Program { name, bound: Bound::Keys, text }
}

/// All of them.
pub const PROGRAMS: [Program; 20] = [
    timed("filter", "stream S = A .where(v < 0) .emit(key)"),
    timed(
        "tumbling",
        "stream S = A .partition_by(key) .window(10s) .aggregate(n: count(), s: sum(v)) .emit(key, n, s)",
    ),
    timed("sliding", "stream S = A .partition_by(key) .window(10s, sliding: 2s) .aggregate(n: count()) .emit(key, n)"),
    timed("session", "stream S = A .partition_by(key) .window(session: 3s) .aggregate(n: count()) .emit(key, n)"),
    timed("release", "stream S = A .partition_by(key) .window(10s) .emit(key, v)"),
    timed("sliding-release", "stream S = A .partition_by(key) .window(10s, sliding: 5s) .emit(key, v)"),
    timed(
        "buffered",
        "stream S = A .partition_by(key) .window(10s) .aggregate(vs: collect(v), m: median(v)) .emit(key, m)",
    ),
    timed("distinct-values", "stream S = A .window(10s) .aggregate(n: count_distinct(key)) .emit(n)"),
    timed(
        "corrections",
        "stream S = A .watermark(out_of_order: 2s) .allowed_lateness(5s) .partition_by(key) .window(10s) .aggregate(n: count()) .emit(key, n)",
    ),
    timed("distinct", "stream S = A .distinct(key, within: 10s) .emit(key)"),
    timed("sequence", "stream S = A as a -> B as b .within(10s) .partition_by(key) .emit(key: a.key, v: b.v)"),
    timed(
        "sequence-by-condition",
        "stream S = A as a -> B where key == a.key as b .within(5s) .max_runs(10000000) .emit(key: a.key, v: b.v)",
    ),
    timed("absence", "stream S = A as a -> not B .within(5s) .partition_by(key) .emit(key: a.key)"),
    timed(
        "kleene",
        "stream S = A as a -> all A as more -> B as b .within(10s) .partition_by(key) .emit(key: a.key, n: count(more))",
    ),
    timed("join", "stream S = join(A, B) .on(A.key == B.key) .window(3s) .emit(key: A.key)"),
    timed("full-join", "stream S = full_join(A, B) .on(A.key == B.key) .window(3s) .emit(key: A.key)"),
    keyed("running", "stream S = A .partition_by(key) .aggregate(n: count()) .emit(key, n)"),
    keyed("distinct-for-ever", "stream S = A .distinct(key) .emit(key)"),
    keyed("sequence-for-ever", "stream S = A as a -> B where v < 0 as b .partition_by(key) .emit(key: a.key)"),
    keyed("count", "stream S = A .partition_by(key) .window(1000) .aggregate(n: count()) .emit(key, n)"),
];
