//! Sequences of keys as producers write them, learned while reading: a tree whose edges are the bytes between two values
//! (separator, key, colon, whitespace), so that a key that came before in this place costs one comparison.
//!
//! ```text
//! {"type": ── ,"ts": ── ,"sensor_id": ── ,"seq": ── }
//!                   └── ,"user": ── }
//! ```
//! Only bytes that were valid JSON when they were learned are in the tree, so that what matches needs no second look.

use super::number::word;
use super::recipe::Recipe;
use super::string::{string, unescape};
use super::tables::{DATA, EVENT_TYPE, KeyId, TYPE, Tables};
use super::token::{blank, byte};

/// The root, and at the same time "no node".
pub(super) const ROOT: u32 = 0;
/// Bytes that are compared as words.
const HEAD: usize = 16;
/// The tree is forgotten at the next record when it has more nodes and recipes than this.
const NODES_LIMIT: usize = 4096;

/// What stands behind the bytes of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A value; of this key.
    Value(KeyId),
    /// The value of `data`. If it is an object, it holds the fields, and the next node begins with its bracket.
    Data,
    /// The object with the fields has ended.
    Close,
    /// The record has ended: number of its [`End`].
    End(u32),
}

/// One step of a sequence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    head: [u64; 2],
    mask: [u64; 2],
    /// How many bytes it has; those behind the head are in `Paths::tails` from `tail` on.
    pub len: u32,
    tail: u32,
    child: u32,
    sibling: u32,
    parent: u32,
    pub what: What,
}

/// A token of a sequence: its key, and the token of the `data` object that it stands in.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathToken {
    pub key: KeyId,
    pub inside: Option<u32>,
    /// Is it a `data` that is an object?
    pub opens: bool,
}

/// What is known of records that took this way to their last byte.
#[derive(Debug)]
pub(super) struct End {
    node: u32,
    /// Last token of `event_type` beside `data`.
    pub event_type: Option<u32>,
    /// Last token of `type` beside `data`.
    pub kind: Option<u32>,
    /// One per input and key of the type that came this way; the one that was used last comes first.
    pub recipes: Vec<Recipe>,
}

/// The tree.
#[derive(Debug)]
pub(super) struct Paths {
    nodes: Vec<Node>,
    tails: Vec<u8>,
    ends: Vec<End>,
    /// Recipes made.
    recipes: usize,
}

impl Default for Paths {
    fn default() -> Paths {
        let [head, mask] = [[0; 2]; 2];
        let what = What::Close;
        let root = Node { head, mask, len: 0, tail: 0, child: ROOT, sibling: ROOT, parent: ROOT, what };
        Paths { nodes: vec![root], tails: Vec::new(), ends: Vec::new(), recipes: 0 }
    }
}

/// First bytes from a position.
#[inline(always)]
fn head(bytes: &[u8], pos: usize) -> [u64; 2] {
    match bytes.get(pos..pos + HEAD) {
        Some(head) => {
            let (low, high) = head.split_at(8);
            let of = |half: &[u8]| u64::from_le_bytes(half.try_into().expect("a half of sixteen bytes is eight"));
            [of(low), of(high)]
        }
        None => [word(bytes, pos), word(bytes, pos + 8)],
    }
}

impl Paths {
    /// Forgets everything if there is too much of it. Only between records.
    #[inline(always)]
    pub fn bound(&mut self) {
        if self.nodes.len() + self.recipes > NODES_LIMIT {
            *self = Paths::default();
        }
    }

    /// The child of `here` whose bytes come at `pos`, with its number.
    #[inline(always)]
    pub fn find(&self, here: u32, bytes: &[u8], pos: usize) -> Option<(u32, Node)> {
        let [low, high] = head(bytes, pos);
        let mut at = self.nodes[here as usize].child;
        while at != ROOT {
            let node = &self.nodes[at as usize];
            let differing = ((low ^ node.head[0]) & node.mask[0]) | ((high ^ node.head[1]) & node.mask[1]);
            if differing == 0 && (node.len as usize <= HEAD || self.tail_matches(node, bytes, pos)) {
                return Some((at, *node));
            }
            at = node.sibling;
        }
        None
    }

    #[inline(never)]
    fn tail_matches(&self, node: &Node, bytes: &[u8], pos: usize) -> bool {
        let tail = &self.tails[node.tail as usize..][..node.len as usize - HEAD];
        bytes.get(pos + HEAD..pos + node.len as usize) == Some(tail)
    }

    /// Reads what stands at `pos` behind `here` and makes a node of it; `None`: it is not valid. `first`: behind it comes
    /// the opening bracket of an object; `inside`: this object is in `data`.
    #[cold]
    pub fn learn<const LINES: bool>(
        &mut self,
        (here, first, inside): (u32, bool, bool),
        text: &str,
        pos: usize,
        tables: &Tables,
    ) -> Option<(u32, Node)> {
        let bytes = text.as_bytes();
        let mut end = blank::<LINES>(bytes, pos);
        if first {
            if byte(bytes, end) != b'{' {
                return None;
            }
            end = blank::<LINES>(bytes, end + 1);
        }
        if byte(bytes, end) == b'}' {
            let what = if inside { What::Close } else { What::End(self.ends.len() as u32) };
            return Some(self.add(here, &bytes[pos..=end], what));
        }
        if !first {
            if byte(bytes, end) != b',' {
                return None;
            }
            end = blank::<LINES>(bytes, end + 1);
        }
        let (key, end) = key::<LINES>(text, end, tables)?;
        let what = if key == DATA && !inside { What::Data } else { What::Value(key) };
        Some(self.add(here, &bytes[pos..end], what))
    }

