//! From a plan to the ends that a live run opens: which connections, for which subscriptions and outputs.
//!
//! ```text
//!  .from(C, topic: "a")  ─┐                    connection rarog-NAME-C-src: a, b
//!  .from(C, topic: "b")  ─┴─> source 0, 1 ──>
//!  .to(C) … .to(C)       ───> one connection rarog-NAME-C-out
//! ```
//! Pure. Subscriptions of one connector share a connection; those of the same filter are one source, because they see the
//! same records: the plan that runs names it for all of them.

mod mqtt;

pub use mqtt::session;

use super::http;
use super::params::Params;
use super::party::{Party, Payloads};
use rarog_connectors::client_id::End;
use rarog_connectors::generator::GeneratorConfig;
use rarog_connectors::http::{HttpSinkConfig, HttpSourceConfig};
use rarog_connectors::mqtt::{Address, MqttConfig, Qos, SinkConfig, SourceConfig};
use rarog_lang::plan::{Connector, NodeId, Op, Plan, Subscription, Window};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What outlets of `.alert` are called, which have no connector.
const ALERT: &str = "alert";
/// A source that says nothing for this long does not count.
pub const DEFAULT_IDLE: Duration = Duration::from_secs(10);

/// Form of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFormat {
    /// `.evt`
    Evt,
    /// JSON lines
    Jsonl,
}

/// A subscription within a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// MQTT topic filter, or path of a server.
    pub filter: String,
    /// The source that its messages belong to.
    pub source: u32,
}

/// Where records come in.
#[derive(Debug, Clone)]
pub enum Inlet {
    /// One connection to a broker.
    Mqtt {
        /// Its configuration.
        config: SourceConfig,
        /// Its subscriptions.
        routes: Vec<Route>,
        /// The messages that are taken, if not all are.
        payloads: Option<Payloads>,
    },
    /// A server of our own.
    Http {
        /// Its configuration.
        config: HttpSourceConfig,
        /// Its paths.
        routes: Vec<Route>,
    },
    /// A file, or standard input for `-`.
    File {
        /// Path.
        path: PathBuf,
        /// Form of its lines.
        format: LineFormat,
        /// The source that its records belong to.
        source: u32,
    },
    /// Generated readings.
    Generator {
        /// What to generate.
        config: GeneratorConfig,
        /// The source that its records belong to.
        source: u32,
    },
}

/// Where records go out.
#[derive(Debug, Clone)]
pub enum Outlet {
    /// One connection to a broker.
    Mqtt(SinkConfig),
    /// Requests of one kind to one server.
    Http(HttpSinkConfig),
    /// A file that is appended to.
    File(PathBuf),
    /// Standard output.
    Stdout,
}

impl Inlet {
    /// Its kind, as programs name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Inlet::Mqtt { .. } => "mqtt",
            Inlet::Http { .. } => "http",
            Inlet::File { .. } => "file",
            Inlet::Generator { .. } => "generator",
        }
    }

    /// The source that it alone is, if it has a place that is read from.
    pub fn source(&self) -> Option<u32> {
        match self {
            Inlet::Mqtt { .. } | Inlet::Http { .. } => None,
            Inlet::File { source, .. } | Inlet::Generator { source, .. } => Some(*source),
        }
    }

    /// What it is, in words, after its first connection was given this time.
    pub fn prepare(&mut self, connect_timeout: Option<Duration>) -> String {
        match self {
            Inlet::Mqtt { config, .. } => prepare(&mut config.mqtt, connect_timeout),
            Inlet::Http { config, .. } => config.paths.join(", "),
            Inlet::File { path, .. } => path.display().to_string(),
            Inlet::Generator { .. } => "generator".into(),
        }
    }
}

