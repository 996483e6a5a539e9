// SPDX-License-Identifier: GPL-2.0

//! What was covered, in words.

use std::fmt::Write as _;

use num_bigint::BigUint;

use super::faults::FaultFacts;
use super::model::{Coverage, Ended, Report};
use crate::count;
use crate::tear::Tear;

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
            Ended::FirstViolation => "stopped at the first violation",
            Ended::Interrupted => "interrupted",
        };
        let _ = match &coverage.covered_states {
            Some(covered) => write!(text, ", {} covered by {runs} runs", human(covered)),
            None => write!(text, ", a sample of them covered by {runs} runs"),
        };
        if let Some(remaining) = &coverage.remaining_states {
            let _ = write!(text, ", {} remain", human(remaining));
        }
        let _ = write!(text, ": {ended}");
    }
    if coverage.skipped > 0 {
        let _ = write!(text, "; of {} the check could not tell", coverage.skipped);
    }
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
    use crate::recording::testing::History;
    use crate::report::testing::{report, violation};

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
