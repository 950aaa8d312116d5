//! w12: a hundred queries at once. Their thresholds ascend, so a reading stops at the first filter that refuses it, and adds
//! to one count and sum only: that of the highest threshold it is above. A window's query has all from its own on.

use super::Anchor;
use super::events::Reading;
use super::out::{Out, scaled};

const QUERIES: usize = 50;
const WINDOW_MS: i64 = 10_000;

/// Thresholds of the filters, and count and sum of the open window by number of thresholds that a reading is above.
pub struct Queries {
    filters: [f64; QUERIES],
    sums: [(u64, f64); QUERIES + 1],
    window: i64,
}

impl Default for Queries {
    fn default() -> Queries {
        Queries {
            filters: std::array::from_fn(|query| 95.0 + 0.05 * query as f64),
            sums: [(0, 0.0); QUERIES + 1],
            window: 0,
        }
    }
}

impl Queries {
    #[cold]
    fn close(&mut self, out: &mut Out) {
        let (mut n, mut total) = (0, 0.0);
        for query in (0..QUERIES).rev() {
            let (more, sum) = self.sums[query + 1];
            (n, total) = (n + more, total + sum);
            if n > 0 {
                out.row(format_args!("W{query},{},{n},{}", self.window * WINDOW_MS, scaled(total, 100.0)));
            }
        }
        self.sums = [(0, 0.0); QUERIES + 1];
    }
}

/// Of 0.0, 1.0, … 49.0 as many as are below `temperature`.
fn thresholds_below(temperature: f64) -> usize {
    // A negative number becomes 0, and so does what is no number.
    (temperature.ceil() as usize).min(QUERIES)
}

impl Anchor for Queries {
    type Event<'a> = Reading<'a>;

    fn take(&mut self, reading: Reading, out: &mut Out) -> Result<(), String> {
        if !reading.is_reading() {
            return Ok(());
        }
        let window = reading.ts.div_euclid(WINDOW_MS);
        if window != self.window {
            self.close(out);
            self.window = window;
        }
        for (query, threshold) in self.filters.iter().enumerate() {
            if reading.temperature <= *threshold {
                break;
            }
            out.row(format_args!("F{query},{}", reading.seq));
        }
        let sum = &mut self.sums[thresholds_below(reading.temperature)];
        sum.0 += 1;
        sum.1 += reading.temperature;
        Ok(())
    }

    fn end(&mut self, out: &mut Out) {
        self.close(out);
    }
}
