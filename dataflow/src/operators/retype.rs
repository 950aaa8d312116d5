//! Gives records another event type: readers of a stream see its name.

use super::{Context, Operator};
use crate::batch::{Chunk, EventTypes, Rows};
use std::sync::Arc;

/// The operator.
pub struct Retype {
    event: Arc<str>,
}

impl Retype {
    /// The new event type.
    pub fn new(event: Arc<str>) -> Retype {
        Retype { event }
    }
}

impl Operator for Retype {
    fn state_version(&self) -> Option<u32> {
        None
    }

    fn apply(&mut self, _: &Arc<Chunk>, mut ports: Vec<Option<Rows>>, _: &Context) -> Option<Rows> {
        let rows = ports.pop().flatten()?;
        Some(Rows { event: EventTypes::One(self.event.clone()), ..rows })
    }
}
