//! Which coordinator to call next.
//!
//! Pure. The first one configured is home; when it is away the next one is called, those learned from a welcome included. After
//! home has been ready for a while the worker goes back. Invariant: every known coordinator is called before one is called again.

use std::time::Duration;

/// How long home has to be ready before the worker goes back to it.
pub const READY: Duration = Duration::from_secs(5);

/// Known coordinators.
#[derive(Debug)]
pub struct Homes {
    /// Configured ones, in their order, then those learned.
    urls: Vec<String>,
    configured: usize,
    /// The one to call next.
    next: usize,
    /// The one that was last tried in place of the present one.
    tried: usize,
    ready_since: Option<Duration>,
}

impl Homes {
    /// The configured ones; the first is home.
    pub fn new(configured: Vec<String>) -> Homes {
        let count = configured.len();
        Homes { urls: configured, configured: count, next: 0, tried: 0, ready_since: None }
    }

    /// The one to call now.
    pub fn current(&self) -> Option<&str> {
        self.urls.get(self.next).map(String::as_str)
    }

    /// That one is away: the next one is called.
    pub fn move_on(&mut self) {
        self.next = if self.urls.is_empty() { 0 } else { (self.next + 1) % self.urls.len() };
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        u32::try_from(self.urls.len()).unwrap_or(u32::MAX).max(1)
    }

    /// One to try instead of the present one, each in its turn.
    pub fn another(&mut self) -> Option<String> {
        if self.urls.len() < 2 {
            return None;
        }
        self.tried = (self.tried + 1) % self.urls.len();
        if self.tried == self.next {
            self.tried = (self.tried + 1) % self.urls.len();
        }
        self.urls.get(self.tried).cloned()
    }

    /// Others that the cluster has, by what a welcome said.
    pub fn learn(&mut self, all: &[String]) {
        let current = self.current().map(String::from);
        self.urls.truncate(self.configured);
        let new = all.iter().map(|url| url.trim_end_matches('/').to_owned());
        for url in new {
            if !self.urls.contains(&url) {
                self.urls.push(url);
            }
        }
        self.next = current.and_then(|url| self.urls.iter().position(|other| *other == url)).unwrap_or(0);
    }

    /// Home, if the worker is somewhere else.
    pub fn away_from(&self) -> Option<&str> {
        (self.next != 0).then(|| self.urls.first().map(String::as_str)).flatten()
    }

    /// Home was asked whether it is ready; true when it is time to go back.
    pub fn home_is_ready(&mut self, ready: bool, now: Duration) -> bool {
        if !ready {
            self.ready_since = None;
            return false;
        }
        let since = *self.ready_since.get_or_insert(now);
        now.saturating_sub(since) >= READY
    }

    /// The worker has moved there.
    pub fn is_at(&mut self, url: &str) {
        self.next = self.urls.iter().position(|known| known == url).unwrap_or(0);
        self.ready_since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn homes() -> Homes {
        Homes::new(vec!["http://a".into(), "http://b".into()])
    }

    #[test]
    fn all_known_coordinators_are_called_in_turn() {
        let mut homes = homes();
        homes.learn(&["http://b/".into(), "http://c".into(), "http://a".into()]);
        let mut called = Vec::new();
        for _ in 0..4 {
            called.push(homes.current().expect("there are some").to_owned());
            homes.move_on();
        }
        assert_eq!(called, ["http://a", "http://b", "http://c", "http://a"]);
    }

    #[test]
    fn it_goes_back_when_home_has_been_ready_for_long_enough() {
        let mut homes = homes();
        assert_eq!(homes.away_from(), None);
        homes.move_on();
        assert_eq!(homes.away_from(), Some("http://a"));
        let s = Duration::from_secs;
        assert!(!homes.home_is_ready(true, s(1)));
        assert!(!homes.home_is_ready(true, s(5)));
        assert!(!homes.home_is_ready(false, s(6)));
        assert!(!homes.home_is_ready(true, s(7)));
        assert!(homes.home_is_ready(true, s(12)));
        homes.is_at("http://a");
        assert_eq!((homes.away_from(), homes.current()), (None, Some("http://a")));
    }

    #[test]
    fn another_one_is_never_the_present_one_and_each_has_its_turn() {
        let mut homes = homes();
        homes.learn(&["http://c".into()]);
        homes.is_at("http://b");
        let tried: Vec<_> = (0..4).filter_map(|_| homes.another()).collect();
        assert_eq!(tried, ["http://c", "http://a", "http://c", "http://a"]);
        assert_eq!(Homes::new(vec!["http://a".into()]).another(), None);
    }

    #[test]
    fn what_was_learned_is_forgotten_when_the_cluster_has_it_no_more() {
        let mut homes = homes();
        homes.learn(&["http://c".into()]);
        homes.move_on();
        homes.move_on();
        assert_eq!(homes.current(), Some("http://c"));
        homes.learn(&["http://d".into()]);
        assert_eq!(homes.current(), Some("http://a"));
    }
}
