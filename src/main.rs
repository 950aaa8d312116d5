//! The `rarog` binary. The command line (`args`, `run`, `check`, `program`) is written and joins when the language front end does.

fn main() -> std::process::ExitCode {
    eprintln!("rarog {}: this build cannot run programs yet", env!("CARGO_PKG_VERSION"));
    std::process::ExitCode::from(2)
}
