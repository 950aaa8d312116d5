//! The `rarog` binary: the allocator, and the library's command line.

use std::process::ExitCode;

/// Gives memory back to the system when the state of a flood of keys has gone.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    rarog::main()
}
