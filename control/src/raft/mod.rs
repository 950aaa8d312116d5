//! Consensus: what all coordinators agree on, kept by Raft.
//!
//! ```text
//!   submit ──> submit ──(leader here or there)──> openraft ──> log ──> journal ──> Disk
//!   read   ──> submit ──(ReadIndex)──────────────────┘  │
//!   state, watch <── Published <── machine <── apply ───┘
//!   peers  <──> routes, net        formation: how a node without a log gets into a cluster
//!                                  steward: what the leader does about the cluster itself
//!                                  lifeline: how the end of a leader's process is seen at once
//! ```
//! Nothing of openraft is seen outside of this folder; its exact version is pinned.
//!
//! **Simulation.** All that is not the same every time comes from [`Seams`](crate::seams::Seams): sockets, disk, time of day and
//! randomness. [`Flush::Inline`] writes to the disk without a thread. Election timeouts are drawn from a generator that
//! [`Consensus::start`] seeds with one number of `seams.entropy`, so the same entropy gives the same elections; openraft's
//! tasks inherit the seed. Monotonic time is tokio's.
//!
//! Invariants: a command is answered after a majority has it on its disks and this state shows its effect; a read is
//! answered after a majority has confirmed the leader (never by lease); a node that may have forgotten what it promised
//! promises nothing (`formation.rs`).

mod consensus;
mod formation;
mod journal;
mod lifeline;
mod log;
mod machine;
mod members;
mod message;
mod net;
mod recovery;
mod routes;
mod snapshot;
mod standing;
mod steward;
mod submit;
mod types;

pub use consensus::{Consensus, Leadership, Metrics, PeerLag, RaftConfig, StartError, Timings};
pub use journal::{Flush, JournalError};
pub use members::{Member, MemberError};
pub use recovery::Recovered;
pub use standing::MetaError;
pub use submit::{COMMAND_LIMIT_BYTES, DEFAULT_PATIENCE_MS, ReadError, SubmitError};
