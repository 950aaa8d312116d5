//! Arguments of the commands that talk to a running cluster.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Which cluster, and who calls.
#[derive(Clone, Debug, Args)]
pub struct Cluster {
    /// Coordinators of the cluster; any of them answers, the next one is tried when one does not
    #[arg(
        long,
        value_name = "URL",
        value_delimiter = ',',
        env = "RAROG_COORDINATOR",
        default_value = "http://127.0.0.1:9100"
    )]
    pub coordinator: Vec<String>,
    /// Key for it
    #[arg(long, value_name = "KEY", env = "RAROG_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,
    /// How long an answer may take
    #[arg(long, value_name = "D", default_value = "15s", value_parser = super::run::duration)]
    pub timeout: Duration,
}

/// How to print an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table
    Human,
    /// The answer as it came
    Json,
}

/// Cluster and format of commands that read.
#[derive(Clone, Debug, Args)]
pub struct Reading {
    #[command(flatten)]
    pub cluster: Cluster,
    /// How to print the answer
    #[arg(long, value_enum, default_value = "human")]
    pub format: Format,
}

/// Arguments of `health`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  rarog health                             the coordinator on this machine\n  rarog health http://127.0.0.1:9000       a worker"
)]
pub struct HealthArgs {
    /// The coordinator or worker
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:9100")]
    pub url: String,
    /// How long an answer may take
    #[arg(long, value_name = "D", default_value = "2s", value_parser = super::run::duration)]
    pub timeout: Duration,
}

/// Arguments of `deploy`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  rarog deploy hot.vpl cold.vpl --group sensors\n  rarog deploy hot.vpl --group sensors --replace\n  rarog deploy --server http://127.0.0.1:9000 -f hot.vpl -n hot     on one worker, without a cluster"
)]
pub struct DeployArgs {
    /// Programs; each becomes a pipeline with the name of its file
    #[arg(value_name = "PROGRAM", required_unless_present = "file")]
    pub programs: Vec<PathBuf>,
    /// Name of the group [default: the name of the first program's file]
    #[arg(short, long, value_name = "NAME")]
    pub group: Option<String>,
    /// Change a group of that name to these programs
    #[arg(long)]
    pub replace: bool,
    /// Replicas of each pipeline
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub replicas: u16,
    /// The field by which records are divided among replicas
    #[arg(long, value_name = "FIELD")]
    pub partition_key: Option<String>,
    /// The same as PROGRAM (the form that Varpulis has)
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Deploy on this worker alone, outside of any cluster
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// Name of the pipeline with --server
    #[arg(short, long, value_name = "NAME", requires = "server")]
    pub name: Option<String>,
    #[command(flatten)]
    pub cluster: Cluster,
}

/// Arguments of `delete`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  rarog delete sensors")]
pub struct DeleteArgs {
    /// Name or id of the group
    #[arg(value_name = "GROUP")]
    pub group: String,
    #[command(flatten)]
    pub cluster: Cluster,
}

/// Arguments of `members`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  rarog members\n  rarog members recover --force --coordinator http://10.0.0.2:9100"
)]
pub struct MembersArgs {
    /// What to do; by default the coordinators are listed
    #[command(subcommand)]
    pub action: Option<MembersAction>,
    #[command(flatten)]
    pub reading: Reading,
}

/// What can be done with coordinators.
#[derive(Clone, Debug, Subcommand)]
pub enum MembersAction {
    /// Go on with what one coordinator knows, after a majority has lost its disks
    Recover {
        /// Say that you know: what only the lost coordinators knew is gone
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        cluster: Cluster,
    },
}

/// Arguments of `workers`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  rarog workers\n  rarog workers reset --state-dir ./rarog-data/worker-1")]
pub struct WorkersArgs {
    /// What to do; by default the workers are listed
    #[command(subcommand)]
    pub action: Option<WorkersAction>,
    #[command(flatten)]
    pub reading: Reading,
}

/// What can be done with a worker that holds placements of another cluster.
#[derive(Clone, Debug, Subcommand)]
pub enum WorkersAction {
    /// Let a stopped worker keep its state and join another cluster
    Adopt {
        /// Its state directory
        #[arg(long, value_name = "DIR")]
        state_dir: PathBuf,
    },
    /// Let a stopped worker forget its placements
    Reset {
        /// Its state directory
        #[arg(long, value_name = "DIR")]
        state_dir: PathBuf,
    },
}
