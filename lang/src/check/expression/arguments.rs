//! Which argument is meant for which parameter: by position, then by name.

use super::Expressions;
use crate::ast::{Arg, Ident};
use crate::diagnostic::Diagnostic;

/// Arguments sorted by parameter.
#[derive(Debug)]
pub struct Bound<'e> {
    /// One per parameter.
    pub args: Vec<Option<&'e Arg>>,
    /// Those that no parameter takes (reported): their values want checking, too.
    pub left_over: Vec<&'e Arg>,
    /// Was nothing wrong?
    pub ok: bool,
}

/// The parameters of a call or operator.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'p> {
    /// Names, in the order of positions.
    pub names: &'p [&'p str],
    /// So many of them may be given by position (the others only by name).
    pub positional: usize,
    /// So many of the first ones must be given.
    pub required: usize,
    /// So many of the first ones are given already (receiver of a method).
    pub given: usize,
}

impl Expressions<'_> {
    /// Sorts arguments by parameter: E0303 (too many or too few), E0304 (no such parameter), E0217 (given twice).
    pub fn bind<'e>(&mut self, callee: &Ident, parameters: Parameters, args: &'e [Arg]) -> Bound<'e> {
        let Parameters { names, positional, required, given } = parameters;
        let mut bound = Bound { args: vec![None; names.len()], left_over: Vec::new(), ok: true };
        let mut position = given;
        let by_position = given + args.iter().filter(|arg| arg.name.is_none()).count();
        for arg in args {
            let place = match &arg.name {
                None => {
                    position += 1;
                    (position <= positional).then_some(position - 1)
                }
                Some(name) => {
                    let place = names.iter().position(|known| **known == *name.name);
                    if place.is_none() {
                        self.unknown_parameter(callee, name, names);
                        bound.ok = false;
                    }
                    place
                }
            };
            match place {
                Some(place) if place >= given && bound.args[place].is_none() => bound.args[place] = Some(arg),
                Some(place) => {
                    let span = arg.name.as_ref().map_or(arg.value.span, |name| name.span);
                    let message = format!("parameter {} is given twice", names[place]);
                    self.report(Diagnostic::new("E0217", span, message));
                    bound.ok = false;
                    bound.left_over.push(arg);
                }
                None => bound.left_over.push(arg),
            }
        }
        let missing = (given..required).any(|place| bound.args[place].is_none());
        if by_position > positional || (missing && bound.ok) {
            self.wrong_number(callee, parameters, given + args.len());
            bound.ok = false;
        }
        bound
    }

    fn unknown_parameter(&mut self, callee: &Ident, name: &Ident, names: &[&str]) {
        let message = format!("{} has no parameter {}", callee.name, name.name);
        let problem = Diagnostic::new("E0304", name.span, message);
        let listed = match names {
            [] => "it takes none".into(),
            names => format!("its parameters are {}", names.join(", ")),
        };
        let near = self.did_you_mean(&name.name, || names.to_vec());
        self.report(problem.help(near.unwrap_or(listed)));
    }

    fn wrong_number(&mut self, callee: &Ident, parameters: Parameters, found: usize) {
        let (least, most) = (parameters.required, parameters.positional.max(parameters.required));
        let number = if least == most { least.to_string() } else { format!("{least} to {most}") };
        let noun = if number == "1" { "argument" } else { "arguments" };
        let message = format!("{} takes {number} {noun}, found {found}", callee.name);
        let problem = Diagnostic::new("E0303", callee.span, message);
        let names = parameters.names.join(", ");
        let problem = if names.is_empty() { problem } else { problem.help(format!("{}({names})", callee.name)) };
        self.report(problem);
    }
}
