//! The HTTP sink: one request per output, several under way, each repeated until it is answered for good.
//!
//! ```text
//!   send_over ──> queue (bounded by has_room) ──> lanes, a connection each ──> server
//!   outcomes  <── 2xx: confirmed; other 4xx: failed; 408, 429, 5xx, no answer: again, then failed
//! ```
//! Requests begin in the order of the outputs; they can overtake each other. Invariant: every taken output is reported
//! exactly once by `on_outcomes`, unless the sink is closed before; then [`HttpSink::close`] counts it.

use super::client::{Client, Reply};
use super::config::HttpSinkConfig;
use super::tls;
use super::trouble::{Trouble, TroubleHook};
use crate::backoff::Backoff;
use crate::mqtt::{Failure, Outcome, Output, Ticket};
use crate::random::SplitMix64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex as AsyncMutex, Notify};

/// First and longest pause before an output is sent again that the server has not taken.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The longest pause that a server can ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);
/// What an output costs beside its payload, for the bound in bytes.
const OUTPUT_OVERHEAD_BYTES: usize = 256;

/// Called on the sink's thread with confirmed and failed outputs; must not block.
type OutcomeHook = Box<dyn FnMut(&[Outcome]) + Send>;

/// What a sink has counted since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HttpSinkCounters {
    /// Outputs taken.
    pub taken: u64,
    /// Outputs that the server has answered with 2xx.
    pub confirmed: u64,
    /// Outputs reported as failed.
    pub failed: u64,
    /// Requests beyond the first of an output.
    pub repeated: u64,
}

/// A running HTTP sink. Dropping it abandons what is under way.
pub struct HttpSink {
    shared: Arc<Shared>,
    /// None once closed.
    queue: Mutex<Option<UnboundedSender<Slot>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Slot {
    ticket: Ticket,
    output: Output,
}

impl HttpSink {
    /// Starts the sink's thread; connects when there is something to send.
    pub fn start(
        config: HttpSinkConfig,
        on_outcomes: impl FnMut(&[Outcome]) + Send + 'static,
        on_trouble: TroubleHook,
    ) -> Result<HttpSink, String> {
        if config.target.url.is_secure() {
            tls::check()?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("cannot start a runtime: {error}"))?;
        let (queue, outputs) = unbounded_channel();
        let shared = Arc::new(Shared {
            config,
            open: Mutex::default(),
            moved: Condvar::new(),
            abort: Notify::new(),
            ended: AtomicBool::new(false),
            on_outcomes: Mutex::new(Box::new(on_outcomes)),
            trouble: Trouble::new(on_trouble),
        });
        let of_thread = shared.clone();
        let run = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = deliver_all(&of_thread, outputs) => {}
                    () = of_thread.abort.notified() => {}
                }
            });
            // Name look-ups run on the runtime's blocking threads; none is worth waiting for.
            runtime.shutdown_background();
            of_thread.ended.store(true, Ordering::Release);
            of_thread.moved.notify_all();
        };
        let thread = thread::Builder::new().name("http-sink".into()).spawn(run);
        let thread = thread.map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(HttpSink { shared, queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)) })
    }

    /// Takes outputs, also over the limit: callers take in nothing more themselves until [`HttpSink::has_room`] says so.
    /// What a closed sink is given stays unconfirmed.
    pub fn send_over(&self, outputs: &[Output]) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = &*queue else { return };
        let mut open = self.shared.lock();
        for output in outputs {
            open.counters.taken += 1;
            open.count += 1;
            open.bytes += cost(output);
            let slot = Slot { ticket: Ticket(open.counters.taken), output: output.clone() };
            // Fails only when the thread has ended; then it stays unconfirmed.
            _ = queue.send(slot);
        }
    }

    /// Is the list of unconfirmed outputs below its limits?
    pub fn has_room(&self) -> bool {
        let (open, config) = (self.shared.lock(), &self.shared.config);
        open.count < config.unconfirmed_limit && open.bytes < config.unconfirmed_limit_bytes
    }

    /// What was counted so far.
    pub fn counters(&self) -> HttpSinkCounters {
        self.shared.lock().counters
    }

    /// Waits until every output taken so far is confirmed or failed; false at the deadline, or if the sink has ended.
    pub fn flush(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut open = self.shared.lock();
        while open.count > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.shared.ended.load(Ordering::Acquire) {
                return false;
            }
            open = self.shared.moved.wait_timeout(open, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Takes no more, waits for answers until the deadline, and ends: how many outputs are neither confirmed nor failed.
    pub fn close(&self, timeout: Duration) -> usize {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.flush(timeout);
        self.shared.abort.notify_one();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A panic of the thread leaves nothing to clean up: its connections are gone.
            drop(thread.join());
        }
        self.shared.lock().count
    }
}

impl Drop for HttpSink {
    fn drop(&mut self) {
        self.close(Duration::ZERO);
    }
}

