//! Runs a program to its end and reads what it cost from the kernel.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use wait4::Wait4;

/// How often the memory of a process is looked at.
const LOOK: Duration = Duration::from_millis(5);

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
    let (pid, running) = (child.id(), Arc::new(AtomicBool::new(true)));
    let watched = running.clone();
    let watch = thread::spawn(move || peak_while(pid, &watched));
    let used = child.wait4();
    running.store(false, Ordering::Release);
    let peak = watch.join().unwrap_or(0);
    let used = used.map_err(|error| format!("{name}: {error}"))?;
    let wall = started.elapsed().as_secs_f64();
    if !used.status.success() {
        return Err(format!("{name} ended with {}", used.status));
    }
    let seconds = |time: Duration| time.as_secs_f64();
    Ok(Cost { cpu: seconds(used.rusage.utime) + seconds(used.rusage.stime), wall, peak })
}

/// Peak resident memory of a process as the kernel last said it while it ran, bytes. What a waiting parent is told counts the
/// parent's own memory in.
fn peak_while(pid: u32, running: &AtomicBool) -> u64 {
    let mut peak = 0;
    while running.load(Ordering::Acquire) {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) << 10);
        thread::sleep(LOOK);
    }
    peak
}

/// Median and (max - min) / median.
pub fn median(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let middle = values[values.len() / 2];
    (middle, (values[values.len() - 1] - values[0]) / middle)
}
