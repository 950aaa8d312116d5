//! Where time windows begin and end: multiples of the slide since the epoch.

/// The grid of a window. All arithmetic is in i128, so that no event time can overflow.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    size: i128,
    slide: i128,
    pane: i128,
}

impl Grid {
    /// Sizes in ns, `0 < slide <= size`.
    pub fn new(size: i64, slide: i64) -> Grid {
        let (mut a, mut b) = (i128::from(size), i128::from(slide));
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Grid { size: size.into(), slide: slide.into(), pane: a }
    }

    /// Start of the pane of a time.
    pub fn pane(&self, time: i64) -> i128 {
        floor(time.into(), self.pane)
    }

    /// Width of a pane.
    pub fn pane_width(&self) -> i128 {
        self.pane
    }

    /// End of the last window that covers a time.
    pub fn last_end(&self, time: i128) -> i128 {
        floor(time, self.slide) + self.size
    }

    /// The first end behind both `closed` and `start`, of a window that covers the pane at `start`, if one is left.
    pub fn next_end(&self, start: i128, closed: i128) -> Option<i128> {
        let beyond = start.max(closed);
        let end = self.first_end(beyond);
        (end - self.size <= start).then_some(end)
    }

    /// End of the first window that covers a time.
    pub fn first_end(&self, time: i128) -> i128 {
        floor(time - self.size, self.slide) + self.slide + self.size
    }

    /// Ends of all windows that cover a time, in order.
    pub fn ends(self, time: i128) -> impl Iterator<Item = i128> {
        let last = self.last_end(time);
        std::iter::successors(Some(self.first_end(time)), move |end| Some(end + self.slide))
            .take_while(move |end| *end <= last)
    }

    /// Panes of a window.
    pub fn panes(&self) -> i128 {
        self.size / self.pane
    }

    /// Start of the stretch, as long as a window, that a time lies in: these stretches do not overlap.
    pub fn block(&self, time: i128) -> i128 {
        floor(time, self.size)
    }

    /// Length of a window.
    pub fn size(&self) -> i128 {
        self.size
    }

    /// Start of the window with this end.
    pub fn start(&self, end: i128) -> i128 {
        end - self.size
    }
}

/// The greatest multiple of a step that is not beyond a time.
fn floor(time: i128, step: i128) -> i128 {
    match (i64::try_from(time), i64::try_from(step)) {
        // Division is many times faster in 64 bits.
        (Ok(time), Ok(step)) => i128::from(time) - i128::from(time.rem_euclid(step)),
        _ => time.div_euclid(step) * step,
    }
}

/// A time that may lie beyond i64, clamped.
pub fn clamp(time: i128) -> i64 {
    time.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_lie_on_the_epoch_grid() {
        let grid = Grid::new(10, 4);
        assert_eq!(grid.pane, 2);
        assert_eq!(grid.last_end(9), 18);
        assert_eq!(grid.ends(8).collect::<Vec<_>>(), [10, 14, 18]);
        assert_eq!(grid.ends(-1).collect::<Vec<_>>(), [2, 6]);
        assert_eq!(grid.next_end(8, i128::MIN / 4), Some(10));
        assert_eq!(grid.next_end(8, 10), Some(14));
        assert_eq!(grid.next_end(8, 18), None);
        assert_eq!(Grid::new(10, 10).next_end(-10, -100), Some(0));
    }
}
