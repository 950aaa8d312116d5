//! Lines of the `.evt` format (docs/language.md), written for people, as JSON.
//!
//! ```text
//! # comment
//! BATCH 1500
//! @100ms SensorReading { sensor: "a", t: 21.5, note: dry and warm }
//! Login("u1", true)
//! {"event_type":"A","data":{"i":1}}
//! ```
//! One line at a time; what a line means for the time of others is the caller's. Invariant: what is written is valid JSON, unless
//! the line was JSON already, which stays as it is.

use crate::eval::text::write_json_string;

const NS_PER_MS: i64 = 1_000_000;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'t> {
    /// Empty, or a comment.
    Nothing,
    /// `BATCH n`: the offset of the events below, ns.
    Batch(i64),
    /// `@offset`, ns, and what follows.
    Event(Option<i64>, &'t str),
}

/// What a line is, without white space around it; `None`: nothing of these.
pub fn content(line: &str) -> Option<Content<'_>> {
    if line.is_empty() || line.starts_with('#') || line.starts_with("//") {
        return Some(Content::Nothing);
    }
    if let Some(offset) = line.strip_prefix("BATCH").and_then(batch) {
        return Some(Content::Batch(offset));
    }
    let Some(rest) = line.strip_prefix('@') else { return Some(Content::Event(None, line)) };
    let (offset, event) = rest.split_once([' ', '\t'])?;
    let digits = offset.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &offset[digits.len()..] {
        "" | "ms" => NS_PER_MS,
        "s" => 1_000 * NS_PER_MS,
        "m" => 60_000 * NS_PER_MS,
        _ => return None,
    };
    Some(Content::Event(Some(whole_number(digits)?.checked_mul(unit)?), event.trim_start()))
}

/// What follows `BATCH`: milliseconds, as ns.
fn batch(rest: &str) -> Option<i64> {
    let offset = rest.strip_prefix([' ', '\t'])?.trim();
    whole_number(offset.strip_suffix(';').unwrap_or(offset).trim_end())?.checked_mul(NS_PER_MS)
}

/// `\d+` in an i64.
fn whole_number(digits: &str) -> Option<i64> {
    let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if all { digits.parse().ok() } else { None }
}

/// Writes an event as `{"event_type":…,"data":{…}}`, with no more than `levels` brackets inside of each other. JSON stays as it
/// is; whether it is valid is found out later. `None`: it is no event; what was written then means nothing.
///
/// ```
/// use rarog_lang::evt::write_event;
///
/// let mut json = String::new();
/// write_event(&mut json, "Login { user: ann, ok: true }", 64);
/// assert_eq!(json, r#"{"event_type":"Login","data":{"user":"ann","ok":true}}"#);
/// ```
pub fn write_event(out: &mut String, event: &str, levels: u32) -> Option<Written> {
    let event = event.strip_suffix(';').map_or(event, str::trim_end);
    if event.starts_with('{') {
        out.push_str(event);
        return Some(Written { too_deep: false });
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name_end = event.find(|c| !is_name(c))?;
    let (name, rest) = event.split_at(name_end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let rest = rest.trim_start();
    let close = match rest.chars().next()? {
        '{' => '}',
        '(' => ')',
        _ => return None,
    };
    out.push_str("{\"event_type\":\"");
    out.push_str(name);
    out.push_str("\",\"data\":{");
    let mut fields = Fields { text: &rest[1..], close, levels, too_deep: false };
    fields.write(out)?;
    out.push_str("}}");
    Some(Written { too_deep: fields.too_deep })
}

/// An event that has become JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// An array nests deeper than the limit; it must not pass for a text.
    pub too_deep: bool,
}

/// What is left of the fields of an event.
struct Fields<'t> {
    text: &'t str,
    close: char,
    /// Brackets inside of each other at the most.
    levels: u32,
    too_deep: bool,
}

impl<'t> Fields<'t> {
    fn write(&mut self, out: &mut String) -> Option<()> {
        let mut count = 0;
        loop {
            self.text = self.text.trim_start();
            if self.text.is_empty() || self.skip(self.close) {
                return self.text.trim_end().is_empty().then_some(());
            }
            if count > 0 {
                out.push(',');
            }
            match self.close {
                '}' => self.key(out)?,
                _ => out.push_str(&format!("\"field_{count}\"")),
            }
            out.push(':');
            self.value(out, 3)?;
            count += 1;
            self.text = self.text.trim_start();
            if !self.skip(',') && !self.text.is_empty() && !self.text.starts_with(self.close) {
                return None;
            }
        }
    }

