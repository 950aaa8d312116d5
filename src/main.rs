//! rarog
fn main() {}
