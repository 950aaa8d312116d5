//! MQTT topic filters: which subscription a message came for, and which filters overlap.
//!
//! A connection has one queue for all its subscriptions, and nothing on a message says for which of them it came; of a
//! message that two of them match a broker may send one copy or two. Pure.

/// Does a topic match a filter? `+` stands for one level, `#` for the rest, its parent included; wildcards at the front do
/// not reach topics that begin with `$`; of a shared subscription the filter behind the group counts.
pub fn matches(filter: &str, topic: &str) -> bool {
    let filter = plain(filter);
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), _) => return true,
            (Some("+"), Some(_)) => {}
            (Some(level), Some(of_topic)) if level == of_topic => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

/// Does the first filter match every topic that the second one matches? Shared subscriptions cover and are covered by nothing:
/// they get a part of the messages.
pub fn covers(wide: &str, narrow: &str) -> bool {
    if wide == narrow {
        return true;
    }
    if [wide, narrow].iter().any(|filter| filter.starts_with("$share/")) {
        return false;
    }
    if narrow.starts_with('$') && wide.starts_with(['+', '#']) {
        return false;
    }
    let (mut wide, mut narrow) = (wide.split('/'), narrow.split('/'));
    loop {
        match (wide.next(), narrow.next()) {
            (Some("#"), _) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(level), Some(of_narrow)) if level == of_narrow => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

/// Is there a topic that both filters match?
pub fn overlap(a: &str, b: &str) -> bool {
    let (a, b) = (plain(a), plain(b));
    let reaches = |wild: &str, other: &str| !(other.starts_with('$') && wild.starts_with(['+', '#']));
    if !reaches(a, b) || !reaches(b, a) {
        return false;
    }
    let (mut a, mut b) = (a.split('/'), b.split('/'));
    loop {
        match (a.next(), b.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
            (Some(of_a), Some(of_b)) if of_a == of_b => {}
            _ => return false,
        }
    }
}

/// `$share/GROUP/FILTER` without the first two levels.
fn plain(filter: &str) -> &str {
    let shared = filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
    shared.map_or(filter, |(_, filter)| filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_match_as_the_protocol_says() {
        for (filter, topic, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/b", "a", false),
            ("a/+", "a/b", true),
            ("a/+", "a", false),
            ("a/+", "a/", true),
            ("a/+/c", "a/b/c", true),
            ("+/+", "/x", true),
            ("+", "/x", false),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("a/#", "ab", false),
            ("#", "a/b", true),
            ("#", "$SYS/x", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("$share/g/a/+", "a/b", true),
            ("$share/g/a/+", "b/b", false),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
    }

    #[test]
    fn what_a_filter_covers_it_matches() {
        let filters = ["a", "a/b", "a/+", "a/#", "+/b", "+", "#", "a/b/c", "a/+/c", "$SYS/#", "$SYS/x", "+/+", "+/#"];
        let topics = ["a", "a/b", "a/c", "c/b", "b", "a/b/c", "a/x/c", "$SYS/x", "$SYS", "x/y", "a/", "/"];
        for a in filters {
            for b in filters {
                let both = topics.iter().filter(|topic| matches(a, topic) && matches(b, topic)).count();
                let of_b = topics.iter().filter(|topic| matches(b, topic)).count();
                // The topics tell all these filters apart. That every topic has a first level is not made use of.
                assert_eq!(covers(a, b), both == of_b && (a, b) != ("+/#", "#"), "{a} covers {b}");
                assert_eq!(overlap(a, b), both > 0, "{a} and {b}");
            }
        }
        assert!(!covers("#", "$share/g/a") && !covers("$share/g/#", "a") && overlap("$share/g/a", "a"));
    }
}