    fn skip(&mut self, character: char) -> bool {
        match self.text.strip_prefix(character) {
            Some(rest) => {
                self.text = rest;
                true
            }
            None => false,
        }
    }

    /// A name or a quoted text, and the colon.
    fn key(&mut self, out: &mut String) -> Option<()> {
        if let Some((key, rest)) = quoted(self.text) {
            self.text = rest.trim_start().strip_prefix(':')?;
            write_json_string(out, &key);
            return Some(());
        }
        let (key, rest) = self.text.split_once(':')?;
        let key = key.trim();
        if key.is_empty() || key.contains([',', '{', '}', '[', ']', '(', ')', '"', '\'']) {
            return None;
        }
        self.text = rest;
        write_json_string(out, key);
        Some(())
    }

    /// A value inside of `depth` brackets of the JSON to be.
    fn value(&mut self, out: &mut String, depth: u32) -> Option<()> {
        self.text = self.text.trim_start();
        if self.text.starts_with('[')
            && let Some(()) = self.array(out, depth)
        {
            return Some(());
        }
        if let Some((text, rest)) = quoted(self.text)
            && self.is_end(rest)
        {
            self.text = rest;
            write_json_string(out, &text);
            return Some(());
        }
        let (text, rest) = self.bare();
        self.text = rest;
        match text {
            "true" | "false" | "null" => out.push_str(text),
            "nil" => out.push_str("null"),
            _ => match number(text) {
                Some(number) => out.push_str(&number),
                None => write_json_string(out, text),
            },
        }
        Some(())
    }

    /// Does a value end here?
    fn is_end(&self, rest: &str) -> bool {
        let rest = rest.trim_start();
        rest.is_empty() || rest.starts_with([',', self.close])
    }

    /// `[…]` with values of all kinds; as it was if it is not one.
    fn array(&mut self, out: &mut String, depth: u32) -> Option<()> {
        let (before, written) = (self.text, out.len());
        let mut inside = Fields { text: &self.text[1..], close: ']', levels: self.levels, too_deep: false };
        let done = inside.items(out, depth).filter(|()| self.is_end(inside.text));
        self.too_deep |= inside.too_deep;
        match done {
            Some(()) => self.text = inside.text,
            None => {
                self.text = before;
                out.truncate(written);
            }
        }
        done
    }

    fn items(&mut self, out: &mut String, depth: u32) -> Option<()> {
        if depth > self.levels {
            self.too_deep = true;
            return None;
        }
        out.push('[');
        let mut count = 0;
        loop {
            self.text = self.text.trim_start();
            if self.skip(']') {
                out.push(']');
                return Some(());
            }
            if count > 0 {
                out.push(',');
            }
            self.value(out, depth + 1)?;
            count += 1;
            self.text = self.text.trim_start();
            if !self.skip(',') && !self.text.starts_with(']') {
                return None;
            }
        }
    }

    /// Text up to a comma or the closing bracket, those in brackets of its own aside.
    fn bare(&self) -> (&'t str, &'t str) {
        let mut open = 0_u32;
        for (at, character) in self.text.char_indices() {
            match character {
                ',' if open == 0 => return self.cut(at),
                c if c == self.close && open == 0 => return self.cut(at),
                '{' | '[' | '(' => open += 1,
                '}' | ']' | ')' => open = open.saturating_sub(1),
                _ => {}
            }
        }
        self.cut(self.text.len())
    }

    fn cut(&self, at: usize) -> (&'t str, &'t str) {
        let (text, rest) = self.text.split_at(at);
        (text.trim_end(), rest)
    }
}

/// A text in quotes, and what follows it: `\n \t \r`, else `\c` is c.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut out = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => out.push(match characters.next()?.1 {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            }),
            c if c == quote => return Some((out, &text[at + 1..])),
            c => out.push(c),
        }
    }
    None
}

/// An int or float as JSON writes it.
fn number(text: &str) -> Option<String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(mantissa),
    };
    let exponent_fits = exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)));
    if !mantissa_fits || !exponent_fits {
        return None;
    }
    let zeros = unsigned.len() - unsigned.trim_start_matches('0').len();
    // JSON has no zeros in front, but the one of `0` and `0.5`.
    let from = if unsigned[zeros..].starts_with(|c: char| c.is_ascii_digit()) { zeros } else { zeros - 1 };
    let sign = if text.starts_with('-') { "-" } else { "" };
    Some(format!("{sign}{}", &unsigned[from..]))
}
