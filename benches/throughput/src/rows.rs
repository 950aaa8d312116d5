//! Result rows in a form that two programs can be compared by: integer CSV, summed up in an order-free checksum.

use crate::workloads::Workload;
use serde_json::Value;
use std::io::BufRead;

/// Number of rows and their checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Rows.
    pub count: u64,
    /// Sum of the rows' hashes, wrapping.
    pub checksum: u64,
}

impl std::fmt::Display for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:016x}", self.count, self.checksum)
    }
}

impl Rows {
    /// Adds a row (FNV-1a).
    pub fn add(&mut self, row: &str) {
        let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        self.count += 1;
        self.checksum = self.checksum.wrapping_add(row.bytes().fold(0xcbf2_9ce4_8422_2325, hash));
    }

    /// The rows of `rarog run --output jsonl`.
    pub fn of_output(workload: &Workload, output: impl BufRead) -> Result<Rows, String> {
        let mut rows = Rows::default();
        for line in output.lines() {
            let line = line.map_err(|error| format!("the output: {error}"))?;
            let line: Value = serde_json::from_str(&line).map_err(|error| format!("a line of the output: {error}"))?;
            rows.add(&row(workload, &line)?);
        }
        Ok(rows)
    }
}

fn row(workload: &Workload, output: &Value) -> Result<String, String> {
    let event = output["event_type"].as_str().unwrap_or_default();
    let shape = workload.rows.iter().find(|(prefix, _)| event.starts_with(prefix));
    let (_, columns) = shape.ok_or_else(|| format!("{}: an output that nobody expects: {output}", workload.name))?;
    let cells: Result<Vec<String>, String> =
        columns.iter().map(|column| cell(column, event, &output["data"])).collect();
    Ok(cells?.join(","))
}

/// `n`, `total*100`: a value as integer or text, or a number rounded after multiplying it.
fn cell(column: &str, event: &str, data: &Value) -> Result<String, String> {
    if column == "event_type" {
        return Ok(event.into());
    }
    let wrong = || format!("{data} has no {column} that can be compared");
    if let Some((name, by)) = column.split_once('*') {
        let by: f64 = by.parse().map_err(|_| wrong())?;
        let value = data[name].as_f64().ok_or_else(wrong)?;
        return Ok(((value * by).round() as i64).to_string());
    }
    match &data[column] {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => number.as_i64().map(|int| int.to_string()).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::named;

    fn rows(workload: &str, output: &str) -> Result<Rows, String> {
        Rows::of_output(named(workload).expect("a workload"), output.as_bytes())
    }

    fn expected(rows: &[&str]) -> Rows {
        let mut all = Rows::default();
        rows.iter().for_each(|row| all.add(row));
        all
    }

    #[test]
    fn outputs_become_rows_of_integers_in_any_order() {
        let output = "{\"event_type\":\"F3\",\"data\":{\"seq\":7}}\n\
                      {\"event_type\":\"W3\",\"data\":{\"start\":10000,\"n\":2,\"total\":1.005}}\n";
        assert_eq!(rows("w12", output), Ok(expected(&["W3,10000,2,100", "F3,7"])));
        assert_ne!(rows("w12", output), Ok(expected(&["W3,10000,2,101", "F3,7"])));
    }

    #[test]
    fn what_has_no_such_rows_is_an_error() {
        for output in ["{", r#"{"event_type":"X","data":{"seq":1}}"#, r#"{"event_type":"F1","data":{"seq":1.0}}"#] {
            assert!(rows("w12", output).is_err(), "{output}");
        }
    }
}
