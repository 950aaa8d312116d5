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
        i128::from(time).div_euclid(self.pane) * self.pane
    }

    /// Width of a pane.
    pub fn pane_width(&self) -> i128 {
        self.pane
    }

    /// End of the last window that covers a time.
    pub fn last_end(&self, time: i128) -> i128 {
        time.div_euclid(self.slide) * self.slide + self.size
    }

    /// The first end behind both `closed` and `start`, of a window that covers the pane at `start`, if one is left.
    pub fn next_end(&self, start: i128, closed: i128) -> Option<i128> {
        let beyond = start.max(closed);
        let end = (beyond - self.size).div_euclid(self.slide) * self.slide + self.slide + self.size;
        (end - self.size <= start).then_some(end)
    }

    /// Start of the window with this end.
    pub fn start(&self, end: i128) -> i128 {
        end - self.size
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
        assert_eq!(grid.next_end(8, i128::MIN / 4), Some(10));
        assert_eq!(grid.next_end(8, 10), Some(14));
        assert_eq!(grid.next_end(8, 18), None);
        assert_eq!(Grid::new(10, 10).next_end(-10, -100), Some(0));
    }
}
