//! The ledger of received messages: which acknowledgements are due, in which order, and which
//! redelivered messages are already here.
//!
//! ```text
//!   receive ──> order: [done][done][open][done][open]      acknowledge marks any of them
//!                        └──┬──┘
//!                  due: they leave from the front only
//! ```
//!
//! After a reconnect into the same session the broker sends every message again whose PUBACK it
//! did not get, with DUP set and under its former packet id. Such a message is recognised by
//! (packet id, fingerprint): still open here, it waits for the first delivery's effects; done
//! here, it is acknowledged at once.
//!
//! Pure: no I/O, no clock. Invariant: a receipt is acknowledged at most once per connection, and
//! only after [`Ledger::acknowledge`] was called for it.

use std::collections::{HashMap, VecDeque};

/// How many acknowledged messages are remembered, for acknowledgements that died in a socket.
const HISTORY_LIMIT: usize = 65_536;

/// Names one delivered message towards [`super::MqttSource::acknowledge`].
///
/// Receipts of one process are unique: they hold across connections, and rise in the order in
/// which messages were delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Receipt(pub(crate) u64);

impl Receipt {
    /// The receipt of a message that needs no acknowledgement (QoS 0).
    pub const NONE: Receipt = Receipt(0);
}

/// Packet id and fingerprint: how a redelivered message is recognised.
pub(crate) type Identity = (u16, u64);

#[derive(Debug)]
struct Entry {
    identity: Identity,
    receipt: Receipt,
    done: bool,
}

/// Where an open receipt stands.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// In the present connection's order, at this position.
    Present(u64),
    /// Received over a former connection, not sent again so far.
    Former(Identity),
}

/// See the module's head.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    generation: u64,
    last_receipt: u64,
    order: VecDeque<Entry>,
    /// Position of the front of `order` since the connection began.
    first: u64,
    open: HashMap<Receipt, Place>,
    /// What the former connections left; `None` = its effects are done.
    known: HashMap<Identity, VecDeque<Option<Receipt>>>,
    history: VecDeque<Identity>,
}

impl Ledger {
    /// A ledger that recognises what an earlier process has taken in ([`Ledger::seen`]).
    pub(crate) fn recognising(seen: Vec<Identity>) -> Ledger {
        Ledger { history: seen.into(), ..Ledger::default() }
    }

    /// The messages delivered up to this receipt whose acknowledgements the broker may not have got.
    pub(crate) fn seen(&self, until: Receipt) -> Vec<Identity> {
        let former = self.open.iter().filter_map(|(receipt, place)| match place {
            Place::Former(identity) if *receipt <= until => Some(*identity),
            Place::Former(_) | Place::Present(_) => None,
        });
        let present = self.order.iter().filter(|entry| entry.receipt <= until).map(|entry| entry.identity);
        self.history.iter().copied().chain(former).chain(present).collect()
    }

    /// The number of the present connection; 0 before the first.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// How many delivered messages are not acknowledged by the caller.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    /// How many messages of the present connection are done and wait for their turn to be acknowledged.
    pub(crate) fn done(&self) -> u64 {
        self.order.iter().filter(|entry| entry.done).count() as u64
    }

    /// A new connection begins; without a session at the broker nothing comes again.
    pub(crate) fn begin(&mut self, session_present: bool) {
        self.generation += 1;
        self.first = 0;
        self.known.clear();
        for entry in std::mem::take(&mut self.order) {
            if entry.done {
                self.remember(entry.identity);
            } else {
                self.open.insert(entry.receipt, Place::Former(entry.identity));
            }
        }
        if !session_present {
            // Nobody waits for these acknowledgements any more, and what comes from now on is something else.
            self.history.clear();
            self.open.clear();
            return;
        }
        for identity in &self.history {
            self.known.entry(*identity).or_default().push_back(None);
        }
        for (receipt, place) in &self.open {
            if let Place::Former(identity) = place {
                // Open ones first: their redelivery is certain, that of the others is not.
                self.known.entry(*identity).or_default().push_front(Some(*receipt));
            }
        }
    }

    /// A QoS 1 message arrived.
    #[cfg(test)]
    fn receive(&mut self, pkid: u16, dup: bool, fingerprint: u64) -> Option<Receipt> {
        let known = self.recognise(pkid, dup, fingerprint);
        (!known).then(|| self.admit(pkid, fingerprint))
    }