fn cost(output: &Output) -> usize {
    output.payload.len() + OUTPUT_OVERHEAD_BYTES
}

/// Outputs that are neither confirmed nor failed.
#[derive(Default)]
struct Open {
    count: usize,
    bytes: usize,
    counters: HttpSinkCounters,
}

struct Shared {
    config: HttpSinkConfig,
    open: Mutex<Open>,
    /// Outputs left the list, or the sink has ended.
    moved: Condvar,
    abort: Notify,
    ended: AtomicBool,
    on_outcomes: Mutex<OutcomeHook>,
    trouble: Trouble,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, slot: Slot, refusal: Option<String>) {
        let bytes = cost(&slot.output);
        let Slot { ticket, output } = slot;
        let confirmed = refusal.is_none();
        let outcome = match refusal {
            None => Outcome::Confirmed { ticket, tag: output.tag },
            Some(reason) => Outcome::Failed(Box::new(Failure { ticket, output, reason })),
        };
        // Before it leaves the list: whoever waits for an empty one is to find everything reported.
        (self.on_outcomes.lock().unwrap_or_else(PoisonError::into_inner))(&[outcome]);
        let mut open = self.lock();
        open.count -= 1;
        open.bytes -= bytes;
        *(if confirmed { &mut open.counters.confirmed } else { &mut open.counters.failed }) += 1;
        drop(open);
        self.moved.notify_all();
    }
}

/// Runs the lanes until the queue is closed and empty.
async fn deliver_all(shared: &Arc<Shared>, outputs: UnboundedReceiver<Slot>) {
    let outputs = Arc::new(AsyncMutex::new(outputs));
    let lane = |_| tokio::spawn(lane(shared.clone(), outputs.clone()));
    let lanes: Vec<_> = (0..shared.config.lanes.max(1)).map(lane).collect();
    for lane in lanes {
        // A lane that has panicked leaves its output unconfirmed.
        drop(lane.await);
    }
}

async fn lane(shared: Arc<Shared>, outputs: Arc<AsyncMutex<UnboundedReceiver<Slot>>>) {
    let mut client = Client::new(Arc::new(shared.config.target.clone()));
    let mut random = SplitMix64::from_process();
    loop {
        let next = outputs.lock().await.recv().await;
        let Some(slot) = next else { return };
        let refusal = deliver(&shared, &mut client, &slot.output, &mut random).await.err();
        shared.report(slot, refusal);
    }
}

/// Sends an output until it is answered for good; the error says why it cannot be delivered.
async fn deliver(shared: &Shared, client: &mut Client, output: &Output, random: &mut SplitMix64) -> Result<(), String> {
    let (mut attempts, mut waiting) = (0, Backoff::default());
    loop {
        let reply = client.send(&output.payload, &output.rarog_id).await;
        let (reason, asked) = match reply {
            Reply::Answered { status: 200..=299, .. } => {
                shared.trouble.over();
                return Ok(());
            }
            Reply::Answered { status: status @ (408 | 429 | 500..=599), retry_after, text } => {
                (answer(status, &text), retry_after)
            }
            Reply::Answered { status, text, .. } => return Err(answer(status, &text)),
            Reply::Unreachable(reason) if shared.config.wait_for_server => {
                shared.trouble.met(&reason);
                let pause = waiting.next_delay(random.next_u64());
                again(shared, pause).await;
                continue;
            }
            Reply::Unreachable(reason) | Reply::Broken(reason) => (reason, None),
        };
        attempts += 1;
        if attempts >= shared.config.attempts {
            return Err(format!("{reason}, after {attempts} attempts"));
        }
        shared.trouble.met(&reason);
        again(shared, asked.map_or_else(|| pause(attempts, random.next_u64()), |asked| asked.min(LONGEST_RETRY_AFTER)))
            .await;
    }
}

async fn again(shared: &Shared, pause: Duration) {
    tokio::time::sleep(pause).await;
    shared.lock().counters.repeated += 1;
}

/// The pause behind a number of attempts: doubling, the upper half of it by chance.
fn pause(attempts: u32, random: u64) -> Duration {
    let most = FIRST_PAUSE.saturating_mul(1 << (attempts - 1).min(10)).min(LONGEST_PAUSE);
    most / 2 + Duration::from_micros(random % (most.as_micros() as u64 / 2 + 1))
}

fn answer(status: u16, text: &str) -> String {
    let text = text.trim();
    let shown = if text.is_empty() { String::new() } else { format!(": {text}") };
    format!("the server answered {status}{shown}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_their_limit() {
        for (attempts, most) in [(1, 100), (2, 200), (4, 800), (8, 10_000), (100, 10_000)] {
            let most = Duration::from_millis(most);
            assert_eq!(pause(attempts, 0), most / 2);
            assert!((most / 2..=most).contains(&pause(attempts, u64::MAX)));
        }
    }
}
