//! In which order templates are tried, and how many of them for one record.
//!
//! A producer of many kinds of records is read at a bounded cost per record: the templates that records follow come to the front,
//! and of those behind them one more is tried, each time the next, so that what becomes frequent is found.

/// Templates at the front that every record is tried against.
const FRONT: usize = 4;

/// Ranks of templates.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// Index of the template by rank.
    ranks: Vec<u8>,
    /// Which one behind the front was tried last.
    turn: usize,
}

impl Order {
    /// Another template, behind all others.
    pub fn push(&mut self) {
        self.ranks.push(self.ranks.len() as u8);
    }

    /// There are no templates any more.
    pub fn clear(&mut self) {
        self.ranks.clear();
    }

    /// The ranks that the next record is tried against.
    #[inline(always)]
    pub fn tries(&mut self) -> impl Iterator<Item = usize> + use<> {
        let behind = self.ranks.len().saturating_sub(FRONT);
        let one = (behind > 0).then(|| {
            self.turn = (self.turn + 1) % behind;
            FRONT + self.turn
        });
        (0..self.ranks.len().min(FRONT)).chain(one)
    }

    /// The template of a rank.
    #[inline(always)]
    pub fn at(&self, rank: usize) -> usize {
        self.ranks[rank].into()
    }

    /// A record has followed the template of this rank: it moves forward, from behind the front into it.
    #[inline(always)]
    pub fn followed(&mut self, rank: usize) {
        if rank > 0 {
            self.ranks.swap(rank, (rank - 1).min(FRONT - 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: usize) -> Order {
        let mut order = Order::default();
        (0..count).for_each(|_| order.push());
        order
    }

    /// The template is tried for one of the next records.
    fn finds(order: &mut Order, template: usize) -> bool {
        (0..32).any(|_| {
            let hit = order.tries().find(|rank| order.at(*rank) == template);
            hit.inspect(|rank| order.followed(*rank)).is_some()
        })
    }

    #[test]
    fn the_number_of_tries_has_a_bound_and_every_template_has_its_turn() {
        for count in 0..=32 {
            let mut order = of(count);
            assert!(order.tries().count() <= FRONT + 1);
            for template in (0..count).rev() {
                assert!(finds(&mut order, template), "{template} of {count}");
            }
        }
    }

    #[test]
    fn what_is_followed_stays_in_front() {
        let mut order = of(20);
        assert!(finds(&mut order, 17));
        for _ in 0..10 {
            let rank = order.tries().find(|rank| order.at(*rank) == 17).expect("it is in front");
            assert!(rank < FRONT);
            order.followed(rank);
        }
        assert_eq!(order.at(0), 17);
    }
}
