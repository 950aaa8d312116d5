//! Measures rates from broker to broker: a bare client beside rarog, in turns, on one broker.
//!
//! ```text
//! cargo run --release -p rarog-mqtt-tests --bin mqtt_bench -- rate [--events N] [--rounds N]
//! ```
//!
//! A backlog of readings waits in a persistent session; each contestant takes it over, forwards the half that is over 50
//! degrees at QoS 1, and acknowledges each reading itself. The rate is events by the time from the first to the last output.

use rarog_mqtt_tests::bench::{Contestant, rate};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: usize| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let contestants = [Contestant::Bare, Contestant::Connectors];
    rate::compare(&contestants, number("--events", 200_000), number("--rounds", 3));
}
