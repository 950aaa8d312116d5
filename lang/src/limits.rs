//! The limits of the front end, each with its unit in its name (docs/language.md, "Limits").

/// Longest program text in bytes (E0109).
pub const PROGRAM_BYTES: usize = 1 << 20;

/// Longest text in bytes after its `for` templates are expanded (E0109).
///
/// A program of [`PROGRAM_BYTES`] with [`FOR_TURNS`] turns would otherwise grow to ten gigabytes.
pub const EXPANDED_BYTES: usize = 8 << 20;

/// Deepest nesting of brackets, unary and right-associative operators, lambdas, `if`s and blocks (E0108).
pub const NESTING_LEVELS: u32 = 128;

/// Most operators of one precedence, or members and indices, in a row (E0108).
pub const CHAIN_LINKS: u32 = 1000;

/// Highest expression tree in nodes (E0108). One chain of [`CHAIN_LINKS`] below [`NESTING_LEVELS`] fits; long chains
/// inside long chains do not, so that whoever walks a tree by recursion knows how deep that goes.
pub const TREE_LEVELS: u32 = 1200;

/// Most turns of all `for` templates of a program together (E0112).
pub const FOR_TURNS: u64 = 10_000;
