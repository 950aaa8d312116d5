//! `rarog demo`: broker, sensors, pipelines and a board that shows alerts, all in this process and offline.
//!
//! ```text
//! sensors ──► e2e/input/1 ──► filter ─────────► e2e/output ──┐
//!                        └──► window, alert ──► demo/alerts ─┴─► board
//! ```
//! Everything goes over MQTT through the broker, with the connectors that any live run has; nothing takes a short cut.

mod board;
mod broker;
mod sensors;

use crate::args::{Connectors, DemoArgs, Output};
use crate::program;
use crate::run::host::Surroundings;
use crate::run::stop::Stop;
use crate::run::{Failure, Pipeline, live};
use board::Board;
use rarog_connectors::mqtt::{Address, MqttConfig};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The program: what the demonstration demonstrates.
const PROGRAM: &str = include_str!("demo.vpl");
/// Where sensors publish.
const INPUT: &str = "e2e/input/1";
/// How long the broker has to come up.
const START: Duration = Duration::from_secs(10);
/// The time that the last readings have to come through before the pipelines are stopped.
const DRAIN: Duration = Duration::from_millis(300);

/// Runs the demonstration.
pub fn main(args: &DemoArgs) -> ExitCode {
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            say_line!("rarog demo: {message}");
            ExitCode::from(code)
        }
    }
}

/// What runs beside the pipelines, until it is told to stop.
struct Beside {
    stop_board: Arc<AtomicBool>,
    published: Arc<AtomicU64>,
    board: JoinHandle<Result<board::Seen, String>>,
    sensors: JoinHandle<Result<(), String>>,
}

fn run(args: &DemoArgs) -> Result<(), Failure> {
    let port = broker::start().map_err(Failure::failed)?;
    let connectors = Connectors { urls: vec![format!("mqtt_1=mqtt://127.0.0.1:{port}")] };
    let plan = program::compile_text("demo.vpl", PROGRAM, &connectors)
        .map_err(|_| Failure::failed("the program of the demonstration does not compile"))?;
    say_line!("{PROGRAM}");
    say_line!("broker on 127.0.0.1:{port}, {} readings/s on {INPUT}; Ctrl-C ends", args.rate);
    let around = Surroundings::plain(Output::None);
    around
        .stop
        .by_signals(&around.talk)
        .map_err(|error| Failure::failed(format!("cannot listen to signals: {error}")))?;
    let board = Board::open(mqtt(port, "board"), START).map_err(Failure::failed)?;
    let began = Instant::now();
    let beside = start_beside(board, mqtt(port, "sensors"), args, &around.stop);
    let pipeline = Pipeline { name: "demo".into(), plan: Arc::new(plan) };
    let ended = live::run_in(&around, live::Terms::default(), 1, vec![pipeline]);
    around.stop.request();
    let seconds = began.elapsed().as_secs_f64();
    let sensors = joined(beside.sensors);
    beside.stop_board.store(true, Ordering::Release);
    let seen = joined(beside.board)?;
    ended.and(sensors)?;
    let published = beside.published.load(Ordering::Acquire);
    say_line!(
        "in {seconds:.1} s: {published} readings in ({:.0}/s), {} above 50 degrees out, {} alerts",
        published as f64 / seconds,
        seen.outputs,
        seen.alerts
    );
    Ok(())
}

/// Sensors publish until the time is over or the run is stopped, and stop the run; the board shows what comes of it.
fn start_beside(board: Board, sensors: MqttConfig, args: &DemoArgs, stop: &Arc<Stop>) -> Beside {
    let (stop_sensors, stop_board) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let published = Arc::new(AtomicU64::new(0));
    let showing = {
        let (published, stop) = (published.clone(), stop_board.clone());
        thread::spawn(move || board.show(&published, &stop))
    };
    let publishing = {
        let (published, stop, rate) = (published.clone(), stop_sensors.clone(), args.rate);
        move || sensors::publish(sensors, INPUT, rate, &stop, &published)
    };
    let (asked, ask) = channel();
    stop.on_request(Box::new(move || _ = asked.send(())));
    let (limit, stop) = (args.seconds.map(Duration::from_secs), stop.clone());
    let sensors = thread::spawn(move || {
        let publisher = thread::spawn(publishing);
        // What is received, or that nobody can send any more, means the same: the run is over.
        match limit {
            Some(limit) => drop(ask.recv_timeout(limit)),
            None => drop(ask.recv()),
        }
        stop_sensors.store(true, Ordering::Release);
        let published = publisher.join().unwrap_or_else(|_| Err("the sensors have failed".into()));
        thread::sleep(DRAIN);
        stop.request();
        published
    });
    Beside { stop_board, published, board: showing, sensors }
}

fn joined<T>(thread: JoinHandle<Result<T, String>>) -> Result<T, Failure> {
    thread.join().unwrap_or_else(|_| Err("a thread has failed".into())).map_err(Failure::failed)
}

fn mqtt(port: u16, client: &str) -> MqttConfig {
    MqttConfig::new(Address::new("127.0.0.1", port), format!("demo-{client}"))
}
