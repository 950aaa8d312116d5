//! w3, w4: count and sum of each sensor in windows of `PANES` times ten seconds, every ten seconds.

use super::Anchor;
use super::events::Reading;
use super::keys::Keyed;
use super::out::{Out, scaled};

const PANE_MS: i64 = 10_000;

/// Sums by sensor and pane; the pane `p` is in the place `p % PANES`.
#[derive(Default)]
pub struct Means<const PANES: usize> {
    sensors: Keyed<Panes<PANES>>,
    /// The pane of the last reading.
    pane: Option<i64>,
}

struct Panes<const PANES: usize>([(u64, f64); PANES]);

impl<const PANES: usize> Default for Panes<PANES> {
    fn default() -> Panes<PANES> {
        Panes([(0, 0.0); PANES])
    }
}

fn place<const PANES: usize>(pane: i64) -> usize {
    pane.rem_euclid(PANES as i64) as usize
}

impl<const PANES: usize> Means<PANES> {
    /// Closes the windows that end after pane `from` and up to the beginning of pane `to`.
    #[cold]
    fn close(&mut self, from: i64, to: i64, out: &mut Out) {
        // After that many panes nothing is left.
        for end in from + 1..=to.min(from + PANES as i64) {
            let start = (end - PANES as i64) * PANE_MS;
            for (sensor, panes) in &mut self.sensors.all {
                let add = |(n, total), (more, sum)| (n + more, total + sum);
                let (n, total) = panes.0.iter().copied().fold((0, 0.0), add);
                if n > 0 {
                    out.row(format_args!("{sensor},{start},{n},{}", scaled(total, 100.0)));
                }
                panes.0[place::<PANES>(end)] = (0, 0.0);
            }
        }
    }
}

impl<const PANES: usize> Anchor for Means<PANES> {
    type Event<'a> = Reading<'a>;

    fn take(&mut self, reading: Reading, out: &mut Out) -> Result<(), String> {
        if !reading.is_reading() {
            return Ok(());
        }
        let pane = reading.ts.div_euclid(PANE_MS);
        if self.pane != Some(pane)
            && let Some(from) = self.pane.replace(pane)
        {
            self.close(from, pane, out);
        }
        let (_, panes) = self.sensors.entry(reading.sensor_id)?;
        let sum = &mut panes.0[place::<PANES>(pane)];
        sum.0 += 1;
        sum.1 += reading.temperature;
        Ok(())
    }

    fn end(&mut self, out: &mut Out) {
        if let Some(from) = self.pane {
            self.close(from, i64::MAX, out);
        }
    }
}
