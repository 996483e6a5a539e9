// SPDX-License-Identifier: GPL-2.0

//! What was covered, in words.

use std::fmt::Write as _;

use num_bigint::BigUint;
use powercut_engine::count;
use powercut_engine::tear::Tear;

use super::conclusion::{doubts, Conclusion};
use super::faults::FaultFacts;
use super::model::{Coverage, Ended, Report};

/// A decimal number of a report, for people.
fn human(text: &str) -> String {
    match text.parse::<BigUint>() {
        Ok(n) => count::human(&n),
        Err(_) => text.into(),
    }
}

/// How much of all there is was covered, honestly.
pub fn coverage(report: &Report) -> String {
    let coverage = &report.coverage;
    if coverage.ended == Ended::Unfinished {
        return unfinished(report);
    }
    let legal = human(&coverage.legal_states);
    let states = report.what_states();
    let (cuts, runs) = (coverage.cuts, coverage.checked);
    let at_most = if coverage.legal_at_most {
        "at most "
    } else {
        ""
    };
    let mut text = format!("{at_most}{legal} {states} over {cuts} cuts");
    if coverage.all {
        let _ = write!(text, ": all covered by {runs} runs");
    } else {
        let ended = match coverage.ended {
            Ended::Exhausted => "the strategy has no more",
            Ended::Budget => "the budget is spent",
            Ended::Deadline => "the deadline passed",
            Ended::FirstViolation => "stopped at the first violation",
            Ended::Interrupted => "interrupted",
            Ended::Failed => "ended by an error",
            Ended::Unfinished => "it did not end",
        };
        let _ = match &coverage.covered_states {
            Some(covered) => write!(text, ", {} covered by {runs} runs", human(covered)),
            None => write!(text, ", a sample of them covered by {runs} runs"),
        };
        if let Some(remaining) = &coverage.remaining_states {
            let _ = write!(text, ", {} remain", human(remaining));
        }
        if let Some(others) = &coverage.of_other_shards {
            let _ = write!(text, ", {} of them at cuts of other shards", human(others));
        }
        let _ = write!(text, ": {ended}");
    }
    if coverage.skipped > 0 {
        let _ = write!(text, "; of {} the check could not tell", coverage.skipped);
        if let Some(states) = &coverage.skipped_states {
            let _ = write!(text, " ({} {})", human(states), report.what_states());
        }
    }
    doubtful(&mut text, report);
    if all_fail(report) {
        text.push_str(
            "\nEVERY STATE THAT WAS EXAMINED FAILS: does the check pass where no power was cut?",
        );
    }
    pruned(&mut text, coverage);
    recoveries(&mut text, coverage);
    repeats(&mut text, coverage);
    if report.disk.tear == Tear::Prefix {
        text.push_str(
            "\nof a write that is not stable the first units survive, not any (tear=prefix)",
        );
    }
    for line in report.faults.iter().flat_map(FaultFacts::lines) {
        let _ = write!(text, "\n{line}");
    }
    text
}

/// Of an exploration that did not come to its end: its account was not made.
fn unfinished(report: &Report) -> String {
    let found = report.violations.len();
    let mut text = format!("the exploration did not end: {found} violations were found by then, how much was covered is not known");
    doubtful(&mut text, report);
    text
}

/// What went wrong, and why it is no proof.
fn doubtful(text: &mut String, report: &Report) {
    for error in &report.errors {
        let _ = write!(text, "\nERROR: {error}");
    }
    if Conclusion::of(report) == Conclusion::Undecided && report.errors.is_empty() {
        for doubt in doubts(report) {
            let _ = write!(text, "\nNOT DECIDED: {doubt}");
        }
    }
}

/// Whether all of several states that were examined are violations: more likely than such software
/// is a check that is broken.
fn all_fail(report: &Report) -> bool {
    let violations = report.violations.len() as u64;
    let coverage = &report.coverage;
    violations >= 4 && violations + coverage.skipped >= coverage.checked + coverage.same_reads
}

fn pruned(text: &mut String, coverage: &Coverage) {
    let Some(pruned) = &coverage.pruned else {
        return;
    };
    let _ = write!(
        text,
        "\nneeded no run: {} with the same content, {} that differ only where nothing was read, \
         {} known from other runs",
        human(&pruned.same_content),
        human(&pruned.unread),
        human(&pruned.shared)
    );
    if let Some(dominated) = &pruned.dominated {
        let _ = write!(text, "; {} more at dominated cuts", human(dominated));
    }
    if !coverage.reads_known {
        text.push_str("\nthe driver could not tell what the check read: all of it was assumed");
    }
}

