//! Clusters of real processes under faults, judged by exact sets: every reading that the broker confirmed comes out, and what
//! comes out twice carries the id that it had before.

mod changes;
mod faults;
mod raft;
mod scaling;
mod scene;
mod surface;

use rarog_mqtt_tests::cluster::{Load, Tally};
use std::time::Duration;

/// Nothing takes so long, except on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// Holds the account of all readings so far against what it has to be.
fn assert_exact(load: &Load, phase: &str) -> Tally {
    let tally = load.account();
    println!("{phase}: {tally:?}");
    assert_eq!((tally.lost, tally.repeated_without_id, tally.invented), (0, 0, 0), "{phase}: {tally:?}");
    tally
}
