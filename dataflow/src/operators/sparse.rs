//! Slots that are given back: a flood of keys leaves slots behind that nobody uses, and memory has to go as the keys did.
//!
//! ```text
//! slots   k1 .. .. .. k5 .. .. .. ..        moved   0 -> 0, 4 -> 1
//! then    k1 k5
//! ```
//! Slots are moved together only when few are used, and have been for as long as that takes: a share of the records that
//! came meanwhile pays for it, so keys that come in waves keep their slots. Invariant: slots keep their order.

/// Fewer slots than this are kept whatever happens. Where things are tested they move as soon as they may.
const LEAST_SLOTS: usize = if cfg!(debug_assertions) { 2 } else { 1024 };
/// At most one slot in so many is used when they are moved.
const SPARSE_SHARE: usize = 4;
/// One record pays for so many slots that are looked through.
const SLOTS_PER_RECORD: usize = 8;
/// So many records a chunk counts for by itself.
const RECORDS_PER_CHUNK: usize = 16;

/// Watches how many slots are used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sparse {
    /// Records that have come since few were.
    records: usize,
}

impl Sparse {
    /// Is it time to move the slots, so many of which are used, behind a chunk of so many records?
    pub fn is_due(&mut self, used: usize, slots: usize, records: usize) -> bool {
        if slots < LEAST_SLOTS || used > slots / SPARSE_SHARE {
            self.records = 0;
            return false;
        }
        self.records += records + RECORDS_PER_CHUNK;
        let due = self.records >= slots / SLOTS_PER_RECORD;
        if due {
            self.records = 0;
        }
        due
    }
}

/// Where slots have gone.
pub struct Moved {
    /// By slot; [`GONE`]: it was not used.
    to: Vec<u32>,
    used: usize,
}

const GONE: u32 = u32::MAX;

impl Moved {
    /// So many slots, of which these are free.
    pub fn without(slots: usize, free: impl IntoIterator<Item = usize>) -> Moved {
        let mut to = vec![0; slots];
        free.into_iter().for_each(|slot| to[slot] = GONE);
        let mut used = 0;
        for slot in to.iter_mut().filter(|slot| **slot != GONE) {
            *slot = used;
            used += 1;
        }
        Moved { to, used: used as usize }
    }

    /// Number of slots that are left.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Where a slot is now, if it was used.
    pub fn to(&self, slot: usize) -> Option<usize> {
        self.to.get(slot).filter(|to| **to != GONE).map(|to| *to as usize)
    }

    /// Keeps of what is in slots, or in the first of them, that which was used.
    pub fn keep<T>(&self, all: &mut Vec<T>) {
        let mut kept = Vec::with_capacity(self.used.min(all.len()));
        let moved = std::mem::take(all).into_iter().zip(&self.to);
        kept.extend(moved.filter(|(_, to)| **to != GONE).map(|(one, _)| one));
        *all = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_moved_when_few_have_been_used_for_long() {
        let mut sparse = Sparse::default();
        let mut waits = |used, slots| (1..).take(1000).find(|_| sparse.is_due(used, slots, 1000));
        assert_eq!(waits(10, LEAST_SLOTS - 1), None);
        assert_eq!(waits(500_000, 1_000_000), None);
        assert_eq!(waits(10, 1_000_000), Some(1_000_000 / SLOTS_PER_RECORD / (1000 + RECORDS_PER_CHUNK) + 1));
        // Waves of keys keep their slots.
        let waves = (0..1000).map(|chunk| if chunk % 100 < 99 { 10 } else { 900_000 });
        assert!(!waves.into_iter().any(|used| sparse.is_due(used, 1_000_000, 1000)));
    }

    #[test]
    fn what_is_used_keeps_its_order() {
        let moved = Moved::without(5, [0, 3]);
        assert_eq!(
            (0..6).map(|slot| moved.to(slot)).collect::<Vec<_>>(),
            [None, Some(0), Some(1), None, Some(2), None]
        );
        let mut all = vec!["a", "b", "c"];
        moved.keep(&mut all);
        assert_eq!((all, moved.len()), (vec!["b", "c"], 3));
    }
}
