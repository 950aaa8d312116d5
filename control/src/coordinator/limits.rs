//! How much of everything a coordinator takes, and how often.
//!
//! Invariant: memory that strangers can make it use is bounded by the numbers in this file.

use crate::model::spec::GroupSpec;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Bytes of a body.
pub const BODY_BYTES: usize = 1 << 20;

/// Bytes of the body of a batch of events.
pub const BATCH_BODY_BYTES: usize = 16 << 20;

/// Events of a batch.
pub const BATCH_EVENTS: usize = 200_000;

/// Bytes of the events of one call to a worker.
pub const BATCH_CALL_BYTES: usize = 4 << 20;

/// Errors of a batch that are told.
pub const BATCH_ERRORS: usize = 100;

/// Bytes of a program.
pub const PROGRAM_BYTES: usize = 1 << 20;

/// Pipelines of a group.
pub const GROUP_PIPELINES: usize = 256;

/// Routes of a group.
pub const GROUP_ROUTES: usize = 1024;

/// Replicas of a pipeline.
pub const REPLICAS: u16 = 64;

/// Characters of a name.
pub const NAME_CHARS: usize = 128;

/// Bytes of an address, a key, a description or the value of a parameter.
pub const TEXT_BYTES: usize = 4096;

/// Parameters of a connector.
pub const CONNECTOR_PARAMS: usize = 64;

/// Connectors of a cluster.
pub const CONNECTORS: usize = 10_000;

/// Groups of a cluster.
pub const GROUPS: usize = 10_000;

/// Entries of a page of a list.
pub const PAGE_ENTRIES: usize = 1000;

/// Entries of a page if nobody says how many.
pub const PAGE_DEFAULT: usize = 50;

/// Connections of requests at the same time.
pub const CONNECTIONS: usize = 4096;

/// Time for a request's head to arrive; also how long a connection may be idle between requests.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Time for a request's body to arrive.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a change waits for a leader and its decision.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a read waits for the leader before it is answered from what this coordinator knows.
pub const READ_TIMEOUT: Duration = Duration::from_millis(500);

/// How long a deployment waits for its placements.
pub const DEPLOY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a worker may take to answer a request that is handed on to it.
pub const WORKER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long requests under way may take when a coordinator ends.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// How long a drain waits if nobody says.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a drain waits at the most, s.
pub const DRAIN_TIMEOUT_MAX_S: u64 = 600;

/// After how long a client is told to come again, s.
pub const RETRY_AFTER_S: u64 = 1;

/// Addresses of which the rate is remembered.
pub const RATED_ADDRESSES: usize = 10_000;

/// What is wrong with a name of a worker, a group or a pipeline.
pub fn check_name(what: &str, name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.is_empty() || !name.chars().all(fits) {
        return Err(format!("{what} has a name with other characters than A-Z a-z 0-9 _ . -, or none"));
    }
    if name.len() > NAME_CHARS {
        return Err(format!("{what} has a name of {} characters; the limit is {NAME_CHARS}", name.len()));
    }
    Ok(())
}

/// What is wrong with a text.
pub fn check_text(what: &str, text: &str) -> Result<(), String> {
    if text.len() > TEXT_BYTES {
        return Err(format!("{what} has {} bytes; the limit is {TEXT_BYTES}", text.len()));
    }
    Ok(())
}

/// What is wrong with a group before its programs are looked at.
pub fn check_group(spec: &GroupSpec) -> Result<(), String> {
    check_name("the group", &spec.name)?;
    let count = spec.pipelines.len();
    if count == 0 {
        return Err(format!("group {} has no pipelines", spec.name));
    }
    if count > GROUP_PIPELINES {
        return Err(format!("group {} has {count} pipelines; the limit is {GROUP_PIPELINES}", spec.name));
    }
    if spec.routes.len() > GROUP_ROUTES {
        return Err(format!("group {} has {} routes; the limit is {GROUP_ROUTES}", spec.name, spec.routes.len()));
    }
    for (at, pipeline) in spec.pipelines.iter().enumerate() {
        check_name(&format!("pipeline {} of the group", at + 1), &pipeline.name)?;
        let name = &pipeline.name;
        if spec.pipelines[..at].iter().any(|before| before.name == *name) {
            return Err(format!("there are two pipelines {name} in the group: give each a name of its own"));
        }
        if pipeline.source.len() > PROGRAM_BYTES {
            let bytes = pipeline.source.len();
            return Err(format!("the program of {name} has {bytes} bytes; the limit is {PROGRAM_BYTES}"));
        }
        if pipeline.replicas == 0 || pipeline.replicas > REPLICAS {
            return Err(format!("pipeline {name} has {} replicas; they go from 1 to {REPLICAS}", pipeline.replicas));
        }
        let texts = [("worker_affinity", &pipeline.worker_affinity), ("partition_key", &pipeline.partition_key)];
        for (what, text) in texts.into_iter().filter_map(|(what, text)| Some((what, text.as_deref()?))) {
            check_text(&format!("{what} of {name}"), text)?;
        }
    }
    check_routes(spec)
}

