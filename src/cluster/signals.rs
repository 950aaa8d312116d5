//! How a server is asked to stop: Ctrl-C or SIGTERM once ends it gracefully, twice at once.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::Arc;
use std::{process, thread};
use tokio::sync::Notify;

/// The exit code of a process that a second signal ended, as shells count: 128 and SIGINT's number.
const ENDED_BY_SIGNAL: i32 = 130;

/// Is notified by the first signal.
pub fn first() -> Result<Arc<Notify>, String> {
    let failed = |error: std::io::Error| format!("cannot listen to signals: {error}");
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    let notify = Arc::new(Notify::new());
    let of_thread = notify.clone();
    let listen = move || {
        for (number, _) in signals.forever().enumerate() {
            if number > 0 {
                process::exit(ENDED_BY_SIGNAL);
            }
            tracing::info!("stopping: once more ends at once");
            of_thread.notify_one();
        }
    };
    thread::Builder::new().name("signals".into()).spawn(listen).map_err(failed)?;
    Ok(notify)
}
