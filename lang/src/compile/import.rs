//! Imports: the declarations of a file stand where it is imported, each file once.

use super::Options;
use crate::ast::{Import, Item, Program};
use crate::diagnostic::Diagnostic;
use crate::parser::parse;
use crate::render::SourceText;
use std::collections::{HashMap, VecDeque};

/// Most files of one program.
const PROGRAM_FILES: usize = 1000;

/// A program with everything that it imports.
pub(super) struct Loaded {
    programs: Vec<Program>,
    /// For each file, the file that each of its imports brings in; `None`: it stands elsewhere already, or cannot be read.
    imports: Vec<Vec<Option<usize>>>,
    pub(super) sources: Vec<SourceText>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Reads the program and, file by file, what is imported.
pub(super) fn load(text: &str, options: &Options) -> Loaded {
    let mut loaded = Loaded { programs: Vec::new(), imports: Vec::new(), sources: Vec::new(), diagnostics: Vec::new() };
    let mut numbers: HashMap<String, usize> = HashMap::from([(options.name.clone(), 0)]);
    let mut unread: VecDeque<(String, String)> = VecDeque::from([(options.name.clone(), text.to_string())]);
    while let Some((name, text)) = unread.pop_front() {
        let file = loaded.programs.len();
        let (program, diagnostics) = parse(&text, u16::try_from(file).expect("PROGRAM_FILES is below 2^16"));
        loaded.diagnostics.extend(diagnostics);
        let mut imports = Vec::new();
        for import in program.items.iter().filter_map(import_of) {
            imports.push(match read(&name, import, options, numbers.len()) {
                Ok((found, _)) if numbers.contains_key(&found) => None,
                Ok((found, text)) => {
                    let number = numbers.len();
                    numbers.insert(found.clone(), number);
                    unread.push_back((found, text));
                    Some(number)
                }
                Err(why) => {
                    let problem = Diagnostic::new("E0218", import.span, format!("cannot read {}", import.path));
                    loaded.diagnostics.push(problem.help(why));
                    None
                }
            });
        }
        loaded.programs.push(program);
        loaded.imports.push(imports);
        loaded.sources.push(SourceText::new(name, text));
    }
    loaded
}

fn import_of(item: &Item) -> Option<&Import> {
    match item {
        Item::Import(import) => Some(import),
        _ => None,
    }
}

fn read(importing: &str, import: &Import, options: &Options, files: usize) -> Result<(String, String), String> {
    let read = options.imports.ok_or("there are no files here: put everything into one program")?;
    if files >= PROGRAM_FILES {
        return Err(format!("a program has at most {PROGRAM_FILES} files"));
    }
    read(importing, &import.path)
}

impl Loaded {
    /// All declarations, imported ones in place of the `import`.
    pub(super) fn items(&self) -> Vec<&Item> {
        let mut items = Vec::new();
        // A file, its next item, its next import.
        let mut open = vec![(0, 0, 0)];
        while let Some((file, item, import)) = open.pop() {
            let Some(next) = self.programs[file].items.get(item) else { continue };
            let is_import = import_of(next).is_some();
            open.push((file, item + 1, import + usize::from(is_import)));
            if !is_import {
                items.push(next);
            } else if let Some(imported) = self.imports[file][import] {
                open.push((imported, 0, 0));
            }
        }
        items
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::{Compiled, Options, compile};

    fn compiled(files: &[(&str, &str)]) -> Compiled {
        let read = |_: &str, path: &str| {
            let found = files.iter().find(|(name, _)| *name == path);
            found.map(|(name, text)| (name.to_string(), text.to_string())).ok_or("no such file".to_string())
        };
        compile(files[0].1, &Options { name: files[0].0.into(), imports: Some(&read), ..Options::default() })
    }

    fn problems(files: &[(&str, &str)]) -> Vec<(&'static str, u16, String)> {
        compiled(files).diagnostics.into_iter().map(|p| (p.code, p.span.file, p.message)).collect()
    }

    #[test]
    fn declarations_are_seen_across_files_in_either_direction() {
        let main = "import \"a.vpl\"\nlet n = twice(m)\nconst base = 2\n";
        assert_eq!(problems(&[("main.vpl", main), ("a.vpl", "fn twice(x): x * base\nlet m = 3\n")]), []);
    }

    #[test]
    fn a_file_stands_once_and_may_import_its_importer() {
        let files = [
            ("main.vpl", "import \"a.vpl\"\nimport \"b.vpl\"\nimport \"a.vpl\"\n"),
            ("a.vpl", "import \"b.vpl\"\nimport \"main.vpl\"\nlet a = b\n"),
            ("b.vpl", "import \"a.vpl\"\nlet b = 1\n"),
        ];
        assert_eq!(problems(&files), []);
    }

    #[test]
    fn a_second_name_is_told_of_the_file_of_the_first() {
        let files = [("main.vpl", "import \"a.vpl\"\nlet a = 1\n"), ("a.vpl", "\nlet a = 2\n")];
        let message = "a is already declared as let in line 2 of a.vpl".to_string();
        assert_eq!(problems(&files), [("E0201", 0, message)]);
    }

    #[test]
    fn what_cannot_be_read_is_reported_at_the_path() {
        let text = "import \"nope.vpl\"\nlet a = 1\nlet a = 2\n";
        let compiled = compiled(&[("main.vpl", text)]);
        let places: Vec<_> =
            compiled.diagnostics.iter().map(|p| (p.code, &text[p.span.start as usize..p.span.end as usize])).collect();
        assert_eq!(places, [("E0218", "\"nope.vpl\""), ("E0201", "a")]);
        assert_eq!(compile(text, &Options::default()).diagnostics[0].code, "E0218");
    }

    #[test]
    fn syntax_errors_of_all_files_stop_the_checker() {
        let files = [("main.vpl", "import \"a.vpl\"\nlet a =\nlet b = nope\n"), ("a.vpl", "let c = (\n")];
        let codes: Vec<(&str, u16)> = problems(&files).into_iter().map(|(code, file, _)| (code, file)).collect();
        assert_eq!(codes, [("E0110", 0), ("E0110", 1)]);
    }
}
