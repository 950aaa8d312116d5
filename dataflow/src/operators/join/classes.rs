//! The equalities of a join, in the form in which they serve as hash keys.
//!
//! A *class* has at most one value per input, and all rows have the same in it, whatever inputs they are of. Classes that
//! say the same of an input are one: from `A.k == B.k and B.k == C.k` comes one class over A, B and C.

use rarog_lang::plan::{Expr, Join};

/// For each input its value in the class, if it has one.
pub type Class = Vec<Option<Expr>>;

/// Equalities of a join as classes, and those that remain: two values of one input, `(input, value, value)`.
pub fn classes(join: &Join) -> (Vec<Class>, Vec<(u32, Expr, Expr)>) {
    let inputs = join.names.len();
    let (mut classes, mut within) = (Vec::<Class>::new(), Vec::new());
    for equality in &join.equalities {
        let mut class: Class = vec![None; inputs];
        for (input, value) in equality {
            match &class[*input as usize] {
                Some(known) if known != value => within.push((*input, known.clone(), value.clone())),
                _ => class[*input as usize] = Some(value.clone()),
            }
        }
        unite(&mut classes, class);
    }
    (classes, within)
}

/// Adds a class, as a part of those that share a value with it if they do not contradict it.
fn unite(classes: &mut Vec<Class>, mut class: Class) {
    let pairs = |a: &Class, b: &Class| -> Vec<(Option<Expr>, Option<Expr>)> {
        a.iter().cloned().zip(b.iter().cloned()).collect()
    };
    while let Some(index) = classes.iter().position(|known| {
        let pairs = pairs(known, &class);
        pairs.iter().any(|(a, b)| a.is_some() && a == b)
            && pairs.iter().all(|(a, b)| a.is_none() || b.is_none() || a == b)
    }) {
        let known = classes.remove(index);
        class = known.into_iter().zip(class).map(|(a, b)| a.or(b)).collect();
    }
    classes.push(class);
}

/// The values of an input in the classes that all inputs have: rows that match have the same. None: there is no such class.
pub fn join_key(join: &Join, port: usize) -> Vec<Expr> {
    let (classes, _) = classes(join);
    let covering = classes.into_iter().filter(|class| class.iter().all(Option::is_some));
    covering.filter_map(|mut class| class.swap_remove(port)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rarog_lang::plan::JoinKind;

    fn join(inputs: usize, equalities: &[&[(u32, u32)]]) -> Join {
        let side = |&(input, column): &(u32, u32)| (input, Expr::Column(column));
        Join {
            kind: JoinKind::Inner,
            names: (0..inputs).map(|input| format!("i{input}").into()).collect(),
            conditions: vec![None; inputs],
            equalities: equalities.iter().map(|sides| sides.iter().map(side).collect()).collect(),
            residual: None,
            window: 1,
            items: vec![],
            whole: false,
        }
    }

    fn columns(class: &Class) -> Vec<Option<u32>> {
        class.iter().map(|value| if let Some(Expr::Column(column)) = value { Some(*column) } else { None }).collect()
    }

    #[test]
    fn equalities_that_share_a_value_are_one_class() {
        let join = join(3, &[&[(0, 5), (1, 6)], &[(0, 1), (2, 2)], &[(1, 6), (2, 7)]]);
        let (classes, within) = classes(&join);
        let shown: Vec<_> = classes.iter().map(columns).collect();
        assert_eq!(shown, [vec![Some(1), None, Some(2)], vec![Some(5), Some(6), Some(7)]]);
        assert!(within.is_empty());
        assert_eq!(join_key(&join, 2), [Expr::Column(7)]);
    }

    #[test]
    fn two_values_of_one_input_stay_apart() {
        let crossed = join(2, &[&[(0, 0), (1, 0)], &[(0, 1), (1, 0)]]);
        assert_eq!(classes(&crossed).0.len(), 2);
        assert_eq!(join_key(&crossed, 0), [Expr::Column(0), Expr::Column(1)]);
        let same = join(2, &[&[(0, 0), (0, 1), (1, 0)]]);
        assert_eq!(classes(&same).1, [(0, Expr::Column(0), Expr::Column(1))]);
    }

    #[test]
    fn without_a_class_of_all_inputs_there_is_no_key() {
        assert!(join_key(&join(3, &[&[(0, 0), (1, 0)], &[(1, 1), (2, 1)]]), 0).is_empty());
    }
}
