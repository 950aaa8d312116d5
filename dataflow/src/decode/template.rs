//! Templates: what all records of one kind from one producer have in common, byte for byte, and where their values go.
//!
//! ```text
//! {"type":"SensorReading","@timestamp":"  text  ","ts":  number  ,"sensor_id":"  text  ","seq":  number  }
//!              constant                   skip  constant  token       constant     column  …
//! ```
//! A record that follows a template needs no look at keys and no tokens. One that does not is left to the scanner, which
//! knows all of JSON; so a template may give up whenever something is out of the ordinary.

use super::build::{Build, Texts};
use super::number::{Number, number};
use super::paths::{Path, What};
use super::recipe::{Action, NO_COLUMN, Recipe};
use super::string::plain;
use super::tables::Tables;
use super::token::{Kind, Token, value};

/// Bytes that are compared at once.
const BLOCK: usize = 16;
/// Longer templates are not made.
const STEPS_LIMIT: usize = 64;
/// Constant bytes of a template at the most.
const CONSTANT_LIMIT: usize = 2048;

/// Constant bytes.
#[derive(Debug)]
struct Constant {
    head: u128,
    mask: u128,
    length: usize,
    /// What does not fit the head, block by block.
    tail: Box<[(u128, u128)]>,
}

/// What is done with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Take {
    /// Text that nobody reads.
    SkipText,
    /// A number that nobody reads.
    SkipNumber,
    /// Any value that nobody reads.
    Skip,
    /// A token for the recipe.
    Token(u32),
    /// Text, into this column.
    Text(u32),
    /// A float, into this column.
    Float(u32),
    /// An int, into this column.
    Int(u32),
    /// A number of either kind, into this column.
    Number(u32),
}

/// A value and the constant bytes behind it.
#[derive(Debug)]
struct Step {
    take: Take,
    /// Open brackets around the value.
    depth: u32,
    behind: Constant,
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Template {
    begin: Constant,
    steps: Box<[Step]>,
    /// What is left to do when the values are there.
    pub recipe: Recipe,
    /// Tokens that the recipe counts on.
    tokens: usize,
}

impl Constant {
    fn new(bytes: &[u8]) -> Constant {
        let mut blocks = bytes.chunks(BLOCK).map(|chunk| {
            let mut block = [0; BLOCK];
            block[..chunk.len()].copy_from_slice(chunk);
            (u128::from_le_bytes(block), u128::MAX >> (8 * (BLOCK - chunk.len())))
        });
        let (head, mask) = blocks.next().unwrap_or_default();
        Constant { head, mask, length: bytes.len(), tail: blocks.collect() }
    }

    /// What is behind these bytes, if `rest` begins with them.
    #[inline(always)]
    fn strip<'t>(&self, rest: &'t [u8]) -> Option<&'t [u8]> {
        let head = u128::from_le_bytes(*rest.first_chunk::<BLOCK>()?);
        if (head ^ self.head) & self.mask != 0 {
            return None;
        }
        let behind = rest.get(self.length..)?;
        if self.length > BLOCK && !self.tail_matches(rest) {
            return None;
        }
        Some(behind)
    }

    #[inline(always)]
    fn tail_matches(&self, rest: &[u8]) -> bool {
        let mut ahead = &rest[BLOCK..];
        self.tail.iter().all(|(bytes, mask)| {
            let Some((block, behind)) = ahead.split_first_chunk::<BLOCK>() else { return false };
            ahead = behind;
            (u128::from_le_bytes(*block) ^ bytes) & mask == 0
        })
    }
}

impl Template {
    /// The template of a record that the scanner has read, if it is an ordinary one: its path, tokens and recipe.
    #[cold]
    pub fn of(path: &Path, tokens: &[Token], text: &str, recipe: &Recipe, tables: &Tables) -> Option<Template> {
        let type_token = match recipe.type_key {
            1 => Some(path.event_type?),
            2 if path.event_type.is_none() => Some(path.kind?),
            0 if path.event_type.is_none() && path.kind.is_none() => None,
            // A text in the other key would give another type.
            _ => return None,
        };
        let whole = recipe.input.is_some_and(|input| tables.inputs[input as usize].whole);
        if path.nodes.len() > STEPS_LIMIT || (whole && recipe.object.is_some()) {
            return None;
        }
        let mut left = recipe.clone();
        let (mut takes, mut constants, mut constant) = (Vec::new(), Vec::new(), Vec::new());
        let (mut at, mut depth) = (0_u32, 1);
        for (what, bytes) in &path.nodes {
            constant.extend_from_slice(bytes);
            match what {
                What::Open => (at, depth) = (at + 1, 2),
                // An object in its place would hold the fields.
                What::Data => return None,
                What::Close => depth = 1,
                What::End(_) => {}
                What::Value(_) => {
                    let token = tokens[at as usize];
                    if type_token == Some(at) {
                        constant.extend(type_text(token, text)?);
                    } else {
                        let take = left.take(at, token.kind);
                        let is_text = matches!(take, Take::SkipText | Take::Text(_));
                        constant.extend(is_text.then_some(b'"'));
                        constants.push(std::mem::take(&mut constant));
                        constant.extend(is_text.then_some(b'"'));
                        takes.push((take, depth));
                    }
                    at += 1;
                }
            }
        }
        constants.push(constant);
        let length: usize = constants.iter().map(Vec::len).sum();
        let mut constants = constants.iter().map(|bytes| Constant::new(bytes));
        let begin = constants.next()?;
        let step = |((take, depth), behind)| Step { take, depth, behind };
        let steps = takes.into_iter().zip(constants).map(step).collect();
        (length <= CONSTANT_LIMIT).then_some(Template { begin, steps, recipe: left, tokens: at as usize })
    }