    /// A QoS 1 message arrived: true if it was delivered over an earlier connection. Then it is
    /// not to be delivered again, and is acknowledged when that delivery is.
    pub(crate) fn recognise(&mut self, pkid: u16, dup: bool, fingerprint: u64) -> bool {
        let identity = (pkid, fingerprint);
        let Some(before) = dup.then(|| self.take_known(identity)).flatten() else {
            return false;
        };
        let open = before.filter(|receipt| self.open.contains_key(receipt));
        if let Some(receipt) = open {
            self.open.insert(receipt, Place::Present(self.next_position()));
        }
        let receipt = open.unwrap_or(Receipt::NONE);
        self.order.push_back(Entry { identity, receipt, done: open.is_none() });
        true
    }

    /// Enters a message that was not recognised; to be delivered under the receipt.
    pub(crate) fn admit(&mut self, pkid: u16, fingerprint: u64) -> Receipt {
        self.last_receipt += 1;
        let receipt = Receipt(self.last_receipt);
        self.open.insert(receipt, Place::Present(self.next_position()));
        self.order.push_back(Entry { identity: (pkid, fingerprint), receipt, done: false });
        receipt
    }

    fn next_position(&self) -> u64 {
        self.first + self.order.len() as u64
    }

    /// The effects of a message are safe. True if an acknowledgement became due.
    pub(crate) fn acknowledge(&mut self, receipt: Receipt) -> bool {
        match self.open.remove(&receipt) {
            Some(Place::Present(position)) => {
                let index = (position - self.first) as usize;
                self.order[index].done = true;
                index == 0
            }
            Some(Place::Former(identity)) => {
                self.remember(identity);
                false
            }
            None => false,
        }
    }

    /// True if an acknowledgement is due.
    pub(crate) fn is_due(&self) -> bool {
        self.order.front().is_some_and(|entry| entry.done)
    }

    /// Takes at most `limit` packet ids whose acknowledgements are due, in order of receipt.
    pub(crate) fn take_due(&mut self, limit: usize, due: &mut Vec<u16>) {
        while due.len() < limit && self.is_due() {
            let Some(entry) = self.order.pop_front() else { break };
            self.first += 1;
            self.remember(entry.identity);
            due.push(entry.identity.0);
        }
    }

    fn take_known(&mut self, identity: Identity) -> Option<Option<Receipt>> {
        let found = self.known.get_mut(&identity)?;
        let before = found.pop_front();
        if found.is_empty() {
            self.known.remove(&identity);
        }
        before
    }

    fn remember(&mut self, identity: Identity) {
        while self.history.len() >= HISTORY_LIMIT {
            self.history.pop_front();
        }
        self.history.push_back(identity);
    }
}

