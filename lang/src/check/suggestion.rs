//! Did-you-mean: the known name that is nearest to an unknown one, if it is near enough to have been meant.

/// Names longer than this are not compared: nobody mistypes them by a letter, and the work is the product of the lengths.
const NAME_CHARS: usize = 64;
/// So many known names are compared with an unknown one.
const COMPARED_NAMES: usize = 2000;

/// The nearest of `known`, at most a third of the letters (at least one) away. Of equally near ones the first.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.chars().collect();
    if wanted.len() > NAME_CHARS {
        return None;
    }
    let limit = (wanted.len() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in known.into_iter().take(COMPARED_NAMES) {
        let letters: Vec<char> = candidate.chars().take(NAME_CHARS + 1).collect();
        if letters.len() > NAME_CHARS || letters.len().abs_diff(wanted.len()) > limit || candidate == name {
            continue;
        }
        let distance = distance(&wanted, &letters);
        // One letter is no ground for proposing another one.
        let shares_a_letter = distance < wanted.len().max(letters.len());
        if distance <= limit && shares_a_letter && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The `help:` line for an unknown name.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|near| format!("did you mean `{near}`?"))
}

/// Edit distance where exchanging two neighbours counts once, without regard to case.
fn distance(a: &[char], b: &[char]) -> usize {
    let same = |x: char, y: char| x == y || x.eq_ignore_ascii_case(&y);
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let changed = above[j - 1] + usize::from(!same(a[i - 1], b[j - 1]));
            row[j] = changed.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]) {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proposes_what_was_probably_meant() {
        let known = ["value", "room", "temperature", "id"];
        for (typed, meant) in [
            ("valeu", Some("value")),
            ("rom", Some("room")),
            ("Room", Some("room")),
            ("temprature", Some("temperature")),
            ("ip", Some("id")),
            ("x", None),
            ("humidity", None),
        ] {
            assert_eq!(nearest(typed, known), meant, "{typed}");
        }
    }
}
