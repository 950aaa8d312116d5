//! Sequences of keys as producers write them, learned while reading: a tree whose edges are the bytes between two values
//! (separator, key, colon, whitespace), so that a key that came before in this place costs one comparison.
//!
//! ```text
//! {"type": ── ,"ts": ── ,"sensor_id": ── ,"seq": ── }
//!                   └── ,"user": ── }
//! ```
//! Only bytes that were valid JSON when they were learned are in the tree, so that what matches needs no second look.

use super::recipe::Recipe;
use super::string::{string, unescape};
use super::tables::{DATA, EVENT_TYPE, KeyId, TYPE, Tables};
use super::token::{behind, blank, first};

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
    /// The value of `data`. If it is an object, the walk goes on at the next node in number, its [`What::Open`].
    Data,
    /// The same bytes before an object, which holds the fields; the bracket belongs to the next node.
    Open,
    /// The object with the fields has ended.
    Close,
    /// The record has ended: number of its [`End`].
    End(u32),
}

/// One step of a sequence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    head: u128,
    mask: u128,
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

/// A sequence with its bytes.
pub(super) struct Path {
    /// What each node is, and its bytes.
    pub nodes: Vec<(What, Vec<u8>)>,
    /// As in [`End`].
    pub event_type: Option<u32>,
    /// As in [`End`].
    pub kind: Option<u32>,
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
        let what = What::Close;
        let root = Node { head: 0, mask: 0, len: 0, tail: 0, child: ROOT, sibling: ROOT, parent: ROOT, what };
        Paths { nodes: vec![root], tails: Vec::new(), ends: Vec::new(), recipes: 0 }
    }
}

/// The first bytes, those behind the end as 0.
#[inline(always)]
fn head(rest: &[u8]) -> u128 {
    match rest.first_chunk::<HEAD>() {
        Some(head) => u128::from_le_bytes(*head),
        None => short_head(rest),
    }
}

#[cold]
fn short_head(rest: &[u8]) -> u128 {
    rest.iter().rev().fold(0, |head, byte| head << 8 | u128::from(*byte))
}

/// The tree as it is now.
#[derive(Clone, Copy)]
pub(super) struct Known<'p> {
    nodes: &'p [Node],
    tails: &'p [u8],
}

impl<'p> Known<'p> {
    /// The child of a node that `rest` begins with.
    #[inline(always)]
    pub fn find(self, here: u32, rest: &[u8]) -> Option<(u32, &'p Node)> {
        let head = head(rest);
        let mut at = self.nodes.get(here as usize)?.child;
        loop {
            let node = self.nodes.get(at as usize)?;
            if (head ^ node.head) & node.mask == 0 && (node.len as usize <= HEAD || self.tail_matches(node, rest)) {
                // The root matches everything, as it has no bytes.
                return (at != ROOT).then_some((at, node));
            }
            at = node.sibling;
        }
    }

    #[inline(never)]
    fn tail_matches(self, node: &Node, rest: &[u8]) -> bool {
        let tail = &self.tails[node.tail as usize..][..node.len as usize - HEAD];
        rest.get(HEAD..node.len as usize) == Some(tail)
    }
}

impl Paths {
    /// Forgets everything if there is too much of it, and says whether it did. Only between records.
    #[inline(always)]
    pub fn bound(&mut self) -> bool {
        let full = self.nodes.len() + self.recipes > NODES_LIMIT;
        if full {
            *self = Paths::default();
        }
        full
    }

