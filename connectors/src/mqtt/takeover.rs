//! Tells a client id that is used twice from a broker that went away.
//!
//! Two clients with one id push each other out for ever. A broker that says so sends DISCONNECT
//! with reason 0x8E; mosquitto before 2.0.12 just closes the socket, so connections that a living
//! broker closes again and again without a word count as well, only more of them.
//!
//! Pure: time is an argument. Invariant: one single take-over is never terminal, because a
//! predecessor that is still dying looks the same.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The time within which the ends of connections are counted together.
const SPAN: Duration = Duration::from_secs(5);
/// How many told take-overs within [`SPAN`] are terminal.
const TOLD_LIMIT: usize = 2;
/// How many silent closes within [`SPAN`], with no failed attempt in between, are terminal.
const SILENT_LIMIT: usize = 4;

/// What says that a client id was taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// The broker said so (DISCONNECT 0x8E).
    Told,
    /// The broker closed connection after connection without a reason while it was reachable.
    Inferred,
}

/// How an attempt or a connection ended, as far as take-overs are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndKind {
    /// DISCONNECT 0x8E.
    TakenOver,
    /// An established connection was closed by the peer without a DISCONNECT.
    Silent,
    /// Anything else: refused, unreachable, another reason.
    Other,
}

/// Counts the ends of connections.
#[derive(Debug, Default)]
pub(crate) struct TakeoverWatch {
    told: VecDeque<Instant>,
    silent: VecDeque<Instant>,
}

impl TakeoverWatch {
    /// Notes the end of a connection; the answer is the evidence if it is now terminal.
    pub(crate) fn ended(&mut self, kind: EndKind, now: Instant) -> Option<Evidence> {
        let (list, limit, evidence) = match kind {
            EndKind::TakenOver => (&mut self.told, TOLD_LIMIT, Evidence::Told),
            EndKind::Silent => (&mut self.silent, SILENT_LIMIT, Evidence::Inferred),
            EndKind::Other => {
                self.silent.clear();
                return None;
            }
        };
        list.push_back(now);
        while list.front().is_some_and(|first| now.duration_since(*first) > SPAN) {
            list.pop_front();
        }
        (list.len() >= limit).then_some(evidence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(ends: &[(EndKind, u64)]) -> Option<Evidence> {
        let (mut watch, start) = (TakeoverWatch::default(), Instant::now());
        let mut verdict = None;
        for (kind, millis) in ends {
            verdict = watch.ended(*kind, start + Duration::from_millis(*millis));
        }
        verdict
    }

    #[test]
    fn the_second_told_takeover_within_five_seconds_is_terminal() {
        use EndKind::TakenOver;
        assert_eq!(watch(&[(TakenOver, 0)]), None);
        assert_eq!(watch(&[(TakenOver, 0), (TakenOver, 4900)]), Some(Evidence::Told));
        assert_eq!(watch(&[(TakenOver, 0), (TakenOver, 5100)]), None);
    }

    #[test]
    fn silent_closes_count_only_while_the_broker_answers() {
        use EndKind::{Other, Silent};
        let closes = [(Silent, 0), (Silent, 300), (Silent, 600)];
        assert_eq!(watch(&closes), None);
        assert_eq!(watch(&[closes.as_slice(), &[(Silent, 900)]].concat()), Some(Evidence::Inferred));
        assert_eq!(watch(&[closes.as_slice(), &[(Other, 700), (Silent, 900)]].concat()), None);
    }
}
