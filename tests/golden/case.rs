//! A case: a folder with a program, what goes in and what has to come out.

use crate::compare::{self, Outputs};
use crate::process::{self, Finished};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What a case is about.
pub enum Kind {
    /// The program runs on this input.
    Run {
        /// `input.evt` or `input.jsonl`.
        input: String,
    },
    /// The program is refused.
    Refused,
}

/// A folder of `tests/cases/`.
pub struct Case {
    /// Name of the folder.
    pub name: String,
    /// What it is about.
    pub kind: Kind,
    folder: PathBuf,
}

/// All cases, by name.
pub fn all(folder: &Path) -> Vec<Case> {
    let entries = fs::read_dir(folder).expect("tests/cases is part of the repository");
    let mut cases: Vec<Case> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.join("program.vpl").exists())
        .map(|folder| {
            let name = folder.file_name().expect("an entry has a name").to_string_lossy().into_owned();
            let input = ["input.evt", "input.jsonl"].into_iter().find(|name| folder.join(name).exists());
            let kind = input.map_or(Kind::Refused, |input| Kind::Run { input: input.into() });
            Case { name, kind, folder }
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!cases.is_empty(), "{} has no cases", folder.display());
    cases
}

/// Are expectations to be rewritten?
fn blessing() -> bool {
    std::env::var_os("BLESS").is_some_and(|value| !value.is_empty() && value != "0")
}

impl Case {
    /// The case as its files say; blesses it if that is asked for.
    pub fn check(&self) -> Result<(), String> {
        match &self.kind {
            Kind::Run { .. } => self.run_and_compare(&[]).or_else(|message| self.bless_run(message)),
            Kind::Refused => self.refuse_and_compare().or_else(|message| self.bless_refused(message)),
        }
    }

    /// The program ends in "not supported yet", and in nothing else.
    pub fn must_wait(&self) -> Result<(), String> {
        let finished = self.rarog(&["check", "--format", "json", "program.vpl"])?;
        let errors = compare::errors(&finished.stdout)?;
        match finished.code {
            Some(0) => Err("runs now: take its name out of tests/waiting.txt".into()),
            Some(1) if !errors.is_empty() && errors.iter().all(|(code, _)| code == "E0900") => {
                let Kind::Run { input } = &self.kind else {
                    return Err("waits for nothing: it is a case of errors".into());
                };
                let run = self.rarog(&["run", "program.vpl", "--input", input])?;
                expect_code(&run, 1)?;
                if run.stdout.is_empty() { Ok(()) } else { Err(format!("refused, and yet it put out {}", run.stdout)) }
            }
            _ => Err(format!("should end in E0900 only\n{}", shown(&finished))),
        }
    }

