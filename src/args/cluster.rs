//! Arguments of `coordinator` and `server`: the same spelling, defaults and variables of the environment as Varpulis has.

use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

const COORDINATOR_EXAMPLES: &str = "\
Examples:
  rarog coordinator                                  a durable cluster of one on port 9100
  rarog coordinator --port 9101 --raft --raft-node-id 1 \\
      --raft-peers http://10.0.0.1:9101,http://10.0.0.2:9101,http://10.0.0.3:9101
                                                     one of three; start the same with node ids 2 and 3
  rarog coordinator --api-key secret                 who calls has to give x-api-key: secret

Every option can be given as RAROG_<OPTION> in the environment, or as VARPULIS_<OPTION>.";

/// Arguments of `coordinator`.
#[derive(Clone, Debug, Args)]
#[command(after_help = COORDINATOR_EXAMPLES)]
pub struct CoordinatorArgs {
    /// Port of the REST interface; 0 takes a free one
    #[arg(short, long, value_name = "PORT", default_value_t = 9100)]
    pub port: u16,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub bind: String,
    /// Take part in a Raft cluster with --raft-peers
    #[arg(long)]
    pub raft: bool,
    /// Place of this coordinator in the list of peers, from 1
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub raft_node_id: u64,
    /// All coordinators, this one included, in the order of their node ids
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub raft_peers: Vec<String>,
    /// Where its state is kept [default: ./rarog-data/coordinator-<node id>]
    #[arg(long, value_name = "DIR")]
    pub raft_data_dir: Option<PathBuf>,
    /// One key with all rights; callers give it as x-api-key
    #[arg(long, value_name = "KEY", hide_env_values = true)]
    pub api_key: Option<String>,
    /// Keys with roles: {"keys": [{"key": "…", "role": "viewer|operator|admin", "name": "…"}]}
    #[arg(long, value_name = "FILE")]
    pub api_keys: Option<PathBuf>,
    /// Time between the beats of workers that are watched by beats, s
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub heartbeat_interval: u64,
    /// A worker that is watched by beats is lost after this time without one, s
    #[arg(long, value_name = "S", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub heartbeat_timeout: u64,
    /// Time between pings on the sockets of workers
    #[arg(long, value_name = "D", default_value = "250ms", value_parser = super::run::duration)]
    pub ping_interval: Duration,
    /// A worker that is silent for this time is lost
    #[arg(long, value_name = "D", default_value = "1s", value_parser = super::run::duration)]
    pub ping_deadline: Duration,
    /// The shortest election timeout; the longest is twice that
    #[arg(long, value_name = "D", default_value = "150ms", value_parser = super::run::duration)]
    pub election_timeout: Duration,
    /// Changing calls per second and address; 0 is without limit
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub rate_limit: u32,
    /// Origins that browsers may call from, or *; by default none
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    pub cors_origins: Vec<String>,
    /// Let callers without a key in although keys are configured (reading only)
    #[arg(long)]
    pub allow_anonymous: bool,
    /// Form of log lines
    #[arg(long, value_enum, default_value = "text")]
    pub log_format: LogFormat,
    #[command(flatten)]
    pub unsupported: CoordinatorUnsupported,
}

/// Options that Varpulis has and this build does not: known, so that the answer can say so.
#[derive(Clone, Debug, Default, Args)]
pub struct CoordinatorUnsupported {
    #[arg(long, hide = true, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    #[arg(long, hide = true, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    #[arg(long, hide = true, value_name = "FILE")]
    tls_ca_cert: Option<PathBuf>,
    #[arg(long, hide = true)]
    scaling_min_workers: Option<u32>,
    #[arg(long, hide = true)]
    scaling_max_workers: Option<u32>,
    #[arg(long, hide = true)]
    scaling_up_threshold: Option<f64>,
    #[arg(long, hide = true)]
    scaling_down_threshold: Option<f64>,
    #[arg(long, hide = true)]
    scaling_webhook_url: Option<String>,
    #[arg(long, hide = true)]
    ha: bool,
    #[arg(long, hide = true)]
    coordinator_id: Option<String>,
    #[arg(long, hide = true)]
    pod_namespace: Option<String>,
    #[arg(long, hide = true)]
    worker_label_selector: Option<String>,
    #[arg(long, hide = true)]
    llm_endpoint: Option<String>,
    #[arg(long, hide = true)]
    llm_model: Option<String>,
    #[arg(long, hide = true)]
    llm_api_key: Option<String>,
    #[arg(long, hide = true)]
    llm_provider: Option<String>,
    #[arg(long, hide = true)]
    nats: Option<String>,
}