fn recoveries(text: &mut String, coverage: &Coverage) {
    let Some(recoveries) = &coverage.recoveries else {
        return;
    };
    let _ = write!(
        text,
        "\n{} recoveries were cut in their turn, which may leave {} legal states: {} checked; \
         {} recoveries covered completely",
        recoveries.recorded,
        human(&recoveries.legal_states),
        recoveries.checked,
        recoveries.complete
    );
}

fn repeats(text: &mut String, coverage: &Coverage) {
    let repeats = &coverage.repeats;
    let example = repeats.example.as_deref().unwrap_or("?");
    if repeats.other_verdict > 0 {
        let _ = write!(
            text,
            "\nTHE CHECK IS NOT DETERMINISTIC: {} of {} states came out otherwise when examined \
             again, such as {example}; nothing is claimed of states that were not run",
            repeats.other_verdict, repeats.repeated
        );
    } else if repeats.other_reads > 0 {
        let _ = write!(
            text,
            "\nthe check does not always read the same: {} times it read something else of a \
             state, or not what it must have, such as {example}",
            repeats.other_reads
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::details;
    use crate::report::testing::{report, violation};
    use powercut_engine::explore::Again;
    use powercut_engine::recording::testing::History;

    /// A change of a report, and what its text says then.
    type Told = (fn(&mut Report), &'static str);

    const TOLD: [Told; 8] = [
        (
            |r| {
                r.coverage.skipped = 2;
                r.coverage.skipped_states = Some("7".into());
            },
            "; of 2 the check could not tell (7 legal states)",
        ),
        (
            |r| {
                r.coverage.remaining_states = Some("9".into());
                r.coverage.of_other_shards = Some("5".into());
            },
            ", 9 remain, 5 of them at cuts of other shards",
        ),
        (
            |r| {
                r.coverage.ended = Ended::Failed;
                r.errors.push("the driver is gone".into());
            },
            ": ended by an error\nERROR: the driver is gone",
        ),
        (
            |r| r.coverage.ended = Ended::Interrupted,
            ": interrupted\nNOT DECIDED: the exploration was interrupted",
        ),
        (
            |r| r.coverage.ended = Ended::Unfinished,
            "the exploration did not end: 0 violations were found by then",
        ),
        (
            |r| r.coverage.checked = 0,
            "NOT DECIDED: no state was examined",
        ),
        (
            |r| r.coverage.skipped = r.coverage.checked,
            "NOT DECIDED: the check could tell of none",
        ),
        (
            |r| r.coverage.repeats.other_verdict = 1,
            "NOT DECIDED: the check is not deterministic",
        ),
    ];

    #[test]
    fn it_says_what_went_wrong_and_what_could_not_be_told() {
        let recording = History::new().write(0, "a").write(1, "b").done();
        let clean = coverage(&report(&recording));
        for (change, says) in TOLD {
            let mut report = report(&recording);
            change(&mut report);
            let text = coverage(&report);
            assert!(text.contains(says), "{text:?} does not say {says:?}");
            assert!(!clean.contains(says), "{clean:?}");
        }
    }

    #[test]
    fn a_violation_says_what_came_of_running_it_again() {
        let recording = History::new().write(0, "a").write(1, "b").done();
        for (again, says) in [
            (None, None),
            (Some(Again::Failed), Some("failed again in the same way")),
            (
                Some(Again::FailedOtherwise),
                Some("failed again, in another way"),
            ),
            (
                Some(Again::Passed),
                Some("passed when run again: the check is not deterministic"),
            ),
            (Some(Again::Skipped), Some("could not tell when run again")),
        ] {
            let mut report = report(&recording);
            let mut found = violation(&recording, 4, |_| false);
            found.again = again;
            report.violations.push(found);
            let text = details(&report, None);
            assert_eq!(text.contains("  again   "), says.is_some(), "{text}");
            assert!(text.contains(says.unwrap_or_default()), "{text}");
        }
    }

    #[test]
    fn a_check_that_never_passes_is_doubted() {
        let recording = History::new().write(0, "a").write(1, "b").done();
        for (checked, same_reads, skipped, violations, doubted) in [
            (4, 0, 0, 4, true),
            (5, 1, 1, 5, true),
            (3, 0, 0, 3, false),
            (5, 0, 0, 4, false),
            (4, 1, 0, 4, false),
        ] {
            let mut report = report(&recording);
            report.coverage.checked = checked;
            report.coverage.same_reads = same_reads;
            report.coverage.skipped = skipped;
            report.violations = (0..violations)
                .map(|_| violation(&recording, 4, |_| false))
                .collect();
            assert_eq!(coverage(&report).contains("EVERY STATE THAT"), doubted);
        }
    }
}
