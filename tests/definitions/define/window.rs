//! Windows: section 8, and late records and corrections of section 7. Every record that was ever taken is kept, and what a
//! window holds is looked up among all of them whenever it fires.

use super::key;
use crate::program::Window;
use crate::record::Rec;
use crate::value::V;

/// A record that a window took.
#[derive(Clone)]
struct Kept {
    record: Rec,
    key: Vec<V>,
    /// The watermark when it came.
    w: i128,
    /// Its session has been reported.
    closed: bool,
}

/// A window operator.
pub struct Windowed {
    window: Window,
    lateness: i128,
    /// An aggregate follows: corrections release the whole content again.
    aggregated: bool,
    /// In order of arrival.
    kept: Vec<Kept>,
    /// How often windows have fired.
    fired: Vec<(Vec<V>, i128, i64)>,
    /// Everything up to here has fired.
    w: i128,
    releases: u64,
}

/// What came of a record.
pub enum Taken {
    /// It is late.
    Late(Rec),
    /// What it released at once.
    Released(Vec<Rec>),
}

impl Windowed {
    /// A window by the records' keys.
    pub fn new(window: Window, lateness: i64, aggregated: bool) -> Windowed {
        let (kept, fired) = (Vec::new(), Vec::new());
        Windowed { window, lateness: lateness.into(), aggregated, kept, fired, w: super::BEFORE, releases: 0 }
    }

    /// Takes a record while the watermark is w.
    pub fn take(&mut self, record: Rec, w: i128) -> Taken {
        let (time, key) = (i128::from(record.time), key::of(&record));
        let kept = Kept { record, key, w, closed: false };
        match self.window {
            Window::Time { size, .. } => {
                let starts = self.starts(time);
                if starts.iter().all(|start| w >= start + i128::from(size) + self.lateness) {
                    return Taken::Late(kept.record);
                }
                self.kept.push(kept.clone());
                let closed = starts.into_iter().filter(|start| {
                    let end = start + i128::from(size);
                    w >= end && w < end + self.lateness
                });
                let corrected = closed.collect::<Vec<_>>().into_iter();
                Taken::Released(corrected.flat_map(|start| self.correct(&kept, start)).collect())
            }
            Window::Session { gap } => {
                let touches = |other: &Kept| {
                    !other.closed
                        && key::same(&other.key, &kept.key)
                        && (i128::from(other.record.time) - time).abs() <= gap.into()
                };
                if time + i128::from(gap) < w && !self.kept.iter().any(touches) {
                    return Taken::Late(kept.record);
                }
                self.kept.push(kept);
                Taken::Released(Vec::new())
            }
            Window::Count { size, slide } => {
                self.kept.push(kept.clone());
                let of_key = |other: &&Kept| key::same(&other.key, &kept.key);
                let all: Vec<Rec> = self.kept.iter().filter(of_key).map(|kept| kept.record.clone()).collect();
                if all.len() < size || !(all.len() - size).is_multiple_of(slide.unwrap_or(size)) {
                    return Taken::Released(Vec::new());
                }
                let content = all[all.len() - size..].to_vec();
                let times = || content.iter().map(|record| record.time);
                let (first, last) = (times().min().expect("it has records"), times().max().expect("it has records"));
                Taken::Released(self.release(content, (first, last), 0))
            }
        }
    }

    /// The starts of all windows that a time is in.
    fn starts(&self, time: i128) -> Vec<i128> {
        let Window::Time { size, slide } = self.window else { return Vec::new() };
        let (size, slide) = (i128::from(size), i128::from(slide.unwrap_or(size)));
        let last = time.div_euclid(slide) * slide;
        let mut starts: Vec<i128> =
            (0..).map(|back| last - back * slide).take_while(|start| time < start + size).collect();
        starts.reverse();
        starts
    }

