//! The comparison: every workload by every program at two sizes, in turns, and the table.

use crate::Options;
use crate::inputs::Inputs;
use crate::measure::{Cost, median, run};
use crate::rows::Rows;
use crate::workloads::{WORKLOADS, Workload};
use std::collections::BTreeMap;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Above this ratio to the smaller size's average a slope shows that cost grows faster than input.
const SUPERLINEAR: f64 = 1.6;
/// Memory may grow by this factor between the sizes.
const FLAT: f64 = 1.1;
/// A run in which the anchor's times are further apart says little.
const NOISY: f64 = 0.2;

#[derive(Clone, Copy, PartialEq)]
enum Program {
    Anchor,
    Rarog { workers: u16, encode: bool },
}

impl Program {
    fn name(self) -> String {
        match self {
            Program::Anchor => "anchor".into(),
            Program::Rarog { workers: 1, encode: false } => "rarog".into(),
            Program::Rarog { workers, encode: false } => format!("rarog, {workers} workers"),
            Program::Rarog { encode: true, .. } => "rarog, JSON lines".into(),
        }
    }

    fn command(self, rarog: &Path, workload: &Workload, input: &Path) -> Command {
        match self {
            Program::Anchor => {
                let mut command = Command::new(std::env::current_exe().unwrap_or_default());
                command.args(["anchor", "--count", workload.name]).arg(input);
                command
            }
            Program::Rarog { workers, encode } => {
                let mut command = Command::new(rarog);
                command.arg("run").arg(program(workload)).arg("--input").arg(input);
                command.args(["--output", if encode { "jsonl" } else { "none" }, "--workers", &workers.to_string()]);
                command
            }
        }
    }
}

fn program(workload: &Workload) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(workload.name).with_extension("vpl")
}

/// What the two sizes say about a program.
struct Slope {
    cpu_per_million: f64,
    superlinear: bool,
    rate: f64,
    peaks: [u64; 2],
    spread: f64,
}

/// Measures, and prints the table.
pub fn compare(options: &Options) -> Result<(), String> {
    let rarog = options.rarog.clone().unwrap_or_else(beside);
    if !rarog.is_file() {
        return Err(format!("{} is not there; build it with cargo build --profile dist", rarog.display()));
    }
    if options.small >= options.large {
        return Err("--small must be less than --large".into());
    }
    let own = std::env::current_exe().unwrap_or_default();
    println!("rarog: {}, profile {}; anchors: profile {}", rarog.display(), profile(&rarog), profile(&own));
    println!("load at the start: {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    let (small, large, repeats) = (options.small, options.large, options.repeats);
    println!("slope between {small} and {large} events, medians of {repeats} runs in turns\n");
    println!("| | program | CPU-s per million | x anchor | must | events/s | peak MB | spread | rows |");
    println!("|-|-|-|-|-|-|-|-|-|");
    let mut run = Run { options, rarog, inputs: Inputs::new()?, costs: BTreeMap::new(), failed: Vec::new() };
    run.all()?;
    run.compare_keys();
    if run.failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", run.failed.join(" "))) }
}

/// The binary that was built beside this one.
pub fn beside() -> PathBuf {
    std::env::current_exe().unwrap_or_default().with_file_name("rarog")
}

/// cargo builds each profile into a folder of its name.
fn profile(binary: &Path) -> String {
    let folder = binary.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    match folder.as_deref() {
        Some("dist") => "dist".into(),
        Some("debug") => "dev: NOT OPTIMISED, the figures mean nothing".into(),
        other => format!("{}: not dist, the figures are no evidence", other.unwrap_or("unknown")),
    }
}

struct Run<'a> {
    options: &'a Options,
    rarog: PathBuf,
    inputs: Inputs,
    /// CPU per million events of rarog with one worker.
    costs: BTreeMap<&'static str, f64>,
    failed: Vec<&'static str>,
}

