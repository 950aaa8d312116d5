//! What expressions mean: every line of `tests/meaning/*.txt` is an expression and its value.
//!
//! ```text
//! # comment
//! 7 % -3 ==> 1
//! with {a: 1, b: null}: a + b ==> null        a and b are parameters, of which no type is known
//! "a" + 1 ==> E0301                            the checker's errors
//! ```
//! `programs.vpl` has functions, and such lines behind `#:`.
//!
//! Values are compact JSON; where a timestamp or duration must be told from a text, `type_of` does it.

use rarog_lang::check::declared::Declared;
use rarog_lang::check::expression::Expressions;
use rarog_lang::check::problems::Problems;
use rarog_lang::eval::interpreter::Evaluator;
use rarog_lang::eval::json::write_json;
use rarog_lang::plan::Function;
use rarog_lang::value::Value;
use std::path::Path;

/// The functions of a program, or the codes of its errors.
fn functions(text: &str) -> Result<Vec<Function>, String> {
    let (program, syntax) = rarog_lang::parser::parse(text, 0);
    let mut problems = Problems::default();
    let declared = Declared::new(program.items.iter().collect(), &|_| String::new(), &mut problems);
    let checked = Expressions::new(&declared, &[], problems).finish();
    let all = syntax.into_iter().chain(checked.problems.finish());
    let errors: Vec<&str> = all.map(|problem| problem.code).filter(|code| code.starts_with('E')).collect();
    if errors.is_empty() { Ok(checked.functions) } else { Err(errors.join(" ")) }
}

fn call(functions: &[Function], name: &str, args: Vec<Value>) -> Value {
    let index = functions.iter().position(|function| &*function.name == name).expect("the program has this function");
    Evaluator::new(functions).call(index as u32, args)
}

/// The value of a line's left side as JSON.
fn value(line: &str) -> Result<String, String> {
    let (bindings, expr) = match line.strip_prefix("with ").and_then(|line| line.split_once("}: ")) {
        Some((bindings, expr)) => (format!("{bindings}}}"), expr),
        None => ("{}".to_string(), line),
    };
    let bound = functions(&format!("fn bindings(): return {bindings}\n"))?;
    let Value::Map(bound) = call(&bound, "bindings", vec![]) else { panic!("{line}: bindings are a map") };
    let params: Vec<&str> = bound.keys().map(|name| &**name).collect();
    let program = functions(&format!("fn row({}): return {expr}\n", params.join(", ")))?;
    let mut json = String::new();
    write_json(&mut json, &call(&program, "row", bound.values().cloned().collect()));
    Ok(json)
}

/// The text of a file of this folder.
fn text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/meaning").join(name);
    std::fs::read_to_string(path).expect("the file is there")
}

/// Lines that do not mean what they say.
fn differences(name: &str) -> Vec<String> {
    let text = text(name);
    let mut differences = Vec::new();
    let mut rows = 0;
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let (left, expected) = line.rsplit_once(" ==> ").unwrap_or_else(|| panic!("{name}:{}: no ==>", number + 1));
        let found = value(left.trim_end()).unwrap_or_else(|codes| codes);
        rows += 1;
        if found != expected.trim() {
            differences.push(format!("{name}:{}: {left} ==> {found}, not {expected}", number + 1));
        }
    }
    assert!(rows > 20, "{name} has {rows} rows");
    differences
}

#[test]
fn operators() {
    assert_eq!(differences("operators.txt"), [""; 0]);
}

#[test]
fn texts() {
    assert_eq!(differences("texts.txt"), [""; 0]);
}

#[test]
fn functions_of_numbers_and_collections() {
    assert_eq!(differences("functions.txt"), [""; 0]);
}

#[test]
fn functions_of_texts_and_kinds() {
    assert_eq!(differences("conversions.txt"), [""; 0]);
}

#[test]
fn programs() {
    let text = text("programs.vpl");
    let rows = text.lines().filter_map(|line| line.strip_prefix("#: "));
    assert!(rows.clone().count() > 30);
    for row in rows {
        let (expr, expected) = row.rsplit_once(" ==> ").expect("a row has two sides");
        let found = functions(&format!("{text}\nfn row(): return {expr}\n")).map(|functions| {
            let mut json = String::new();
            write_json(&mut json, &call(&functions, "row", vec![]));
            json
        });
        assert_eq!(found.unwrap_or_else(|codes| codes), expected, "{expr}");
    }
}