    /// The records of a time window, in order of (t, arrival): those that were not late for it.
    fn content(&self, key: &[V], start: i128) -> Vec<Rec> {
        let Window::Time { size, .. } = self.window else { return Vec::new() };
        let end = start + i128::from(size);
        let inside = |kept: &&Kept| {
            let time = i128::from(kept.record.time);
            key::same(&kept.key, key) && start <= time && time < end && kept.w < end + self.lateness
        };
        let mut content: Vec<Rec> = self.kept.iter().filter(inside).map(|kept| kept.record.clone()).collect();
        content.sort_by_key(|record| record.time);
        content
    }

    /// A window fires: how often it had fired before.
    fn count_firing(&mut self, key: &[V], start: i128) -> i64 {
        let known = self.fired.iter_mut().find(|(other, at, _)| *at == start && key::same(other, key));
        match known {
            Some((_, _, count)) => {
                *count += 1;
                *count - 1
            }
            None => {
                self.fired.push((key.to_vec(), start, 1));
                0
            }
        }
    }

    fn correct(&mut self, late: &Kept, start: i128) -> Vec<Rec> {
        let Window::Time { size, .. } = self.window else { return Vec::new() };
        let revision = self.count_firing(&late.key, start);
        let content = if self.aggregated { self.content(&late.key, start) } else { vec![late.record.clone()] };
        self.release(content, (start as i64, start as i64 + size), revision)
    }

    fn release(&mut self, content: Vec<Rec>, bounds: (i64, i64), revision: i64) -> Vec<Rec> {
        self.releases += 1;
        let release = Some(self.releases);
        let released = |record: Rec| Rec { time: bounds.1, bounds: Some(bounds), release, revision, ..record };
        content.into_iter().map(released).collect()
    }

    /// The watermark has reached w: what that fires, by end.
    pub fn fire(&mut self, w: i128) -> Vec<Rec> {
        let before = std::mem::replace(&mut self.w, w);
        match self.window {
            Window::Time { size, .. } => self.fire_times(i128::from(size), before, w),
            Window::Session { gap } => self.fire_sessions(i128::from(gap), w),
            Window::Count { .. } => Vec::new(),
        }
    }

    fn fire_times(&mut self, size: i128, before: i128, w: i128) -> Vec<Rec> {
        let mut due: Vec<(i128, Vec<V>)> = Vec::new();
        for kept in &self.kept {
            for start in self.starts(kept.record.time.into()) {
                let end = start + size;
                let known = due.iter().any(|(other, key)| *other == start && key::same(key, &kept.key));
                if before < end && end <= w && !known {
                    due.push((start, kept.key.clone()));
                }
            }
        }
        due.sort_by_key(|(start, _)| *start);
        let mut released = Vec::new();
        for (start, key) in due {
            let content = self.content(&key, start);
            let revision = self.count_firing(&key, start);
            released.extend(self.release(content, (start as i64, (start + size) as i64), revision));
        }
        released
    }

    fn fire_sessions(&mut self, gap: i128, w: i128) -> Vec<Rec> {
        let mut due: Vec<(i128, Vec<usize>)> = Vec::new();
        let open: Vec<usize> = (0..self.kept.len()).filter(|index| !self.kept[*index].closed).collect();
        for (_, mut members) in key::group(open, |index| self.kept[*index].key.clone()) {
            members.sort_by_key(|index| self.kept[*index].record.time);
            let time = |index: usize| i128::from(self.kept[index].record.time);
            for chain in members.chunk_by(|a, b| time(*b) - time(*a) <= gap) {
                let end = time(*chain.last().expect("a chain has members")) + gap;
                if w > end {
                    due.push((end, chain.to_vec()));
                }
            }
        }
        due.sort_by_key(|(end, _)| *end);
        let mut released = Vec::new();
        for (end, chain) in due {
            chain.iter().for_each(|index| self.kept[*index].closed = true);
            let content: Vec<Rec> = chain.iter().map(|index| self.kept[*index].record.clone()).collect();
            let bounds = (content[0].time, end as i64);
            released.extend(self.release(content, bounds, 0));
        }
        released
    }
}
