//! The anchors: what a careful programmer writes by hand for one job on one thread. 1 MiB reads, newline search, unchecked
//! decoding of all declared fields, interned keys, dense state. They rely on what the sets of events promise (order of time,
//! short keys) and give rows when they are due, not when it is convenient; a tenth of that freedom would be a bug in an engine.

mod events;
mod keys;
mod lines;
mod out;

mod distinct;
mod filters;
mod joined;
mod means;
mod queries;
mod rallies;
mod sessions;
mod takeovers;
#[cfg(test)]
mod tests;
mod top;
mod transfers;
mod vwap;

use crate::rows::Rows;
use crate::workloads::Workload;
use out::Out;
use serde::Deserialize;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A hand-written program.
trait Anchor {
    /// A line of its input.
    type Event<'a>: Deserialize<'a>;

    /// Takes the next event.
    fn take(&mut self, event: Self::Event<'_>, out: &mut Out) -> Result<(), String>;

    /// Nothing follows.
    fn end(&mut self, _out: &mut Out) {}
}

/// Runs a workload on a file and gives its rows: counted, and with their checksum only if that is asked for.
pub fn run(workload: &Workload, file: &Path, count_only: bool) -> Result<Rows, String> {
    let input = File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
    run_on(workload, input, count_only).map_err(|error| format!("{}: {error}", file.display()))
}

fn run_on(workload: &Workload, input: impl Read, count_only: bool) -> Result<Rows, String> {
    let out = Out::new(count_only);
    match workload.name {
        "w1" => each(input, filters::Hot, out),
        "w2" => each(input, filters::Converted, out),
        "w3" => each(input, means::Means::<1>::default(), out),
        "w4" => each(input, means::Means::<3>::default(), out),
        "w5" => each(input, vwap::Vwap::default(), out),
        "w6" => each(input, sessions::Sessions::default(), out),
        "w7" => each(input, transfers::Transfers::default(), out),
        "w8" | "w8p" | "w8n" => each(input, takeovers::Takeovers::default(), out),
        "w9" => each(input, rallies::Rallies::default(), out),
        "w10" => each(input, joined::Joined::default(), out),
        "w11" => each(input, distinct::Distinct::default(), out),
        "w11k" => each(input, top::Top::default(), out),
        "w12" => each(input, queries::Queries::default(), out),
        name => Err(format!("there is no anchor for {name}")),
    }
}

fn each<A: Anchor>(input: impl Read, mut anchor: A, mut out: Out) -> Result<Rows, String> {
    lines::each(input, |line| anchor.take(lines::decode(line)?, &mut out))?;
    anchor.end(&mut out);
    Ok(out.rows())
}
