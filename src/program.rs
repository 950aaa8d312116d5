//! From files to a plan: reads programs and imports, takes connectors from the command line, prints diagnostics.

use crate::args::Connectors;
use crate::{exit, files};
use rarog_connectors::mqtt::Address;
use rarog_lang::check::suggestion::nearest;
use rarog_lang::compile::{Compiled, Options, compile as compile_lang};
use rarog_lang::diagnostic::Diagnostic;
use rarog_lang::plan::{Connector, Plan};
use rarog_lang::render::render_human;
use rarog_lang::value::Value;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Compiles a program; diagnostics go to stderr.
pub fn compile(program: &Path, connectors: &Connectors) -> Result<Plan, ExitCode> {
    let mut compiled = front_end(program, connectors)?;
    say_once(&mut compiled.diagnostics, "W0504");
    plan(compiled)
}

/// Leaves the first of the warnings of a code: a run says it once, `check` shows all places.
fn say_once(diagnostics: &mut Vec<Diagnostic>, code: &str) {
    let mut said = false;
    diagnostics.retain(|diagnostic| diagnostic.code != code || !std::mem::replace(&mut said, true));
}

/// Compiles a text; diagnostics go to stderr.
#[cfg(feature = "demo")]
pub fn compile_text(name: &str, text: &str, connectors: &Connectors) -> Result<Plan, ExitCode> {
    plan(front_end_on_text(name.into(), text, connectors)?)
}

fn plan(compiled: Compiled) -> Result<Plan, ExitCode> {
    if !compiled.diagnostics.is_empty() {
        say!("{}", render_human(&compiled.diagnostics, &compiled.sources));
    }
    compiled.plan.ok_or(ExitCode::from(exit::FAILED))
}

/// Runs the front end; what cannot be read is said on stderr.
pub fn front_end(program: &Path, connectors: &Connectors) -> Result<Compiled, ExitCode> {
    let text = files::read_program(program).map_err(usage)?;
    let name = if files::is_stdin(program) { "<stdin>".to_string() } else { program.display().to_string() };
    front_end_on_text(name, &text, connectors)
}

fn front_end_on_text(name: String, text: &str, connectors: &Connectors) -> Result<Compiled, ExitCode> {
    let connectors =
        connectors.urls.iter().map(|text| connector(text)).collect::<Result<Vec<_>, _>>().map_err(usage)?;
    let imports = Imports::of(&name);
    let read = |importing: &str, path: &str| imports.read(importing, path);
    let options = Options { name, imports: Some(&read), cluster_connectors: &connectors };
    Ok(compile_lang(text, &options))
}

/// What is wrong with connectors of the command line that none of the programs has.
pub fn check_connectors(connectors: &Connectors, plans: &[&Plan]) -> Result<(), String> {
    let known: Vec<&str> = plans.iter().flat_map(|plan| &plan.connectors).map(|connector| &*connector.name).collect();
    let mut names = connectors.urls.iter().filter_map(|url| url.split_once('=')).map(|(name, _)| name);
    let Some(name) = names.find(|name| !known.contains(name)) else { return Ok(()) };
    let way_out = match (nearest(name, known.iter().copied()), known.as_slice()) {
        (Some(meant), _) => format!("did you mean {meant}?"),
        (None, []) => "no connector is named in the text; remove the option".into(),
        (None, known) => format!("there are {}", known.join(", ")),
    };
    Err(format!("--connector {name}: the program has no connector of this name; {way_out}"))
}

fn usage(message: String) -> ExitCode {
    say_line!("rarog: {message}");
    ExitCode::from(exit::USAGE)
}

/// The files of a program: one that is imported by several paths is one file.
struct Imports {
    /// The name under which each file is shown, by where it lies.
    shown: RefCell<HashMap<PathBuf, String>>,
}

impl Imports {
    /// Of the program with this name, which may be a file.
    fn of(program: &str) -> Imports {
        let own = fs::canonicalize(program).map(|place| (place, program.to_string()));
        Imports { shown: RefCell::new(own.into_iter().collect()) }
    }

