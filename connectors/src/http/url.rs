//! An `http` or `https` URL, taken apart once: where to connect, what to ask for.
//!
//! Only what posting needs; no user information, no fragments. Invariant: [`Url::target`] begins with `/` and can stand in a
//! request line.

use std::fmt;

/// The port of plain HTTP, and of HTTP over TLS.
const PLAIN_PORT: u16 = 80;
const SECURE_PORT: u16 = 443;

/// Where a sink posts to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Url {
    secure: bool,
    /// Name or IP address, IPv6 without brackets.
    host: String,
    port: u16,
    target: String,
}

impl Url {
    /// Parses `http[s]://host[:port][/path][?query]`.
    pub fn parse(text: &str) -> Result<Url, UrlError> {
        let fail = |why: &'static str| Err(UrlError { text: text.to_owned(), why });
        let Some((scheme, rest)) = text.split_once("://") else {
            return fail("it does not begin with http:// or https://");
        };
        let secure = scheme.eq_ignore_ascii_case("https");
        if !secure && !scheme.eq_ignore_ascii_case("http") {
            return fail("unknown scheme; use http:// or https://");
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.contains('@') {
            return fail("user and password are not taken from it; use token or headers");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || target.contains('#') {
            return fail("it has characters that must be written as %XX");
        }
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, port.strip_prefix(':').or(Some(""))),
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        if host.is_empty() {
            return fail("the host is missing");
        }
        let Ok(port) = port.map_or(Ok(default_port(secure)), str::parse) else {
            return fail("the port is not a number from 1 to 65535");
        };
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Ok(Url { secure, host: host.to_owned(), port, target })
    }

    /// The URL with a path behind its own; a query stays at the end.
    pub fn join(&self, path: &str) -> Result<Url, UrlError> {
        let (own, query) = self.target.split_at(self.target.find('?').unwrap_or(self.target.len()));
        let target = format!("{}/{}{query}", own.trim_end_matches('/'), path.trim_start_matches('/'));
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) || path.contains(['#', '?']) {
            return Err(UrlError { text: path.to_owned(), why: "a path has neither `?` nor `#`, and blanks as %20" });
        }
        Ok(Url { target, ..self.clone() })
    }

    /// Host and port, as the Host header has them.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == default_port(self.secure) { host } else { format!("{host}:{}", self.port) }
    }

    /// Path and query.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Is TLS spoken?
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    pub(crate) fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.target)
    }
}

fn default_port(secure: bool) -> u16 {
    if secure { SECURE_PORT } else { PLAIN_PORT }
}

/// A URL that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be used: {why}")]
pub struct UrlError {
    text: String,
    why: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_come_apart_and_together() {
        for (text, authority, target) in [
            ("http://h", "h", "/"),
            ("HTTP://h:80/a?b=c", "h", "/a?b=c"),
            ("http://10.0.0.1:8080?x", "10.0.0.1:8080", "/?x"),
            ("http://[::1]:81/a", "[::1]:81", "/a"),
            ("https://h:443/a", "h", "/a"),
            ("https://h:80", "h:80", "/"),
        ] {
            let url = Url::parse(text).expect(text);
            assert_eq!((url.authority().as_str(), url.target()), (authority, target), "{text}");
        }
        let join = |text: &str, path: &str| Url::parse(text).expect(text).join(path).expect(path).to_string();
        assert_eq!(join("http://h/a/", "/b"), "http://h/a/b");
        assert_eq!(join("https://h?k=v", "b/c"), "https://h/b/c?k=v");
    }

    #[test]
    fn what_cannot_be_posted_to_is_refused_with_a_reason() {
        for (text, why) in [
            ("h/a", "http://"),
            ("ftp://h", "scheme"),
            ("http://u:p@h", "token"),
            ("http://", "host"),
            ("http://h:x", "port"),
            ("http://h:70000/", "port"),
            ("http://h/a b", "%XX"),
        ] {
            let error = Url::parse(text).expect_err(text).to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(Url::parse("http://h").expect("it is one").join("a?b").is_err());
    }
}
