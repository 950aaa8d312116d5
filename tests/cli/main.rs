//! The command line as a person or a script meets it: exit codes, what goes to which stream, messages with a way out.
//!
//! Not about results of the language (tests/golden) nor about brokers (tests/mqtt).

mod demo;
mod documents;
mod front_end;
mod generate;
mod language;
#[path = "../support/process.rs"]
mod process;
mod run;
mod scratch;
mod streams;

use process::Finished;
use std::path::Path;

/// The checkout, in which commands run.
fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs `rarog` in the checkout.
fn rarog(args: &[&str]) -> Finished {
    rarog_with(args, "")
}

/// The same with something on standard input.
fn rarog_with(args: &[&str], stdin: &str) -> Finished {
    let args: Vec<String> = args.iter().map(ToString::to_string).collect();
    process::rarog(checkout(), &args, stdin.into()).expect("rarog ends")
}

impl Finished {
    /// Checks the exit code.
    #[track_caller]
    fn exits(self, code: i32) -> Finished {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Checks that stderr says all of this.
    #[track_caller]
    fn says(self, parts: &[&str]) -> Finished {
        for part in parts {
            assert!(self.stderr.contains(part), "stderr should say {part}:\n{}", self.stderr);
        }
        self
    }
}
