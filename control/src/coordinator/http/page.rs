//! Lists in pages: `?limit=…&offset=…`, and what says how much there is.

use crate::coordinator::error::ApiError;
use crate::coordinator::limits::{PAGE_DEFAULT, PAGE_ENTRIES};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The part of a list that is asked for.
#[derive(Debug, Deserialize)]
pub struct Page {
    limit: Option<usize>,
    offset: Option<usize>,
}

impl Page {
    /// `{"<name>": [entries of the page], "total", "pagination"}`. Entries outside of the page are not made.
    pub fn of<T, E: Serialize>(
        &self,
        name: &str,
        all: impl ExactSizeIterator<Item = T>,
        entry: impl FnMut(T) -> E,
    ) -> Result<Value, ApiError> {
        let (limit, offset) = (self.limit.unwrap_or(PAGE_DEFAULT), self.offset.unwrap_or(0));
        if limit == 0 || limit > PAGE_ENTRIES {
            return Err(ApiError::bad_request(format!("limit is {limit}; it goes from 1 to {PAGE_ENTRIES}")));
        }
        let total = all.len();
        let entries: Vec<Value> = all.skip(offset).take(limit).map(entry).map(|entry| json!(entry)).collect();
        let has_more = offset.saturating_add(entries.len()) < total;
        let pagination = json!({"total": total, "limit": limit, "offset": offset, "has_more": has_more});
        let fields = [(name, json!(entries)), ("total", json!(total)), ("pagination", pagination)];
        Ok(Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(limit: Option<usize>, offset: Option<usize>) -> Result<Value, ApiError> {
        Page { limit, offset }.of("numbers", (0..5).collect::<Vec<_>>().into_iter(), |number| number * 10)
    }

    #[test]
    fn a_page_says_how_much_there_is() {
        let all = page(None, None).expect("no limit is right");
        let pagination = json!({"total": 5, "limit": 50, "offset": 0, "has_more": false});
        assert_eq!(all, json!({"numbers": [0, 10, 20, 30, 40], "total": 5, "pagination": pagination}));
        let part = page(Some(2), Some(1)).expect("it is right");
        assert_eq!(part["numbers"], json!([10, 20]));
        assert_eq!(part["pagination"], json!({"total": 5, "limit": 2, "offset": 1, "has_more": true}));
        let behind = page(Some(2), Some(usize::MAX)).expect("it is right");
        assert_eq!((&behind["numbers"], &behind["pagination"]["has_more"]), (&json!([]), &json!(false)));
    }

    #[test]
    fn pages_are_bounded() {
        for limit in [0, 1001] {
            assert!(page(Some(limit), None).is_err(), "{limit}");
        }
    }
}
