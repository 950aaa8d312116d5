//! From the text of a program to a plan that can run: reads it with its imports, checks it, says everything that is wrong.
//!
//! ```
//! use rarog_lang::compile::{Options, compile};
//!
//! let compiled = compile("let limit = 5\nlet limit = 6\n", &Options::default());
//! assert_eq!(compiled.diagnostics[0].code, "E0201");
//! assert!(compiled.plan.is_none());
//! ```

mod import;

use crate::check::check;
use crate::check::problems::Problems;
use crate::diagnostic::{Diagnostic, Severity};
use crate::plan::{Connector, Plan};
use crate::render::SourceText;
use crate::span::Span;

/// Reads an import: the name of the importing file and the path as written give the name under which the imported file is
/// shown (equal names are one file) and its text, or why it cannot be read.
pub type ReadImport<'o> = &'o dyn Fn(&str, &str) -> Result<(String, String), String>;

/// What surrounds a program.
#[derive(Clone, Default)]
pub struct Options<'o> {
    /// The program's name in diagnostics, usually its path.
    pub name: String,
    /// How imports are read; `None`: there are no files at hand (E0218).
    pub imports: Option<ReadImport<'o>>,
    /// Connectors that are registered where the program will run: known names.
    pub cluster_connectors: &'o [Connector],
}

/// What came of it.
#[derive(Debug)]
pub struct Compiled {
    /// The plan, if there is no error.
    pub plan: Option<Plan>,
    /// The plan of a program that is right, but of which this build does not run something yet (E0900): to be shown, not to
    /// be run.
    pub draft: Option<Plan>,
    /// Everything to be said, in order of position.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts that the diagnostics' spans point into, by file number.
    pub sources: Vec<SourceText>,
}

/// Compiles a program.
pub fn compile(text: &str, options: &Options) -> Compiled {
    let mut loaded = import::load(text, options);
    let sources = std::mem::take(&mut loaded.sources);
    // Errors of lexer and parser stop the later phases; others that are met while reading do not.
    if loaded.diagnostics.iter().any(|problem| problem.code.starts_with("E01") || problem.code.starts_with("E09")) {
        let mut diagnostics = loaded.diagnostics;
        diagnostics.sort_by_key(|problem| problem.span);
        return Compiled { plan: None, draft: None, diagnostics, sources };
    }
    let line = |span: Span| {
        let Some(source) = sources.get(usize::from(span.file)) else { return String::new() };
        let line = source.position(span.start).line;
        if span.file == 0 { format!("line {line}") } else { format!("line {line} of {}", source.name) }
    };
    let mut problems = Problems::default();
    loaded.diagnostics.iter().for_each(|problem| problems.report(problem.clone()));
    let (plan, diagnostics) = check(loaded.items(), &line, options.cluster_connectors, problems);
    let errors = || diagnostics.iter().filter(|problem| problem.severity == Severity::Error);
    let (right, runs) = (errors().all(|problem| problem.code == "E0900"), errors().next().is_none());
    let (plan, draft) = if runs { (Some(plan), None) } else { (None, right.then_some(plan)) };
    Compiled { plan, draft, diagnostics, sources }
}
