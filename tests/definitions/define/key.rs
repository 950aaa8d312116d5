//! Keys: by what records are grouped, and how that is shown.

use crate::record::Rec;
use crate::value::V;

/// The values of a record's keys.
pub fn of(record: &Rec) -> Vec<V> {
    record.keys.iter().map(|(_, value)| value.clone()).collect()
}

/// One key: 1 and 1.0 are the same, null is one.
pub fn same(a: &[V], b: &[V]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.same(b))
}

/// The texts joined by `|`, null as `default`; without keys `default`.
pub fn partition(key: &[V]) -> V {
    if key.is_empty() {
        return V::Str("default".into());
    }
    let text = |value: &V| if value.is_null() { "default".into() } else { value.text() };
    V::Str(key.iter().map(text).collect::<Vec<_>>().join("|"))
}

/// Members by key, keys in the order of their first member.
pub fn group<T>(members: Vec<T>, key: impl Fn(&T) -> Vec<V>) -> Vec<(Vec<V>, Vec<T>)> {
    let mut groups: Vec<(Vec<V>, Vec<T>)> = Vec::new();
    for member in members {
        let key = key(&member);
        match groups.iter_mut().find(|(other, _)| same(other, &key)) {
            Some((_, group)) => group.push(member),
            None => groups.push((key, vec![member])),
        }
    }
    groups
}
