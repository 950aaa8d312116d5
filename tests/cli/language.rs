//! The language's reference: every program in it that has an input is run, and puts out what the reference shows.
//!
//! An example is three fenced blocks in a row: `vpl`, `evt`, `jsonl`. `BLESS=1` writes what the programs put out into the
//! reference instead of failing.

use crate::scratch::Scratch;
use crate::{checkout, rarog};
use std::fs;
use std::ops::Range;

const REFERENCE: &str = "docs/language.md";

/// A program with its input and where the reference shows what it puts out.
struct Example<'t> {
    program: &'t str,
    input: &'t str,
    shown: Range<usize>,
}

/// The content of a fenced block that begins right at `from`, as a range.
fn block(text: &str, from: usize, kind: &str) -> Option<Range<usize>> {
    let fence = format!("```{kind}\n");
    let start = from + text[from..].starts_with(&fence).then_some(fence.len())?;
    let end = start + text[start..].find("```\n").expect("a block ends");
    Some(start..end)
}

fn examples(text: &str) -> Vec<Example<'_>> {
    let after = |block: &Range<usize>| block.end + "```\n".len();
    let starts = text.match_indices("```vpl\n").map(|(start, _)| start);
    starts
        .map(|start| {
            let program = block(text, start, "vpl").expect("the fence was found");
            let input = block(text, after(&program), "evt").expect("a program is followed by its input");
            let shown = block(text, after(&input), "jsonl").expect("an input is followed by what comes out");
            Example { program: &text[program], input: &text[input], shown }
        })
        .collect()
}

#[test]
fn programs_of_the_reference_put_out_what_it_shows() {
    let text = fs::read_to_string(checkout().join(REFERENCE)).expect("the reference");
    let scratch = Scratch::new("language");
    let examples = examples(&text);
    assert!(examples.len() > 30, "the reference has examples");
    let mut blessed = text.clone();
    let mut wrong = Vec::new();
    for (index, example) in examples.iter().enumerate().rev() {
        let program = scratch.file(&format!("{index}.vpl"), example.program);
        let input = scratch.file(&format!("{index}.evt"), example.input);
        let finished = rarog(&["run", &program, "--input", &input]);
        let shown = &text[example.shown.clone()];
        if finished.code != Some(0) || finished.stdout != shown {
            wrong.push(format!(
                "{}\nshown:\n{shown}\nput out:\n{}\n{}",
                example.program, finished.stdout, finished.stderr
            ));
            blessed.replace_range(example.shown.clone(), &finished.stdout);
        }
    }
    if std::env::var_os("BLESS").is_some_and(|value| value == "1") {
        fs::write(checkout().join(REFERENCE), blessed).expect("the reference can be written");
        return;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
