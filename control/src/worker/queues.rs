//! Injected events that are not through yet, by pipeline, so that callers who are faster than a pipeline are told so.
//!
//! Invariant: what was let in is counted until its [`Place`] is dropped.

use crate::model::ids::PipelineKey;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// See the module's head.
#[derive(Clone, Debug)]
pub struct Queues {
    limit: usize,
    waiting: Arc<Mutex<BTreeMap<PipelineKey, usize>>>,
}

/// The right of some events to wait.
#[derive(Debug)]
pub struct Place {
    queues: Queues,
    pipeline: PipelineKey,
    events: usize,
}

impl Queues {
    /// Queues of at most so many events each.
    pub fn new(limit: usize) -> Queues {
        Queues { limit, waiting: Arc::default() }
    }

    /// Lets events wait, or says how many may.
    pub fn enter(&self, pipeline: &PipelineKey, events: usize) -> Result<Place, usize> {
        let mut waiting = self.lock();
        let count = waiting.get(pipeline).copied().unwrap_or(0) + events;
        if count > self.limit {
            return Err(self.limit);
        }
        waiting.insert(pipeline.clone(), count);
        Ok(Place { queues: self.clone(), pipeline: pipeline.clone(), events })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PipelineKey, usize>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.queues.lock();
        let left = waiting.get(&self.pipeline).map_or(0, |count| count - self.events);
        if left == 0 {
            waiting.remove(&self.pipeline);
        } else {
            waiting.insert(self.pipeline.clone(), left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::Uuid;

    #[test]
    fn each_pipeline_has_room_until_its_events_are_through() {
        let (queues, keys) = (Queues::new(3), ["a", "b"].map(|name| PipelineKey::new(Uuid::nil(), name, 0)));
        let two = queues.enter(&keys[0], 2).expect("there is room");
        assert_eq!(queues.enter(&keys[0], 2).err(), Some(3));
        let other = queues.enter(&keys[1], 3).expect("it has a queue of its own");
        drop(two);
        queues.enter(&keys[0], 3).expect("there is room again");
        drop(other);
        assert!(queues.lock().is_empty(), "nothing is kept of queues that are empty");
    }
}
