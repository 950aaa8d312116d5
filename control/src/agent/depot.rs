//! States that came from other workers and wait for their orders.
//!
//! Invariant: bounded in number, bytes and time; what is over a limit is refused, never something else forgotten for it.

use crate::model::ids::{EpochNumber, PipelineKey};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// States that wait at the most.
pub const WAITING_STATES: usize = 64;

/// Bytes of all states that wait, at the most.
pub const WAITING_BYTES: usize = 256 << 20;

/// How long a state waits for its order.
pub const STATE_WAITS: Duration = Duration::from_secs(120);

/// See the module's head.
#[derive(Debug, Default)]
pub struct Depot {
    states: BTreeMap<(PipelineKey, EpochNumber), Waiting>,
}

#[derive(Debug)]
struct Waiting {
    state: Arc<[u8]>,
    until: Duration,
}

impl Depot {
    /// Keeps a state. One that comes again replaces itself.
    pub fn put(
        &mut self,
        now: Duration,
        key: PipelineKey,
        epoch: EpochNumber,
        state: Arc<[u8]>,
    ) -> Result<(), &'static str> {
        self.states.remove(&(key.clone(), epoch));
        if self.states.len() >= WAITING_STATES {
            return Err("too many states wait here already");
        }
        let bytes: usize = self.states.values().map(|waiting| waiting.state.len()).sum();
        if bytes + state.len() > WAITING_BYTES {
            return Err("the states that wait here already are too large together");
        }
        self.states.insert((key, epoch), Waiting { state, until: now + STATE_WAITS });
        Ok(())
    }

    /// Is the state for an order here?
    pub fn has(&self, key: &PipelineKey, epoch: EpochNumber) -> bool {
        self.states.contains_key(&(key.clone(), epoch))
    }

    /// Takes the state for an order; older ones of the pipeline are of no use any more.
    pub fn take(&mut self, key: &PipelineKey, epoch: EpochNumber) -> Option<Arc<[u8]>> {
        let found = self.states.remove(&(key.clone(), epoch));
        self.states.retain(|(kept, other), _| kept != key || *other > epoch);
        found.map(|waiting| waiting.state)
    }

    /// Forgets what has waited for too long.
    pub fn tick(&mut self, now: Duration) {
        self.states.retain(|_, waiting| waiting.until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::Uuid;

    fn key(name: &str) -> PipelineKey {
        PipelineKey::new(Uuid::nil(), name, 0)
    }

    #[test]
    fn a_state_waits_for_its_order_and_not_for_ever() {
        let (mut depot, now) = (Depot::default(), Duration::ZERO);
        depot.put(now, key("a"), 3, [1].as_slice().into()).expect("there is room");
        depot.put(now, key("b"), 1, [2].as_slice().into()).expect("there is room");
        assert_eq!(depot.take(&key("a"), 2), None, "it is for another epoch");
        assert_eq!(depot.take(&key("a"), 3).as_deref(), Some([1].as_slice()));
        assert_eq!(depot.take(&key("a"), 3), None, "it was taken");
        depot.tick(now + STATE_WAITS);
        assert_eq!(depot.take(&key("b"), 1), None, "it has waited for too long");
    }

    #[test]
    fn more_than_the_limit_is_refused() {
        let (mut depot, now) = (Depot::default(), Duration::ZERO);
        let large: Arc<[u8]> = vec![0; WAITING_BYTES].into();
        depot.put(now, key("large"), 1, Arc::clone(&large)).expect("it just fits");
        depot.put(now, key("large"), 1, large).expect("it replaces itself");
        assert!(depot.put(now, key("one more"), 1, [0].as_slice().into()).is_err());
        depot.take(&key("large"), 1).expect("it is there still");
        for index in 0..WAITING_STATES {
            depot.put(now, key(&index.to_string()), 1, [].as_slice().into()).expect("there is room");
        }
        assert!(depot.put(now, key("one more"), 1, [].as_slice().into()).is_err());
    }
}
