//! Runs a program to its end and reads what it cost from the kernel.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wait4::Wait4;

/// What a run of a program cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// User and system time, seconds.
    pub cpu: f64,
    /// Elapsed time, seconds.
    pub wall: f64,
    /// Peak resident memory, bytes.
    pub peak: u64,
}

/// Runs a command without output.
pub fn run(command: &mut Command) -> Result<Cost, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let started = Instant::now();
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = spawned.map_err(|error| format!("{name}: {error}"))?;
    let used = child.wait4().map_err(|error| format!("{name}: {error}"))?;
    let wall = started.elapsed().as_secs_f64();
    if !used.status.success() {
        return Err(format!("{name} ended with {}", used.status));
    }
    let seconds = |time: Duration| time.as_secs_f64();
    Ok(Cost { cpu: seconds(used.rusage.utime) + seconds(used.rusage.stime), wall, peak: used.rusage.maxrss })
}

/// Median and (max - min) / median.
pub fn median(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let middle = values[values.len() / 2];
    (middle, (values[values.len() - 1] - values[0]) / middle)
}