impl CoordinatorUnsupported {
    /// The first of them that was given.
    pub fn given(&self) -> Option<&'static str> {
        let given = [
            (self.tls_cert.is_some(), "--tls-cert"),
            (self.tls_key.is_some(), "--tls-key"),
            (self.tls_ca_cert.is_some(), "--tls-ca-cert"),
            (self.scaling_min_workers.is_some_and(|least| least > 0), "--scaling-min-workers"),
            (self.scaling_webhook_url.is_some(), "--scaling-webhook-url"),
            (self.ha, "--ha"),
            (self.nats.is_some(), "--nats"),
            (self.llm_endpoint.is_some(), "--llm-endpoint"),
            (self.llm_model.is_some(), "--llm-model"),
            (self.llm_api_key.is_some(), "--llm-api-key"),
            (self.llm_provider.is_some(), "--llm-provider"),
            (self.coordinator_id.is_some(), "--coordinator-id"),
            (self.pod_namespace.is_some(), "--pod-namespace"),
            (self.worker_label_selector.is_some(), "--worker-label-selector"),
            (self.scaling_max_workers.is_some(), "--scaling-max-workers"),
            (self.scaling_up_threshold.is_some(), "--scaling-up-threshold"),
            (self.scaling_down_threshold.is_some(), "--scaling-down-threshold"),
        ];
        given.iter().find_map(|(given, name)| given.then_some(*name))
    }
}

const SERVER_EXAMPLES: &str = "\
Examples:
  rarog server --coordinator http://10.0.0.1:9100 --advertise-address http://10.0.0.7:9000
  rarog server --coordinator http://10.0.0.1:9101,http://10.0.0.2:9101 --worker-id worker-1 --port 9001
  rarog server                                       a worker by itself, driven through its own REST interface

Every option can be given as RAROG_<OPTION> in the environment, or as VARPULIS_<OPTION>.";

/// Arguments of `server`.
#[derive(Clone, Debug, Args)]
#[command(after_help = SERVER_EXAMPLES)]
pub struct ServerArgs {
    /// Port of the REST interface; 0 takes a free one
    #[arg(short, long, value_name = "PORT", default_value_t = 9000)]
    pub port: u16,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub bind: String,
    /// The key that its REST interface asks for, and that it shows to coordinators
    #[arg(long, value_name = "KEY", hide_env_values = true)]
    pub api_key: Option<String>,
    /// Coordinators to join; the first one is home, the others are called when it is away
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub coordinator: Vec<String>,
    /// Name of this worker [default: the host's name and the port]
    #[arg(long, value_name = "NAME")]
    pub worker_id: Option<String>,
    /// Where coordinators reach this worker [default: http://<bind>:<port>]
    #[arg(long, value_name = "URL")]
    pub advertise_address: Option<String>,
    /// Where its state is kept [default: ./rarog-data/worker-<worker id>]
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Folder that relative paths of programs are in
    #[arg(long, value_name = "DIR")]
    pub workdir: Option<PathBuf>,
    /// Offer metrics on --metrics-port as well; /metrics of the REST interface has them always
    #[arg(long)]
    pub metrics: bool,
    /// Port for --metrics
    #[arg(long, value_name = "PORT", default_value_t = 9090)]
    pub metrics_port: u16,
    /// Changing calls per second and address; 0 is without limit
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub rate_limit: u32,
    /// Origins that browsers may call from, or *; by default none
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    pub cors_origins: Vec<String>,
    /// Injected events that may wait for a pipeline
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    pub max_queue_depth: usize,
    /// Let callers without a key in although one is configured (reading only)
    #[arg(long)]
    pub allow_anonymous: bool,
    /// Pipelines at the most
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub max_pipelines: u32,
    /// Form of log lines
    #[arg(long, value_enum, default_value = "text")]
    pub log_format: LogFormat,
    #[command(flatten)]
    pub unsupported: ServerUnsupported,
}

/// Options that Varpulis has and this build does not: known, so that the answer can say so.
#[derive(Clone, Debug, Default, Args)]
pub struct ServerUnsupported {
    #[arg(long, hide = true, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    #[arg(long, hide = true, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    #[arg(long, hide = true, value_name = "FILE")]
    tls_ca_cert: Option<PathBuf>,
    #[arg(long, hide = true, value_name = "FILE")]
    tls_client_cert: Option<PathBuf>,
    #[arg(long, hide = true, value_name = "FILE")]
    tls_client_key: Option<PathBuf>,
    #[arg(long, hide = true)]
    nats: Option<String>,
    #[arg(long, hide = true)]
    admin_password: Option<String>,
    #[arg(long, hide = true)]
    session_idle_timeout: Option<u32>,
    #[arg(long, hide = true)]
    session_absolute_timeout: Option<u32>,
    #[arg(long, hide = true)]
    max_sessions: Option<u32>,
}

impl ServerUnsupported {
    /// The first of them that was given.
    pub fn given(&self) -> Option<&'static str> {
        let given = [
            (self.tls_cert.is_some(), "--tls-cert"),
            (self.tls_key.is_some(), "--tls-key"),
            (self.tls_ca_cert.is_some(), "--tls-ca-cert"),
            (self.tls_client_cert.is_some(), "--tls-client-cert"),
            (self.tls_client_key.is_some(), "--tls-client-key"),
            (self.nats.is_some(), "--nats"),
            (self.admin_password.is_some(), "--admin-password"),
            (self.session_idle_timeout.is_some(), "--session-idle-timeout"),
            (self.session_absolute_timeout.is_some(), "--session-absolute-timeout"),
            (self.max_sessions.is_some(), "--max-sessions"),
        ];
        given.iter().find_map(|(given, name)| given.then_some(*name))
    }
}

/// Forms of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}