    fn add(&mut self, here: u32, raw: &[u8], what: What) -> (u32, Node) {
        let at = self.nodes.len() as u32;
        let covered = |from: usize| {
            let bytes = (0..8).filter(|byte| from + byte < raw.len());
            bytes.fold(0_u64, |mask, byte| mask | 0xFF << (8 * byte))
        };
        let (head, mask) = (head(raw, 0), [covered(0), covered(8)]);
        let tail = self.tails.len() as u32;
        self.tails.extend_from_slice(raw.get(HEAD..).unwrap_or_default());
        let node = Node { head, mask, len: raw.len() as u32, tail, child: ROOT, sibling: ROOT, parent: here, what };
        self.nodes.push(node);
        self.append_child(here, at);
        if let What::End(_) = what {
            let tokens = self.tokens(at);
            let last = |key| {
                let of_key = |(_, token): &(u32, &PathToken)| token.key == key && token.inside.is_none();
                (0..).zip(&tokens).filter(of_key).last().map(|(index, _)| index)
            };
            let (event_type, kind) = (last(EVENT_TYPE), last(TYPE));
            self.ends.push(End { node: at, event_type, kind, recipes: Vec::new() });
        }
        (at, node)
    }

    /// Behind its siblings, so that what came first is tried first.
    fn append_child(&mut self, here: u32, at: u32) {
        let mut last = self.nodes[here as usize].child;
        if last == ROOT {
            self.nodes[here as usize].child = at;
            return;
        }
        while self.nodes[last as usize].sibling != ROOT {
            last = self.nodes[last as usize].sibling;
        }
        self.nodes[last as usize].sibling = at;
    }

    /// The tokens of the sequence that leads to a node, in order.
    fn tokens(&self, at: u32) -> Vec<PathToken> {
        let mut way = Vec::new();
        let mut node = at;
        while node != ROOT {
            way.push(&self.nodes[node as usize]);
            node = self.nodes[node as usize].parent;
        }
        way.reverse();
        let mut tokens = Vec::new();
        let mut inside = None;
        for (index, node) in way.iter().enumerate() {
            match node.what {
                What::Value(key) => tokens.push(PathToken { key, inside, opens: false }),
                What::Data => {
                    let opens = way.get(index + 1).is_some_and(|next| next.head[0] as u8 == b'{');
                    inside = opens.then_some(tokens.len() as u32);
                    tokens.push(PathToken { key: DATA, inside: None, opens });
                }
                What::Close => inside = None,
                What::End(_) => {}
            }
        }
        tokens
    }

    /// An end by its number.
    #[inline(always)]
    pub fn end(&self, end: u32) -> &End {
        &self.ends[end as usize]
    }

    /// The recipe of an end for an input, made if there is none yet, and put first.
    #[inline(always)]
    pub fn recipe(&mut self, end: u32, input: Option<u32>, type_key: u8, tables: &Tables) -> &Recipe {
        let first = self.ends[end as usize].recipes.first();
        if first.is_none_or(|recipe| recipe.input != input || recipe.type_key != type_key) {
            self.put_first(end, input, type_key, tables);
        }
        &self.ends[end as usize].recipes[0]
    }

    fn put_first(&mut self, end: u32, input: Option<u32>, type_key: u8, tables: &Tables) {
        let known = &self.ends[end as usize].recipes;
        match known.iter().position(|recipe| recipe.input == input && recipe.type_key == type_key) {
            Some(index) => self.ends[end as usize].recipes.swap(0, index),
            None => {
                let tokens = self.tokens(self.ends[end as usize].node);
                let recipe = Recipe::new(tables, input, type_key, &tokens);
                self.recipes += 1;
                self.ends[end as usize].recipes.insert(0, recipe);
            }
        }
    }
}

/// The key at `pos` and the position behind its colon and the whitespace that follows.
fn key<const LINES: bool>(text: &str, pos: usize, tables: &Tables) -> Option<(KeyId, usize)> {
    let bytes = text.as_bytes();
    if byte(bytes, pos) != b'"' {
        return None;
    }
    let (quote, escaped) = string(bytes, pos + 1, bytes.len())?;
    let colon = blank::<LINES>(bytes, quote + 1);
    if byte(bytes, colon) != b':' {
        return None;
    }
    let inside = &text[pos + 1..quote];
    let key = if escaped {
        let mut name = String::new();
        unescape(inside, &mut name);
        tables.key(&name)
    } else {
        tables.key(inside)
    };
    Some((key, blank::<LINES>(bytes, colon + 1)))
}
