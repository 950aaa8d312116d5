//! What a run says on stderr: lines, and on a terminal a bar that shows how far the input has been read and how fast.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Between two drawings of the bar.
const REDRAW: Duration = Duration::from_millis(100);
/// With a size that is known: how much of it.
const SIZED: &str = "{bar:30} {bytes}/{total_bytes} {msg}, {eta} left";
/// Of a pipe nobody knows the end.
const ENDLESS: &str = "{spinner} {bytes} {msg}";

/// Where lines for people go.
#[derive(Clone, Default)]
pub struct Talk {
    bar: Option<ProgressBar>,
    /// Takes them instead of stderr.
    listener: Option<Listener>,
}

/// Takes lines.
type Listener = Arc<dyn Fn(&str) + Send + Sync>;

/// How far an input has been read.
pub struct Progress {
    /// Bytes read, and of how many if that is known.
    pub bytes: (u64, Option<u64>),
    /// Records so far.
    pub records: u64,
}

impl Talk {
    /// With a bar, if stderr is a terminal and results do not go to the same one.
    pub fn with_bar(results_on_stdout: bool) -> Talk {
        let shares_terminal = results_on_stdout && io::stdout().is_terminal();
        if !io::stderr().is_terminal() || shares_terminal {
            return Talk::default();
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        Talk { bar: Some(bar), listener: None }
    }

    /// To somebody else than stderr.
    pub fn to(listener: impl Fn(&str) + Send + Sync + 'static) -> Talk {
        Talk { bar: None, listener: Some(Arc::new(listener)) }
    }

    /// Says a line.
    pub fn say(&self, line: &str) {
        match (&self.listener, &self.bar) {
            (Some(listener), _) => listener(line),
            (None, Some(bar)) => bar.suspend(|| say_line!("{line}")),
            (None, None) => say_line!("{line}"),
        }
    }

    /// Keeps the bar moving until what is given back is dropped; `None` without a bar.
    pub fn follow(&self, progress: impl Fn() -> Progress + Send + 'static) -> Option<Following> {
        let bar = self.bar.clone()?;
        let (done, ended) = channel::<()>();
        let began = Instant::now();
        let drawing = bar.clone();
        let join = thread::spawn(move || {
            while ended.recv_timeout(REDRAW) == Err(RecvTimeoutError::Timeout) {
                draw(&drawing, &progress(), began.elapsed());
            }
        });
        Some(Following { bar, done: Some(done), join: Some(join) })
    }
}

fn draw(bar: &ProgressBar, progress: &Progress, elapsed: Duration) {
    let (read, total) = progress.bytes;
    if bar.length() != total || bar.position() == 0 {
        bar.set_style(
            ProgressStyle::with_template(if total.is_some() { SIZED } else { ENDLESS }).expect("a valid template"),
        );
        total.map_or_else(|| bar.unset_length(), |total| bar.set_length(total));
    }
    let rate = progress.records as f64 / elapsed.as_secs_f64().max(1e-9);
    bar.set_message(format!("{} events, {}/s", short(progress.records as f64), short(rate)));
    bar.set_position(read);
}

/// `950`, `12.3k`, `4.5M`.
pub fn short(number: f64) -> String {
    match number {
        n if n >= 999_950.0 => format!("{:.1}M", n / 1e6),
        n if n >= 9_999.5 => format!("{:.1}k", n / 1e3),
        n => format!("{n:.0}"),
    }
}

/// A bar that moves.
pub struct Following {
    bar: ProgressBar,
    done: Option<Sender<()>>,
    join: Option<JoinHandle<()>>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.done = None;
        if let Some(join) = self.join.take() {
            // A panic while drawing is no reason to fail the run.
            drop(join.join());
        }
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn numbers_are_short() {
        let numbers = [0.0, 950.4, 9999.0, 12_345.0, 999_949.0, 999_951.0, 4.5e6];
        assert_eq!(numbers.map(short), ["0", "950", "9999", "12.3k", "999.9k", "1.0M", "4.5M"]);
    }
}
