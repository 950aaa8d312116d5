//! Arguments of `run`, and of `simulate`, which is another form of it.

use super::Connectors;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

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

const EXAMPLES: &str = "\
Examples:
  rarog run hot.vpl --input events.jsonl
  cat events.evt | rarog run hot.vpl --input - --input-format evt
  rarog run totals.vpl --input big.jsonl --output none --workers 2
  rarog run hot.vpl --connector broker=mqtt://localhost:1883 --name hot
  rarog run hot.vpl cold.vpl                 two pipelines side by side, live

Without --input the programs are live: their connectors are opened, and Ctrl-C ends the run with a summary.";

/// Arguments of `run`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// Programs; each is a pipeline of its own
    #[arg(required_unless_present = "file", value_name = "PROGRAM")]
    pub programs: Vec<PathBuf>,
    /// The same as PROGRAM (the form that Varpulis has)
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Read events from here instead of every `.from`; `-` is standard input
    #[arg(short, long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Format of the input; by default the file's extension decides (.evt, else JSON lines)
    #[arg(long, value_enum, requires = "input")]
    pub input_format: Option<InputFormat>,
    /// What to print on stdout [default: jsonl; none if the program is live and has a `.to`]
    #[arg(short, long, value_enum)]
    pub output: Option<Output>,
    /// Write records that cannot be used here, one JSON object per line; a live run adds to what is there
    #[arg(long, value_name = "FILE")]
    pub dead_letters: Option<PathBuf>,
    /// Threads for each pipeline
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
    #[command(flatten)]
    pub connectors: Connectors,
    /// Who the run is towards brokers [default: the program's file name without extension]
    #[arg(long, value_name = "N", conflicts_with = "input")]
    pub name: Option<String>,
    /// Remove what brokers hold for this name, and its checkpoints, and begin anew
    #[arg(long)]
    pub forget: bool,
    /// Store checkpoints here, and go on from the last one
    #[arg(long, value_name = "DIR")]
    pub checkpoint_dir: Option<PathBuf>,
    /// Time from one checkpoint to the next [default: 1s live, 10s with --input]
    #[arg(long, value_name = "D", value_parser = duration, requires = "checkpoint_dir")]
    pub checkpoint_interval: Option<Duration>,
    /// A checkpoint behind every chunk, and end hard behind the first
    #[arg(long, hide = true, requires = "checkpoint_dir")]
    pub checkpoint_cut: bool,
    /// Give up with exit code 3 if a connector cannot be reached in this time [default: try for ever]
    #[arg(long, value_name = "D", value_parser = duration, conflicts_with = "input")]
    pub connect_timeout: Option<Duration>,
    /// Records per chunk at the most
    #[arg(long, hide = true, value_parser = rows)]
    pub batch_rows: Option<usize>,
}

/// Arguments of `simulate`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  rarog simulate -p hot.vpl -e events.evt -w 2")]
pub struct SimulateArgs {
    /// The program
    #[arg(short = 'p', long, value_name = "FILE")]
    pub program: PathBuf,
    /// The events
    #[arg(short = 'e', long, value_name = "FILE")]
    pub events: PathBuf,
    /// Threads for the pipeline
    #[arg(short = 'w', long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
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
            connectors: Connectors::default(),
            name: None,
            forget: false,
            checkpoint_dir: None,
            checkpoint_interval: None,
            checkpoint_cut: false,
            connect_timeout: None,
            batch_rows: None,
        }
    }
}

/// `5s`, `500ms`, `2m`: the units that a wait has.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number = text[..digits].parse::<u32>();
    let unit = match &text[digits..] {
        "ms" => Some(Duration::from_millis(1)),
        "s" => Some(Duration::from_secs(1)),
        "m" => Some(Duration::from_secs(60)),
        "h" => Some(Duration::from_secs(3600)),
        _ => None,
    };
    match (number, unit) {
        (Ok(number), Some(unit)) if number > 0 => Ok(unit * number),
        _ => Err("a positive duration, such as 5s, 500ms or 2m".into()),
    }
}

fn rows(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|rows| (1..=1 << 20).contains(rows)).ok_or_else(|| "a number from 1 to 1048576".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("4000000000h"), Ok(Duration::from_secs(3600) * 4_000_000_000));
        for wrong in ["", "5", "s", "0s", "-1s", "1.5s", "5 s", "99999999999s", "1d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
