//! The table of sequences in docs/language.md, and what its text says beside it.

use super::patterns::*;
use rarog_lang::plan::{BinOp, Expr, Mode, Sequence};

/// Has what these records give, in batches of any size.
fn gives(sequence: &Sequence, input: &str, expected: &[&str]) {
    let records = records(input);
    for size in [1, 2, 3, records.len()] {
        let (lines, _) = found(sequence.clone(), &records, size, 0);
        assert_eq!(lines, expected, "{input} in batches of {size}");
    }
}

fn within(sequence: Sequence, seconds: i64) -> Sequence {
    Sequence { within: Some(seconds * SECOND), ..sequence }
}

fn mode(mode: Mode, sequence: Sequence) -> Sequence {
    Sequence { mode, ..sequence }
}

fn each(sequence: Sequence) -> Sequence {
    Sequence { each: true, ..sequence }
}

#[test]
fn pairs() {
    let input = "A1 A2 B3 B4 A5 B6";
    gives(&sequence("A B"), input, &["(1,3)@3", "(2,3)@3", "(5,6)@6"]);
    gives(&mode(Mode::Strict, sequence("A B")), input, &["(2,3)@3", "(5,6)@6"]);
    let any = ["(1,3)@3", "(2,3)@3", "(1,4)@4", "(2,4)@4", "(1,6)@6", "(2,6)@6", "(5,6)@6"];
    gives(&within(mode(Mode::Any, sequence("A B")), 60), input, &any);
    gives(&sequence("A A A"), "A1 A2 A3 A4 A5", &["(1,2,3)@3", "(2,3,4)@4", "(3,4,5)@5"]);
}

#[test]
fn kleene_in_the_middle() {
    let input = "A1 B2 B3 C4 B5 C6";
    gives(&sequence("A B+ C"), input, &["(1,[2,3],4)@4"]);
    gives(&each(sequence("A B+ C")), input, &["(1,[2],4)@4", "(1,[2,3],4)@4"]);
    let any = within(mode(Mode::Any, sequence("A B+ C")), 60);
    let (lines, _) = found(any, &records(input), 6, 0);
    let at = |end: &str| lines.iter().filter(|line| line.ends_with(end)).count();
    assert_eq!((at(",4)@4"), at(",6)@6"), lines.len()), (3, 7, 10));
    gives(&each(sequence("A B* C")), "A1 C2 A3 B4 C5", &["(1,[],2)@2", "(3,[4],5)@5"]);
}

#[test]
fn kleene_at_the_end() {
    let input = "A1 B2 B3 B5";
    gives(&within(sequence("A B+"), 3), input, &["(1,[2,3])@4"]);
    gives(&within(each(sequence("A B+")), 3), input, &["(1,[2])@2", "(1,[2,3])@3"]);
    let strict = within(mode(Mode::Strict, sequence("A B+")), 60);
    gives(&strict, "A1 B2 B3 A4 B5", &["(1,[2,3])@4", "(4,[5])@64"]);
}

#[test]
fn contained_matches_are_not_reported() {
    let mut pattern = sequence("A A+ Z");
    event_mut(&mut pattern, 1).equalities = vec![(column(1), Expr::Of(0, 1))];
    gives(&pattern, "A1 A2 A3 Z4", &["(1,[2,3],4)@4"]);
    gives(&within(sequence("A B? N*"), 5), "A1 B2 A3 N4", &["(1,2,[4])@6", "(3,null,[4])@8"]);
    gives(&within(sequence("A A*"), 5), "A1 A2 A3", &["(1,[2,3])@6"]);
}

#[test]
fn absences() {
    gives(&within(sequence("A !B"), 3), "A1@0 A2@2 B3@3 A4@9", &["(4)@12"]);
    gives(&sequence("A !C B"), "A1 C2 A3 B4", &["(3,4)@4"]);
}

#[test]
fn groups() {
    gives(&sequence("A&B"), "A1 A2 B3 B4 A5", &["(1,3)@3", "(2,3)@3", "(5,4)@5"]);
    gives(&sequence("A B? C"), "A1 B2 B3 C4", &["(1,2,4)@4"]);
    gives(&sequence("A B|C"), "A1 C2 B3 A4 B5", &["(1,2)@2", "(4,5)@5"]);
    gives(&sequence("Z A&B C"), "Z1 C2 B3 C4 A5 A6 C7", &["(1,5,3,7)@7"]);
    gives(&sequence("A B/C Z"), "A1 C2 Z3 B4", &["(null,null,2,3)@3", "(1,4,null,null)@4"]);
}

