//! Options of servers from the environment: `RAROG_<OPTION>` wins over `VARPULIS_<OPTION>`.
//!
//! An option whose name several programs could mean is also read with the subcommand in its name, as in
//! `RAROG_COORDINATOR_RATE_LIMIT`. Invariant: what is given on the command line wins over both.

use clap::{Arg, Command};

/// Subcommands whose options may stand in the environment.
const SUBCOMMANDS: [&str; 2] = ["coordinator", "server"];

/// The command with the variables that its options are read from.
pub fn named(mut command: Command) -> Command {
    for subcommand in SUBCOMMANDS {
        command = command.mut_subcommand(subcommand, |of| of.mut_args(|arg| with_variable(subcommand, arg)));
    }
    command
}

fn with_variable(subcommand: &str, arg: Arg) -> Arg {
    let Some(long) = arg.get_long() else { return arg };
    if matches!(long, "help" | "version") {
        return arg;
    }
    let option = long.replace('-', "_").to_uppercase();
    let full = format!("{}_{option}", subcommand.to_uppercase());
    let names =
        [format!("RAROG_{full}"), format!("RAROG_{option}"), format!("VARPULIS_{full}"), format!("VARPULIS_{option}")];
    let set = names.iter().find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    let name = set.unwrap_or(&names[1]).clone();
    arg.env(name).hide_env(true)
}
