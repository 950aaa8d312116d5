//! Is the result of a program decided by the language? Results of one stream, one result time and one cause may be
//! exchanged, so what reads them by position is not.
//!
//! Kinds of values go by names: a field whose name begins with `k` or `v` may hold 1 as well as 1.0, which are one key of
//! two looks.

use crate::expr::{Agg, Ex};
use crate::program::{Item, Op, Program, Source, Stream, Window};
use std::collections::BTreeSet;

/// Does no order that is free decide anything?
pub fn is_decided(program: &Program) -> bool {
    let (mut loose, mut released): (BTreeSet<&str>, BTreeSet<&str>) = Default::default();
    for index in program.in_order() {
        let stream = &program.streams[index];
        let reads = |names: &BTreeSet<&str>| stream.reads().iter().any(|name| names.contains(name));
        let reads_released = reads(&released);
        let Some(is_loose) = order_behind(stream, reads(&loose), reads_released) else { return false };
        if is_loose {
            loose.insert(&stream.name);
        }
        if reads_released || releases(stream) {
            released.insert(&stream.name);
        }
    }
    true
}

/// Does the stream release several records at one time?
fn releases(stream: &Stream) -> bool {
    stream.ops.iter().any(|op| matches!(op, Op::Window(_)))
        && !stream.ops.iter().any(|op| matches!(op, Op::Aggregate(_)))
}

/// Is the order of a stream's results partly free? `None`: it decides something in the stream.
fn order_behind(stream: &Stream, reads_loose: bool, reads_released: bool) -> Option<bool> {
    let mut loose = match &stream.source {
        Source::One(_) | Source::Merge(_) | Source::Late(_) => reads_loose,
        Source::Join(_) => true,
        Source::Sequence(_) if reads_loose => return None,
        Source::Sequence(_) => true,
    };
    let (mut keyed, mut windowed) = (false, false);
    for op in &stream.ops {
        match op {
            Op::PartitionBy(keys) => {
                if loose && keys.iter().any(|key| looks_differ(&key.value)) {
                    return None;
                }
                keyed = true;
            }
            Op::Distinct(..) | Op::Limit(_) if loose => return None,
            Op::Window(Window::Count { .. }) if loose => return None,
            Op::Window(_) => {
                windowed = true;
                loose |= keyed;
            }
            Op::Aggregate(items) => {
                if loose && !(windowed && items.iter().all(is_order_free)) {
                    // A keyed window of one reader's own is in order inside.
                    let inside =
                        windowed && !reads_loose && !matches!(stream.source, Source::Join(_) | Source::Sequence(_));
                    if !inside {
                        return None;
                    }
                }
                // Records that were released together go to their keys, and come back in any order.
                loose |= keyed && (windowed || reads_released);
            }
            _ => {}
        }
    }
    Some(loose)
}

/// May equal values of the expression look different?
fn looks_differ(value: &Ex) -> bool {
    match value {
        Ex::Name(name) | Ex::Of(_, name) => name.starts_with(['k', 'v']),
        _ => true,
    }
}

fn is_order_free(item: &Item) -> bool {
    fn free(value: &Ex) -> bool {
        match value {
            Ex::Agg(Agg::First | Agg::Last | Agg::Ema(_) | Agg::Collect, _) => false,
            Ex::Agg(Agg::TopK(_), Some(argument)) => !looks_differ(argument),
            Ex::Bin(_, left, right) => free(left) && free(right),
            Ex::If(condition, yes, no) => free(condition) && free(yes) && free(no),
            Ex::Not(inner) | Ex::Neg(inner) | Ex::IsNull(inner) => free(inner),
            _ => true,
        }
    }
    free(&item.value)
}
