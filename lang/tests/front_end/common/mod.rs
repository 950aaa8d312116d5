//! What the tests of the front end's text half share: the golden programs, and trees without their places.

pub mod grammar;
pub mod mutate;

use rarog_lang::parser::parse;
use rarog_lang::render::SourceText;
use std::path::{Path, PathBuf};

/// The folders of the golden cases.
pub fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases");
    let entries = std::fs::read_dir(&root).expect("the golden cases lie beside the crates");
    let mut cases: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    cases.sort();
    assert!(cases.len() > 100, "only {} cases below {}", cases.len(), root.display());
    cases
}

/// The programs of the golden cases.
pub fn programs() -> Vec<String> {
    cases()
        .iter()
        .map(|case| std::fs::read_to_string(case.join("program.vpl")).expect("a case has a program"))
        .collect()
}

/// The tree of a text, places left out.
pub fn shape(text: &str) -> String {
    let (program, diagnostics) = parse(text, 0);
    let tree = format!("{program:?} {:?}", diagnostics.iter().map(|diagnostic| diagnostic.code).collect::<Vec<_>>());
    let mut shape = String::with_capacity(tree.len());
    let mut rest = tree.as_str();
    while let Some(at) = rest.find("Span {") {
        shape.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = &rest[rest.find('}').expect("a span ends") + 1..];
    }
    shape + rest
}

/// The problems of a text: `E0110 2:7`.
pub fn problems(text: &str) -> Vec<String> {
    let source = SourceText::new("t".into(), text.into());
    let place = |offset| source.position(offset);
    let diagnostics = parse(text, 0).1;
    let shown = diagnostics.iter().map(|diagnostic| {
        let at = place(diagnostic.span.start);
        format!("{} {}:{}", diagnostic.code, at.line, at.column)
    });
    shown.collect()
}