/// 64 bits that stand for topic and payload, the same in every process and version: checkpoints have them (FNV-1a).
pub(crate) fn fingerprint(topic: &[u8], payload: &[u8]) -> u64 {
    let length = (topic.len() as u64).to_le_bytes();
    let bytes = length.iter().chain(topic).chain(payload);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deliver(ledger: &mut Ledger, pkid: u16, dup: bool) -> Receipt {
        ledger.receive(pkid, dup, u64::from(pkid) * 31).expect("it is new")
    }

    fn redeliver(ledger: &mut Ledger, pkid: u16) {
        assert_eq!(ledger.receive(pkid, true, u64::from(pkid) * 31), None);
    }

    fn due(ledger: &mut Ledger) -> Vec<u16> {
        let mut due = vec![];
        ledger.take_due(usize::MAX, &mut due);
        due
    }

    #[test]
    fn acknowledgements_leave_in_order_of_receipt() {
        let mut ledger = Ledger::default();
        ledger.begin(false);
        let receipts: Vec<_> = [5, 3, 9].map(|id| deliver(&mut ledger, id, false)).into();
        assert!(!ledger.acknowledge(receipts[1]));
        assert!(due(&mut ledger).is_empty());
        assert!(ledger.acknowledge(receipts[0]));
        assert_eq!(due(&mut ledger), [5, 3]);
        assert!(ledger.acknowledge(receipts[2]));
        assert!(!ledger.acknowledge(receipts[2]), "the second time it is discarded");
        assert_eq!(due(&mut ledger), [9]);
        assert_eq!(ledger.open(), 0);
    }

    #[test]
    fn a_redelivered_open_message_waits_for_its_first_delivery() {
        let mut ledger = Ledger::default();
        ledger.begin(false);
        let (a, b) = (deliver(&mut ledger, 1, false), deliver(&mut ledger, 2, false));
        ledger.begin(true);
        redeliver(&mut ledger, 1);
        redeliver(&mut ledger, 2);
        assert!(due(&mut ledger).is_empty());
        ledger.acknowledge(b);
        ledger.acknowledge(a);
        assert_eq!(due(&mut ledger), [1, 2]);
    }

    #[test]
    fn done_but_unconfirmed_messages_are_acknowledged_again() {
        let mut ledger = Ledger::default();
        ledger.begin(false);
        let a = deliver(&mut ledger, 1, false);
        let b = deliver(&mut ledger, 2, false);
        let c = deliver(&mut ledger, 3, false);
        ledger.acknowledge(a);
        assert_eq!(due(&mut ledger), [1]); // dies in the socket
        ledger.acknowledge(c); // behind b: not due yet
        ledger.begin(true);
        ledger.acknowledge(b); // between the connections
        for id in [1, 2, 3] {
            redeliver(&mut ledger, id);
        }
        assert_eq!(due(&mut ledger), [1, 2, 3]);
        ledger.begin(true);
        for id in [1, 2, 3] {
            redeliver(&mut ledger, id);
        }
        assert_eq!(due(&mut ledger), [1, 2, 3]);
    }

    #[test]
    fn without_a_session_nothing_is_known() {
        let mut ledger = Ledger::default();
        ledger.begin(false);
        let a = deliver(&mut ledger, 1, false);
        ledger.begin(false);
        let b = deliver(&mut ledger, 1, true);
        assert_ne!(a, b);
        assert!(!ledger.acknowledge(a), "of a former connection: discarded");
        assert!(due(&mut ledger).is_empty());
        ledger.acknowledge(b);
        assert_eq!(due(&mut ledger), [1]);
    }

    #[test]
    fn a_reused_packet_id_is_a_new_message() {
        let mut ledger = Ledger::default();
        ledger.begin(false);
        let a = deliver(&mut ledger, 1, false);
        let b = deliver(&mut ledger, 1, false); // seen at brokers that reuse ids too early
        assert_ne!(a, b);
        ledger.begin(true);
        redeliver(&mut ledger, 1);
        assert!(ledger.receive(1, true, 999).is_some(), "other payload");
        assert!(ledger.receive(1, false, 31).is_some(), "no DUP");
    }

    #[test]
    fn a_later_process_recognises_what_was_taken_in_and_no_more() {
        let mut ledger = Ledger::default();
        ledger.begin(false);
        let receipts: Vec<_> = (1..=5).map(|id| deliver(&mut ledger, id, false)).collect();
        ledger.acknowledge(receipts[0]);
        assert_eq!(due(&mut ledger), [1]);
        ledger.begin(true);
        redeliver(&mut ledger, 2);
        let seen = ledger.seen(receipts[3]);
        let mut later = Ledger::recognising(seen.clone());
        later.begin(true);
        for id in 1..=4 {
            redeliver(&mut later, id);
        }
        assert_eq!(due(&mut later), [1, 2, 3, 4], "they are in the state, so they are acknowledged at once");
        assert!(later.receive(5, true, 5 * 31).is_some(), "it came behind the checkpoint");
        let mut other = Ledger::recognising(seen);
        other.begin(false);
        assert!(other.receive(1, true, 31).is_some(), "another session");
    }

    #[test]
    fn fingerprints_stay_what_they_are() {
        assert_eq!(fingerprint(b"", b""), 0xa8c7_f832_281a_39c5);
        assert_ne!(fingerprint(b"ab", b"c"), fingerprint(b"a", b"bc"));
    }

    #[test]
    fn history_is_bounded() {
        let mut ledger = Ledger::default();
        ledger.begin(false);
        for id in 0..(HISTORY_LIMIT as u64 + 10) {
            let receipt = ledger.receive(1, false, id).expect("it is new");
            ledger.acknowledge(receipt);
            due(&mut ledger);
        }
        assert_eq!(ledger.history.len(), HISTORY_LIMIT);
    }
}
