//! From files to a plan: reads programs and imports, prints diagnostics.

use crate::exit;
use rarog_lang::compile::{Compiled, Options, compile as compile_text};
use rarog_lang::plan::{Connector, Plan};
use rarog_lang::value::Value;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Compiles the files as one program; diagnostics go to stderr.
pub fn compile(programs: &[PathBuf], connectors: &[String]) -> Result<Plan, ExitCode> {
    let compiled = front_end(programs, connectors)?;
    if !compiled.diagnostics.is_empty() {
        eprint!("{}", rarog_lang::render::render_human(&compiled.diagnostics, &compiled.sources));
    }
    compiled.plan.ok_or(ExitCode::from(exit::FAILED))
}

/// Runs the front end; what cannot be read is said on stderr.
pub fn front_end(programs: &[PathBuf], connectors: &[String]) -> Result<Compiled, ExitCode> {
    let usage = |message: String| {
        eprintln!("rarog: {message}");
        ExitCode::from(exit::USAGE)
    };
    let connectors = connectors.iter().map(|text| connector(text)).collect::<Result<Vec<_>, _>>().map_err(usage)?;
    let mut text = String::new();
    for path in programs {
        let part = std::fs::read_to_string(path).map_err(|error| usage(format!("cannot read {}: {error}", path.display())))?;
        text.push_str(&part);
        if programs.len() > 1 {
            text.push('\n');
        }
    }
    let name = programs.first().map(|path| path.display().to_string()).unwrap_or_default();
    let options = Options { name: name.clone(), imports: Some(&read_import), cluster_connectors: &connectors };
    Ok(compile_text(&text, &options))
}

fn read_import(importing: &str, path: &str) -> Result<(String, String), String> {
    let base = Path::new(importing).parent().unwrap_or(Path::new(""));
    let resolved = base.join(path);
    let text = std::fs::read_to_string(&resolved).map_err(|error| error.to_string())?;
    Ok((resolved.display().to_string(), text))
}

/// `NAME=mqtt://host:port`, `NAME=file:PATH`, `NAME=console:`.
fn connector(text: &str) -> Result<Connector, String> {
    let form = || format!("--connector {text}: expected NAME=URL, such as broker=mqtt://localhost:1883");
    let (name, url) = text.split_once('=').ok_or_else(form)?;
    let (kind, rest) = url.split_once(':').ok_or_else(form)?;
    let rest = rest.trim_start_matches("//");
    let text_value = |value: &str| Value::Str(value.into());
    let params = match kind {
        "mqtt" => {
            let (host, port) = rest.rsplit_once(':').unwrap_or((rest, "1883"));
            let port = port.parse().map_err(|_| format!("--connector {text}: {port} is not a port"))?;
            vec![("host".into(), text_value(host)), ("port".into(), Value::Int(port))]
        }
        "file" => vec![("path".into(), text_value(rest))],
        _ => Vec::new(),
    };
    Ok(Connector { name: name.into(), kind: kind.into(), params })
}
