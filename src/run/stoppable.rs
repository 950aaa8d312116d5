//! An intake that ends when the run is asked to stop.
//!
//! Ending this way is not the end of the input: no chunk says so, and windows that are open stay undecided.

use super::stop::Stop;
use rarog_dataflow::rt::{Intake, Pulled};
use std::sync::Arc;

/// See the module's head.
pub struct Stoppable {
    intake: Arc<dyn Intake>,
    stop: Arc<Stop>,
    last: Last,
}

/// What is pulled when the run is asked to stop: at most one chunk more.
pub type Last = Box<dyn Fn() -> Option<Pulled> + Send + Sync>;

impl Stoppable {
    /// The intake, until it is asked to stop, and what it gives last.
    pub fn new(intake: Arc<dyn Intake>, stop: Arc<Stop>, last: Last) -> Stoppable {
        Stoppable { intake, stop, last }
    }
}

impl Intake for Stoppable {
    fn pull(&self) -> Pulled {
        match self.stop.is_requested() {
            true => (self.last)().unwrap_or(Pulled::End),
            false => self.intake.pull(),
        }
    }

    fn on_data(&self, wake: Box<dyn Fn() + Send + Sync>) {
        let wake = Arc::new(wake);
        let of_stop = wake.clone();
        self.stop.on_request(Box::new(move || of_stop()));
        self.intake.on_data(Box::new(move || wake()));
    }
}