impl Outlet {
    /// Its kind, as programs name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Outlet::Mqtt(_) => "mqtt",
            Outlet::Http(_) => "http",
            Outlet::File(_) => "file",
            Outlet::Stdout => "console",
        }
    }

    /// The file that it appends to.
    pub fn file(&self) -> Option<PathBuf> {
        match self {
            Outlet::File(path) => Some(path.clone()),
            _ => None,
        }
    }

    /// What it is, in words, after its first connection was given this time.
    pub fn prepare(&mut self, connect_timeout: Option<Duration>) -> String {
        match self {
            Outlet::Mqtt(config) => prepare(&mut config.mqtt, connect_timeout),
            Outlet::Http(config) => config.target.url.to_string(),
            Outlet::File(path) => path.display().to_string(),
            Outlet::Stdout => "standard output".into(),
        }
    }
}

fn prepare(config: &mut MqttConfig, connect_timeout: Option<Duration>) -> String {
    config.connect_timeout = connect_timeout;
    config.addresses.iter().map(Address::to_string).collect::<Vec<_>>().join(", ")
}

/// How a `Send` node sends.
#[derive(Debug, Clone)]
pub struct Sending {
    /// Index of its outlet.
    pub outlet: usize,
    /// Topic, or URL.
    pub topic: Arc<str>,
    /// Quality of service.
    pub qos: Qos,
    /// Whether the broker keeps it for later subscribers.
    pub retain: bool,
}

/// The ends of a program.
#[derive(Debug)]
pub struct Wiring {
    /// The plan with one name for subscriptions that see the same records.
    pub plan: Arc<Plan>,
    /// Where records come in.
    pub inlets: Vec<Inlet>,
    /// By inlet, the connector that it is of.
    pub inlet_names: Vec<Arc<str>>,
    /// Where records go out.
    pub outlets: Vec<Outlet>,
    /// By outlet, the connector that it is of.
    pub outlet_names: Vec<Arc<str>>,
    /// How each node sends, by node.
    pub sending: Vec<Option<Sending>>,
    /// For each source: how long it may be silent and still count.
    pub idle: Vec<Duration>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Finds out what a program opens.
pub fn wire(party: &Party, plan: &Plan) -> Result<Wiring, String> {
    let mut wiring = Wiring {
        plan: Arc::new(Plan::default()),
        inlets: Vec::new(),
        inlet_names: Vec::new(),
        outlets: Vec::new(),
        outlet_names: Vec::new(),
        sending: vec![None; plan.nodes.len()],
        idle: Vec::new(),
        warnings: Vec::new(),
    };
    let mut same = Vec::with_capacity(plan.subscriptions.len());
    for subscription in &plan.subscriptions {
        same.push(wiring.subscribe(party, plan, subscription)?);
    }
    for (node, what) in plan.nodes.iter().enumerate() {
        if let Op::Send { connector, params, .. } = &what.op {
            let connector = &plan.connectors[*connector as usize];
            let params = Params { connector: &connector.name, call: params, own: &connector.params };
            wiring.send(party, connector, params, node as NodeId)?;
        }
        if let Op::Alert { webhook: Some(url), .. } = &what.op {
            let outlet = wiring.outlet(Outlet::Http(http::webhook(url)?), &ALERT.into());
            let sending = Sending { outlet, topic: url.clone(), qos: Qos::default(), retain: false };
            wiring.sending[node] = Some(sending);
        }
    }
    wiring.part_filters();
    wiring.drop_filters(party);
    if !needs_clocks(plan) {
        wiring.join_sources(&mut same);
    }
    let mut named = plan.clone();
    for input in &mut named.inputs {
        input.subscriptions.iter_mut().for_each(|of| *of = same[*of as usize]);
        input.subscriptions.sort_unstable();
        input.subscriptions.dedup();
    }
    wiring.plan = Arc::new(named);
    Ok(wiring)
}

impl Wiring {
    /// By source, what it reads: the names by which a later run finds its place again.
    pub fn source_names(&self) -> Vec<String> {
        let mut names = vec![String::new(); self.idle.len()];
        for inlet in &self.inlets {
            match inlet {
                Inlet::Mqtt { config, routes, .. } => {
                    for route in routes {
                        names[route.source as usize] = format!("{} {}", config.mqtt.client_id, route.filter);
                    }
                }
                Inlet::Http { config, routes } => {
                    for route in routes {
                        names[route.source as usize] = format!("port {} {}", config.port, route.filter);
                    }
                }
                Inlet::File { path, source, .. } => names[*source as usize] = path.display().to_string(),
                Inlet::Generator { source, .. } => names[*source as usize] = format!("generator {source}"),
            }
        }
        names
    }