impl Run<'_> {
    /// Set by set, so that only the files of one are there at a time.
    fn all(&mut self) -> Result<(), String> {
        let all: Vec<&Workload> = WORKLOADS.iter().collect();
        let wanted = if self.options.workloads.is_empty() { all } else { self.options.workloads.clone() };
        let mut sets: Vec<&str> = Vec::new();
        wanted.iter().for_each(|workload| {
            if !sets.contains(&workload.set) {
                sets.push(workload.set)
            }
        });
        for set in sets {
            let mut of_set = Vec::new();
            for workload in wanted.iter().filter(|workload| workload.set == set) {
                match runs(&self.rarog, workload)? {
                    true => of_set.push(*workload),
                    false => {
                        println!("| {} | skipped: this rarog does not run its program yet (E0900) |", workload.name)
                    }
                }
            }
            if of_set.is_empty() {
                continue;
            }
            let sizes = [self.options.checked, self.options.small, self.options.large];
            let [checked, small, large] = self.inputs.of_set(&self.rarog, set, sizes)?;
            for workload in of_set {
                if let Err(message) = self.one(workload, &checked, &[small.clone(), large.clone()]) {
                    println!("| {} | FAILED: {message} |", workload.name);
                    self.failed.push(workload.name);
                }
            }
        }
        Ok(())
    }

    fn one(&mut self, workload: &'static Workload, checked: &Path, inputs: &[PathBuf; 2]) -> Result<(), String> {
        let rows = same_rows(&self.rarog, workload, checked)?;
        let rarog = self.options.workers.iter().map(|&workers| Program::Rarog { workers, encode: false });
        let encoded = self.options.encode.then_some(Program::Rarog { workers: 1, encode: true });
        let programs: Vec<Program> = std::iter::once(Program::Anchor).chain(rarog).chain(encoded).collect();
        let slopes = self.measure(workload, &programs, inputs)?;
        let anchor = &slopes[0];
        for (program, slope) in programs.iter().zip(&slopes) {
            let verdict = verdict(workload, *program, slope.cpu_per_million / anchor.cpu_per_million);
            println!(
                "| {} | {} | {:.3}{} | {:.2} | {verdict} | {} | {} | {:.0} %{} | {} |",
                workload.name,
                program.name(),
                slope.cpu_per_million,
                if slope.superlinear { " SUPERLINEAR" } else { "" },
                slope.cpu_per_million / anchor.cpu_per_million,
                rate(slope.rate),
                memory(slope.peaks),
                slope.spread * 100.0,
                if *program == Program::Anchor && slope.spread > NOISY { " NOISY" } else { "" },
                if *program == Program::Anchor { format!("same {}", rows.count) } else { String::new() },
            );
        }
        self.print_rest(workload, &programs, &slopes, inputs)
    }

    fn measure(&self, workload: &Workload, programs: &[Program], inputs: &[PathBuf; 2]) -> Result<Vec<Slope>, String> {
        let mut costs: Vec<[Vec<Cost>; 2]> = programs.iter().map(|_| [Vec::new(), Vec::new()]).collect();
        for _ in 0..self.options.repeats {
            for (program, costs) in programs.iter().zip(&mut costs) {
                for (input, costs) in inputs.iter().zip(costs) {
                    costs.push(run(&mut program.command(&self.rarog, workload, input))?);
                }
            }
        }
        Ok(costs.iter().map(|costs| slope(costs, [self.options.small, self.options.large])).collect())
    }

    /// What more workers gain, and what encoding costs.
    fn print_rest(
        &mut self,
        workload: &'static Workload,
        programs: &[Program],
        slopes: &[Slope],
        inputs: &[PathBuf; 2],
    ) -> Result<(), String> {
        let of = |wanted: Program| {
            programs.iter().zip(slopes).find(|(program, _)| **program == wanted).map(|(_, slope)| slope)
        };
        let Some(one) = of(Program::Rarog { workers: 1, encode: false }) else { return Ok(()) };
        self.costs.insert(workload.name, one.cpu_per_million);
        for workers in self.options.workers.iter().copied().filter(|workers| *workers > 1) {
            if let Some(more) = of(Program::Rarog { workers, encode: false }) {
                println!("| {} | {workers} workers of one, throughput: {:.2} |", workload.name, more.rate / one.rate);
            }
        }
        if let Some(encoded) = of(Program::Rarog { workers: 1, encode: true }) {
            let rows = [&inputs[0], &inputs[1]].map(|input| crate::anchor::run(workload, input, true));
            let [small, large] = rows;
            let rows = (large?.count - small?.count) as f64;
            let events = (self.options.large - self.options.small) as f64;
            let ns = (encoded.cpu_per_million - one.cpu_per_million) * events / rows * 1e3;
            println!("| {} | encoding: {ns:.0} ns per row |", workload.name);
        }
        Ok(())
    }

    /// A key given as a condition is to cost no more than one given as a partition.
    fn compare_keys(&self) {
        if let (Some(by_partition), Some(by_condition)) = (self.costs.get("w8"), self.costs.get("w8n")) {
            let ratio = by_condition / by_partition;
            println!("\nw8n of w8: {ratio:.2}, must 1.2{}", if ratio <= 1.2 { "" } else { ": MISSED" });
        }
    }
}

