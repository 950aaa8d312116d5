//! Recipes: which token of a known sequence of keys goes into which column of an input, worked out once per sequence.

use super::paths::PathToken;
use super::tables::{DATA, EVENT_TYPE, OTHER, TIMES, TYPE, Tables};
use rarog_lang::value::Type;

/// What is done with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Any value.
    Any,
    Bool,
    Int,
    Float,
    Str,
    Time,
    Duration,
    /// A nested type, in full.
    Deep,
}

/// A token to be checked and, if it is read, put into a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub token: u32,
    pub action: Action,
    /// The field of the input.
    pub field: u32,
    /// [`NO_COLUMN`]: only checked.
    pub column: u32,
}

/// Column of what is not read.
pub(super) const NO_COLUMN: u32 = u32::MAX;

/// How records of one input and one sequence of keys become rows.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    /// `None`: a type that is neither read nor declared.
    pub input: Option<u32>,
    /// Which key gave the type: 0 none, 1 `event_type`, 2 `type`.
    pub type_key: u8,
    pub steps: Box<[Step]>,
    /// Columns that are null.
    pub missing: Box<[u32]>,
    /// The declared time field.
    pub time: Option<u32>,
    /// What may tell the time else, in order.
    pub times: Box<[u32]>,
    /// The token of the object that holds the fields; `None`: the record itself.
    pub object: Option<u32>,
    /// Has a template been made of it, or found impossible?
    pub templated: bool,
}

fn action(ty: &Type) -> Action {
    match ty {
        Type::Any => Action::Any,
        Type::Bool => Action::Bool,
        Type::Int => Action::Int,
        Type::Float => Action::Float,
        Type::Str => Action::Str,
        Type::Time => Action::Time,
        Type::Duration => Action::Duration,
        Type::Null | Type::Array(_) | Type::Map(..) | Type::Record(..) => Action::Deep,
    }
}

impl Recipe {
    /// The recipe for an input and the tokens of a sequence.
    pub fn new(tables: &Tables, input: Option<u32>, type_key: u8, tokens: &[PathToken]) -> Recipe {
        let data = (0..).zip(tokens).filter(|(_, token)| token.key == DATA && token.inside.is_none()).last();
        let object = data.filter(|(_, token)| token.opens).map(|(index, _)| index);
        // Of a double key the last counts.
        let (mut fields, mut beside) = (vec![None; tables.key_count()], vec![None; tables.key_count()]);
        for (index, token) in (0_u32..).zip(tokens).filter(|(_, token)| token.key != OTHER) {
            if token.inside == object {
                fields[token.key as usize] = Some(index);
            } else if token.inside.is_none() {
                beside[token.key as usize] = Some(index);
            }
        }
        match type_key {
            1 if object.is_none() => fields[EVENT_TYPE as usize] = None,
            2 if object.is_none() => fields[TYPE as usize] = None,
            _ => {}
        }
        let times = [&fields, &beside].into_iter().flat_map(|of| TIMES.map(|key| of[key as usize])).flatten().collect();
        let mut recipe = Recipe {
            input,
            type_key,
            steps: Box::default(),
            missing: Box::default(),
            time: None,
            times,
            object,
            templated: false,
        };
        if let Some(input) = input {
            recipe.fill(tables, input, &fields);
        }
        recipe
    }

    fn fill(&mut self, tables: &Tables, input: u32, tokens: &[Option<u32>]) {
        let table = &tables.inputs[input as usize];
        let (mut steps, mut missing) = (Vec::new(), Vec::new());
        for (index, field) in (0..).zip(&table.fields) {
            let token = tokens[field.key as usize];
            if table.time == Some(index) {
                self.time = token;
            }
            let column = field.column.filter(|_| table.read);
            match (token, column) {
                // Finding out the time checks the field that tells it.
                (Some(_), None) if table.time == Some(index) && field.ty == Type::Time => {}
                (Some(token), column) if column.is_some() || field.ty != Type::Any => {
                    let column = column.unwrap_or(NO_COLUMN);
                    steps.push(Step { token, action: action(&field.ty), field: index, column });
                }
                (None, Some(column)) => missing.push(column),
                _ => {}
            }
        }
        (self.steps, self.missing) = (steps.into(), missing.into());
    }
}
