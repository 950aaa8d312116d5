//! The right to use a client id, for those who share it with others and have somebody who decides.
//!
//! ```text
//!   ask ── Granted ──> CONNECT ── CONNACK ──> ask ── Granted ──> publish, subscribe, acknowledge
//!    ^ └── Denied ───> the end                 ├──── Denied ───> the end
//!    └──── Unknown, back-off <─────────────────┴──── Unknown: disconnect
//! ```
//! To the loser a take-over of its client id looks like a broker that went away: who has a permit never guesses which of
//! the two it was. Invariant: after a CONNACK nothing is sent before the permit was asked once more and granted.

use super::link::SessionEnd;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// How long one answer may take, ms. The connection is not read meanwhile: much less than the shortest keep-alive.
const ASK_LIMIT_MS: u64 = 1500;

/// What is said of a connection that waits for an answer.
pub const WAITING_FOR_OWNER: &str = "waiting for owner confirmation";

/// What a permit says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Go on.
    Granted,
    /// Somebody else has the right now, for good.
    Denied,
    /// Nobody can tell at the moment: ask again.
    Unknown,
}

/// An answer on its way.
pub type Asked = Pin<Box<dyn Future<Output = Permission> + Send>>;

/// Says whether a client id may be used.
pub trait Permit: Send + Sync {
    /// Asks whoever decides. Called on the connection's thread, within its runtime; an answer that takes longer than 1.5 s
    /// counts as [`Permission::Unknown`].
    fn ask(&self) -> Asked;
}

/// What stands before the use of a connection: a permit, or nothing.
#[derive(Clone, Default)]
pub(crate) struct Gate(Option<Arc<dyn Permit>>);

impl Gate {
    pub(crate) fn new(permit: Option<Arc<dyn Permit>>) -> Self {
        Self(permit)
    }

    /// Is there somebody who decides?
    pub(crate) fn has_permit(&self) -> bool {
        self.0.is_some()
    }

    /// What ends a connection that the broker has just accepted, if anything does.
    pub(crate) async fn bars(&self) -> Option<SessionEnd> {
        match self.ask().await {
            Permission::Granted => None,
            Permission::Denied => Some(SessionEnd::Superseded),
            Permission::Unknown => Some(SessionEnd::Unconfirmed),
        }
    }

    /// May the connection be made, or used?
    pub(crate) async fn ask(&self) -> Permission {
        let Some(permit) = &self.0 else { return Permission::Granted };
        let answer = tokio::time::timeout(Duration::from_millis(ASK_LIMIT_MS), permit.ask());
        answer.await.unwrap_or(Permission::Unknown)
    }
}
