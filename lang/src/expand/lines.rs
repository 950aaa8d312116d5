//! The lines of a text as far as `for` templates care: where they begin, how deep they stand, and whether they say anything.
//!
//! It knows strings and comments like the lexer does, and nothing else.

/// What a line is to templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing, or comments only.
    Blank,
    /// It begins inside a block comment.
    Inside,
    /// It begins with a token.
    Code,
}

/// One line.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// First byte.
    pub start: usize,
    /// One past its line break.
    pub end: usize,
    /// Bytes of blanks and tabs that it begins with.
    pub indent: usize,
    /// What it is.
    pub content: Content,
}

/// Splits `text`, from byte `from` on, into lines.
pub fn split(text: &str, from: usize) -> Vec<Line> {
    let bytes = text.as_bytes();
    let mut lines = Vec::new();
    let mut start = from;
    let mut in_comment = false;
    while start < bytes.len() {
        let end =
            start + bytes[start..].iter().position(|byte| *byte == b'\n').map_or(bytes.len() - start, |at| at + 1);
        let line = &bytes[start..end];
        let indent = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let began_inside = in_comment;
        let has_code = scan(line, &mut in_comment);
        let content = match (began_inside, has_code) {
            (true, _) => Content::Inside,
            (false, true) => Content::Code,
            (false, false) => Content::Blank,
        };
        lines.push(Line { start, end, indent, content });
        start = end;
    }
    lines
}

/// Follows comments and strings through one line; says whether there is anything else.
fn scan(line: &[u8], in_comment: &mut bool) -> bool {
    let mut has_code = false;
    let mut at = 0;
    while at < line.len() {
        if *in_comment {
            match line[at..].windows(2).position(|pair| pair == b"*/") {
                Some(length) => at += length + 2,
                None => return has_code,
            }
            *in_comment = false;
            continue;
        }
        match line[at] {
            b'#' => return has_code,
            b'/' if line.get(at + 1) == Some(&b'/') => return has_code,
            b'/' if line.get(at + 1) == Some(&b'*') => {
                *in_comment = true;
                at += 2;
            }
            quote @ (b'"' | b'\'') => {
                has_code = true;
                at = after_string(line, at + 1, quote);
            }
            byte => {
                has_code |= !matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
                at += 1;
            }
        }
    }
    has_code
}

fn after_string(line: &[u8], mut at: usize, quote: u8) -> usize {
    while at < line.len() && line[at] != quote {
        at += if line[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_told_apart() {
        let text = "a /* b\n c */ d\n  # e\n'/*' f\n\"\\\"/*\"\n\n// /*\nz";
        let contents: Vec<_> = split(text, 0).iter().map(|line| line.content).collect();
        use Content::{Blank, Code, Inside};
        assert_eq!(contents, [Code, Inside, Blank, Code, Code, Blank, Blank, Code]);
    }
}
