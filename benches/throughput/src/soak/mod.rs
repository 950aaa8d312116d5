//! The soak: is state bounded? A million keys flood each operator, and go; its memory has to go with them.
//!
//! ```text
//! calm: few keys, 60 s of events ─► flood: ten million events over a million keys, 60 s ─► calm again
//!        resident memory: base            peak                                             after ≈ base
//! ```
//! Operators whose state has no bound in time must end the run at `max_keys` instead, and name themselves.
//! It measures no speed.

mod programs;

use programs::{Bound, EVENTS, PROGRAMS, Program};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

/// Events of the flood and of each calm.
const FLOOD_EVENTS: u64 = 10_000_000;
const CALM_EVENTS: u64 = 300_000;
/// Keys of the flood and of each calm.
const FLOOD_KEYS: u64 = 1_100_000;
const CALM_KEYS: u64 = 100;
/// Event time that each of the three takes, ms.
const PHASE_MS: u64 = 60_000;
/// Epoch ms of the first event.
const BEGIN_MS: u64 = 1_767_225_600_000;
/// Calms behind the flood, at most.
const CALM_ROUNDS: u64 = 5;
/// Memory may stay above the base by this share, and by so much.
const SHARE: f64 = 0.5;
const ALLOWANCE_BYTES: u64 = 16 << 20;
/// How often memory is looked at until it stands still, and for how long at most.
const LOOK: Duration = Duration::from_millis(200);
const LOOKS: u32 = 50;

/// Runs the programs of these names, or all.
pub fn run(rarog: &Path, names: &[String]) -> Result<(), String> {
    if let Some(unknown) = names.iter().find(|name| PROGRAMS.iter().all(|program| program.name != *name)) {
        let known: Vec<&str> = PROGRAMS.iter().map(|program| program.name).collect();
        return Err(format!("{unknown}: no such program; there are {}", known.join(", ")));
    }
    println!("{FLOOD_EVENTS} events over {FLOOD_KEYS} keys between two calms; resident memory in MB");
    println!("{:<22} {:>7} {:>7} {:>7}  verdict", "operator", "base", "peak", "after");
    let mut failed = 0;
    for program in PROGRAMS.iter().filter(|program| names.is_empty() || names.iter().any(|name| program.name == *name))
    {
        let verdict = soak(rarog, program)?;
        failed += u32::from(!verdict.holds);
        println!("{:<22} {}", program.name, verdict.words);
    }
    if failed == 0 { Ok(()) } else { Err(format!("{failed} operators do not hold their bound")) }
}

struct Verdict {
    holds: bool,
    words: String,
}

/// One program's run.
struct Soak {
    child: Child,
    pipe: ChildStdin,
    peak: u64,
    random: u64,
}

fn soak(rarog: &Path, program: &Program) -> Result<Verdict, String> {
    let path = scratch(program.name);
    std::fs::write(&path, format!("{EVENTS}{}\n", program.text))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let verdict = start(rarog, &path).and_then(|soak| soak.through(program));
    drop(std::fs::remove_file(&path));
    verdict
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("rarog-soak-{}-{name}.vpl", std::process::id()))
}

fn start(rarog: &Path, program: &Path) -> Result<Soak, String> {
    let mut child = Command::new(rarog)
        .arg("run")
        .arg(program)
        .args(["--input", "-", "--input-format", "jsonl", "--output", "none"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", rarog.display()))?;
    let pipe = child.stdin.take().ok_or("no standard input")?;
    Ok(Soak { child, pipe, peak: 0, random: 0x9E37_79B9_7F4A_7C15 })
}

impl Soak {
    fn through(mut self, program: &Program) -> Result<Verdict, String> {
        let taken = self.phases();
        let Soak { mut child, pipe, peak, .. } = self;
        drop(pipe);
        let mut said = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            stderr.read_to_string(&mut said).map_err(|error| format!("standard error: {error}"))?;
        }
        let status = child.wait().map_err(|error| format!("cannot wait: {error}"))?;
        let last = said.lines().last().unwrap_or_default();
        Ok(match (program.bound, taken) {
            (Bound::Time, Some((base, after))) if status.success() => returned(base, peak, after),
            (Bound::Keys, _) if status.code() == Some(1) && said.contains("max_keys") => {
                Verdict { holds: true, words: format!("{:>7} {:>7} {:>7}  stopped at max_keys", "", mb(peak), "") }
            }
            _ => Verdict {
                holds: false,
                words: format!("{:>7} {:>7} {:>7}  ended with {status}: {last}", "", mb(peak), ""),
            },
        })
    }

    /// Memory before and after the flood; `None`: the program has gone.
    fn phases(&mut self) -> Option<(u64, u64)> {
        self.phase(0, CALM_EVENTS, CALM_KEYS)?;
        let base = self.settled()?;
        self.phase(1, FLOOD_EVENTS, FLOOD_KEYS)?;
        let mut after = u64::MAX;
        // The allocator gives pages back some tenths of a second after they have become empty, when it is used.
        for round in 2..2 + CALM_ROUNDS {
            self.phase(round, CALM_EVENTS, CALM_KEYS)?;
            after = self.settled()?;
            if after <= bound(base) {
                break;
            }
        }
        Some((base, after))
    }

    /// Writes the events of one phase, in order of time.
    fn phase(&mut self, number: u64, events: u64, keys: u64) -> Option<()> {
        const BLOCK: u64 = 1000;
        let begin = BEGIN_MS + number * PHASE_MS;
        let mut text = String::new();
        for event in 0..events {
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (key, kind) = ((self.random >> 33) % keys, if self.random >> 20 & 1 == 0 { 'A' } else { 'B' });
            let at = begin + event * PHASE_MS / events;
            writeln!(text, r#"{{"type":"{kind}","ts":{at},"key":"k{key}","v":{event}}}"#).ok()?;
            if event % BLOCK == BLOCK - 1 || event + 1 == events {
                self.pipe.write_all(text.as_bytes()).ok()?;
                text.clear();
                if event % (BLOCK * 100) == BLOCK - 1 {
                    self.peak = self.peak.max(resident(self.child.id())?);
                }
            }
        }
        Some(())
    }

    /// Resident memory when it stands still.
    fn settled(&mut self) -> Option<u64> {
        let mut last = resident(self.child.id())?;
        for _ in 0..LOOKS {
            thread::sleep(LOOK);
            let now = resident(self.child.id())?;
            if now == last {
                break;
            }
            last = now;
        }
        self.peak = self.peak.max(last);
        Some(last)
    }
}

fn returned(base: u64, peak: u64, after: u64) -> Verdict {
    let holds = after <= bound(base);
    let word = if holds { "returned" } else { "DID NOT RETURN" };
    Verdict { holds, words: format!("{:>7} {:>7} {:>7}  {word}", mb(base), mb(peak), mb(after)) }
}

/// What memory may be when the flood has gone.
fn bound(base: u64) -> u64 {
    (base as f64 * (1.0 + SHARE)) as u64 + ALLOWANCE_BYTES
}

fn mb(bytes: u64) -> u64 {
    bytes >> 20
}

/// Resident memory of a process, bytes.
fn resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib << 10)
}
