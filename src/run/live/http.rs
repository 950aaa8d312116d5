//! From the parameters of connectors of kind http to what is opened: where to post to, where to listen.
//!
//! Pure. `.to` and `.from` add a path; a parameter of theirs wins over the connector's.

use super::params::Params;
use rarog_connectors::http::{HttpSinkConfig, HttpSourceConfig, HttpTarget, Url};
use rarog_lang::eval::text::to_text;
use rarog_lang::value::Value;

/// Where a server of ours listens unless it is told: nobody else's machine can reach it.
const DEFAULT_HOST: &str = "127.0.0.1";
/// The path of a `.from` that names none.
const DEFAULT_PATH: &str = "/";

/// A sink for records.
pub fn sink(params: Params<'_>) -> Result<HttpSinkConfig, String> {
    let of_connector = |text: String| format!("connector {}: {text}", params.connector);
    let url = match params.text("url")? {
        Some(url) => Some(url),
        None => params.text("base_url")?,
    };
    let url = url.ok_or_else(|| of_connector("give the server as url: \"http://host/path\"".into()))?;
    let mut url = Url::parse(&url).map_err(|error| of_connector(error.to_string()))?;
    // The connector's own path is where it listens, if it does.
    if let Some(path) = params.of_call("path")? {
        url = url.join(&path).map_err(|error| of_connector(error.to_string()))?;
    }
    let mut target = HttpTarget::new(url);
    if let Some(method) = params.text("method")? {
        target.set_method(&method).map_err(of_connector)?;
    }
    if let Some(token) = params.text("token")? {
        target.set_token(&token).map_err(of_connector)?;
    }
    for (name, value) in headers(params)? {
        target.add_header(&name, &value).map_err(of_connector)?;
    }
    target.timeout = params.duration("timeout")?.unwrap_or(target.timeout);
    Ok(HttpSinkConfig::new(target))
}

/// A sink for alerts: one that nobody takes is a dead letter, and does not hold the pipeline for ever.
pub fn webhook(url: &str) -> Result<HttpSinkConfig, String> {
    let url = Url::parse(url).map_err(|error| format!(".alert: {error}"))?;
    Ok(HttpSinkConfig { wait_for_server: false, ..HttpSinkConfig::new(HttpTarget::new(url)) })
}

/// Where to listen, with one path.
pub fn source(params: Params<'_>) -> Result<HttpSourceConfig, String> {
    let host = params.text("host")?.unwrap_or_else(|| DEFAULT_HOST.into());
    let port = params.int("port", 1, i64::from(u16::MAX))?;
    let port = port.ok_or_else(|| format!("connector {}: give the port to listen on", params.connector))?;
    let path = params.text("path")?.unwrap_or_else(|| DEFAULT_PATH.into());
    let path = if path.starts_with('/') { path } else { format!("/{path}") };
    Ok(HttpSourceConfig { token: params.text("token")?, ..HttpSourceConfig::new(host, port as u16, [path]) })
}

/// A map, or lines `Name: value`, which is all that registered connectors can say.
fn headers(params: Params<'_>) -> Result<Vec<(String, String)>, String> {
    let wrong =
        || format!("connector {}: parameter headers must be a map: {{ \"X-Team\": \"red\" }}", params.connector);
    match params.value("headers") {
        None => Ok(Vec::new()),
        Some(Value::Map(map)) => Ok(map.iter().map(|(name, value)| (name.to_string(), to_text(value))).collect()),
        Some(Value::Str(text)) => {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            let header = |line: &str| {
                let (name, value) = line.split_once(':').ok_or_else(wrong)?;
                Ok((name.trim().to_owned(), value.trim().to_owned()))
            };
            lines.map(header).collect()
        }
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn with<T>(own: &[(&str, Value)], call: &[(&str, &str)], ask: impl Fn(Params<'_>) -> T) -> T {
        let own: Vec<(Arc<str>, Value)> = own.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
        let call: Vec<(Arc<str>, Value)> =
            call.iter().map(|(name, value)| ((*name).into(), Value::Str((*value).into()))).collect();
        ask(Params { connector: "C", call: &call, own: &own })
    }

    fn text(text: &str) -> Value {
        Value::Str(text.into())
    }

    #[test]
    fn parameters_of_the_call_stand_behind_or_before_those_of_the_connector() {
        let own = [
            ("base_url", text("http://h/api")),
            ("path", text("/listens/here")),
            ("timeout", Value::Duration(2_000_000_000)),
            ("headers", text("X-A: 1\nX-B: 2\n")),
            ("token", text("t")),
            ("port", text("8080")),
        ];
        let config = with(&own, &[("path", "events"), ("method", "put")], sink).expect("it can be used");
        let target = config.target;
        assert_eq!((target.url.to_string().as_str(), &*target.method), ("http://h/api/events", "PUT"));
        assert_eq!((target.timeout.as_secs(), target.headers.len(), target.token.as_deref()), (2, 2, Some("t")));
        let config = with(&own, &[], source).expect("it can be used");
        assert_eq!((&*config.host, config.port, &config.paths[..]), ("127.0.0.1", 8080, &["/listens/here".into()][..]));
        assert_eq!(with(&own, &[("path", "in")], source).expect("it can be used").paths, ["/in"]);
    }

    #[test]
    fn what_cannot_be_used_names_the_connector() {
        let h = text("http://h");
        for (error, part) in [
            (with(&[], &[], sink).expect_err("no URL"), "url"),
            (with(&[("url", text("ftp://h"))], &[], sink).expect_err("no HTTP"), "https://"),
            (with(&[("url", h.clone())], &[("method", "GET")], sink).expect_err("no body"), "POST, PUT or PATCH"),
            (with(&[("url", h.clone()), ("headers", Value::Int(1))], &[], sink).expect_err("no map"), "headers"),
            (with(&[("url", h)], &[("path", "a b")], sink).expect_err("a blank"), "%20"),
            (with(&[], &[], source).expect_err("no port"), "port"),
        ] {
            assert!(error.starts_with("connector C: ") && error.contains(part), "{error}");
        }
        assert!(webhook("mailto:me").is_err_and(|error| error.starts_with(".alert: ")));
    }
}
