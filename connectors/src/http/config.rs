//! What an HTTP sink needs to know: where, how, how patiently. Plain data; nothing here opens a connection.

use super::url::Url;
use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Where requests go, and what each of them carries.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpTarget {
    /// Where.
    pub url: Url,
    /// `POST`, `PUT`, `PATCH`.
    pub method: String,
    /// Further headers; they replace those that are sent by default.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Sent as `Authorization: Bearer …`.
    pub token: Option<String>,
    /// How long a request may take, its connection included.
    pub timeout: Duration,
}

impl HttpTarget {
    /// The time that a request may take if nothing else is said.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

    /// Posts to a URL, without further headers.
    pub fn new(url: Url) -> HttpTarget {
        HttpTarget { url, method: "POST".into(), headers: Vec::new(), token: None, timeout: Self::DEFAULT_TIMEOUT }
    }

    /// Takes a method that carries a body; the error says which do.
    pub fn set_method(&mut self, method: &str) -> Result<(), String> {
        let method = method.to_ascii_uppercase();
        match Method::from_str(&method) {
            Ok(Method::POST | Method::PUT | Method::PATCH) => {
                self.method = method;
                Ok(())
            }
            _ => Err(format!("method {method} cannot send records; use POST, PUT or PATCH")),
        }
    }

    /// Adds a header; the error names what is wrong with it.
    pub fn add_header(&mut self, name: &str, value: &str) -> Result<(), String> {
        let name = HeaderName::from_str(name).map_err(|_| format!("`{name}` is not the name of a header"))?;
        let value =
            HeaderValue::from_str(value).map_err(|_| format!("header {name} has a value that cannot be sent"))?;
        if matches!(name.as_str(), "content-length" | "transfer-encoding" | "host" | "connection") {
            return Err(format!("header {name} is set by the connection; leave it out"));
        }
        self.headers.push((name, value));
        Ok(())
    }

    /// Takes a token; the error says why it cannot be sent.
    pub fn set_token(&mut self, token: &str) -> Result<(), String> {
        HeaderValue::from_str(token).map_err(|_| "the token has characters that cannot be sent".to_owned())?;
        self.token = Some(token.to_owned());
        Ok(())
    }
}

impl fmt::Debug for HttpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may hold secrets, the token is one.
        f.debug_struct("HttpTarget")
            .field("url", &self.url)
            .field("method", &self.method)
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("token", &self.token.as_ref().map(|_| "***"))
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// What a sink needs.
#[derive(Debug, Clone)]
pub struct HttpSinkConfig {
    /// Where.
    pub target: HttpTarget,
    /// Requests under way at a time.
    pub lanes: usize,
    /// Outputs that are not answered before [`super::HttpSink::has_room`] says no.
    pub unconfirmed_limit: usize,
    /// Their bytes.
    pub unconfirmed_limit_bytes: usize,
    /// How often an output is sent that the server answers with 408, 429 or 5xx, or not at all.
    pub attempts: u32,
    /// Whether a server that cannot be reached is waited for, or its lack counts as an attempt.
    pub wait_for_server: bool,
}

impl HttpSinkConfig {
    /// A sink with the defaults: 16 requests under way, 20 000 outputs or 64 MiB unconfirmed, eight attempts over about
    /// 13 s, a server that cannot be reached is waited for.
    pub fn new(target: HttpTarget) -> HttpSinkConfig {
        HttpSinkConfig {
            target,
            lanes: 16,
            unconfirmed_limit: 20_000,
            unconfirmed_limit_bytes: 64 * 1024 * 1024,
            attempts: 8,
            wait_for_server: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let mut target = HttpTarget::new(Url::parse("http://h").expect("a URL"));
        assert!(target.set_method("put").is_ok() && target.method == "PUT");
        for refused in [
            target.set_method("GET"),
            target.add_header("a b", "c"),
            target.add_header("a", "b\nc"),
            target.add_header("Host", "h"),
            target.set_token("a\nb"),
        ] {
            assert!(refused.is_err());
        }
        assert!(target.add_header("x-key", "secret").is_ok() && target.set_token("secret").is_ok());
        assert!(!format!("{target:?}").contains("secret"));
    }
}
