//! The command line, as clap reads it.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Complex event processing: VPL pipelines on timely dataflow.
#[derive(Debug, Parser)]
#[command(name = "rarog", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a program on a file, on standard input, or live
    #[command(after_help = "Examples:\n  rarog run hot.vpl --input events.jsonl\n  cat events.evt | rarog run hot.vpl --input - --input-format evt\n  rarog run w.vpl --input big.jsonl --output none --workers 2")]
    Run(RunArgs),
    /// Run a program on a file of events (the form that Varpulis has)
    Simulate(SimulateArgs),
    /// Check a program: all diagnostics at once
    #[command(after_help = "Examples:\n  rarog check hot.vpl\n  rarog check --format json hot.vpl")]
    Check(CheckArgs),
    /// Format programs in place
    #[command(after_help = "Examples:\n  rarog fmt hot.vpl\n  rarog fmt --check *.vpl")]
    Fmt(FmtArgs),
    /// Say in words what a program reads, keeps, promises and loses
    Explain(ExplainArgs),
    /// Draw the graph of a program
    Graph(GraphArgs),
}

/// Formats of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InputFormat {
    /// One event per line: `Type { k: v }`, with `@offset` and BATCH
    Evt,
    /// One JSON object per line
    Jsonl,
}

/// Formats of results on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// One JSON object per line
    Jsonl,
    /// For people
    Pretty,
    /// Everything is evaluated and counted, nothing is printed
    None,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Programs; several are one program in several files
    #[arg(required_unless_present = "file", value_name = "PROGRAM")]
    pub programs: Vec<PathBuf>,
    /// The same as PROGRAM
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Read events from here instead of every `.from`; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub input: Option<String>,
    /// Format of the input; by default the file's extension decides (.evt, else JSON lines)
    #[arg(long, value_enum)]
    pub input_format: Option<InputFormat>,
    /// What to print on stdout
    #[arg(long, value_enum)]
    pub output: Option<Output>,
    /// Write records that cannot be used here, one JSON object per line
    #[arg(long, value_name = "FILE")]
    pub dead_letters: Option<PathBuf>,
    /// Threads for the pipeline
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
    /// A connector that the program uses and does not declare: NAME=mqtt://host:port
    #[arg(long, value_name = "NAME=URL")]
    pub connector: Vec<String>,
    /// Records per chunk at the most
    #[arg(long, hide = true)]
    pub batch_rows: Option<usize>,
}

/// Arguments of `simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// The program
    #[arg(short = 'p', long, value_name = "FILE")]
    pub program: PathBuf,
    /// The events
    #[arg(short = 'e', long, value_name = "FILE")]
    pub events: String,
    /// Threads for the pipeline
    #[arg(short = 'w', long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
    /// Print no results
    #[arg(short = 'q', long)]
    pub quiet: bool,
}

impl From<SimulateArgs> for RunArgs {
    fn from(args: SimulateArgs) -> RunArgs {
        RunArgs {
            programs: vec![args.program],
            file: None,
            input: Some(args.events),
            input_format: None,
            output: args.quiet.then_some(Output::None),
            dead_letters: None,
            workers: args.workers,
            connector: vec![],
            batch_rows: None,
        }
    }
}

/// Formats of diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DiagnosticFormat {
    /// With the line of the program
    Human,
    /// One object per diagnostic
    Json,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Programs
    #[arg(required = true, value_name = "PROGRAM")]
    pub programs: Vec<PathBuf>,
    /// How to print diagnostics
    #[arg(long, value_enum, default_value = "human")]
    pub format: DiagnosticFormat,
    /// A connector that the program uses and does not declare
    #[arg(long, value_name = "NAME=URL")]
    pub connector: Vec<String>,
}

/// Arguments of `fmt`.
#[derive(Debug, Args)]
pub struct FmtArgs {
    /// Programs
    #[arg(required = true, value_name = "PROGRAM")]
    pub programs: Vec<PathBuf>,
    /// Change nothing; exit 1 if a program is not formatted
    #[arg(long)]
    pub check: bool,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The program
    #[arg(value_name = "PROGRAM")]
    pub program: PathBuf,
    /// A connector that the program uses and does not declare
    #[arg(long, value_name = "NAME=URL")]
    pub connector: Vec<String>,
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
pub struct GraphArgs {
    /// The program
    #[arg(value_name = "PROGRAM")]
    pub program: PathBuf,
    /// How to draw it
    #[arg(long, value_enum, default_value = "ascii")]
    pub format: GraphFormat,
    /// A connector that the program uses and does not declare
    #[arg(long, value_name = "NAME=URL")]
    pub connector: Vec<String>,
}
