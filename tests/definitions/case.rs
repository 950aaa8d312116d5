//! A case: a program and an input. It holds if the engine's answer is the definition's, however the input is cut and spread.

use crate::compare::Outputs;
use crate::define;
use crate::engine::{self, Answer, Refused, Setting};
use crate::events::{Event, Format};
use crate::program::Program;
use crate::record::Output;
use crate::text::vpl;

/// A program and what goes in.
#[derive(Clone, Debug)]
pub struct Case {
    /// The program.
    pub program: Program,
    /// Its input, in order of arrival.
    pub events: Vec<Event>,
    /// How the input is written.
    pub format: Format,
}

/// What checking a case gave.
pub enum Verdict {
    /// The engine agrees.
    Agrees,
    /// This build does not run the program.
    NotYet,
    /// The definition takes too long to work it out.
    TooLong,
    /// It does not.
    Differs(String),
}

impl Case {
    /// Checks it with these settings.
    pub fn check(&self, settings: &[Setting]) -> Verdict {
        let text = vpl(&self.program);
        let compiled = match engine::prepare(&text) {
            Ok(compiled) => compiled,
            Err(Refused::NotYet) => return Verdict::NotYet,
            Err(Refused::Wrong(said)) => return Verdict::Differs(format!("the program is refused:\n{said}")),
        };
        let Some(expected) = self.expected() else { return Verdict::TooLong };
        let lines = self.format.lines(&self.events);
        for setting in settings {
            let answer = compiled.run(self.format, &lines, *setting);
            if let Err(message) = answer.and_then(|answer| compare(&answer, &expected)) {
                return Verdict::Differs(format!("with {setting:?}: {message}"));
            }
        }
        Verdict::Agrees
    }

    /// What the definition says: the lines of outputs and the number of late records. `None`: it takes too long.
    pub fn expected(&self) -> Option<(String, usize)> {
        let outcome = define::run(&self.program, &self.events)?;
        Some((outcome.outputs.iter().map(Output::line).collect(), outcome.late))
    }
}

pub fn compare(answer: &Answer, (outputs, late): &(String, usize)) -> Result<(), String> {
    Outputs::parse(&answer.outputs)?.compare(&Outputs::parse(outputs)?)?;
    let wanted = if *late > 0 { [("late", *late)].into() } else { Default::default() };
    if answer.dead == wanted {
        return Ok(());
    }
    Err(format!("dead letters: expected {wanted:?}, got {:?}", answer.dead))
}
