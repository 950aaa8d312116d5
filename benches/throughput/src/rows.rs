//! Result rows in a form that two programs can be compared by: integer CSV, summed up in an order-free checksum.

use serde_json::Value;

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
    pub fn of_output(workload: &str, output: &[u8]) -> Result<Rows, String> {
        let mut rows = Rows::default();
        for line in output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line: Value = serde_json::from_slice(line).map_err(|error| format!("a line of the output: {error}"))?;
            rows.add(&row(workload, &line["data"])?);
        }
        Ok(rows)
    }
}

fn row(workload: &str, data: &Value) -> Result<String, String> {
    let int = |name: &str| data[name].as_i64().ok_or(format!("{data} has no int {name}"));
    let text = |name: &str| data[name].as_str().ok_or(format!("{data} has no text {name}"));
    let scaled = |name: &str, by: f64| {
        data[name].as_f64().map(|float| (float * by).round() as i64).ok_or(format!("{data} has no number {name}"))
    };
    Ok(match workload {
        "w1" => int("seq")?.to_string(),
        "w2" => format!("{},{},{}", int("seq")?, text("sensor")?, scaled("temp_f", 1000.0)?),
        "w3" => format!("{},{},{},{}", text("sensor")?, int("start")?, int("n")?, scaled("total", 100.0)?),
        _ => return Err(format!("there is no workload {workload}")),
    })
}
