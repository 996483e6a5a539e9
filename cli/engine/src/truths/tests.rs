// SPDX-License-Identifier: GPL-2.0

use proptest::prelude::*;

use super::*;

/// Moments with their marks and texts.
fn truths(moments: &[(u64, &str)]) -> Truths {
    let moments = moments.iter().map(|(marks, text)| {
        let mark = format!("m{marks}");
        (*marks, mark, text.to_string())
    });
    Truths::new(moments).unwrap()
}

#[test]
fn outcomes_are_told_apart() {
    let truths = truths(&[
        (0, ""),
        (1, "a\n"),
        (2, "a\nb\n"),
        (3, "b\n"),
        (4, "c\n"),
        (4, "d\n"),
    ]);
    for (marks, observed, kind, equals) in [
        (0, "", None, None),
        (0, "a\n", None, None),
        (0, "a\nb\n", Some(Kind::Newer), Some(2)),
        (1, "a\n", None, None),
        (1, "a\nb\n", None, None),
        (1, "", Some(Kind::Loss), Some(0)),
        (2, "a\n", Some(Kind::Loss), Some(1)),
        (2, "b\n", None, None),
        // What was removed is back.
        (3, "a\nb\n", Some(Kind::Resurrection), Some(2)),
        (3, "a\n", Some(Kind::Loss), Some(1)),
        (4, "c\n", None, None),
        (4, "d\n", None, None),
        (4, "b\n", Some(Kind::Loss), Some(3)),
        // A part of what was written, what was never written, and all of it twice.
        (2, "a", Some(Kind::Mixture), None),
        (2, "a\nx\n", Some(Kind::Mixture), None),
        (2, "a\nb\na\nb\n", Some(Kind::Mixture), None),
        (2, "b\na\n", Some(Kind::Mixture), None),
    ] {
        let found = truths.difference(marks, observed);
        let told = found.as_ref().map(|d| d.kind);
        assert_eq!(told, kind, "{marks} marks, {observed:?}");
        let at = found.and_then(|d| d.equals);
        assert_eq!(at, equals, "{marks} marks, {observed:?}");
    }
}

#[test]
fn what_was_held_twice_is_an_older_moment_before_it_is_a_newer_one() {
    let truths = truths(&[(0, "a"), (1, "b"), (2, "c"), (3, "a"), (3, "a")]);
    let of = |marks, observed| truths.difference(marks, observed).map(|d| d.kind);
    assert_eq!(of(1, "a"), Some(Kind::Loss));
    assert_eq!(of(2, "a"), None);
    assert_eq!(of(0, "a"), None);
}

#[test]
fn marks_written_at_once_are_one_moment() {
    let truths = truths(&[(0, "0"), (3, "3"), (4, "4"), (4, "end")]);
    for (marks, allowed) in [
        (0, 0..=1),
        (1, 1..=1),
        (2, 1..=1),
        (3, 1..=2),
        (4, 2..=3),
        // No record has as many.
        (9, 3..=3),
    ] {
        assert_eq!(truths.allowed(marks), allowed, "{marks} marks");
    }
}

#[test]
fn a_workload_without_marks_has_two_moments() {
    let truths = truths(&[(0, "before"), (0, "after")]);
    assert_eq!(truths.allowed(0), 0..=1);
    assert_eq!(truths.difference(0, "between").unwrap().kind, Kind::Mixture);
    let names: Vec<String> = (0..2).map(|at| truths.name(at)).collect();
    assert_eq!(
        names,
        ["the start of the workload", "the end of the workload"]
    );
}

#[test]
fn marks_that_change_nothing_are_known() {
    let truths = truths(&[(0, "a"), (1, "a"), (2, "b"), (3, "b"), (3, "b")]);
    assert_eq!(truths.unchanged(), [1, 3]);
    assert_eq!(truths.name(3), "mark 3 \"m3\"");
    assert_eq!((truths.moments(), truths.different()), (5, 2));
}

#[test]
fn what_a_report_says_out_of_order_is_refused() {
    let whole = truths(&[(0, "a"), (1, "b"), (2, "c"), (2, "c")]);
    let json = serde_json::to_value(&whole).unwrap();
    let read = |json: &serde_json::Value| serde_json::from_value::<Truths>(json.clone());
    assert_eq!(read(&json).unwrap(), whole);
    for (at, field, value) in [
        (0, "marks", 1),
        (1, "marks", 0),
        (1, "marks", 2),
        (2, "marks", 3),
        (3, "marks", 1),
        (2, "text", 3),
    ] {
        let mut json = json.clone();
        json["moments"][at][field] = value.into();
        assert!(read(&json).is_err(), "moment {at}: {field} {value}");
    }
    for moments in [0, 1] {
        let mut json = json.clone();
        json["moments"].as_array_mut().unwrap().truncate(moments);
        assert!(read(&json).is_err(), "{moments} moments");
    }
}

/// What happens in a workload, one after the other.
#[derive(Debug, Clone)]
enum Step {
    /// What it holds is another thing from here on.
    Operation(u8),
    /// So many marks are written at once.
    Marks(u64),
}

/// Any workload whose operations are done one after the other: each is followed by its marks, one or
/// several, and the last may be followed by none.
fn workload() -> impl Strategy<Value = Vec<Step>> {
    let pairs = prop::collection::vec((0..4_u8, 1..3_u64), 0..8);
    (pairs, prop::option::of(0..4_u8)).prop_map(|(pairs, last)| {
        let steps = pairs
            .into_iter()
            .flat_map(|(text, marks)| [Step::Operation(text), Step::Marks(marks)]);
        steps.chain(last.map(Step::Operation)).collect()
    })
}

proptest! {
    /// Brute force: the software is asked before and after each step, with the power cut at any
    /// moment of it: then what it holds is what was durable last, or what it holds while the operation
    /// goes on. What is never held so close to the cut is told as what it is.
    #[test]
    fn exactly_what_was_held_around_the_cut_is_allowed(steps in workload()) {
        let mut held = 9;
        let mut marks = 0;
        let mut observed = vec![(0, String::new(), held.to_string())];
        // By the number of marks in the record: what may be found.
        let mut legal: Vec<Vec<u8>> = vec![vec![held]];
        for step in &steps {
            match step {
                Step::Operation(text) => {
                    held = *text;
                    legal.last_mut().unwrap().push(held);
                }
                Step::Marks(more) => {
                    for _ in 0..*more {
                        marks += 1;
                        legal.push(vec![held]);
                    }
                    observed.push((marks, String::new(), held.to_string()));
                }
            }
        }
        observed.push((marks, String::new(), held.to_string()));
        let truths = Truths::new(observed).unwrap();
        for (marks, legal) in legal.iter().enumerate() {
            for text in (0..4).chain([9, 10]) {
                let found = truths.difference(marks as u64, &text.to_string());
                prop_assert_eq!(found.is_none(), legal.contains(&text), "{} marks, {}", marks, text);
                let was_held = truths.texts.contains(&text.to_string());
                let is_mixture = found.is_some_and(|d| d.kind == Kind::Mixture);
                prop_assert!(legal.contains(&text) || is_mixture != was_held);
            }
        }
    }
}
