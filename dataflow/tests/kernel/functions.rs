//! Is every function of the language, with every number of arguments, among the expressions that are compared?

use crate::exprs::{Exprs, FUNCTIONS};
use crate::pairs;
use crate::random::Random;
use rarog_lang::compile::{Options, compile};
use rarog_lang::plan::{Builtin, Expr, Op};
use std::cell::RefCell;
use std::collections::HashSet;

/// The functions as the language's description lists them, called; of those that take any number, some numbers.
const CALLS: &str = "abs(x) sqrt(x) log(x) ln(x) log10(x) exp(x) sin(x) cos(x) tan(x) floor(x) ceil(x) round(x) round(x,y)
    pow(x,y) min(x,y) min(x,y,z) max(x,y) max(x,y,z) clamp(x,y,z) len(x) reverse(x) first(x) last(x) push(x,y) pop(x) sort(x)
    unique(x) sum(x) avg(x) contains(x,y) get(x,y) set(x,y,z) keys(x) values(x) range(x) range(x,y) map(x,e=>e)
    filter(x,e=>e==1) any(x,e=>e==1) all(x,e=>e==1) trim(x) lower(x) lowercase(x) to_lower(x) upper(x) uppercase(x) to_upper(x)
    starts_with(x,y) ends_with(x,y) split(x,y) replace(x,y,z) substring(x,y) substring(x,y,z) join(x,y) concat(x) concat(x,y)
    concat(x,y,z) to_string(x) to_int(x) to_float(x) to_timestamp(x) seconds(x) millis(x) type_of(x) is_null(x) is_int(x)
    is_float(x) is_string(x) is_bool(x) is_array(x) is_map(x) coalesce(x) coalesce(x,y) coalesce(x,y,z) if_null(x,y)
    event_time() event_type()";

/// Nested expressions that are looked at; as many as are compared.
const NESTED: u64 = 5_000;

/// A function and its number of arguments; those without a number of their own are named by their form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Called {
    Builtin(Builtin, usize),
    EventTime,
    EventType,
}

fn called(expr: &Expr) -> HashSet<Called> {
    let found = RefCell::new(HashSet::new());
    expr.map(&|part| {
        let called = match part {
            Expr::Call(function, arguments) => Some(Called::Builtin(*function, arguments.len())),
            Expr::EventTime => Some(Called::EventTime),
            Expr::EventType => Some(Called::EventType),
            _ => None,
        };
        found.borrow_mut().extend(called);
        None
    });
    found.into_inner()
}

/// What a call in a program becomes.
fn planned(call: &str) -> HashSet<Called> {
    let compiled = compile(&format!("stream S = A .emit(r: {call})\n"), &Options::default());
    let plan = compiled.plan.unwrap_or_else(|| panic!("{call}: {:?}", compiled.diagnostics));
    let items = plan.nodes.iter().filter_map(|node| match &node.op {
        Op::Project { items, .. } => Some(items),
        _ => None,
    });
    items.flatten().flat_map(called).collect()
}

#[test]
fn every_function_is_compared() {
    let nested = (1..=NESTED).map(|seed| {
        let random = &mut Random::new(seed);
        let depth = 1 + random.below(4) as u32;
        Exprs::new(random, FUNCTIONS).any(depth)
    });
    let shapes = pairs::shapes();
    let of_shapes = shapes.iter().map(|shape| shape.expr(&mut Random::new(1)));
    let made: HashSet<Called> = nested.chain(of_shapes).flat_map(|expr| called(&expr)).collect();
    let missing: Vec<&str> = CALLS.split_whitespace().filter(|call| !planned(call).is_subset(&made)).collect();
    assert!(missing.is_empty(), "never compared: {missing:?}");
    assert!(CALLS.split_whitespace().all(|call| !planned(call).is_empty()));
}
