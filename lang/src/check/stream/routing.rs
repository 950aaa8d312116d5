//! Which streams read which: their order, and circles.

use crate::ast::{Op, PExpr, PKind, Source, Step, StepTarget, Stream};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Every name that a stream reads.
pub(super) fn reads(stream: &Stream) -> Vec<&Arc<str>> {
    let mut names = Vec::new();
    match &stream.source {
        Source::Merge(_, inputs) | Source::Join(_, _, inputs) => {
            names.extend(inputs.iter().map(|input| &input.source.name));
        }
        Source::Late(_, name) => names.push(&name.name),
        Source::Sequence(_, steps) => steps.iter().for_each(|(_, step)| of_step(step, &mut names)),
        Source::Step(step) => of_step(step, &mut names),
        Source::Pattern(pattern) => of_pattern(pattern, &mut names),
        Source::Timer(..) | Source::Unsupported(_) => {}
    }
    for op in &stream.ops {
        if let Op::Then(_, step) | Op::Not(_, step) = op {
            of_step(step, &mut names);
        }
    }
    names
}

fn of_step<'s>(step: &'s Step, names: &mut Vec<&'s Arc<str>>) {
    match &step.target {
        StepTarget::Name(name) => names.push(&name.name),
        StepTarget::Group(group) => of_pattern(group, names),
    }
}

/// Every name that a pattern reads.
pub(super) fn of_pattern<'s>(pattern: &'s PExpr, names: &mut Vec<&'s Arc<str>>) {
    match &pattern.kind {
        PKind::Seq(parts) | PKind::And(parts, _) | PKind::Or(parts, _) => {
            parts.iter().for_each(|part| of_pattern(part, names));
        }
        PKind::Step(step) => of_step(step, names),
    }
}

/// Streams in an order in which each comes behind those that it reads, those with an equally long way from their sources in
/// the order of the text; and the circles.
pub(super) struct Order {
    pub streams: Vec<usize>,
    /// Each as the streams of one circle, beginning with the one that was declared first.
    pub circles: Vec<Vec<usize>>,
}

/// The order of streams of which `uses[i]` are those that stream i reads.
pub(super) fn order(uses: &[Vec<usize>]) -> Order {
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); uses.len()];
    let mut open: Vec<usize> = vec![0; uses.len()];
    for (reader, used) in uses.iter().enumerate() {
        for &used in used {
            readers[used].push(reader);
            open[reader] += 1;
        }
    }
    // By the longest way from a source, then as in the text: what one record causes goes breadth first.
    let mut ready: BTreeSet<usize> = (0..uses.len()).filter(|stream| open[*stream] == 0).collect();
    let mut streams = Vec::with_capacity(uses.len());
    while !ready.is_empty() {
        let mut next = BTreeSet::new();
        for stream in std::mem::take(&mut ready) {
            streams.push(stream);
            for &reader in &readers[stream] {
                open[reader] -= 1;
                if open[reader] == 0 {
                    next.insert(reader);
                }
            }
        }
        ready = next;
    }
    let left: BTreeSet<usize> = (0..uses.len()).filter(|stream| open[*stream] > 0).collect();
    let circles = circles(uses, &left);
    streams.extend(left);
    Order { streams, circles }
}

/// Circles among the streams that are left: from each, the streams that it reads are followed until one comes again.
fn circles(uses: &[Vec<usize>], left: &BTreeSet<usize>) -> Vec<Vec<usize>> {
    let mut circles = Vec::new();
    let mut done: BTreeSet<usize> = BTreeSet::new();
    for &start in left {
        let mut path: Vec<usize> = Vec::new();
        let mut places: HashMap<usize, usize> = HashMap::new();
        let mut at = Some(start);
        while let Some(stream) = at.filter(|stream| !done.contains(stream)) {
            if let Some(&place) = places.get(&stream) {
                let mut circle = path.split_off(place);
                let first = circle.iter().enumerate().min_by_key(|(_, stream)| **stream).map_or(0, |(place, _)| place);
                circle.rotate_left(first);
                circles.push(circle.clone());
                path.extend(circle);
                break;
            }
            places.insert(stream, path.len());
            path.push(stream);
            at = uses[stream].iter().copied().find(|used| left.contains(used) && !done.contains(used));
        }
        done.extend(path);
    }
    circles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_come_behind_what_they_read() {
        let order = order(&[vec![2], vec![], vec![1], vec![]]);
        assert_eq!(order.streams, [1, 3, 2, 0]);
        assert!(order.circles.is_empty());
    }

    #[test]
    fn streams_of_one_depth_are_in_the_order_of_the_text() {
        assert_eq!(super::order(&[vec![4], vec![2], vec![], vec![], vec![]]).streams, [2, 3, 4, 0, 1]);
    }

    #[test]
    fn a_circle_begins_with_the_first_declared() {
        let found = order(&[vec![], vec![3], vec![1], vec![2], vec![4], vec![1]]);
        assert_eq!(found.circles, [vec![1, 3, 2], vec![4]]);
    }
}
