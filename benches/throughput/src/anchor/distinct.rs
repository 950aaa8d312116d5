//! w11: how many sensors were above 50 degrees in each second.

use super::Anchor;
use super::events::Reading;
use super::keys::Keyed;
use super::out::Out;

const WINDOW_MS: i64 = 1000;

/// The second in which a sensor was last seen, and how many were seen in this one.
#[derive(Default)]
pub struct Distinct {
    sensors: Keyed<Option<i64>>,
    second: i64,
    seen: u64,
}

impl Distinct {
    fn close(&mut self, out: &mut Out) {
        let seen = std::mem::take(&mut self.seen);
        if seen > 0 {
            out.row(format_args!("{},{seen}", self.second * WINDOW_MS));
        }
    }
}

impl Anchor for Distinct {
    type Event<'a> = Reading<'a>;

    fn take(&mut self, reading: Reading, out: &mut Out) -> Result<(), String> {
        if !reading.is_reading() {
            return Ok(());
        }
        let second = reading.ts.div_euclid(WINDOW_MS);
        if second != self.second {
            self.close(out);
            self.second = second;
        }
        if reading.temperature > 50.0 {
            let (_, last) = self.sensors.entry(reading.sensor_id)?;
            self.seen += u64::from(last.replace(second) != Some(second));
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Out) {
        self.close(out);
    }
}
