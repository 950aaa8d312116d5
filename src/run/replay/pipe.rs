//! A pipe, read by a thread of its own: pulling never blocks on it.
//!
//! The thread is detached, because a read that blocks cannot be ended from outside; it ends with its input, or at the first
//! read after the pipe has been dropped.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes per read.
const READ_BYTES: usize = 64 * 1024;
/// Reads that may wait to be taken.
const QUEUE_READS: usize = 16;

/// What a pipe has to give.
#[derive(Debug)]
pub enum Given {
    /// Bytes.
    Bytes(Vec<u8>),
    /// Nothing at the moment.
    Nothing,
    /// Nothing follows.
    End,
    /// It cannot be read.
    Failed(io::Error),
}

type Waker = Box<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Queue {
    reads: VecDeque<Vec<u8>>,
    /// No more reads follow.
    ended: bool,
    error: Option<io::Error>,
    /// Nobody takes anything any more.
    dropped: bool,
    wakers: Vec<Waker>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    taken: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in and wakes; false if nobody wants it.
    fn put(&self, change: impl FnOnce(&mut Queue)) -> bool {
        let mut queue = self.lock();
        while queue.reads.len() >= QUEUE_READS && !queue.dropped {
            queue = self.taken.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        change(&mut queue);
        queue.wakers.iter().for_each(|wake| wake());
        !queue.dropped
    }
}

/// See the module's head.
pub struct Pipe {
    shared: Arc<Shared>,
}

impl Pipe {
    /// Starts reading.
    pub fn new(input: impl Read + Send + 'static) -> io::Result<Pipe> {
        let shared = Arc::new(Shared::default());
        let of_thread = shared.clone();
        std::thread::Builder::new().name("pipe".into()).spawn(move || read_all(input, &of_thread))?;
        Ok(Pipe { shared })
    }

    /// Is there nothing to take?
    pub fn is_quiet(&self) -> bool {
        self.shared.lock().reads.is_empty()
    }

    /// Takes what was read first.
    pub fn take(&self) -> Given {
        let mut queue = self.shared.lock();
        if let Some(bytes) = queue.reads.pop_front() {
            self.shared.taken.notify_one();
            return Given::Bytes(bytes);
        }
        match queue.error.take() {
            Some(error) => Given::Failed(error),
            None if queue.ended => Given::End,
            None => Given::Nothing,
        }
    }

    /// Calls this when there is something to take.
    pub fn on_data(&self, wake: Waker) {
        self.shared.lock().wakers.push(wake);
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.shared.lock().dropped = true;
        self.shared.taken.notify_one();
    }
}

fn read_all(mut input: impl Read, shared: &Shared) {
    loop {
        let mut bytes = vec![0; READ_BYTES];
        let wanted = match input.read(&mut bytes) {
            Ok(0) => {
                shared.put(|queue| queue.ended = true);
                return;
            }
            Ok(count) => {
                bytes.truncate(count);
                shared.put(|queue| queue.reads.push_back(bytes))
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(error) => {
                shared.put(|queue| (queue.ended, queue.error) = (true, Some(error)));
                return;
            }
        };
        if !wanted {
            return;
        }
    }
}
