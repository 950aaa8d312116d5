//! w11k: the ten sensors with the largest sums of every ten seconds, equal ones by name.

use super::Anchor;
use super::events::Reading;
use super::keys::Keyed;
use super::out::{Out, scaled};
use std::cmp::Reverse;

const WINDOW_MS: i64 = 10_000;
const PLACES: usize = 10;

/// Sums of the open window by sensor, in hundredths.
#[derive(Default)]
pub struct Top {
    sensors: Keyed<(u64, i64)>,
    window: i64,
}

impl Top {
    #[cold]
    fn close(&mut self, out: &mut Out) {
        let sums = self.sensors.all.iter().filter(|(_, (n, _))| *n > 0);
        let mut sums: Vec<(Reverse<i64>, &str)> = sums.map(|(name, (_, cents))| (Reverse(*cents), &**name)).collect();
        if sums.len() > PLACES {
            sums.select_nth_unstable(PLACES);
            sums.truncate(PLACES);
        }
        sums.sort_unstable();
        for (rank, (Reverse(cents), sensor)) in (1..).zip(&sums) {
            out.row(format_args!("{},{rank},{sensor},{cents}", self.window * WINDOW_MS));
        }
        self.sensors.all.iter_mut().for_each(|(_, sum)| *sum = (0, 0));
    }
}

impl Anchor for Top {
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
        let (_, (n, cents)) = self.sensors.entry(reading.sensor_id)?;
        *n += 1;
        *cents += scaled(reading.temperature, 100.0);
        Ok(())
    }

    fn end(&mut self, out: &mut Out) {
        self.close(out);
    }
}
