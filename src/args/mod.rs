//! The command line, as clap reads it: one type per subcommand. What the options do stands with those who do it.

mod client;
mod cluster;
mod environment;
mod run;

pub use client::{
    Cluster, DeleteArgs, DeployArgs, Format, HealthArgs, MembersAction, MembersArgs, Reading, WorkersAction,
    WorkersArgs,
};
pub use cluster::{CoordinatorArgs, LogFormat, ServerArgs};
pub use run::{InputFormat, Output, RunArgs, SimulateArgs};

use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use rarog_lang::check::suggestion::nearest;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  rarog run hot.vpl --input events.jsonl     run a program on a file of events
  rarog run hot.vpl                          run it live, on its connectors
  rarog check hot.vpl                        all mistakes of a program at once
  rarog explain hot.vpl                      what it reads, keeps and promises
  rarog demo                                 broker, sensors and alerts in one process
  rarog coordinator                          a cluster, and with `rarog server` a worker for it
  rarog deploy hot.vpl --group sensors       run a program on the cluster

Exit codes: 0 ok, 1 a check or a pipeline failed, 2 usage or unreadable file, 3 cannot reach a connector, 4 taken over";

/// Complex event processing: VPL pipelines on timely dataflow
#[derive(Debug, Parser)]
#[command(name = "rarog", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// Reads the command line; ends the process if it cannot be used, or with the help that it asks for.
pub fn parse() -> Cli {
    let parsed = environment::named(Cli::command()).try_get_matches();
    let cli = parsed.and_then(|matches| Cli::from_arg_matches(&matches));
    cli.unwrap_or_else(|mut error| {
        let typed = error.get(ContextKind::InvalidSubcommand).map(ToString::to_string);
        if let Some(meant) = typed.and_then(|typed| meant(&typed)) {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![meant]));
        }
        error.exit()
    })
}

/// The subcommand that was probably meant: also of letters that were exchanged.
fn meant(typed: &str) -> Option<String> {
    let command = Cli::command();
    nearest(typed, command.get_subcommands().map(clap::Command::get_name)).map(String::from)
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run programs on a file, on standard input, or live on their connectors
    Run(RunArgs),
    /// Run a program on a file of events (the form that Varpulis has)
    Simulate(SimulateArgs),
    /// Check programs: all diagnostics at once
    Check(CheckArgs),
    /// Format programs in place
    Fmt(FmtArgs),
    /// Say in words what a program reads, keeps, promises and loses
    Explain(ExplainArgs),
    /// Draw the graph of a program
    Graph(GraphArgs),
    /// Show it all at once: a broker, sensors and alerts in this process
    #[cfg(feature = "demo")]
    Demo(DemoArgs),
    /// Write events out of a seed, as JSON lines
    Generate(GenerateArgs),
    /// Decide where pipelines run: one of the coordinators of a cluster
    Coordinator(Box<CoordinatorArgs>),
    /// Run pipelines: a worker of a cluster
    Server(Box<ServerArgs>),
    /// Deploy programs to a cluster
    Deploy(DeployArgs),
    /// List the groups and pipelines of a cluster
    Ls(Reading),
    /// Show which worker runs what
    Topology(Reading),
    /// Delete a group of pipelines
    Delete(DeleteArgs),
    /// List the coordinators of a cluster, or recover it
    Members(MembersArgs),
    /// List the workers of a cluster, or free one from another
    Workers(WorkersArgs),
    /// Ask a coordinator or worker whether it is well; exit code 0 if it is
    Health(HealthArgs),
}

/// Formats of diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DiagnosticFormat {
    /// With the lines of the program, on stderr
    Human,
    /// One object per diagnostic, on stdout
    Json,
}

/// Connectors given on the command line.
#[derive(Clone, Debug, Default, Args)]
pub struct Connectors {
    /// A connector that the program uses and does not declare, such as broker=mqtt://localhost:1883
    #[arg(long = "connector", value_name = "NAME=URL")]
    pub urls: Vec<String>,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rarog check hot.vpl\n  rarog check --format json hot.vpl | jq .message")]
pub struct CheckArgs {
    /// Programs; `-` is standard input
    #[arg(required = true, value_name = "PROGRAM")]
    pub programs: Vec<PathBuf>,
    /// How to print diagnostics
    #[arg(long, value_enum, default_value = "human")]
    pub format: DiagnosticFormat,
    #[command(flatten)]
    pub connectors: Connectors,
}

/// Arguments of `fmt`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rarog fmt hot.vpl\n  rarog fmt --check *.vpl")]
pub struct FmtArgs {
    /// Programs; `-` is standard input, and what is formatted goes to standard output
    #[arg(required = true, value_name = "PROGRAM")]
    pub programs: Vec<PathBuf>,
    /// Change nothing; exit code 1 if a program is not formatted
    #[arg(long)]
    pub check: bool,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  rarog explain hot.vpl")]
pub struct ExplainArgs {
    /// The program; `-` is standard input
    #[arg(value_name = "PROGRAM")]
    pub program: PathBuf,
    #[command(flatten)]
    pub connectors: Connectors,
}

/// Formats of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// Text
    Ascii,
    /// Graphviz
    Dot,
    /// JSON
    Json,
}

/// Arguments of `graph`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rarog graph hot.vpl\n  rarog graph --format dot hot.vpl | dot -Tsvg > hot.svg")]
pub struct GraphArgs {
    /// The program; `-` is standard input
    #[arg(value_name = "PROGRAM")]
    pub program: PathBuf,
    /// How to draw it
    #[arg(long, value_enum, default_value = "ascii")]
    pub format: GraphFormat,
    #[command(flatten)]
    pub connectors: Connectors,
}

/// Arguments of `demo`.
#[cfg(feature = "demo")]
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rarog demo\n  rarog demo --seconds 10 --rate 20000")]
pub struct DemoArgs {
    /// End after this time, with a summary; by default it goes on until Ctrl-C
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: Option<u64>,
    /// Sensor readings per second
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub rate: u64,
}

/// Arguments of `generate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rarog generate --count 5\n  rarog generate readings --rate 100 | rarog run examples/sensors.vpl --input -\n  rarog generate sensors --count 1000000 --output sensors.jsonl"
)]
pub struct GenerateArgs {
    /// Which events
    #[arg(value_enum, default_value = "readings")]
    pub set: crate::generate::Set,
    /// How many; by default 1000, and readings with a --rate go on until they are stopped
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// What the events depend on; each set has its own default
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How many different sensors the readings have (100)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub keys: Option<u64>,
    /// Readings per second; by default as fast as they are taken
    #[arg(long, value_name = "N", value_parser = rate, allow_negative_numbers = true)]
    pub rate: Option<f64>,
    /// Write here instead of to standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("a rate is a positive number of events per second".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        environment::named(Cli::command()).debug_assert();
    }
}
