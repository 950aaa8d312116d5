//! A text that must not show: keys and passwords.
//!
//! Invariant: `Debug` never gives it away; it leaves the process only where it is serialised on purpose (Raft, orders to
//! workers).

use serde::{Deserialize, Serialize};
use std::fmt;

/// See the module's head.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
