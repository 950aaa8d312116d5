//! Sessions at brokers that are to be removed.
//!
//! Invariants: of each client id at most one attempt is under way; none begins while a placement here uses the id. A coordinator
//! repeats its order until it is done, so what is given up here is not forgotten.

use crate::model::spec::ConnectorSpec;
use std::collections::BTreeMap;
use std::time::Duration;

/// Sessions under way at the most; a coordinator asks for the others again.
pub const BURIALS: usize = 4096;

/// Attempts per order.
pub const ATTEMPTS: u32 = 12;

/// How long a broker is left in peace after the first failure; doubled with each, up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(500);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// See the module's head.
#[derive(Debug, Default)]
pub struct Burials {
    open: BTreeMap<String, Burial>,
}

#[derive(Debug)]
struct Burial {
    connector: ConnectorSpec,
    failures: u32,
    /// When it is tried; `None`: it is being tried.
    at: Option<Duration>,
}

impl Burials {
    /// Takes an order; one that is open already goes on.
    pub fn add(&mut self, now: Duration, client: String, connector: ConnectorSpec) {
        if self.open.len() >= BURIALS && !self.open.contains_key(&client) {
            return;
        }
        self.open.entry(client).or_insert(Burial { connector, failures: 0, at: Some(now) });
    }

    /// The attempts that begin now.
    pub fn begin(&mut self, now: Duration, in_use: impl Fn(&str) -> bool) -> Vec<(String, ConnectorSpec)> {
        let mut begun = Vec::new();
        for (client, burial) in &mut self.open {
            if burial.at.is_some_and(|at| at <= now) {
                if in_use(client) {
                    burial.at = Some(now + PAUSE);
                } else {
                    burial.at = None;
                    begun.push((client.clone(), burial.connector.clone()));
                }
            }
        }
        begun
    }

    /// An attempt has ended. Was the session removed?
    pub fn ended(&mut self, now: Duration, client: &str, result: &Result<(), String>) -> bool {
        let Some(burial) = self.open.get_mut(client) else {
            return false;
        };
        if result.is_ok() {
            self.open.remove(client);
            return true;
        }
        burial.failures += 1;
        if burial.failures >= ATTEMPTS {
            self.open.remove(client);
        } else {
            let pause = PAUSE * (1 << (burial.failures - 1).min(6));
            burial.at = Some(now + pause.min(PAUSE_MAX));
        }
        false
    }

    /// When the next attempt begins.
    #[cfg(test)]
    fn due(&self) -> Option<Duration> {
        self.open.values().filter_map(|burial| burial.at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ConnectorSpec {
        ConnectorSpec { name: "m".into(), connector_type: "mqtt".into(), params: BTreeMap::new(), description: None }
    }

    #[test]
    fn it_is_tried_again_with_longer_pauses_and_given_up_in_the_end() {
        let (mut burials, mut now) = (Burials::default(), Duration::ZERO);
        burials.add(now, "a".into(), spec());
        let mut pauses = Vec::new();
        for _ in 0..ATTEMPTS {
            assert_eq!(burials.begin(now, |_| false).len(), 1);
            assert!(burials.begin(now, |_| false).is_empty(), "one attempt at a time");
            burials.add(now, "a".into(), spec());
            assert!(burials.begin(now, |_| false).is_empty(), "an order that comes twice changes nothing");
            assert!(!burials.ended(now, "a", &Err("no broker".into())));
            if let Some(at) = burials.due() {
                pauses.push(at - now);
                now = at;
            }
        }
        assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]), "{pauses:?}");
        assert_eq!(pauses.last(), Some(&PAUSE_MAX));
        assert_eq!(burials.due(), None, "it was given up");
    }

    #[test]
    fn an_id_in_use_is_left_alone() {
        let (mut burials, now) = (Burials::default(), Duration::ZERO);
        burials.add(now, "a".into(), spec());
        assert!(burials.begin(now, |_| true).is_empty());
        let later = burials.due().expect("it is to be tried later");
        assert_eq!(burials.begin(later, |_| false).len(), 1);
        assert!(burials.ended(later, "a", &Ok(())));
        assert!(!burials.ended(later, "a", &Ok(())), "it was over already");
    }
}