    /// An import stands relative to the file that it is in. Gives the name under which it is shown, and its text.
    fn read(&self, importing: &str, path: &str) -> Result<(String, String), String> {
        let base = Path::new(importing).parent().unwrap_or(Path::new(""));
        let resolved = base.join(path);
        let shown = resolved.display().to_string();
        let text = files::read_program(&resolved).map_err(|why| {
            // The diagnostic says already what cannot be read.
            why.strip_prefix(&format!("cannot read {shown}: ")).unwrap_or(&why).to_string()
        })?;
        let place = fs::canonicalize(&resolved).unwrap_or(resolved);
        Ok((self.shown.borrow_mut().entry(place).or_insert(shown).clone(), text))
    }
}

/// `NAME=mqtt://[USER[:PASSWORD]@]HOST[:PORT]`, `NAME=file:PATH`, `NAME=http://…`, `NAME=console:`.
fn connector(text: &str) -> Result<Connector, String> {
    let wrong =
        |why: &str| format!("--connector {text}: {why}; expected NAME=URL, such as broker=mqtt://localhost:1883");
    let (name, url) = text.split_once('=').ok_or_else(|| wrong("there is no ="))?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err(wrong("before the = stands the connector's name in the program"));
    }
    let (kind, rest) = url.split_once(':').ok_or_else(|| wrong("the URL has no kind"))?;
    let params = match kind {
        "mqtt" => mqtt(rest.trim_start_matches('/')).map_err(|why| wrong(&why))?,
        "file" if !rest.is_empty() => vec![param("path", rest)],
        "http" | "https" => vec![param("base_url", url)],
        "console" | "stdout" | "stdin" | "generator" if rest.is_empty() => vec![],
        "file" => return Err(wrong("a file needs a path")),
        _ => return Err(wrong("the kinds are mqtt, file, http, console, stdin, stdout, generator")),
    };
    let kind = if kind == "https" { "http" } else { kind };
    Ok(Connector { name: name.into(), kind: kind.into(), params })
}

fn mqtt(rest: &str) -> Result<Vec<(Arc<str>, Value)>, String> {
    let (user, address) = rest.rsplit_once('@').map_or((None, rest), |(user, address)| (Some(user), address));
    let address = Address::parse(address, 1883).map_err(|error| error.to_string())?;
    let mut params = vec![param("host", &address.host), ("port".into(), Value::Int(address.port.into()))];
    if let Some(user) = user {
        let (name, password) = user.split_once(':').map_or((user, None), |(name, word)| (name, Some(word)));
        params.push(param("username", name));
        params.extend(password.map(|password| param("password", password)));
    }
    Ok(params)
}

fn param(name: &str, value: &str) -> (Arc<str>, Value) {
    (name.into(), Value::Str(value.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(text: &str) -> Vec<(String, String)> {
        let connector = connector(text).expect("a connector");
        connector.params.iter().map(|(name, value)| (name.to_string(), format!("{value:?}"))).collect()
    }

    #[test]
    fn urls_become_parameters() {
        let of = |name: &str, value: &Value| (name.to_string(), format!("{value:?}"));
        let text = |value: &str| Value::Str(value.into());
        let local = [of("host", &text("localhost")), of("port", &Value::Int(1883))];
        assert_eq!(params("b=mqtt://localhost:1883"), local);
        assert_eq!(params("b=mqtt://localhost"), local);
        let with_user = [&local[..], &[of("username", &text("u")), of("password", &text("a:b"))]].concat();
        assert_eq!(params("b=mqtt://u:a:b@localhost"), with_user);
        assert_eq!(params("f=file:/tmp/x=y"), [of("path", &text("/tmp/x=y"))]);
        assert_eq!(params("c=console:"), []);
    }

    #[test]
    fn other_texts_are_refused() {
        for wrong in ["b", "=mqtt://h", "1b=mqtt://h", "b=mqtt", "b=mqtt://", "b=mqtt://h:x", "b=file:", "b=ftp://h"] {
            assert!(connector(wrong).is_err(), "{wrong}");
        }
    }
}