    /// What is behind the first constant bytes of a record that may follow the template.
    #[inline(always)]
    pub fn begin<'t>(&self, rest: &'t [u8]) -> Option<&'t [u8]> {
        self.begin.strip(rest)
    }

    /// Reads a record behind [`Template::begin`]: values go into columns and tokens. Gives what is behind its closing
    /// bracket; `None`: it does not follow the template, and columns may have values too many.
    #[inline(always)]
    pub fn read<'t, const LINES: bool>(
        &self,
        mut rest: &'t [u8],
        total: usize,
        tokens: &mut Vec<Token>,
        columns: &mut [Build],
        texts: &mut Texts<'_>,
    ) -> Option<&'t [u8]> {
        if tokens.len() < self.tokens {
            tokens.resize(self.tokens, Token::NONE);
        }
        for step in &self.steps {
            match step.take {
                Take::SkipText => rest = rest.get(plain(rest)..)?,
                Take::Text(column) => {
                    let length = plain(rest);
                    let span = ((total - rest.len()) as u32, length as u32);
                    columns.get_mut(column as usize)?.push_span(span)?;
                    rest = rest.get(length..)?;
                }
                Take::SkipNumber => rest = rest.get(number(rest)?.1..)?,
                Take::Float(column) => {
                    let (number, length) = number(rest)?;
                    let float = match number {
                        Number::Float(float) => float,
                        Number::Int(int) => int as f64,
                        Number::Beyond => return None,
                    };
                    columns.get_mut(column as usize)?.push_float(float)?;
                    rest = rest.get(length..)?;
                }
                Take::Int(column) => {
                    let (Number::Int(int), length) = number(rest)? else { return None };
                    columns.get_mut(column as usize)?.push_int(int)?;
                    rest = rest.get(length..)?;
                }
                Take::Number(column) => {
                    let (number, length) = number(rest)?;
                    columns.get_mut(column as usize)?.push_any(number.into(), texts);
                    rest = rest.get(length..)?;
                }
                Take::Skip => rest = value::<LINES>(rest, total, step.depth)?.1,
                Take::Token(token) => {
                    let (value, behind) = value::<LINES>(rest, total, step.depth)?;
                    *tokens.get_mut(token as usize)? = value;
                    rest = behind;
                }
            }
            rest = step.behind.strip(rest)?;
        }
        Some(rest)
    }
}

/// The constant text that gives the type, with its quotes.
fn type_text(token: Token, text: &str) -> Option<Vec<u8>> {
    let (start, length) = token.span();
    let inside = &text.as_bytes()[start as usize..(start + length) as usize];
    (token.kind == Kind::Text).then(|| [b"\"", inside, b"\""].concat())
}

impl Recipe {
    /// What a template does with a token of this kind; steps that it takes over are gone from the recipe.
    fn take(&mut self, token: u32, kind: Kind) -> Take {
        let tells_time = self.time == Some(token) || self.times.contains(&token);
        let steps = self.steps.iter().filter(|step| step.token == token).count();
        let step = self.steps.iter().find(|step| step.token == token).copied();
        let number = matches!(kind, Kind::Int | Kind::Float);
        let take = match step {
            _ if tells_time || steps > 1 => return Take::Token(token),
            None if kind == Kind::Text => return Take::SkipText,
            None if number => return Take::SkipNumber,
            None => return Take::Skip,
            Some(step) => match (step.action, step.column) {
                (Action::Str, NO_COLUMN) if kind == Kind::Text => Take::SkipText,
                (Action::Float, NO_COLUMN) if number => Take::SkipNumber,
                (_, NO_COLUMN) => return Take::Token(token),
                (Action::Str | Action::Any, column) if kind == Kind::Text => Take::Text(column),
                (Action::Float, column) if number => Take::Float(column),
                (Action::Int, column) if number => Take::Int(column),
                (Action::Any, column) if number => Take::Number(column),
                _ => return Take::Token(token),
            },
        };
        self.steps = self.steps.iter().copied().filter(|step| step.token != token).collect();
        take
    }
}
