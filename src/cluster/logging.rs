//! The log of a server: lines on standard output, as text or as JSON; `RUST_LOG` says how much.
//!
//! `RUST_LOG=info` is the default; `RUST_LOG=rarog_control=debug,info` asks for more of one part.

use crate::args::LogFormat;
use std::io::IsTerminal;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

/// Parts whose chatter helps nobody who has not asked for it.
const QUIET: [&str; 4] = ["openraft", "hyper", "rumqttc", "tungstenite"];

/// Begins to log; says what is wrong with `RUST_LOG`.
pub fn start(format: LogFormat) -> Result<(), String> {
    let wanted = std::env::var("RUST_LOG").unwrap_or_default();
    let filter = filter(&wanted)?;
    let lines = match format {
        LogFormat::Text => fmt::layer().with_target(false).with_ansi(std::io::stdout().is_terminal()).boxed(),
        LogFormat::Json => fmt::layer().json().boxed(),
    };
    registry().with(lines.with_filter(filter)).try_init().map_err(|error| error.to_string())
}

fn filter(wanted: &str) -> Result<Targets, String> {
    if wanted.is_empty() {
        let quiet = QUIET.iter().map(|target| (*target, tracing::Level::WARN));
        return Ok(Targets::new().with_default(tracing::Level::INFO).with_targets(quiet));
    }
    let wrong = |error| format!("RUST_LOG={wanted}: {error}; use a level such as info, or target=level,…");
    wanted.parse::<Targets>().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_targets_are_read_and_others_are_named() {
        for good in ["", "debug", "rarog_control=debug,info", "off"] {
            assert!(filter(good).is_ok(), "{good}");
        }
        assert!(filter("a=loud").is_err_and(|error| error.contains("RUST_LOG=a=loud")));
    }
}
