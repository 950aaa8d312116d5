//! Parameters of connectors, `.from` and `.to` as values of the types that are needed.
//!
//! A parameter of the call wins over the connector's. Registered connectors give all parameters as text, so numbers and
//! durations are read from text as well. Invariant: a parameter that is present and cannot be read is an error that names it.

use rarog_lang::value::Value;
use std::sync::Arc;
use std::time::Duration;

/// The parameters of one use of a connector.
#[derive(Clone, Copy)]
pub struct Params<'p> {
    /// Name of the connector, for messages.
    pub connector: &'p str,
    /// Of the call.
    pub call: &'p [(Arc<str>, Value)],
    /// Of the connector.
    pub own: &'p [(Arc<str>, Value)],
}

impl Params<'_> {
    /// The value of a parameter; null counts as absent.
    fn get(&self, name: &str) -> Option<&Value> {
        let find = |list: &'_ [(Arc<str>, Value)]| list.iter().position(|(of, _)| &**of == name);
        let value = match find(self.call) {
            Some(index) => &self.call[index].1,
            None => &self.own[find(self.own)?].1,
        };
        (*value != Value::Null).then_some(value)
    }

    /// The value as it is, for what is neither of the types below.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.get(name)
    }

    /// A text of the call alone.
    pub fn of_call(&self, name: &str) -> Result<Option<String>, String> {
        Params { own: &[], ..*self }.text(name)
    }

    fn wrong(&self, name: &str, expected: &str) -> String {
        format!("connector {}: parameter {name} must be {expected}", self.connector)
    }

    /// A text; numbers and booleans are texts, too.
    pub fn text(&self, name: &str) -> Result<Option<String>, String> {
        Ok(match self.get(name) {
            None => None,
            Some(Value::Str(text)) => Some(text.to_string()),
            Some(Value::Int(number)) => Some(number.to_string()),
            Some(Value::Bool(flag)) => Some(flag.to_string()),
            Some(_) => return Err(self.wrong(name, "a text")),
        })
    }

    /// A text or a list of texts, joined by commas.
    pub fn list(&self, name: &str) -> Result<Option<String>, String> {
        let Some(Value::Array(items)) = self.get(name) else { return self.text(name) };
        let text = |item: &Value| match item {
            Value::Str(text) => Ok(text.to_string()),
            _ => Err(self.wrong(name, "a text or a list of texts")),
        };
        Ok(Some(items.iter().map(text).collect::<Result<Vec<_>, _>>()?.join(",")))
    }

    /// An integer from `least` to `most`.
    pub fn int(&self, name: &str, least: i64, most: i64) -> Result<Option<i64>, String> {
        let number = match self.get(name) {
            None => return Ok(None),
            Some(Value::Int(number)) => Some(*number),
            Some(Value::Str(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        let number = number.filter(|number| (least..=most).contains(number));
        number.map(Some).ok_or_else(|| self.wrong(name, &format!("an integer from {least} to {most}")))
    }

    /// A number of at least 0.
    pub fn number(&self, name: &str) -> Result<Option<f64>, String> {
        let number = match self.get(name) {
            None => return Ok(None),
            Some(Value::Int(number)) => Some(*number as f64),
            Some(Value::Float(number)) => Some(*number),
            Some(Value::Str(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        let number = number.filter(|number: &f64| number.is_finite() && *number >= 0.0);
        number.map(Some).ok_or_else(|| self.wrong(name, "a number of at least 0"))
    }

    /// A truth value.
    pub fn flag(&self, name: &str) -> Result<bool, String> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::Str(text)) if matches!(&**text, "true" | "false") => Ok(&**text == "true"),
            Some(_) => Err(self.wrong(name, "true or false")),
        }
    }

    /// A duration; a bare number is seconds.
    pub fn duration(&self, name: &str) -> Result<Option<Duration>, String> {
        let duration = match self.get(name) {
            None => return Ok(None),
            Some(Value::Duration(ns)) => u64::try_from(*ns).ok().map(Duration::from_nanos),
            Some(Value::Int(seconds)) => u64::try_from(*seconds).ok().map(Duration::from_secs),
            Some(Value::Str(text)) => duration(text.trim()),
            Some(_) => None,
        };
        duration.map(Some).ok_or_else(|| self.wrong(name, "a duration such as 30s, or a number of seconds"))
    }
}

/// `30`, `30s`, `500ms`, `2m`, `1h`, `7d`.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let seconds = |factor: u64| number.checked_mul(factor).map(Duration::from_secs);
    match &text[digits..] {
        "ms" => Some(Duration::from_millis(number)),
        "" | "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(3600),
        "d" => seconds(86_400),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, Value)]) -> Vec<(Arc<str>, Value)> {
        list.iter().map(|(name, value)| ((*name).into(), value.clone())).collect()
    }

    #[test]
    fn parameters_have_several_spellings_and_the_call_wins() {
        let own = pairs(&[
            ("port", Value::Str("1884".into())),
            ("topic", Value::Str("a".into())),
            ("keep_alive", Value::Int(20)),
            ("session_expiry", Value::Str("7d".into())),
            ("tls", Value::Str("true".into())),
            ("brokers", Value::Array(Arc::new(vec![Value::Str("x".into()), Value::Str("y:1".into())]))),
            ("rate", Value::Float(0.5)),
        ]);
        let call = pairs(&[("topic", Value::Str("b".into())), ("qos", Value::Int(0)), ("username", Value::Null)]);
        let params = Params { connector: "c", call: &call, own: &own };
        assert_eq!(params.int("port", 1, 65_535), Ok(Some(1884)));
        assert_eq!(params.text("topic"), Ok(Some("b".into())));
        assert_eq!(params.int("qos", 0, 2), Ok(Some(0)));
        assert_eq!(params.text("username"), Ok(None));
        assert_eq!(params.duration("keep_alive"), Ok(Some(Duration::from_secs(20))));
        assert_eq!(params.duration("session_expiry"), Ok(Some(Duration::from_secs(7 * 86_400))));
        assert_eq!(params.flag("tls"), Ok(true));
        assert_eq!(params.list("brokers"), Ok(Some("x,y:1".into())));
        assert_eq!(params.number("rate"), Ok(Some(0.5)));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let own = pairs(&[
            ("port", Value::Int(0)),
            ("tls", Value::Int(1)),
            ("keep_alive", Value::Str("soon".into())),
            ("rate", Value::Int(-1)),
            ("topic", Value::Array(Arc::default())),
        ]);
        let params = Params { connector: "c", call: &[], own: &own };
        let errors = [
            params.int("port", 1, 65_535).expect_err("0 is no port"),
            params.flag("tls").expect_err("1 is no flag"),
            params.duration("keep_alive").expect_err("no duration"),
            params.number("rate").expect_err("negative"),
            params.text("topic").expect_err("no text"),
        ];
        for (error, name) in errors.iter().zip(["port", "tls", "keep_alive", "rate", "topic"]) {
            assert!(error.contains(name) && error.contains("connector c"), "{error}");
        }
    }
}
