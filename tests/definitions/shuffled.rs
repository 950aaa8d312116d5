//! Arrival inside the tolerance decides nothing: operators of event time give the same whether records come in order of time
//! or as late as `out_of_order` allows.
//!
//! Programs are those of the other areas, as far as they go by event time alone. No two records have one time, for those
//! would be in order of arrival.

use crate::case::{Case, compare};
use crate::engine::{self, Answer};
use crate::events::Event;
use crate::generate::{self, Area};
use crate::program::{Op, Program, Source, Window};
use crate::random::Random;
use crate::run::{PROGRAMS, SEED, number};
use crate::text::vpl;
use crate::value::{MILLI, SECOND, V};

/// The tolerance of every stream.
const TOLERANCE: i64 = 5 * SECOND;
/// One in so many programs goes by event time alone, at least.
const SHARE: u64 = 8;

/// Checks the programs of so many seeds, or of those that the environment asks for.
pub fn all(seeds: u64) {
    let seeds = match number(SEED) {
        Some(seed) => seed..seed + 1,
        None => 0..number(PROGRAMS).unwrap_or(seeds),
    };
    let (count, mut agreed) = (seeds.end - seeds.start, 0);
    for seed in seeds {
        let area = [Area::Windows, Area::Joins, Area::Sequences][(seed % 3) as usize];
        let mut case = generate::case(area, seed);
        if !goes_by_time(&case.program) {
            continue;
        }
        tolerate(&mut case.program);
        part(&mut case);
        if let Err(message) = check(&case, seed) {
            let lines = case.format.lines(&case.events);
            panic!("seed {seed}, in order of time:\n{}{lines}{message}\nAgain: {SEED}={seed}", vpl(&case.program));
        }
        agreed += 1;
    }
    assert!(count < 2 * SHARE || agreed >= count / SHARE, "only {agreed} of {count} programs go by event time alone");
    println!("shuffled: {agreed} programs agree");
}

/// Is there no operator that goes by position, and none for which the tolerance of the other areas may be too short?
fn goes_by_time(program: &Program) -> bool {
    program.streams.iter().all(|stream| {
        let mut windowed = false;
        stream.ops.iter().all(|op| match op {
            Op::Window(window) => {
                windowed = true;
                !matches!(window, Window::Count { .. })
            }
            Op::Aggregate(_) => windowed,
            Op::Distinct(..) | Op::Limit(_) | Op::AllowedLateness(_) => false,
            _ => true,
        }) && !matches!(stream.source, Source::Late(_))
    })
}

fn tolerate(program: &mut Program) {
    for stream in &mut program.streams {
        stream.ops.retain(|op| !matches!(op, Op::OutOfOrder(_)));
        stream.ops.insert(0, Op::OutOfOrder(TOLERANCE));
    }
}

/// Puts the events in order of time and gives each a time of its own.
fn part(case: &mut Case) {
    case.events.sort_by_key(|event| event.time);
    let mut last = -MILLI;
    for event in &mut case.events {
        event.time = event.time.max(last + MILLI);
        last = event.time;
        if let Some((_, time)) = event.fields.iter_mut().find(|(name, _)| name == "ts") {
            *time = V::Int(event.time / MILLI);
        }
    }
}

/// In another order of arrival, no record more than the tolerance behind one before it.
fn shuffle(events: &[Event], random: &mut Random) -> Vec<Event> {
    let mut arrivals: Vec<(i64, &Event)> =
        events.iter().map(|event| (event.time + random.between(0, TOLERANCE / MILLI) * MILLI, event)).collect();
    arrivals.sort_by_key(|(arrives, _)| *arrives);
    arrivals.into_iter().map(|(_, event)| event.clone()).collect()
}

fn check(case: &Case, seed: u64) -> Result<(), String> {
    let Ok(compiled) = engine::prepare(&vpl(&case.program)) else { return Err("the program is refused".into()) };
    let Some((outputs, late)) = case.expected() else { return Ok(()) };
    let expected = (by_time(&outputs), late);
    let mut random = Random::new(seed);
    for setting in generate::settings(seed) {
        let lines = case.format.lines(&shuffle(&case.events, &mut random));
        let answer = compiled.run(case.format, &lines, setting)?;
        let answer = Answer { outputs: by_time(&answer.outputs), ..answer };
        compare(&answer, &expected).map_err(|message| format!("{lines}with {setting:?}: {message}"))?;
    }
    Ok(())
}

/// Outputs in order of time: streams without operators of event time put out what comes as it comes.
fn by_time(outputs: &str) -> String {
    let time = |line: &&str| line.split("\"timestamp\":").nth(1).map(|rest| rest[..rest.len().min(32)].to_string());
    let mut lines: Vec<&str> = outputs.lines().collect();
    lines.sort_by_cached_key(time);
    lines.iter().map(|line| format!("{line}\n")).collect()
}