fn verdict(workload: &Workload, program: Program, ratio: f64) -> String {
    match (workload.must, program) {
        (Some(must), Program::Rarog { workers: 1, encode: false }) => {
            format!("{must:.1} {}", if ratio <= must { "reached" } else { "MISSED" })
        }
        _ => String::new(),
    }
}

/// Of runs too short to tell them apart it says nothing.
fn rate(rate: f64) -> String {
    if rate > 0.0 && rate.is_finite() { format!("{rate:.0}") } else { "–".into() }
}

fn memory(peaks: [u64; 2]) -> String {
    if peaks.contains(&0) {
        // It ended before anyone looked.
        return "–".into();
    }
    let [small, large] = peaks.map(|bytes| bytes as f64 / f64::from(1 << 20));
    let flat = large <= small * FLAT + 1.0;
    format!("{small:.0}, {large:.0}{}", if flat { " flat" } else { " GROWS" })
}

/// Is the program one that this rarog runs? Other mistakes in it are an error.
fn runs(rarog: &Path, workload: &Workload) -> Result<bool, String> {
    let mut command = Command::new(rarog);
    command.args(["check", "--format", "json"]).arg(program(workload));
    let output = command.output().map_err(|error| format!("{}: {error}", rarog.display()))?;
    let diagnostics = String::from_utf8_lossy(&output.stdout);
    let code = |line: &str| -> Option<String> {
        let diagnostic: serde_json::Value = serde_json::from_str(line).ok()?;
        (diagnostic["severity"] == "error").then(|| diagnostic["code"].to_string())
    };
    let errors: Vec<String> = diagnostics.lines().filter_map(code).collect();
    match errors.iter().find(|code| *code != "\"E0900\"") {
        Some(_) => Err(format!("{}: {diagnostics}", workload.name)),
        None => Ok(errors.is_empty()),
    }
}

fn same_rows(rarog: &Path, workload: &Workload, input: &Path) -> Result<Rows, String> {
    let anchor = crate::anchor::run(workload, input, false)?;
    for workers in [1, 2] {
        let mut command = Program::Rarog { workers, encode: true }.command(rarog, workload, input);
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| format!("{}: {error}", rarog.display()))?;
        let stdout = child.stdout.take().ok_or("no output")?;
        // Both ends are read, so that neither waits for room.
        let mut stderr = child.stderr.take().ok_or("no messages")?;
        let messages = std::thread::spawn(move || {
            let mut text = Vec::new();
            _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let rows = Rows::of_output(workload, BufReader::with_capacity(1 << 20, stdout));
        let status = child.wait().map_err(|error| format!("{}: {error}", rarog.display()))?;
        let messages = messages.join().unwrap_or_default();
        if !status.success() {
            return Err(format!("rarog ended with {status}: {messages}"));
        }
        let rows = rows?;
        if rows != anchor {
            return Err(format!("rarog with {workers} workers gives {rows}, the anchor {anchor}"));
        }
    }
    Ok(anchor)
}

fn slope(costs: &[Vec<Cost>; 2], sizes: [u64; 2]) -> Slope {
    let of = |costs: &[Cost], value: fn(&Cost) -> f64| median(costs.iter().map(value).collect());
    let events = (sizes[1] - sizes[0]) as f64;
    let (cpu, spread) = of(&costs[1], |cost| cost.cpu);
    let (cpu_small, _) = of(&costs[0], |cost| cost.cpu);
    let wall = of(&costs[1], |cost| cost.wall).0 - of(&costs[0], |cost| cost.wall).0;
    let per_event = (cpu - cpu_small) / events;
    Slope {
        cpu_per_million: per_event * 1e6,
        superlinear: per_event > SUPERLINEAR * cpu_small / sizes[0] as f64,
        rate: events / wall,
        peaks: [0, 1].map(|size| costs[size].iter().map(|cost| cost.peak).max().unwrap_or(0)),
        spread,
    }
}
