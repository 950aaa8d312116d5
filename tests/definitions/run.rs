//! Runs an area: many seeds, and what to do about one that fails.

use crate::case::{Case, Verdict};
use crate::engine::Setting;
use crate::generate::{self, Area};
use crate::shrink::shrink;
use crate::text::vpl;
use std::fs;
use std::path::Path;

/// One seed, whatever the area has.
pub const SEED: &str = "RAROG_SEED";
/// So many failing seeds are shown before it is given up.
const MOST_SHOWN: usize = 3;
/// How many programs an area has.
pub const PROGRAMS: &str = "RAROG_PROGRAMS";

pub fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

/// Checks so many programs of an area, or those that the environment asks for.
pub fn area(area: Area, programs: u64) {
    let seeds = match number(SEED) {
        Some(seed) => seed..seed + 1,
        None => 0..number(PROGRAMS).unwrap_or(programs),
    };
    let (mut agreed, mut waiting) = (0, 0);
    let mut failed = Vec::new();
    for seed in seeds {
        let case = generate::case(area, seed);
        let settings = generate::settings(seed);
        match case.check(&settings) {
            Verdict::Agrees => agreed += 1,
            Verdict::NotYet => waiting += 1,
            Verdict::TooLong => panic!("the generator makes cases that are worked out at once: seed {seed}"),
            Verdict::Differs(message) if failed.len() < MOST_SHOWN => failed.push((seed, case, settings, message)),
            Verdict::Differs(_) => break,
        }
    }
    let shown: Vec<String> =
        failed.iter().map(|(seed, case, settings, message)| fail(area, *seed, case, settings, message)).collect();
    assert!(failed.is_empty(), "{}", shown.join("\n"));
    assert_eq!(waiting, 0, "{area:?}: so many programs are refused as not supported yet, and all of them should run");
    println!("{area:?}: {agreed} programs agree");
}

/// Shrinks the case, writes it as a golden case; says how to see it again.
fn fail(area: Area, seed: u64, case: &Case, settings: &[Setting], message: &str) -> String {
    let small = shrink(case, settings);
    let name = format!("{area:?}-{seed}").to_lowercase();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("definitions").join(&name);
    let (outputs, late) = small.expected().expect("what differs has been worked out");
    let lines = small.format.lines(&small.events);
    let mut files = vec![
        ("program.vpl", vpl(&small.program)),
        (small.format.file(), lines),
        ("expected.jsonl", outputs),
        ("about.txt", format!("what seed {seed} of {area:?} found\n")),
    ];
    if late > 0 {
        files.push(("expected_dead.jsonl", format!("{{\"reason\": \"late\", \"count\": {late}}}\n")));
    }
    let written = fs::create_dir_all(&folder)
        .and_then(|()| files.iter().try_for_each(|(file, text)| fs::write(folder.join(file), text)));
    let written = written.map_or_else(|error| format!("not written: {error}"), |()| folder.display().to_string());
    let shown: String = files.iter().map(|(file, text)| format!("--- {file}\n{text}")).collect();
    let now = match small.check(settings) {
        Verdict::Differs(message) => message,
        _ => "the small case comes and goes".into(),
    };
    format!(
        "the engine and the definition differ for seed {seed}: {message}\n\
         Again: {SEED}={seed} cargo test -p rarog --test definitions -- {}\n\
         Shrunk ({written}): {now}\n{shown}",
        format!("{area:?}").to_lowercase()
    )
}