    /// By inlet, its client id; empty: it is none of a broker.
    pub fn clients(&self) -> Vec<String> {
        let client = |inlet: &Inlet| match inlet {
            Inlet::Mqtt { config, .. } => config.mqtt.client_id.clone(),
            Inlet::Http { .. } | Inlet::File { .. } | Inlet::Generator { .. } => String::new(),
        };
        self.inlets.iter().map(client).collect()
    }

    /// Adds a subscription; the source that its records belong to.
    fn subscribe(&mut self, party: &Party, plan: &Plan, of: &Subscription) -> Result<u32, String> {
        let next = self.idle.len() as u32;
        let connector = &plan.connectors[of.connector as usize];
        let params = Params { connector: &connector.name, call: &of.params, own: &connector.params };
        let source = match &*connector.kind {
            "mqtt" => self.subscribe_mqtt(party, connector, params, next)?,
            "http" => self.serve(http::source(params)?, next)?,
            "file" | "stdin" => {
                let (path, format) = (self::path(connector, params)?, line_format(params)?);
                let by_name = path.extension().is_some_and(|extension| extension == "evt");
                let format = format.unwrap_or(if by_name { LineFormat::Evt } else { LineFormat::Jsonl });
                self.add_file(path, format, next)
            }
            "generator" => {
                self.inlets.push(Inlet::Generator { config: generator(params)?, source: next });
                next
            }
            kind => return Err(format!("connector {}: records cannot come in from {kind}", connector.name)),
        };
        self.inlet_names.resize_with(self.inlets.len(), || connector.name.clone());
        let idle = of.idle.map_or(DEFAULT_IDLE, |ns| Duration::from_nanos(ns.unsigned_abs()));
        match self.idle.get_mut(source as usize) {
            Some(of_source) => *of_source = idle.max(*of_source),
            None => self.idle.push(idle),
        }
        Ok(source)
    }

    /// Makes one source of all subscriptions of a connection: nobody asks for their clocks, and chunks need not end where the
    /// topic changes.
    fn join_sources(&mut self, same: &mut [u32]) {
        for inlet in &mut self.inlets {
            let (Inlet::Mqtt { routes, .. } | Inlet::Http { routes, .. }) = inlet else { continue };
            let Some(first) = routes.first().map(|route| route.source) else { continue };
            for route in routes {
                same.iter_mut().filter(|source| **source == route.source).for_each(|source| *source = first);
                route.source = first;
            }
        }
    }

    /// Adds a path to the server of its host and port.
    fn serve(&mut self, config: HttpSourceConfig, source: u32) -> Result<u32, String> {
        let path = config.paths[0].clone();
        let same = self.inlets.iter_mut().find_map(|inlet| match inlet {
            Inlet::Http { config: other, routes } if other.port == config.port => Some((other, routes)),
            _ => None,
        });
        let Some((other, routes)) = same else {
            self.inlets.push(Inlet::Http { config, routes: vec![Route { filter: path, source }] });
            return Ok(source);
        };
        if (&other.host, &other.token) != (&config.host, &config.token) {
            return Err(format!("port {}: two connectors use it with another host or token", config.port));
        }
        if let Some(route) = routes.iter().find(|route| route.filter == path) {
            return Ok(route.source);
        }
        other.paths.push(path.clone());
        routes.push(Route { filter: path, source });
        Ok(source)
    }

    /// The index of an outlet, which those that are the same share.
    fn outlet(&mut self, outlet: Outlet, connector: &Arc<str>) -> usize {
        let same = |other: &Outlet| match (other, &outlet) {
            (Outlet::Mqtt(a), Outlet::Mqtt(b)) => a.mqtt.client_id == b.mqtt.client_id,
            (Outlet::Http(a), Outlet::Http(b)) => a.target == b.target && a.wait_for_server == b.wait_for_server,
            (Outlet::File(a), Outlet::File(b)) => a == b,
            (Outlet::Stdout, Outlet::Stdout) => true,
            _ => false,
        };
        self.outlets.iter().position(same).unwrap_or_else(|| {
            self.outlets.push(outlet);
            self.outlet_names.push(connector.clone());
            self.outlets.len() - 1
        })
    }

