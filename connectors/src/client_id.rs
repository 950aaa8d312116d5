//! The MQTT client ids of a run: the same for every run of one name, within what brokers accept.
//!
//! Invariant: a client id consists of `[A-Za-z0-9-]`, is at most [`MAX_LENGTH`] characters long,
//! and two different (name, connector, end) give two different ids.

/// The longest client id that is made.
pub const MAX_LENGTH: usize = 64;

/// Length of the suffix that keeps shortened or altered ids apart.
const SUFFIX_LENGTH: usize = 13;

/// Which end of a connector a client id is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Messages come in.
    Source,
    /// Messages go out.
    Sink,
}

impl End {
    fn text(self) -> &'static str {
        match self {
            End::Source => "src",
            End::Sink => "out",
        }
    }
}

/// The client id `rarog-<name>-<connector>-src|out` of a run.
///
/// Characters outside `[A-Za-z0-9-]` become `-`. An id that was altered, shortened, or whose
/// parts could be read in two ways gets a hash of the original as its suffix.
///
/// ```
/// use rarog_connectors::client_id::{End, for_run};
/// assert_eq!(for_run("", "fraud", "broker", End::Source), "rarog-fraud-broker-src");
/// assert!(for_run("", "fraud", "mqtt_1", End::Sink).starts_with("rarog-fraud-mqtt-1-out-"));
/// ```
pub fn for_run(prefix: &str, name: &str, connector: &str, end: End) -> String {
    let end = end.text();
    let plain = format!("{prefix}rarog-{name}-{connector}-{end}");
    let clean: String = plain.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let ambiguous = name.contains('-') || connector.contains('-');
    if clean == plain && clean.len() <= MAX_LENGTH && !ambiguous {
        return clean;
    }
    let hash = fnv1a([prefix, name, connector, end]);
    let room = MAX_LENGTH - SUFFIX_LENGTH - 1;
    format!("{}-{}", &clean[..clean.len().min(room)], base32(hash))
}

/// FNV-1a over the parts, with a separator that no part can contain as UTF-8.
fn fnv1a(parts: [&str; 4]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.bytes().chain([0xFF]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

/// Thirteen characters that hold 64 bits.
fn base32(mut value: u64) -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    (0..SUFFIX_LENGTH)
        .map(|_| {
            let digit = DIGITS[(value & 31) as usize];
            value >>= 5;
            char::from(digit)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_clean_short_and_stable() {
        let long = "n".repeat(200);
        for (name, connector) in [("a b", "c"), (long.as_str(), "c"), ("ż", "ó"), ("", "")] {
            let id = for_run("", name, connector, End::Source);
            assert!(id.len() <= MAX_LENGTH, "{id}");
            assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{id}");
            assert_eq!(id, for_run("", name, connector, End::Source));
        }
    }

    #[test]
    fn different_parts_give_different_ids() {
        let ids = [
            for_run("", "a", "b", End::Source),
            for_run("", "a", "b", End::Sink),
            for_run("", "a_1", "b", End::Source),
            for_run("", "a-1", "b", End::Source),
            for_run("", "a", "1-b", End::Source),
            for_run("", "a 1", "b", End::Source),
            for_run("p", "a", "b", End::Source),
            for_run("", &"x".repeat(80), "b", End::Source),
            for_run("", &"x".repeat(81), "b", End::Source),
        ];
        let distinct: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }
}
