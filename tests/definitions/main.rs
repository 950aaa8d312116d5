//! The judge of the engine: random programs and inputs, their results worked out by a slow definition that is written from
//! the language's description alone, and the same results asked of the engine, however the input is cut and spread.
//!
//! ```text
//! seed ─► generate ─► program ─► define ──────────► outputs ─┐
//!                        └─► text ─► compile, run ─► outputs ─┴─► compare ─► shrink what differs
//! ```
//! `RAROG_SEED=n` runs one seed, `RAROG_PROGRAMS=n` so many programs per area.

mod case;
#[allow(dead_code, reason = "the golden cases need more of it")]
#[path = "../golden/compare.rs"]
mod compare;
mod decided;
mod define;
mod engine;
mod events;
mod expr;
mod generate;
mod golden;
#[allow(dead_code, reason = "the golden cases need more of it")]
#[path = "../golden/json.rs"]
mod json;
mod program;
mod random;
mod record;
mod run;
mod shrink;
mod shuffled;
mod text;
mod value;

use generate::Area;

#[test]
fn windows() {
    run::area(Area::Windows, 700);
}

#[test]
fn lateness() {
    run::area(Area::Lateness, 400);
}

#[test]
fn joins() {
    run::area(Area::Joins, 300);
}

#[test]
fn sequences() {
    run::area(Area::Sequences, 800);
}

#[test]
fn merges() {
    run::area(Area::Merges, 300);
}

#[test]
fn shuffled() {
    shuffled::all(600);
}

#[test]
fn the_definition_says_what_golden_cases_say() {
    golden::all();
}

#[test]
fn the_definition_says_what_the_tables_say() {
    golden::tables::all();
}
