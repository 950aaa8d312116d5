//! Reading files for people: what cannot be read is named, with the reason and the way out.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Does the command line mean standard input?
pub fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Reads a program; `-` is standard input.
pub fn read_program(path: &Path) -> Result<String, String> {
    let bytes = if is_stdin(path) {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    let bytes = bytes.map_err(|error| cannot_read(path, &error))?;
    String::from_utf8(bytes).map_err(|error| {
        let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count();
        format!("cannot read {}: line {line} is not UTF-8; is it a program? save it as UTF-8", path.display())
    })
}

/// Why a file cannot be read, and what to do.
pub fn cannot_read(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    match error.kind() {
        ErrorKind::NotFound => format!("cannot read {shown}: there is no such file{}", instead(path)),
        ErrorKind::IsADirectory => format!("cannot read {shown}: it is a folder; give a file in it"),
        ErrorKind::PermissionDenied => {
            format!("cannot read {shown}: permission denied; chmod u+r {shown}, if it is yours")
        }
        _ => format!("cannot read {shown}: {error}"),
    }
}

/// Why a file cannot be written, and what to do.
pub fn cannot_write(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    match error.kind() {
        ErrorKind::NotFound => match path.parent() {
            Some(folder) => format!("cannot write {shown}: there is no folder {0}; mkdir -p {0}", folder.display()),
            None => format!("cannot write {shown}: {error}"),
        },
        ErrorKind::IsADirectory => format!("cannot write {shown}: it is a folder; give a file name"),
        _ => format!("cannot write {shown}: {error}"),
    }
}

/// What may have been meant by the path of a file that does not exist.
fn instead(path: &Path) -> String {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let Ok(entries) = fs::read_dir(folder) else {
        return format!("; there is no folder {} either", folder.display());
    };
    let names: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let wanted = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    match rarog_lang::check::suggestion::nearest(&wanted, names.iter().map(String::as_str)) {
        Some(name) => format!("; did you mean {}?", path.with_file_name(name).display()),
        None => String::new(),
    }
}
