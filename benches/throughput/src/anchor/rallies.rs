//! w9: maximal rallies of a symbol, at least three rises in a row, ended by a fall within a minute.

use super::Anchor;
use super::events::Tick;
use super::keys::Keyed;
use super::out::Out;

const WITHIN_MS: i64 = 60_000;
const LEAST_RISES: usize = 3;

/// The rally that each symbol is in.
#[derive(Default)]
pub struct Rallies(Keyed<Rally>);

#[derive(Default)]
struct Rally {
    price: f64,
    /// Times of its first tick and of every rise.
    times: Vec<i64>,
}

impl Anchor for Rallies {
    type Event<'a> = Tick<'a>;

    fn take(&mut self, tick: Tick, out: &mut Out) -> Result<(), String> {
        if !tick.is_tick() {
            return Ok(());
        }
        let (symbol, rally) = self.0.entry(tick.symbol)?;
        if tick.price <= rally.price {
            if tick.price < rally.price && rally.times.len() > LEAST_RISES {
                // Of a rally of more than a minute the part that is short enough counts.
                let first = rally.times.partition_point(|at| at + WITHIN_MS < tick.ts);
                let times = &rally.times[first..];
                if let ([start, .., end], true) = (times, times.len() > LEAST_RISES) {
                    out.row(format_args!("{symbol},{start},{end},{}", times.len() - 1));
                }
            }
            rally.times.clear();
        }
        rally.price = tick.price;
        rally.times.push(tick.ts);
        Ok(())
    }
}