    /// Runs it with more arguments and compares outputs and dead letters.
    pub fn run_and_compare(&self, more: &[String]) -> Result<(), String> {
        self.compare_by(|args| {
            let args: Vec<String> = args.iter().chain(more).cloned().collect();
            process::rarog(&self.folder, &args, Vec::new())
        })
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Lines of its input.
    pub fn records(&self) -> Result<usize, String> {
        let Kind::Run { input } = &self.kind else { return Err("it has no input".into()) };
        Ok(self.read(input)?.lines().count())
    }

    /// Lets it be run by something that is given the arguments, and compares outputs and dead letters.
    pub fn compare_by(&self, by: impl FnOnce(&[String]) -> Result<Finished, String>) -> Result<(), String> {
        let (finished, dead) = self.run(by)?;
        expect_code(&finished, 0)?;
        let with_talk = |message: String| format!("{message}\n{}", talk(&finished));
        let got = Outputs::parse(&finished.stdout).map_err(with_talk)?;
        got.compare(&Outputs::parse(&self.read("expected.jsonl")?)?).map_err(with_talk)?;
        let got = compare::dead(&dead, false)?;
        let wanted = match self.folder.join("expected_dead.jsonl").exists() {
            true => compare::dead(&self.read("expected_dead.jsonl")?, true)?,
            false => Default::default(),
        };
        if got == wanted { Ok(()) } else { Err(format!("dead letters: expected {wanted:?}, got {got:?}\n{dead}")) }
    }

    fn run(&self, by: impl FnOnce(&[String]) -> Result<Finished, String>) -> Result<(Finished, String), String> {
        let Kind::Run { input } = &self.kind else { return Err("it has no input".into()) };
        let dead = Scratch::new(&self.name);
        let path = dead.0.to_string_lossy();
        let args = ["run", "program.vpl", "--input", input, "--output", "jsonl", "--dead-letters", &path];
        let finished = by(&args.map(String::from))?;
        let dead = fs::read_to_string(&dead.0).unwrap_or_default();
        Ok((finished, dead))
    }

    fn refuse_and_compare(&self) -> Result<(), String> {
        let finished = self.rarog(&["check", "--format", "json", "program.vpl"])?;
        expect_code(&finished, 1)?;
        let got = compare::errors(&finished.stdout)?;
        let wanted = compare::errors(&self.read("expected_errors.jsonl")?)?;
        if got == wanted {
            return Ok(());
        }
        let human = self.rarog(&["check", "program.vpl"])?;
        Err(format!("expected {wanted:?}\n     got {got:?}\n{}{}", human.stdout, human.stderr))
    }

    fn bless_run(&self, message: String) -> Result<(), String> {
        if !blessing() {
            return Err(message);
        }
        let (finished, dead) = self.run(|args| process::rarog(&self.folder, args, Vec::new()))?;
        expect_code(&finished, 0)?;
        Outputs::parse(&finished.stdout)?;
        self.write("expected.jsonl", &finished.stdout)?;
        let counts = compare::dead(&dead, false)?;
        let lines = counts.iter().map(|(reason, count)| format!("{{\"reason\": \"{reason}\", \"count\": {count}}}\n"));
        self.write_or_remove("expected_dead.jsonl", &lines.collect::<String>())
    }

    fn bless_refused(&self, message: String) -> Result<(), String> {
        if !blessing() {
            return Err(message);
        }
        let finished = self.rarog(&["check", "--format", "json", "program.vpl"])?;
        expect_code(&finished, 1)?;
        let errors = compare::errors(&finished.stdout)?;
        let lines = errors.iter().map(|(code, line)| format!("{{\"code\": \"{code}\", \"line\": {line}}}\n"));
        self.write("expected_errors.jsonl", &lines.collect::<String>())
    }

    fn rarog(&self, args: &[&str]) -> Result<Finished, String> {
        process::rarog(&self.folder, &args.iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::new())
    }

    fn read(&self, name: &str) -> Result<String, String> {
        fs::read_to_string(self.folder.join(name)).map_err(|error| format!("cannot read {name}: {error}"))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), String> {
        fs::write(self.folder.join(name), text).map_err(|error| format!("cannot write {name}: {error}"))
    }

    fn write_or_remove(&self, name: &str, text: &str) -> Result<(), String> {
        match fs::remove_file(self.folder.join(name)) {
            _ if !text.is_empty() => self.write(name, text),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(format!("cannot remove {name}: {error}")),
            _ => Ok(()),
        }
    }
}

fn expect_code(finished: &Finished, code: i32) -> Result<(), String> {
    if finished.code == Some(code) {
        return Ok(());
    }
    Err(format!("should end with code {code}, ended with {:?}\n{}", finished.code, shown(finished)))
}

fn talk(finished: &Finished) -> String {
    if finished.stderr.is_empty() { String::new() } else { format!("stderr:\n{}", finished.stderr) }
}

fn shown(finished: &Finished) -> String {
    format!("stdout:\n{}\n{}", finished.stdout, talk(finished))
}

/// A file of this process that goes when it is no longer needed.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Scratch(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{number}-{name}.dead", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}
