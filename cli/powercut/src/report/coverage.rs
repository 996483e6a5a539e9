// SPDX-License-Identifier: GPL-2.0

//! What was covered, in words.

use std::fmt::Write as _;

use powercut_engine::tear::Tear;
use powercut_engine::truths::Truths;

use super::conclusion::{doubts, Conclusion};
use super::faults::FaultFacts;
use super::kinds::Kinds;
use super::model::{Coverage, Ended, Report};
use crate::words::{about_text, is_short, many};

/// How much of all there is was covered, honestly.
pub fn coverage(report: &Report) -> String {
    let coverage = &report.coverage;
    if coverage.ended == Ended::Unfinished {
        return unfinished(report);
    }
    let mut text = if coverage.all {
        all(report)
    } else {
        sample(report)
    };
    if coverage.skipped > 0 {
        let _ = write!(text, "; of {} the check could not tell", coverage.skipped);
        if let Some(states) = &coverage.skipped_states {
            let _ = write!(text, " ({} {})", about_text(states), report.what_states());
        }
    }
    doubtful(&mut text, report);
    if all_fail(report) {
        text.push_str(
            "\nEVERY STATE THAT WAS EXAMINED FAILS: does the check pass where no power was cut?",
        );
    }
    if let Some(line) = coverage.kinds.as_ref().and_then(Kinds::line) {
        let _ = write!(text, "\n{line}");
    }
    pruned(&mut text, coverage);
    recoveries(&mut text, coverage);
    repeats(&mut text, coverage);
    text.push_str(match report.disk.tear {
        Tear::Any => "",
        Tear::Prefix => {
            "\nof a write that is not stable the first units survive, not any (tear=prefix)"
        }
        Tear::Rmw => {
            "\na write of a part of a physical block may cost the rest of it, stable or not (tear=rmw)"
        }
    });
    if let Some(truths) = &report.examination.truths {
        observed(&mut text, truths);
    }
    for line in report.faults.iter().flat_map(FaultFacts::lines) {
        let _ = write!(text, "\n{line}");
    }
    imported(&mut text, report);
    text
}

/// What the log that the record was made of does not tell.
fn imported(text: &mut String, report: &Report) {
    for note in report.source.imported.iter().flat_map(|from| &from.notes) {
        let _ = write!(text, "\nnote: {note}");
    }
}

/// What the states were held against.
fn observed(text: &mut String, truths: &Truths) {
    let _ = write!(
        text,
        "\nobserved at {} moments of the workload, {} different",
        truths.moments(),
        truths.different()
    );
    let unchanged = truths.unchanged();
    if let Some(first) = unchanged.first() {
        let marks = many(unchanged.len() as u64, "mark", "marks");
        let first = truths.name(*first);
        let _ = write!(
            text,
            "; {marks} changed nothing, such as {first}: what is acknowledged there was not looked at"
        );
    }
}

/// By what it was covered: `by 3 runs of the check, at 2 cuts`.
fn runs(coverage: &Coverage) -> String {
    let runs = many(coverage.checked, "run of the check", "runs of the check");
    format!("by {runs}, at {}", many(coverage.cuts, "cut", "cuts"))
}

fn all(report: &Report) -> String {
    let coverage = &report.coverage;
    let states = report.what_states();
    let runs = runs(coverage);
    let legal = about_text(&coverage.legal_states);
    match (coverage.legal_at_most, &*coverage.legal_states) {
        (true, _) => format!("all {states} covered (at most {legal}) {runs}"),
        (false, "1") => format!("the only state covered {runs}"),
        (false, _) => format!("all {legal} {states} covered {runs}"),
    }
}

/// Of an exploration that did not look at all, or did not have to.
fn sample(report: &Report) -> String {
    let coverage = &report.coverage;
    let legal = about_text(&coverage.legal_states);
    let at_most = if coverage.legal_at_most {
        "at most "
    } else {
        ""
    };
    let of = format!("{at_most}{legal} {}", report.what_states());
    let runs = runs(coverage);
    let mut text = match &coverage.covered_states {
        Some(covered) => format!("{} of {of} covered {runs}", about_text(covered)),
        None => format!("a sample of {of} examined {runs}"),
    };
    // Of very many, what is covered tells as much.
    let remaining = coverage.remaining_states.as_ref();
    if let Some(remaining) = remaining.filter(|n| is_short(n) || coverage.of_other_shards.is_some())
    {
        let _ = write!(text, ", {} remain", about_text(remaining));
    }
    if let Some(others) = &coverage.of_other_shards {
        let others = about_text(others);
        let _ = write!(text, ", {others} of them at cuts of other shards");
    }
    let ended = match coverage.ended {
        Ended::Exhausted => "the strategy has no more",
        Ended::Budget => "the budget is spent",
        Ended::Deadline => "the deadline passed",
        Ended::FirstViolation => "stopped at the first violation",
        Ended::MaxViolations => "stopped at --max-violations",
        Ended::Interrupted => "interrupted",
        Ended::Failed => "ended by an error",
        Ended::Unfinished => "it did not end",
    };
    let _ = write!(text, ": {ended}");
    text
}

/// Of an exploration that did not come to its end: its account was not made.
fn unfinished(report: &Report) -> String {
    let found = match report.violations.len() {
        1 => "1 violation was".into(),
        n => format!("{n} violations were"),
    };
    let mut text = format!(
        "the exploration did not end: {found} found by then, how much was covered is not known"
    );
    doubtful(&mut text, report);
    imported(&mut text, report);
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
        about_text(&pruned.same_content),
        about_text(&pruned.unread),
        about_text(&pruned.shared)
    );
    if let Some(dominated) = &pruned.dominated {
        let _ = write!(text, "; {} more at dominated cuts", about_text(dominated));
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
        "\n{} cut in turn, which may leave {} legal states: {} checked; \
         {} covered completely",
        many(recoveries.recorded, "recovery was", "recoveries were"),
        about_text(&recoveries.legal_states),
        recoveries.checked,
        many(recoveries.complete, "recovery", "recoveries")
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
    use crate::report::testing::{add, report, violation};
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
            "NOT DECIDED: the check could not judge any",
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
            add(&mut report, found);
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
