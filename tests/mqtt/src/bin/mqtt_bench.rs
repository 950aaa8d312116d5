//! Measures from broker to broker: rates beside a bare client, in turns, and latencies.
//!
//! ```text
//! cargo build --release && cargo run --release -p rarog-mqtt-tests --bin mqtt_bench -- rate [--events N] [--rounds N]
//! cargo build --release && cargo run --release -p rarog-mqtt-tests --bin mqtt_bench -- latency [--seconds N] [--rate N]
//! ```
//!
//! `rate`: a backlog of readings waits in a persistent session; each contestant takes it over, forwards the half that is over
//! 50 degrees at QoS 1, and acknowledges each reading itself. The rate is events by the time from the first to the last output.
//! `latency`: readings at an even pace, stamped by the process that receives the outputs.

use rarog_mqtt_tests::bench::{Contestant, latency, rate};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: usize| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    match arguments.first().map(String::as_str) {
        Some("latency") => println!("{}", latency::measure(number("--seconds", 20), number("--rate", 1000))),
        _ => {
            let contestants = [Contestant::Bare, Contestant::Connectors, Contestant::Rarog];
            rate::compare(&contestants, number("--events", 200_000), number("--rounds", 3));
        }
    }
}