    /// What is known.
    #[inline(always)]
    pub fn known(&self) -> Known<'_> {
        Known { nodes: &self.nodes, tails: &self.tails }
    }

    /// Reads what `rest` begins with behind `here` and makes a node of it; false: it is not valid. `opening`: the bracket
    /// of an object comes first; `inside`: this object is in `data`.
    #[cold]
    pub fn learn<const LINES: bool>(
        &mut self,
        (here, opening, inside): (u32, bool, bool),
        rest: &[u8],
        tables: &Tables,
    ) -> bool {
        let read = || {
            let mut ahead = blank::<LINES>(rest);
            if opening {
                ahead = blank::<LINES>(ahead.strip_prefix(b"{")?);
            }
            if first(ahead) == b'}' {
                let what = if inside { What::Close } else { What::End(self.ends.len() as u32) };
                return Some((behind(ahead, 1), what));
            }
            if !opening {
                ahead = blank::<LINES>(ahead.strip_prefix(b",")?);
            }
            let (key, ahead) = key::<LINES>(ahead, tables)?;
            Some((ahead, if key == DATA && !inside { What::Data } else { What::Value(key) }))
        };
        let Some((ahead, what)) = read() else { return false };
        self.add(here, &rest[..rest.len() - ahead.len()], what);
        true
    }

    fn add(&mut self, here: u32, raw: &[u8], what: What) {
        let at = self.nodes.len() as u32;
        let mask = u128::MAX >> (8 * HEAD.saturating_sub(raw.len()));
        let tail = self.tails.len() as u32;
        self.tails.extend_from_slice(raw.get(HEAD..).unwrap_or_default());
        let head = head(raw) & mask;
        let node = Node { head, mask, len: raw.len() as u32, tail, child: ROOT, sibling: ROOT, parent: here, what };
        self.nodes.push(node);
        self.append_child(here, at);
        if what == What::Data {
            self.nodes.push(Node { what: What::Open, ..node });
        }
        if let What::End(_) = what {
            let tokens = self.tokens(at);
            let last = |key| {
                let of_key = |(_, token): &(u32, &PathToken)| token.key == key && token.inside.is_none();
                (0..).zip(&tokens).filter(of_key).last().map(|(index, _)| index)
            };
            let (event_type, kind) = (last(EVENT_TYPE), last(TYPE));
            self.ends.push(End { node: at, event_type, kind, recipes: Vec::new() });
        }
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

    /// The nodes from the root to this one.
    fn way(&self, at: u32) -> Vec<&Node> {
        let mut way = Vec::new();
        let mut node = at;
        while node != ROOT {
            way.push(&self.nodes[node as usize]);
            node = self.nodes[node as usize].parent;
        }
        way.reverse();
        way
    }

    /// The tokens of the sequence that leads to a node, in order.
    fn tokens(&self, at: u32) -> Vec<PathToken> {
        let mut tokens = Vec::new();
        let mut inside = None;
        for node in self.way(at) {
            match node.what {
                What::Value(key) => tokens.push(PathToken { key, inside, opens: false }),
                What::Data => tokens.push(PathToken { key: DATA, inside: None, opens: false }),
                What::Open => {
                    inside = Some(tokens.len() as u32);
                    tokens.push(PathToken { key: DATA, inside: None, opens: true });
                }
                What::Close => inside = None,
                What::End(_) => {}
            }
        }
        tokens
    }

    /// The sequence that leads to an end.
    #[cold]
    pub fn path(&self, end: u32) -> Path {
        let End { node, event_type, kind, .. } = self.ends[end as usize];
        let nodes = self.way(node).into_iter().map(|node| {
            let mut bytes = node.head.to_le_bytes()[..HEAD.min(node.len as usize)].to_vec();
            bytes.extend_from_slice(&self.tails[node.tail as usize..][..(node.len as usize).saturating_sub(HEAD)]);
            (node.what, bytes)
        });
        Path { nodes: nodes.collect(), event_type, kind }
    }

    /// An end by its number.
    #[inline(always)]
    pub fn end(&self, end: u32) -> &End {
        &self.ends[end as usize]
    }

    /// The recipe that was used last at an end.
    pub fn last_recipe(&mut self, end: u32) -> Option<&mut Recipe> {
        self.ends[end as usize].recipes.first_mut()
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

/// The key at the start, and what is behind its colon and the whitespace that follows.
fn key<'t, const LINES: bool>(rest: &'t [u8], tables: &Tables) -> Option<(KeyId, &'t [u8])> {
    let inside = rest.strip_prefix(b"\"")?;
    let (length, escaped) = string(inside)?;
    let colon = blank::<LINES>(behind(inside, length + 1));
    let ahead = blank::<LINES>(colon.strip_prefix(b":")?);
    let name = std::str::from_utf8(&inside[..length]).ok()?;
    let key = if escaped {
        let mut unescaped = String::new();
        unescape(name, &mut unescaped);
        tables.key(&unescaped)
    } else {
        tables.key(name)
    };
    Some((key, ahead))
}
