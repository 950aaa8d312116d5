//! w1, w2: readings above a temperature.

use super::Anchor;
use super::events::Reading;
use super::out::{Out, scaled};

/// Every second reading.
pub struct Hot;

impl Anchor for Hot {
    type Event<'a> = Reading<'a>;

    fn take(&mut self, reading: Reading, out: &mut Out) -> Result<(), String> {
        if reading.is_reading() && reading.temperature > 50.0 {
            out.row(format_args!("{}", reading.seq));
        }
        Ok(())
    }
}

/// The hottest tenth, in Fahrenheit.
pub struct Converted;

impl Anchor for Converted {
    type Event<'a> = Reading<'a>;

    fn take(&mut self, reading: Reading, out: &mut Out) -> Result<(), String> {
        if reading.is_reading() && reading.temperature > 90.0 {
            let fahrenheit = reading.temperature * 1.8 + 32.0;
            out.row(format_args!("{},{},{}", reading.seq, reading.sensor_id, scaled(fahrenheit, 1000.0)));
        }
        Ok(())
    }
}
