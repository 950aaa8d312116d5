//! The entries of an object that has been validated before, one after the other, without building values.

use super::string::string;
use super::token::{Token, behind, blank, value};

/// Entries of an object: keys as they stand there, and tokens whose spans are places in its text.
pub(crate) struct Entries<'t> {
    text: &'t str,
    rest: &'t [u8],
    plain: bool,
}

/// The entries of the object that the text is.
pub(crate) fn entries(text: &str) -> Entries<'_> {
    let rest = behind(blank::<false>(text.as_bytes()), 1);
    Entries { text, rest: blank::<false>(rest), plain: true }
}

impl Entries<'_> {
    /// Was everything as expected so far, and no key escaped?
    pub fn is_plain(&self) -> bool {
        self.plain
    }
}

impl<'t> Iterator for Entries<'t> {
    type Item = (&'t str, Token);

    fn next(&mut self) -> Option<(&'t str, Token)> {
        let inside = self.rest.strip_prefix(b"\"")?;
        let read = |text: &'t str| {
            let (length, _) = string(inside).filter(|(_, escaped)| !escaped)?;
            let colon = blank::<false>(behind(inside, length + 1));
            let ahead = blank::<false>(colon.strip_prefix(b":")?);
            let (token, ahead) = value::<false>(ahead, text.len(), 1)?;
            let start = text.len() - inside.len();
            let ahead = blank::<false>(ahead);
            let ahead = ahead.strip_prefix(b",").map_or(ahead, blank::<false>);
            Some((&text[start..start + length], token, ahead))
        };
        let Some((key, token, ahead)) = read(self.text) else {
            self.plain = false;
            return None;
        };
        self.rest = ahead;
        Some((key, token))
    }
}
