//! Raft nodes in a simulated network with simulated disks: random crashes, partitions and lost disks, from a seed.
//!
//! Held: one cluster comes out of one list of peers; what was reported as decided is there in the end, at every node, and what
//! was reported as not decided is not; a read shows everything that was reported as decided before it began. `RAFT_SEEDS=from..to`
//! runs these seeds instead of the few that always run.

#[path = "../simulation/net.rs"]
#[allow(dead_code, reason = "the simulation of the whole cluster uses more of it")]
mod net;

mod history;
mod run;

use run::Run;
use std::ops::Range;

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("RAFT_SEEDS") else { return 1..3 };
    let (from, to) = text.split_once("..").expect("RAFT_SEEDS looks like 1..100");
    from.parse().expect("a number")..to.parse().expect("a number")
}

#[test]
fn nothing_that_was_decided_is_lost() {
    for seed in seeds() {
        Run::new(seed).play();
    }
}

#[test]
fn a_crashed_leader_is_replaced_in_time() {
    let gone = Run::new(7).failovers(6);
    println!("nobody led for {gone:?} ms");
    // The lease of the old one and the longest election timeout are 600 ms; a vote is two round trips of up to 16 ms and more.
    assert!(gone.iter().all(|ms| *ms < 800), "{gone:?}");
}
