// SPDX-License-Identifier: GPL-2.0

//! What a report comes to: the one place that says when it is a proof of
//! nothing, for text, JUnit and the exit status.

use super::model::{Ended, Report};

/// What a report says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// Something was judged, and all of it is consistent.
    Consistent,
    Violation,
    /// Nothing could be found out, or not as asked: see [`doubts`].
    Undecided,
}

impl Conclusion {
    pub fn of(report: &Report) -> Self {
        if !report.violations.is_empty() {
            Self::Violation
        } else if doubts(report).is_empty() {
            Self::Consistent
        } else {
            Self::Undecided
        }
    }
}

/// Why a report that has no violations does not say that all is well: errors, and what follows
/// from how it ended and from what the check could tell.
pub fn doubts(report: &Report) -> Vec<String> {
    let coverage = &report.coverage;
    let mut doubts = report.errors.clone();
    match coverage.ended {
        Ended::Interrupted => doubts.push("the exploration was interrupted".into()),
        Ended::Unfinished => doubts.push("the exploration did not end".into()),
        Ended::Failed if report.errors.is_empty() => doubts.push("the exploration failed".into()),
        // The errors say why.
        Ended::Failed => {}
        Ended::Exhausted
        | Ended::Budget
        | Ended::Deadline
        | Ended::FirstViolation
        | Ended::MaxViolations => {
            if coverage.checked == 0 {
                let why = match report.plan.shard {
                    Some(_) => ": this shard has none of its own, take fewer shards",
                    None => "",
                };
                doubts.push(format!("no state was examined{why}"));
            } else if coverage.skipped >= coverage.checked {
                doubts.push(format!(
                    "the check could not judge any of the {} states examined (exit 125)",
                    coverage.checked
                ));
            }
        }
    }
    if coverage.repeats.other_verdict > 0 {
        doubts.push(format!(
            "the check is not deterministic: {} of {} states came out otherwise when examined again",
            coverage.repeats.other_verdict, coverage.repeats.repeated
        ));
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{add, report, violation};
    use powercut_engine::recording::testing::History;

    /// A change of a report that is clean.
    type Change = fn(&mut Report);

    const UNDECIDED: [(&str, Change); 9] = [
        ("no space left", |r| r.errors.push("no space left".into())),
        ("was interrupted", |r| r.coverage.ended = Ended::Interrupted),
        ("did not end", |r| r.coverage.ended = Ended::Unfinished),
        ("the driver is gone", |r| {
            r.coverage.ended = Ended::Failed;
            r.errors.push("the driver is gone".into());
        }),
        ("no state was examined", |r| r.coverage.checked = 0),
        ("any of the 10 states", |r| r.coverage.skipped = 10),
        ("no state was examined", |r| {
            r.coverage.ended = Ended::Budget;
            r.coverage.checked = 0;
        }),
        ("no state was examined", |r| {
            r.coverage.ended = Ended::Deadline;
            r.coverage.checked = 0;
        }),
        ("not deterministic", |r| {
            r.coverage.repeats.other_verdict = 1;
        }),
    ];
    const CONSISTENT: [(&str, Change); 4] = [
        ("as it is", |_| {}),
        ("the budget is spent", |r| r.coverage.ended = Ended::Budget),
        ("the deadline passed", |r| {
            r.coverage.ended = Ended::Deadline
        }),
        ("it could not tell of some", |r| r.coverage.skipped = 9),
    ];

    #[test]
    fn clean_means_that_something_was_judged_and_nothing_went_wrong() {
        let recording = History::new().write(0, "a").write(1, "b").done();
        for (what, change) in CONSISTENT {
            let mut report = report(&recording);
            change(&mut report);
            assert_eq!(Conclusion::of(&report), Conclusion::Consistent, "{what}");
        }
        for (why, change) in UNDECIDED {
            let mut report = report(&recording);
            change(&mut report);
            assert_eq!(Conclusion::of(&report), Conclusion::Undecided, "{why}");
            assert!(doubts(&report).join("\n").contains(why), "{why}");
        }
    }

    #[test]
    fn a_violation_is_one_whatever_else_went_wrong() {
        let recording = History::new().write(0, "a").write(1, "b").done();
        for (why, change) in UNDECIDED.iter().chain(&CONSISTENT) {
            let mut report = report(&recording);
            change(&mut report);
            add(&mut report, violation(&recording, 4, |_| false));
            assert_eq!(Conclusion::of(&report), Conclusion::Violation, "{why}");
        }
    }
}