#[test]
fn one_member_of_a_group_takes_a_record_in_copies_too() {
    gives(&within(mode(Mode::Any, sequence("A B|B")), 9), "A1 B2 B3", &["(1,2)@2", "(1,3)@3"]);
}

#[test]
fn within_is_inclusive_and_the_oldest_runs_are_dropped() {
    gives(&within(sequence("A B"), 5), "A1@0 B2@5 A3@10 B4@16", &["(1,2)@5"]);
    let few = Sequence { max_runs: 2, ..sequence("A B") };
    gives(&few, "A1 A2 A3 B4", &["(2,4)@4", "(3,4)@4"]);
    let (_, context) = found(few, &records("A1 A2 A3 A4 B4"), 2, 0);
    assert_eq!(context.shared.counters.run_dropped.load(std::sync::atomic::Ordering::Relaxed), 2);
}

#[test]
fn equalities_find_the_runs_of_a_value() {
    let equal = |mut pattern: Sequence| {
        event_mut(&mut pattern, 1).equalities = vec![(column(1), Expr::Of(0, 1))];
        pattern
    };
    let records = |text: &str| {
        let keyed = |(record, key): (Record, char)| Record(record.0, record.1, key as i64, record.3);
        let (events, keys) = text.split_once('/').unwrap();
        records(events).into_iter().zip(keys.trim().chars()).map(keyed).collect::<Vec<_>>()
    };
    for size in [1, 3, 10] {
        let input = records("A1 A2 A3 B4 B5 B6 / xyxxzy");
        assert_eq!(found(equal(sequence("A B")), &input, size, 0).0, ["(1,4)@4", "(3,4)@4", "(2,6)@6"]);
        let guarded = found(equal(sequence("A !N B")), &records("A1 A2 N3 B4 B5 / xyyxy"), size, 0).0;
        assert_eq!(guarded, ["(1,4)@4"]);
        let mut with_not = equal(sequence("A B C"));
        let equalities = vec![(column(1), Expr::Of(0, 1))];
        with_not.nots = vec![rarog_lang::plan::Event { equalities, ..event('N', 0) }];
        let input = records("A1 A2 B3 B4 N5 N6 C7 / xyxyxzz");
        assert_eq!(found(with_not, &input, size, 0).0, ["(2,4,7)@7"]);
    }
}

#[test]
fn records_wait_for_the_watermark_and_are_taken_by_time() {
    let input = "B3@3 A1@1 A2@2 B4@4 A6@6 A5@5 B9@9 B1@0";
    for size in [1, 2, 3, 8] {
        let (lines, context) = found(sequence("A B"), &records(input), size, 3 * SECOND);
        assert_eq!(lines, ["(1,3)@3", "(2,3)@3", "(5,9)@9", "(6,9)@9"], "{size}");
        assert_eq!(context.shared.counters.late.load(std::sync::atomic::Ordering::Relaxed), 1);
    }
}

#[test]
fn conditions_see_what_was_captured_before() {
    let mut rising = sequence("A B+ C");
    event_mut(&mut rising, 1).monotone = vec![(true, 0)];
    gives(&rising, "A1 B3@2 B2@3 B4@4 C5", &["(1,[3,4],5)@5"]);
    let mut above = sequence("A B");
    let greater = Expr::Binary(BinOp::Gt, Box::new(column(0)), Box::new(Expr::Of(0, 0)));
    event_mut(&mut above, 1).condition = Some(greater);
    gives(&above, "A5@1 B3@2 B7@3", &["(5,7)@3"]);
    let mut limited = sequence("A B");
    event_mut(&mut limited, 1).within = Some(2 * SECOND);
    gives(&limited, "A1 B4 A5 B7", &["(5,7)@7"]);
}

/// Without a partition, what opens runs or is compared for equality must not look at all of them.
#[test]
fn equalities_leave_other_runs_alone() {
    let mut pattern = sequence("A B C");
    let equal = || vec![(column(1), Expr::Of(0, 1))];
    event_mut(&mut pattern, 1).equalities = equal();
    event_mut(&mut pattern, 2).equalities = equal();
    pattern.nots = vec![rarog_lang::plan::Event { equalities: equal(), ..event('N', 0) }];
    let same: Vec<usize> = (0..TYPES.len()).collect();
    let automaton = super::super::automaton::Automaton::new(&pattern, &same).unwrap();
    assert_eq!(automaton.by_partition, [0; TYPES.len()]);
}
