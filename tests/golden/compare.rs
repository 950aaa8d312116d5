//! What "the same" means: outputs per type and timestamp, dead letters by reason, errors by code and line.

use crate::json::Json;
use std::collections::BTreeMap;

/// Neighbouring outputs of one type and one timestamp.
type Run<'a> = (&'a str, Vec<&'a Json>);

/// Lines of outputs, as they came, per event type.
pub struct Outputs {
    by_type: BTreeMap<String, Vec<(String, Json)>>,
}

impl Outputs {
    /// Reads lines of `{"event_type","timestamp","data"}` and refuses anything else.
    pub fn parse(text: &str) -> Result<Outputs, String> {
        let mut by_type: BTreeMap<String, Vec<(String, Json)>> = BTreeMap::new();
        for line in text.lines() {
            let output = Json::parse(line)?;
            let members = match &output {
                Json::Object(members) => members.len(),
                _ => 0,
            };
            match (output.text("event_type"), output.text("timestamp"), output.get("data")) {
                (Some(event), Some(time), Some(data @ Json::Object(_))) if members == 3 => {
                    by_type.entry(event.into()).or_default().push((time.into(), data.clone()));
                }
                _ => return Err(format!("not an object of event_type, timestamp and data: {line}")),
            }
        }
        Ok(Outputs { by_type })
    }

    /// Compares what came with what was expected.
    pub fn compare(&self, expected: &Outputs) -> Result<(), String> {
        let mut wrong = Vec::new();
        let types: std::collections::BTreeSet<&String> = self.by_type.keys().chain(expected.by_type.keys()).collect();
        for event in types {
            let got = self.by_type.get(event).map(Vec::as_slice).unwrap_or_default();
            let wanted = expected.by_type.get(event).map(Vec::as_slice).unwrap_or_default();
            if let Err(message) = compare_type(got, wanted) {
                wrong.push(format!("{event}: {message}"));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }
}

fn compare_type(got: &[(String, Json)], wanted: &[(String, Json)]) -> Result<(), String> {
    let (got_runs, wanted_runs) = (runs(got), runs(wanted));
    for (index, (time, wanted)) in wanted_runs.iter().enumerate() {
        match got_runs.get(index) {
            None => {
                return Err(format!(
                    "{} results are missing from {time} on, first {}",
                    rest(&wanted_runs, index),
                    wanted[0]
                ));
            }
            Some((other, got)) if other != time => {
                return Err(format!("result {} should have time {time} and has {other}: {}", index + 1, got[0]));
            }
            Some((_, got)) => compare_run(got, wanted).map_err(|message| format!("at {time}: {message}"))?,
        }
    }
    match got_runs.get(wanted_runs.len()) {
        Some((time, data)) => {
            Err(format!("{} unexpected results from {time} on, first {}", rest(&got_runs, wanted_runs.len()), data[0]))
        }
        None => Ok(()),
    }
}

fn rest(runs: &[Run], from: usize) -> usize {
    runs[from..].iter().map(|(_, data)| data.len()).sum()
}

fn runs(outputs: &[(String, Json)]) -> Vec<Run<'_>> {
    let mut runs: Vec<Run> = Vec::new();
    for (time, data) in outputs {
        match runs.last_mut() {
            Some((last, run)) if *last == time => run.push(data),
            _ => runs.push((time, vec![data])),
        }
    }
    runs
}

/// Results of one time come in any order: each expected one takes one that agrees.
fn compare_run(got: &[&Json], wanted: &[&Json]) -> Result<(), String> {
    let mut left: Vec<&Json> = got.to_vec();
    let mut missing = Vec::new();
    for data in wanted {
        match left.iter().position(|other| other.agrees(data)) {
            Some(index) => drop(left.remove(index)),
            None => missing.push(*data),
        }
    }
    if missing.is_empty() && left.is_empty() {
        return Ok(());
    }
    let list = |items: &[&Json]| items.iter().map(|item| format!("\n    {item}")).collect::<String>();
    Err(format!("\n  expected{}\n  and got{}", list(&missing), list(&left)))
}

/// Dead letters by reason, from lines with at least a `reason`; `counted`: each line has a `count`.
pub fn dead(text: &str, counted: bool) -> Result<BTreeMap<String, i128>, String> {
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        let letter = Json::parse(line)?;
        let reason = letter.text("reason").ok_or_else(|| format!("a dead letter without reason: {line}"))?;
        let count = if counted { letter.int("count").ok_or_else(|| format!("no count: {line}"))? } else { 1 };
        *counts.entry(reason.to_string()).or_insert(0) += count;
    }
    Ok(counts)
}

/// The multiset of (code, line) of the errors among diagnostics, sorted.
pub fn errors(text: &str) -> Result<Vec<(String, i128)>, String> {
    let mut errors = Vec::new();
    for line in text.lines() {
        let diagnostic = Json::parse(line)?;
        if diagnostic.text("severity") == Some("warning") {
            continue;
        }
        match (diagnostic.text("code"), diagnostic.int("line")) {
            (Some(code), Some(line)) => errors.push((code.to_string(), line)),
            _ => return Err(format!("a diagnostic without code or line: {line}")),
        }
    }
    errors.sort();
    Ok(errors)
}
