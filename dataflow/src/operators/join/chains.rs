//! A hash index over records that come and go in order of time.
//!
//! ```text
//! bucket ─► newest row ─► older row ─► … ─► rows that have left
//! ```
//! Every bucket is the head of a chain of rows, the newest first. Rows leave oldest first, so who walks a chain stops at the
//! first that has left: nothing is ever removed, and nothing is kept per key.

/// No row.
const NONE: u32 = u32::MAX;

/// Fewest buckets.
const MIN_BUCKETS: usize = if cfg!(test) { 2 } else { 64 };

/// Rows by hash.
#[derive(Clone, Debug, Default)]
pub struct Chains {
    /// A power of two of them.
    heads: Vec<u32>,
    /// By row: upper half of its hash, and the row behind it in its chain.
    links: Vec<(u32, u32)>,
}

fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

impl Chains {
    fn bucket(&self, hash: u64) -> usize {
        hash as usize & (self.heads.len() - 1)
    }

    /// Adds the next row; one without a hash is never found.
    pub fn push(&mut self, hash: Option<u64>) {
        let row = self.links.len() as u32;
        let (Some(hash), false) = (hash, self.heads.is_empty()) else {
            self.links.push((0, NONE));
            return;
        };
        let bucket = self.bucket(hash);
        self.links.push((tag(hash), self.heads[bucket]));
        self.heads[bucket] = row;
    }

    /// Are there more rows than buckets?
    pub fn is_crowded(&self) -> bool {
        self.links.len() >= self.heads.len()
    }

    /// Begins anew with room for so many rows.
    pub fn reset(&mut self, rows: usize) {
        let buckets = (rows + rows / 2).next_power_of_two().max(MIN_BUCKETS);
        self.heads.clear();
        self.heads.resize(buckets, NONE);
        self.links.clear();
        self.links.reserve(rows);
    }

    /// Rows that may have this hash, the newest first.
    pub fn walk(&self, hash: u64) -> impl Iterator<Item = u32> {
        let tag = tag(hash);
        let mut next = if self.heads.is_empty() { NONE } else { self.heads[self.bucket(hash)] };
        std::iter::from_fn(move || {
            while next != NONE {
                let row = next;
                let (of, behind) = self.links[row as usize];
                next = behind;
                if of == tag {
                    return Some(row);
                }
            }
            None
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_newest_first() {
        let mut chains = Chains::default();
        assert_eq!(chains.walk(1).count(), 0);
        chains.reset(8);
        for row in 0..200u64 {
            chains.push((row % 3 != 0).then_some(((row % 5) << 32) | (row % 2)));
        }
        assert!(chains.is_crowded());
        let found: Vec<u32> = chains.walk((4 << 32) | 1).collect();
        let expected: Vec<u32> = (0..200).rev().filter(|row| row % 3 != 0 && row % 5 == 4 && row % 2 == 1).collect();
        assert_eq!(found, expected);
    }
}
