//! The body of a request, taken apart into the objects in it: one, an array of them, or one behind the other (JSON lines).
//!
//! All or nothing: a body with anything else in it gives no object. Pure.

use bytes::Bytes;
use serde_json::value::RawValue;
use std::fmt;

/// The largest object, as for messages of every other source.
pub const MESSAGE_LIMIT_BYTES: usize = 1024 * 1024;

/// Why a body is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// It is not what it has to be.
    Bad(String),
    /// An object is over the limit.
    TooLarge,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BodyError::Bad(why) => f.write_str(why),
            BodyError::TooLarge => write!(f, "an object is larger than {MESSAGE_LIMIT_BYTES} bytes (message_bytes)"),
        }
    }
}

/// The objects of a body, in order.
pub(crate) fn split(body: &Bytes) -> Result<Vec<Bytes>, BodyError> {
    let bad = |error: serde_json::Error| BodyError::Bad(format!("the body is not JSON: {error}"));
    let is_array = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let items: Vec<&RawValue> = if is_array {
        serde_json::from_slice(body).map_err(bad)?
    } else {
        serde_json::Deserializer::from_slice(body).into_iter().collect::<Result<_, _>>().map_err(bad)?
    };
    if items.is_empty() {
        return Err(BodyError::Bad(
            "there is no object in the body; send one, an array of them, or one per line".into(),
        ));
    }
    let object = |(index, item): (usize, &RawValue)| {
        let text = item.get();
        if !text.starts_with('{') {
            return Err(BodyError::Bad(format!("item {} is not an object", index + 1)));
        }
        if text.len() > MESSAGE_LIMIT_BYTES {
            return Err(BodyError::TooLarge);
        }
        Ok(body.slice_ref(text.as_bytes()))
    };
    items.into_iter().enumerate().map(object).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(body: &str) -> Result<Vec<String>, BodyError> {
        let objects = split(&Bytes::copy_from_slice(body.as_bytes()))?;
        Ok(objects.iter().map(|object| String::from_utf8_lossy(object).into_owned()).collect())
    }

    #[test]
    fn one_object_an_array_or_lines() {
        assert_eq!(texts(r#" {"a": 1} "#), Ok(vec![r#"{"a": 1}"#.into()]));
        assert_eq!(texts(" [{}, {\"b\": [1]}]\n"), Ok(vec!["{}".into(), "{\"b\": [1]}".into()]));
        assert_eq!(
            texts("{\"a\":1}\n{\"a\":2}\r\n\n{\"a\":3}"),
            Ok([1, 2, 3].map(|n| format!("{{\"a\":{n}}}")).into())
        );
    }

    #[test]
    fn anything_else_gives_nothing() {
        for (body, why) in [
            ("", "no object"),
            ("[]", "no object"),
            ("{", "not JSON"),
            ("{\"a\":1}\n{", "not JSON"),
            ("[{}, 1]", "item 2 is not an object"),
            ("[{}] {}", "not JSON"),
            ("\"text\"", "item 1 is not an object"),
            ("{\"a\":1}x", "not JSON"),
        ] {
            let Err(BodyError::Bad(error)) = texts(body) else { panic!("{body} passes") };
            assert!(error.contains(why), "{body}: {error}");
        }
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(MESSAGE_LIMIT_BYTES));
        assert_eq!(texts(&large), Err(BodyError::TooLarge));
    }
}