    fn add_file(&mut self, path: PathBuf, format: LineFormat, source: u32) -> u32 {
        let same = self.inlets.iter().find_map(|inlet| match inlet {
            Inlet::File { path: other, source, .. } if *other == path => Some(*source),
            _ => None,
        });
        same.unwrap_or_else(|| {
            self.inlets.push(Inlet::File { path, format, source });
            source
        })
    }

    fn send(&mut self, party: &Party, connector: &Connector, params: Params<'_>, node: NodeId) -> Result<(), String> {
        let (outlet, qos) = match &*connector.kind {
            "mqtt" => {
                let qos =
                    self.qos(connector, params, "outputs that are on their way when a connection breaks are lost")?;
                let config = mqtt::connection(party, connector, params, End::Sink)?;
                (Outlet::Mqtt(SinkConfig::new(config)), qos)
            }
            "http" => (Outlet::Http(http::sink(params)?), Qos::default()),
            "file" => (Outlet::File(path(connector, params)?), Qos::default()),
            "stdout" | "console" => (Outlet::Stdout, Qos::default()),
            kind => return Err(format!("connector {}: this build cannot send to {kind}", connector.name)),
        };
        if matches!(outlet, Outlet::File(_) | Outlet::Stdout) && line_format(params)? == Some(LineFormat::Evt) {
            return Err(format!("connector {}: records are written as JSON lines, not as evt", connector.name));
        }
        let url = if let Outlet::Http(config) = &outlet { Some(config.target.url.to_string()) } else { None };
        let index = self.outlet(outlet, &connector.name);
        let topic = match url {
            Some(url) => url,
            None => params.text("topic")?.unwrap_or_else(|| format!("{}-output", connector.name)),
        };
        if matches!(self.outlets[index], Outlet::Mqtt(_)) && topic.contains(['+', '#', '\0']) {
            return Err(format!(
                "connector {}: records cannot be sent to `{topic}`, which is a filter",
                connector.name
            ));
        }
        let retain = params.flag("retain")?;
        self.sending[node as usize] = Some(Sending { outlet: index, topic: topic.into(), qos, retain });
        Ok(())
    }
}

/// Does anything in a plan go by the clocks of sources?
fn needs_clocks(plan: &Plan) -> bool {
    plan.nodes.iter().any(|node| match &node.op {
        Op::Window { window, .. } => !matches!(window, Window::Count { .. }),
        Op::Distinct { within, .. } => within.is_some(),
        Op::Join(_) | Op::Sequence(_) | Op::Late { .. } | Op::Timer { .. } => true,
        _ => false,
    })
}

fn path(connector: &Connector, params: Params<'_>) -> Result<PathBuf, String> {
    if &*connector.kind == "stdin" {
        return Ok("-".into());
    }
    let path = params.text("path")?;
    path.map(PathBuf::from).ok_or_else(|| format!("connector {}: the path is missing", connector.name))
}

fn line_format(params: Params<'_>) -> Result<Option<LineFormat>, String> {
    match params.text("format")?.as_deref() {
        None => Ok(None),
        Some("evt") => Ok(Some(LineFormat::Evt)),
        Some("json" | "jsonl" | "ndjson") => Ok(Some(LineFormat::Jsonl)),
        Some(other) => Err(format!("connector {}: format {other} is not known; use jsonl or evt", params.connector)),
    }
}

fn generator(params: Params<'_>) -> Result<GeneratorConfig, String> {
    let number = |name: &str| params.int(name, 0, i64::MAX).map(|number| number.map(i64::unsigned_abs));
    let default = GeneratorConfig::default();
    Ok(GeneratorConfig {
        rate: params.number("rate")?.unwrap_or(default.rate),
        count: number("count")?,
        keys: number("keys")?.unwrap_or(default.keys),
        seed: number("seed")?.unwrap_or(default.seed),
        interval: params.duration("interval")?,
    })
}

#[cfg(test)]
mod tests;