fn check_routes(spec: &GroupSpec) -> Result<(), String> {
    let exists = |name: &str| spec.pipelines.iter().any(|pipeline| *pipeline.name == *name);
    for route in &spec.routes {
        if !exists(&route.to_pipeline) {
            return Err(format!("a route goes to pipeline {}, which the group does not have", route.to_pipeline));
        }
    }
    Ok(())
}

/// How many changes an address may make: a bucket of tokens each, which fills at `per_second` up to twice that.
#[derive(Debug)]
pub struct RateLimit {
    per_second: u32,
    buckets: Mutex<BTreeMap<String, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl RateLimit {
    /// Per second; 0: no limit.
    pub fn new(per_second: u32) -> RateLimit {
        RateLimit { per_second, buckets: Mutex::default() }
    }

    /// Takes a token of an address; `Err`: there is none, and after how many seconds there is one.
    pub fn take(&self, address: &str, now: Instant) -> Result<(), u64> {
        if self.per_second == 0 {
            return Ok(());
        }
        let (rate, burst) = (f64::from(self.per_second), 2.0 * f64::from(self.per_second));
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= RATED_ADDRESSES && !buckets.contains_key(address) {
            // A bucket that is full again says nothing. If all are in use, one is forgotten.
            buckets.retain(|_, bucket| bucket.now(now, rate, burst) < burst);
            if buckets.len() >= RATED_ADDRESSES {
                buckets.pop_first();
            }
        }
        let bucket = buckets.entry(address.into()).or_insert(Bucket { tokens: burst, filled: now });
        *bucket = Bucket { tokens: bucket.now(now, rate, burst), filled: now };
        if bucket.tokens < 1.0 {
            return Err((((1.0 - bucket.tokens) / rate).ceil() as u64).max(1));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

impl Bucket {
    fn now(&self, now: Instant, rate: f64, burst: f64) -> f64 {
        (self.tokens + now.saturating_duration_since(self.filled).as_secs_f64() * rate).min(burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spec::{PipelineSpec, RouteSpec};

    fn group(change: impl FnOnce(&mut GroupSpec)) -> Result<(), String> {
        let pipeline = PipelineSpec {
            name: "p".into(),
            source: "".into(),
            worker_affinity: None,
            replicas: 1,
            partition_key: None,
        };
        let mut spec = GroupSpec { name: "g".into(), pipelines: vec![pipeline], routes: vec![] };
        change(&mut spec);
        check_group(&spec)
    }

    #[test]
    fn what_is_too_much_is_named_with_its_limit() {
        assert_eq!(group(|_| ()), Ok(()));
        type Change = fn(&mut GroupSpec);
        let cases: [(Change, &str); 9] = [
            (|g| g.name = "a b".into(), "other characters"),
            (|g| g.name = "x".repeat(NAME_CHARS + 1), "the limit is 128"),
            (|g| g.pipelines.clear(), "no pipelines"),
            (|g| g.pipelines = vec![g.pipelines[0].clone(); 257], "the limit is 256"),
            (|g| g.pipelines.push(g.pipelines[0].clone()), "two pipelines p"),
            (|g| g.pipelines[0].source = " ".repeat(PROGRAM_BYTES + 1).into(), "the limit is 1048576"),
            (|g| g.pipelines[0].replicas = 65, "from 1 to 64"),
            (|g| g.pipelines[0].replicas = 0, "from 1 to 64"),
            (
                |g| {
                    g.routes.push(RouteSpec {
                        from_pipeline: "p".into(),
                        to_pipeline: "q".into(),
                        event_types: vec![],
                        mqtt_topic: None,
                    })
                },
                "pipeline q, which",
            ),
        ];
        for (change, expected) in cases {
            let message = group(change).expect_err(expected);
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_bucket_fills_again() {
        let limit = RateLimit::new(2);
        let start = Instant::now();
        assert!((0..4).all(|_| limit.take("a", start).is_ok()));
        assert_eq!(limit.take("a", start), Err(1));
        assert_eq!(limit.take("b", start), Ok(()), "others have their own");
        let later = start + Duration::from_millis(500);
        assert_eq!(limit.take("a", later), Ok(()));
        assert_eq!(limit.take("a", later), Err(1));
        let much_later = start + Duration::from_secs(100);
        assert_eq!((0..10).filter(|_| limit.take("a", much_later).is_ok()).count(), 4);
        assert!((0..100).all(|_| RateLimit::new(0).take("a", start).is_ok()), "0 is no limit");
    }

    #[test]
    fn addresses_are_forgotten() {
        let limit = RateLimit::new(1);
        let start = Instant::now();
        for address in 0..RATED_ADDRESSES + 5 {
            assert_eq!(limit.take(&address.to_string(), start), Ok(()));
        }
        assert!(limit.buckets.lock().expect("no panic").len() <= RATED_ADDRESSES);
        assert_eq!(limit.take("new", start + Duration::from_secs(9)), Ok(()));
        assert_eq!(limit.buckets.lock().expect("no panic").len(), 1);
    }
}
