//! w5: volume and turnover of every hundred trades of a symbol.

use super::Anchor;
use super::events::Tick;
use super::keys::Keyed;
use super::out::{Out, scaled};

const TRADES: u32 = 100;

/// Running sums by symbol.
#[derive(Default)]
pub struct Vwap(Keyed<Sums>);

#[derive(Default)]
struct Sums {
    trades: u32,
    volume: i64,
    turnover: f64,
}

impl Anchor for Vwap {
    type Event<'a> = Tick<'a>;

    fn take(&mut self, tick: Tick, out: &mut Out) -> Result<(), String> {
        if !tick.is_tick() {
            return Ok(());
        }
        let (symbol, sums) = self.0.entry(tick.symbol)?;
        sums.trades += 1;
        sums.volume += tick.volume;
        sums.turnover += tick.price * tick.volume as f64;
        if sums.trades == TRADES {
            let Sums { volume, turnover, .. } = std::mem::take(sums);
            std::hint::black_box(turnover / volume as f64);
            out.row(format_args!("{symbol},{},{volume},{}", tick.ts, scaled(turnover, 100.0)));
        }
        Ok(())
    }
}
