//! An open way out: a connection to a broker, a file, standard output.
//!
//! Sending never waits: a connection's list of unconfirmed outputs may go over its limit by what is under way, and
//! [`OpenOutlet::has_room`] says when the intake has to hold back.

use super::acks::Tag;
use super::progress::Progress;
use super::wiring::Outlet;
use rarog_connectors::console::{Console, ConsoleSink};
use rarog_connectors::file::FileSink;
use rarog_connectors::http::{HttpSink, TroubleHook};
use rarog_connectors::mqtt::{Failure, MqttSink, Outcome, Output, SendError, StatusHook};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// An open way out.
pub enum OpenOutlet {
    /// A connection.
    Mqtt(MqttSink),
    /// Requests to a server.
    Http(HttpSink),
    /// Lines of a file.
    File(Mutex<FileSink>),
    /// Lines on standard output.
    Stdout(Mutex<ConsoleSink>),
}

/// Takes an output that cannot be delivered, with the reason; true once that is on record.
pub type Undeliverable = Arc<dyn Fn(&Output, &str) -> bool + Send + Sync>;

/// What an outlet reports to.
#[derive(Clone)]
pub struct Reports {
    /// Confirmed outputs.
    pub progress: Arc<Progress>,
    /// Outputs that have failed.
    pub undeliverable: Undeliverable,
    /// Called when there may be room again.
    pub wake: Arc<dyn Fn() + Send + Sync>,
}

impl Reports {
    fn outcomes(&self, outcomes: &[Outcome]) {
        self.progress.confirmed(outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Confirmed { tag, .. } => Some(Tag::from_number(*tag)),
            Outcome::Failed(failure) => {
                let Failure { output, reason, .. } = &**failure;
                (self.undeliverable)(output, reason).then(|| Tag::from_number(output.tag))
            }
        }));
        (self.wake)();
    }
}

impl OpenOutlet {
    /// Opens a way out.
    pub fn open(
        outlet: Outlet,
        reports: Reports,
        status: StatusHook,
        trouble: TroubleHook,
    ) -> Result<OpenOutlet, String> {
        match outlet {
            Outlet::Http(config) => {
                let sink = HttpSink::start(config, move |outcomes| reports.outcomes(outcomes), trouble);
                Ok(OpenOutlet::Http(sink?))
            }
            Outlet::Mqtt(config) => {
                let sink = MqttSink::start(config, move |outcomes| reports.outcomes(outcomes), Some(status));
                Ok(OpenOutlet::Mqtt(sink.map_err(|error| error.to_string())?))
            }
            Outlet::File(path) => Ok(OpenOutlet::File(Mutex::new(open_file(&path)?))),
            Outlet::Stdout => Ok(OpenOutlet::Stdout(Mutex::new(ConsoleSink::new(Console::Stdout)))),
        }
    }

    /// Is there room for the outputs of another chunk?
    pub fn has_room(&self) -> bool {
        match self {
            OpenOutlet::Mqtt(sink) => sink.has_room(),
            OpenOutlet::Http(sink) => sink.has_room(),
            OpenOutlet::File(_) | OpenOutlet::Stdout(_) => true,
        }
    }

    /// Waits until all outputs are confirmed or have failed; false at the deadline.
    pub fn flush(&self, timeout: Duration) -> bool {
        match self {
            OpenOutlet::Mqtt(sink) => sink.flush(timeout),
            OpenOutlet::Http(sink) => sink.flush(timeout),
            OpenOutlet::File(_) | OpenOutlet::Stdout(_) => true,
        }
    }

    /// Has its connection ended for good?
    pub fn has_ended(&self) -> bool {
        match self {
            OpenOutlet::Mqtt(sink) => sink.state().is_final(),
            OpenOutlet::Http(_) | OpenOutlet::File(_) | OpenOutlet::Stdout(_) => false,
        }
    }

    /// Ends it; what is not confirmed by the deadline stays so.
    pub fn close(&self, timeout: Duration) {
        match self {
            OpenOutlet::Mqtt(sink) => _ = sink.close(timeout),
            OpenOutlet::Http(sink) => _ = sink.close(timeout),
            OpenOutlet::File(_) | OpenOutlet::Stdout(_) => {}
        }
    }

    /// Sends outputs in order.
    pub fn send(&self, outputs: &[Output], reports: &Reports) -> io::Result<()> {
        match self {
            OpenOutlet::Mqtt(sink) => {
                for (output, error) in sink.send_over(outputs) {
                    match error {
                        // The run ends with this. Who takes over gets the messages that caused them.
                        SendError::Closed | SendError::Ended(_) => {}
                        refused => {
                            if (reports.undeliverable)(output, &refused.to_string()) {
                                reports.progress.confirmed(std::iter::once(Tag::from_number(output.tag)));
                            }
                        }
                    }
                }
                return Ok(());
            }
            OpenOutlet::Http(sink) => {
                sink.send_over(outputs);
                return Ok(());
            }
            OpenOutlet::File(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                outputs.iter().try_for_each(|output| file.write_line(&output.payload))?;
                file.flush()?;
            }
            OpenOutlet::Stdout(console) => {
                let mut console = console.lock().unwrap_or_else(PoisonError::into_inner);
                outputs.iter().try_for_each(|output| console.write_line(&output.payload))?;
                console.flush()?;
            }
        }
        reports.progress.confirmed(outputs.iter().map(|output| Tag::from_number(output.tag)));
        Ok(())
    }
}

fn open_file(path: &Path) -> Result<FileSink, String> {
    FileSink::open(path).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
