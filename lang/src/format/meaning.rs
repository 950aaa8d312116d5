//! Do two trees say the same, wherever their parts stand?

use crate::ast::Program;
use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hasher};

/// A number that is the same for trees that differ in places only.
pub(super) fn fingerprint(program: &Program) -> u64 {
    let mut filter = Filter { hasher: DefaultHasher::new(), state: 0 };
    write!(filter, "{program:?}").expect("hashing cannot fail");
    filter.hasher.finish()
}

/// How a place begins in the debugging form.
const PLACE: &[u8] = b"Span {";

/// Hashes what is written to it, without `Span { … }`.
struct Filter {
    hasher: DefaultHasher,
    /// How much of [`PLACE`] was read; all of it while inside of one.
    state: usize,
}

impl Write for Filter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.state == PLACE.len() {
                self.state = if byte == b'}' { 0 } else { self.state };
            } else if byte == PLACE[self.state] {
                self.state += 1;
            } else {
                self.hasher.write(&PLACE[..self.state]);
                self.state = usize::from(byte == PLACE[0]);
                if self.state == 0 {
                    self.hasher.write_u8(byte);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::parse;

    #[test]
    fn only_places_make_no_difference() {
        let print = |text| fingerprint(&parse(text, 0).0);
        assert_eq!(print("let a = (b + SSpan)"), print("\n\nlet  a=b+SSpan"));
        assert_ne!(print("let a = b + SSpan"), print("let a = b + SSpam"));
        assert_ne!(print("let a = 'Sp'"), print("let a = 'S'"));
    }
}
