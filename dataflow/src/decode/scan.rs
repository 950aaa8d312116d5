//! One pass over a record: its keys are looked up in the learned sequences, its values become tokens.

use super::paths::{Paths, ROOT, What};
use super::recipe::Recipe;
use super::string::unescape;
use super::tables::Tables;
use super::token::{Kind, Token, blank, byte, value};

/// What is kept between chunks: learned sequences and buffers.
#[derive(Default)]
pub(super) struct Scanner {
    pub paths: Paths,
    pub tokens: Vec<Token>,
}

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

impl Scanner {
    /// Reads the object at `start`; `None`: there is none that is valid.
    #[inline(always)]
    pub fn record<const LINES: bool>(&mut self, text: &str, start: usize, tables: &Tables) -> Option<Scanned> {
        let bytes = text.as_bytes();
        self.paths.bound();
        self.tokens.clear();
        let (mut here, mut pos) = (ROOT, start);
        // The token of the `data` object that is open, and whether its bracket comes next.
        let (mut data, mut opening) = (None, false);
        loop {
            let (at, node) = match self.paths.find(here, bytes, pos) {
                Some(found) => found,
                None => {
                    let first = here == ROOT || opening;
                    self.paths.learn::<LINES>((here, first, data.is_some()), text, pos, tables)?
                }
            };
            here = at;
            pos += node.len as usize;
            match node.what {
                What::Data if byte(bytes, pos) == b'{' => {
                    (data, opening) = (Some((self.tokens.len(), pos)), true);
                    self.tokens.push(Token::spanning(Kind::Nested, pos, pos));
                    continue;
                }
                What::Value(_) | What::Data => {
                    let depth = 1 + u32::from(data.is_some());
                    let (token, end) = value::<LINES>(bytes, pos, depth)?;
                    self.tokens.push(token);
                    pos = end;
                }
                What::Close => {
                    if let Some((index, from)) = data.take() {
                        self.tokens[index] = Token::spanning(Kind::Nested, from, pos);
                    }
                }
                What::End(end) => {
                    let after = if byte(bytes, pos) == b'\n' && LINES { pos } else { blank::<LINES>(bytes, pos) };
                    return Some(Scanned { end, closed: pos, after });
                }
            }
            opening = false;
        }
    }
}

impl Scanner {
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
