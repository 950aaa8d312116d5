//! w10: every order with every payment of the same id that is at most ten seconds away.

use super::Anchor;
use super::events::Trade;
use super::keys::pack;
use super::out::Out;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use std::collections::VecDeque;

const APART_MS: i64 = 10_000;

/// What came in the last ten seconds, in the order of arrival; each knows the one of the same id before it, and a map knows
/// the last one of each id. Records are numbered from 1 on.
#[derive(Default)]
pub struct Joined {
    recent: VecDeque<Side>,
    /// Numbers that are forgotten.
    forgotten: u32,
    last: HashMap<u64, u32, foldhash::fast::RandomState>,
}

#[derive(Clone, Copy)]
struct Side {
    at: i64,
    id: u64,
    paid: bool,
    /// Number of the one of the same id before it; 0: there is none.
    before: u32,
}

impl Joined {
    /// Forgets what is too old to be joined with something at `now`.
    fn forget(&mut self, now: i64) {
        while let Some(side) = self.recent.front().copied().filter(|side| side.at + APART_MS < now) {
            self.recent.pop_front();
            self.forgotten += 1;
            if let Entry::Occupied(last) = self.last.entry(side.id)
                && *last.get() == self.forgotten
            {
                last.remove();
            }
        }
    }

    fn get(&self, number: u32) -> Option<&Side> {
        number.checked_sub(self.forgotten + 1).and_then(|index| self.recent.get(index as usize))
    }
}

impl Anchor for Joined {
    type Event<'a> = Trade<'a>;

    fn take(&mut self, event: Trade, out: &mut Out) -> Result<(), String> {
        let paid = match event.event {
            "Order" => false,
            "Payment" => true,
            _ => return Ok(()),
        };
        self.forget(event.ts);
        let id = pack(event.order_id)?;
        let number = self.forgotten + self.recent.len() as u32 + 1;
        let before = self.last.insert(id, number).unwrap_or(0);
        let mut next = before;
        while let Some(other) = self.get(next) {
            if other.paid != paid {
                let (order, payment) = if paid { (other.at, event.ts) } else { (event.ts, other.at) };
                out.row(format_args!("{},{order},{payment}", event.order_id));
            }
            next = other.before;
        }
        self.recent.push_back(Side { at: event.ts, id, paid, before });
        Ok(())
    }
}
