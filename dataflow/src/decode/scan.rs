//! One pass over a record: its keys are looked up in the learned sequences, its values become tokens.

use super::paths::{Known, Paths, ROOT, What};
use super::recipe::Recipe;
use super::string::unescape;
use super::tables::Tables;
use super::template::Template;
use super::token::{Kind, Token, behind, blank, first, value};
use super::tries::Order;

/// What is kept between chunks: learned sequences and buffers.
#[derive(Default)]
pub(super) struct Scanner {
    pub paths: Paths,
    /// Those of the record that was read last; what is behind them is left from others.
    pub tokens: Vec<Token>,
    /// What the records look like that came so far.
    pub templates: Vec<Template>,
    /// How they are tried.
    pub order: Order,
}

/// Templates kept at the most.
const TEMPLATES_LIMIT: usize = 32;

/// A record that is valid JSON and an object.
#[derive(Clone, Copy)]
pub(super) struct Scanned {
    /// How its keys ended: see [`Paths::end`].
    pub end: u32,
    /// Behind its closing bracket.
    pub closed: usize,
    /// Behind the whitespace that follows.
    pub after: usize,
}

/// Where a record is being read.
struct Walk<'t> {
    rest: &'t [u8],
    /// Length of the whole text.
    total: usize,
    /// The node that was matched last.
    here: u32,
    /// Tokens so far.
    count: usize,
    /// The token of the `data` object that is open.
    data: Option<usize>,
    /// The bracket of an object comes next.
    opening: bool,
}

/// Why a walk has stopped.
enum Stop {
    /// Something new is ahead.
    Unknown,
    /// There is no room for another token.
    Full,
    /// Not valid.
    Invalid,
    /// The record has ended: number of its end.
    Ended(u32),
}

impl Walk<'_> {
    /// Follows what is known.
    #[inline(always)]
    fn walk<const LINES: bool>(&mut self, known: Known<'_>, tokens: &mut [Token]) -> Stop {
        let (mut rest, mut here, mut count) = (self.rest, self.here, self.count);
        let stop = loop {
            let Some((at, node)) = known.find(here, rest) else { break Stop::Unknown };
            let mut ahead = behind(rest, node.len as usize);
            if first(ahead) <= b' ' && matches!(node.what, What::Value(_) | What::Data) {
                // The same key came with less whitespace behind it before.
                ahead = blank::<LINES>(ahead);
            }
            match node.what {
                What::End(end) => {
                    rest = ahead;
                    break Stop::Ended(end);
                }
                What::Close => {
                    if let Some(index) = self.data.take() {
                        let (start, _) = tokens[index].span();
                        let length = self.total - ahead.len() - start as usize;
                        tokens[index] = Token::spanning(Kind::Nested, start as usize, length);
                    }
                    rest = ahead;
                }
                What::Data if first(ahead) == b'{' => {
                    let Some(place) = tokens.get_mut(count) else { break Stop::Full };
                    *place = Token::spanning(Kind::Nested, self.total - ahead.len(), 0);
                    self.data = Some(count);
                    self.opening = true;
                    (rest, here, count) = (ahead, at + 1, count + 1);
                    continue;
                }
                What::Value(_) | What::Data | What::Open => {
                    let Some(place) = tokens.get_mut(count) else { break Stop::Full };
                    let depth = 1 + u32::from(self.data.is_some());
                    let Some((token, behind)) = value::<LINES>(ahead, self.total, depth) else { break Stop::Invalid };
                    *place = token;
                    (rest, count) = (behind, count + 1);
                }
            }
            here = at;
            self.opening = false;
        };
        (self.rest, self.here, self.count) = (rest, here, count);
        stop
    }
}

impl Scanner {
    /// Reads the object that `rest`, the end of a text of `total` bytes, begins with; `None`: there is none that is valid.
    #[inline(never)]
    pub fn record<const LINES: bool>(&mut self, rest: &[u8], total: usize, tables: &Tables) -> Option<Scanned> {
        if self.paths.bound() {
            self.templates.clear();
            self.order.clear();
        }
        let mut walk = Walk { rest, total, here: ROOT, count: 0, data: None, opening: true };
        loop {
            match walk.walk::<LINES>(self.paths.known(), &mut self.tokens) {
                Stop::Ended(end) => {
                    let closed = total - walk.rest.len();
                    let after = if LINES && first(walk.rest) == b'\n' { walk.rest } else { blank::<LINES>(walk.rest) };
                    return Some(Scanned { end, closed, after: total - after.len() });
                }
                Stop::Unknown => {
                    let place = (walk.here, walk.opening, walk.data.is_some());
                    if !self.paths.learn::<LINES>(place, walk.rest, tables) {
                        return None;
                    }
                }
                Stop::Full => {
                    let room = self.tokens.len().max(32) * 2;
                    self.tokens.resize(room, Token::NONE);
                }
                Stop::Invalid => return None,
            }
        }
    }
}

impl Scanner {
    /// Makes a template of the record that has just been taken by the last recipe of its end, if there is none yet.
    #[inline(always)]
    pub fn template(&mut self, end: u32, text: &str, tables: &Tables) {
        if self.templates.len() < TEMPLATES_LIMIT && self.paths.last_recipe(end).is_some_and(|recipe| !recipe.templated)
        {
            self.add_template(end, text, tables);
        }
    }

    #[cold]
    fn add_template(&mut self, end: u32, text: &str, tables: &Tables) {
        let path = self.paths.path(end);
        let Some(recipe) = self.paths.last_recipe(end) else { return };
        recipe.templated = true;
        if let Some(template) = Template::of(&path, &self.tokens, text, recipe, tables) {
            self.templates.push(template);
            self.order.push();
        }
    }

    /// The input of the record whose tokens are here (`None`: no stream reads its type, nor is it declared) and the key
    /// that gave its type; `None`: nothing gives it one.
    #[inline(always)]
    pub fn input(&self, end: u32, text: &str, topic: Option<&str>, tables: &Tables) -> Option<(Option<u32>, u8)> {
        let end = self.paths.end(end);
        let text_of =
            |token: Option<u32>| token.map(|index| self.tokens[index as usize]).filter(|token| token.is_text());
        let (token, type_key) = match (text_of(end.event_type), text_of(end.kind)) {
            (Some(token), _) => (token, 1),
            (None, Some(token)) => (token, 2),
            (None, None) => {
                let topic = topic.filter(|topic| !topic.is_empty())?;
                return Some((tables.input(topic), 0));
            }
        };
        let (start, len) = token.span();
        let name = &text[start as usize..(start + len) as usize];
        if token.kind == Kind::Escaped {
            let mut unescaped = String::new();
            unescape(name, &mut unescaped);
            return Some((tables.input(&unescaped), type_key));
        }
        if let Some(Recipe { input: Some(input), .. }) = end.recipes.first()
            && *tables.inputs[*input as usize].event == *name
        {
            return Some((Some(*input), type_key));
        }
        Some((tables.input(name), type_key))
    }
}
