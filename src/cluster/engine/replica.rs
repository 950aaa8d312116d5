//! What one of several replicas takes.
//!
//! With a key each replica has a session of its own, gets everything and keeps what is its; without one the broker divides.
//! Invariant: of each message exactly one replica thinks that it is its own, whatever is in it.

use crate::run::live::party::{Payloads, Share};
use rarog_control::model::names::replica_of;
use rarog_control::wire::Order;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// What the replica of an order takes, if it is one of several.
pub fn share(order: &Order) -> Option<Share> {
    if order.replicas <= 1 {
        return None;
    }
    let pipeline = &order.pipeline;
    let Some(field) = order.partition_key.clone() else {
        let group = format!("rarog-{}-{}-{}", pipeline.group, pipeline.name, pipeline.incarnation);
        // What a filter gives a meaning cannot be in a name.
        return Some(Share::OfGroup(group.replace(['/', '+', '#'], "-")));
    };
    let (replica, replicas) = (pipeline.replica, order.replicas);
    let is_its = move |payload: &[u8]| replica_of(&key_of(payload, &field), replicas) == replica;
    Some(Share::Payloads(Payloads::new(is_its)))
}

/// The value of a field of a message, which may stand within `data`; null if there is none.
fn key_of(payload: &[u8], field: &str) -> Value {
    let mut json = serde_json::Deserializer::from_slice(payload);
    let found = json.deserialize_map(Find { field, within: true });
    found.ok().flatten().unwrap_or(Value::Null)
}

/// Looks for a field and reads past all others.
struct Find<'f> {
    field: &'f str,
    /// Also within `data`.
    within: bool,
}

impl<'de> Visitor<'de> for Find<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Value>, A::Error> {
        let (mut found, mut inner) = (None, None);
        while let Some(name) = map.next_key::<String>()? {
            if name == self.field {
                found = Some(map.next_value()?);
            } else if self.within && name == "data" {
                inner = map.next_value::<Value>()?.get_mut(self.field).map(Value::take);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found.or(inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_found_where_records_have_them() {
        for (payload, key) in [
            (r#"{"event_type":"A","k":"x"}"#, json!("x")),
            (r#"{"event_type":"A","data":{"k":7,"l":[1]}}"#, json!(7)),
            (r#"{"data":{"k":7},"k":8}"#, json!(8)),
            (r#"{"data":[1],"l":{"k":1}}"#, Value::Null),
            ("[1]", Value::Null),
            ("no JSON", Value::Null),
            (r#"{"k":1"#, Value::Null),
        ] {
            assert_eq!(key_of(payload.as_bytes(), "k"), key, "{payload}");
        }
    }

    #[test]
    fn keys_spread_over_all_replicas_and_stay_where_they_are() {
        let mut counts = [0; 4];
        (0..1000).for_each(|key| counts[usize::from(replica_of(&json!(format!("s{key}")), 4))] += 1);
        assert!(counts.iter().all(|count| (150..350).contains(count)), "{counts:?}");
        // Another answer would move keys between replicas at an upgrade of rarog.
        assert_eq!([json!("s1"), json!(1), json!("1"), Value::Null].map(|key| replica_of(&key, 64)), [16, 49, 49, 52]);
    }
}
