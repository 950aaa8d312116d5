//! What documents show is what the binary prints: every `$ rarog …` in a console block is run, every program is checked.

use crate::scratch::Scratch;
use crate::{checkout, rarog};
use std::fs;

/// The contents of the fenced blocks of one kind.
fn blocks(document: &str, kind: &str) -> Vec<String> {
    let text = fs::read_to_string(checkout().join(document)).expect("the document is there");
    let fence = format!("```{kind}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap_or_default().to_string()).collect()
}

#[test]
fn commands_in_the_readme_print_what_it_shows() {
    let mut commands = 0;
    for block in blocks("README.md", "console") {
        for session in block.split("$ ").skip(1) {
            let (command, shown) = session.split_once('\n').expect("a command is a line");
            let words: Vec<&str> = command.split_whitespace().collect();
            assert_eq!(words[0], "rarog");
            assert_eq!(rarog(&words[1..]).stdout, shown, "$ {command}");
            commands += 1;
        }
    }
    assert!(commands > 0);
}

#[test]
fn programs_in_the_readme_are_the_examples() {
    let example = fs::read_to_string(checkout().join("examples/hot.vpl")).expect("an example");
    let scratch = Scratch::new("readme");
    for (index, block) in blocks("README.md", "vpl").iter().enumerate() {
        assert!(example.ends_with(block.as_str()), "the first screen shows what can be run:\n{block}");
        rarog(&["check", &scratch.file(&format!("{index}.vpl"), block)]).exits(0);
    }
}

#[test]
fn every_command_of_the_reference_exists() {
    let reference = fs::read_to_string(checkout().join("docs/cli.md")).expect("the reference");
    let commands = ["run", "check", "fmt", "coordinator", "server", "deploy", "ls"];
    let help: String = commands.iter().map(|command| rarog(&[command, "--help"]).stdout).collect();
    let flags = reference.split(|c: char| !(c.is_ascii_lowercase() || c == '-')).filter(|word| word.starts_with("--"));
    let known: Vec<&str> = flags.filter(|flag| flag.len() > 3).collect();
    assert!(known.len() > 8);
    for flag in known {
        assert!(help.contains(flag), "{flag} is no option of {commands:?}");
    }
}
