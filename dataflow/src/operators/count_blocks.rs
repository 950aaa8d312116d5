//! Sliding count windows whose states merge at a constant price: a window costs a few merges however many panes it has.
//!
//! The panes of a key are cut into blocks as long as a window. A window is what is left of one block and the beginning of the
//! next; both are kept ready.
//!
//! ```text
//! block │ 1  2  3  4 │ 5  6  7  8 │    window of panes 3 4 5 6 = (3+4) + (5+6)
//!           3+4+… ◄──┤            │    rests of the block, made once, when it is over
//!                    ├──► 5+6     │    beginning of the next: grows pane by pane
//! ```
//! Blocks lie on a grid of their own and grow in order, so results are the same bit by bit after a restart, though nothing of
//! this is written down.

use super::result::{Calls, Groups};
use std::ops::Range;

/// With so few panes, merging them all is as cheap.
const MERGED_AT_ONCE: u64 = 4;

/// Panes put together: one group, and the earliest and latest time.
pub struct Merged {
    /// One group, in slot 0.
    pub groups: Groups,
    /// Earliest and latest event time.
    pub bounds: (i64, i64),
}

/// What is kept ready of the panes of one key.
pub struct Blocks {
    /// Panes of a window, and of a block.
    width: usize,
    /// Number of the block that is beginning.
    block: u64,
    /// So many of its panes are in [`Blocks::beginning`].
    until: usize,
    beginning: Merged,
    /// Of the block before: of its last pane, of its last two, and so on.
    rests: Vec<Merged>,
    /// A whole window.
    window: Merged,
}

impl Merged {
    /// Nothing.
    pub fn new(calls: &Calls) -> Merged {
        let mut groups = calls.groups();
        groups.grow(1);
        Merged { groups, bounds: (i64::MAX, i64::MIN) }
    }

    /// Forgets all panes.
    pub fn reset(&mut self) {
        self.groups.reset(0);
        self.bounds = (i64::MAX, i64::MIN);
    }

    /// Adds later panes.
    pub fn add(&mut self, groups: &Groups, (min, max): (i64, i64)) {
        self.groups.merge(0, groups, 0);
        self.bounds = (self.bounds.0.min(min), self.bounds.1.max(max));
    }

    fn add_merged(&mut self, other: &Merged) {
        self.add(&other.groups, other.bounds);
    }
}

impl Blocks {
    /// For windows of so many panes, if it is worth while.
    pub fn new(panes: u64, calls: &Calls) -> Option<Blocks> {
        let width = usize::try_from(panes).ok().filter(|_| panes > MERGED_AT_ONCE && calls.merge_cheaply())?;
        let merged = || Merged::new(calls);
        Some(Blocks { width, block: 0, until: 0, beginning: merged(), rests: Vec::new(), window: merged() })
    }

    /// The window of the panes that `panes` gives by their places in it, and of which the first has the number `first` among
    /// all of the key. Windows are asked for in order.
    pub fn window<'p, I>(&mut self, first: u64, panes: impl Fn(Range<usize>) -> I, calls: &Calls) -> &Merged
    where
        I: DoubleEndedIterator<Item = (&'p Groups, (i64, i64))>,
    {
        // So many panes are left of the block before.
        let left = (self.width - (first % self.width as u64) as usize) % self.width;
        let block = first.div_ceil(self.width as u64);
        if self.block != block {
            self.block = block;
            self.until = 0;
            self.beginning.reset();
            self.rests.clear();
        }
        for (groups, bounds) in panes(left + self.until..self.width) {
            self.beginning.add(groups, bounds);
        }
        self.until = self.width - left;
        if left == 0 {
            return &self.beginning;
        }
        if self.rests.len() < left {
            self.rests.clear();
            for (groups, bounds) in panes(0..left).rev() {
                let mut rest = Merged::new(calls);
                rest.add(groups, bounds);
                if let Some(later) = self.rests.last() {
                    rest.add_merged(later);
                }
                self.rests.push(rest);
            }
        }
        self.rests.truncate(left);
        self.window.reset();
        self.window.add_merged(&self.rests[left - 1]);
        self.window.add_merged(&self.beginning);
        &self.window
    }
}
