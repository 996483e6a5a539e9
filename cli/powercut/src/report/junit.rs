// SPDX-License-Identifier: GPL-2.0

//! The report for CI systems: JUnit XML, one test case a cut.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, FixedOffset};
use powercut_engine::count;
use powercut_engine::faults::Faults;
use powercut_engine::recording::Recording;
use powercut_engine::strategy::Space;
use powercut_model::Event;
use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::conclusion::{doubts, Conclusion};
use super::coverage::coverage;
use super::faults::FaultFacts;
use super::model::{Report, Violation};
use super::text::{replay_command, when_run_again};

/// Violations told in full in a test case.
const TOLD: usize = 3;
/// Bytes of a check's output in it.
const OUTPUT: usize = 4096;

/// The XML of one report. `dir` is where it is.
pub fn junit(report: &Report, recording: &Recording, dir: &str) -> Result<String> {
    let time = report.seconds.record + report.seconds.explore;
    document([suite(report, recording, dir)], seconds(time))
}

/// The XML of several suites.
pub fn document(suites: impl IntoIterator<Item = TestSuite>, time: Duration) -> Result<String> {
    let mut junit = Junit::new("powercut");
    junit.set_time(time);
    junit.add_test_suites(suites);
    junit.to_string().context("cannot write JUnit XML")
}

/// The suite of a report: a test case for every cut.
pub fn suite(report: &Report, recording: &Recording, dir: &str) -> TestSuite {
    let space = Space::new(recording, report.plan.marks);
    let mut cuts: BTreeMap<Event, Vec<&Violation>> = BTreeMap::new();
    for cut in space.cuts() {
        cuts.entry(*cut).or_default();
    }
    for violation in &report.violations {
        cuts.entry(violation.cut).or_default().push(violation);
    }
    let mut suite = empty_suite(report);
    for line in report.faults.iter().flat_map(FaultFacts::lines) {
        suite.add_property(("faults", line.as_str()));
    }
    suite.add_test_cases(doubts(report).iter().map(|doubt| error(report, doubt)));
    for (cut, violations) in &cuts {
        let states = space.choices(*cut).map(|choices| count::told(&choices));
        let faults = recording.faults_at(*cut);
        suite.add_test_case(case(report, *cut, (states, faults), violations, dir));
    }
    suite
}

/// The suite of a control, in which violations have to be found: one test case.
pub fn control(report: &Report) -> TestSuite {
    let mut suite = empty_suite(report);
    let status = match Conclusion::of(report) {
        Conclusion::Violation => TestCaseStatus::success(),
        Conclusion::Consistent => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type("no violation");
            status.set_message("violations were expected, and none was found");
            status
        }
        Conclusion::Undecided => {
            suite.add_test_cases(doubts(report).iter().map(|doubt| error(report, doubt)));
            return suite;
        }
    };
    let mut case = TestCase::new("violations are found", status);
    case.set_classname(class(report));
    suite.add_test_case(case);
    suite
}

/// The suite of a case that was not explored.
pub fn unexplored(name: &str, why: &str) -> TestSuite {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type("not decided");
    status.set_message(why.lines().next().unwrap_or_default());
    status.set_description(why);
    let mut case = TestCase::new("the exploration", status);
    case.set_classname(format!("powercut.{name}"));
    let mut suite = TestSuite::new(name);
    suite.add_test_case(case);
    suite
}

fn empty_suite(report: &Report) -> TestSuite {
    let mut suite = TestSuite::new(format!("{} {}", report.case, report.plan.strategy));
    if let Some(began) = began(report) {
        suite.set_timestamp(began);
    }
    suite.set_time(seconds(report.seconds.explore));
    suite.set_system_out(coverage(report));
    suite
}

fn began(report: &Report) -> Option<DateTime<FixedOffset>> {
    let began = report.began.as_deref()?;
    DateTime::parse_from_rfc3339(began).ok()
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn case(
    report: &Report,
    cut: Event,
    (states, faults): (Option<String>, Faults),
    violations: &[&Violation],
    dir: &str,
) -> TestCase {
    let mut case = TestCase::new(
        format!("power cut after event {cut}"),
        status(report, cut, violations),
    );
    case.set_classname(class(report));
    if let Some(time) = report.coverage.run_seconds.get(&cut) {
        case.set_time(seconds(*time));
    }
    let legal = states.unwrap_or_else(|| "?".into());
    let sort = if faults.is_empty() {
        "legal states".to_string()
    } else {
        format!("states outside of the contract (faults {faults})")
    };
    let runs = report.coverage.runs.get(&cut).copied().unwrap_or(0);
    case.set_system_out(if report.coverage.all {
        format!("{legal} {sort}, the verdict of each is known")
    } else {
        format!("{legal} {sort}, a sample of {runs} examined")
    });
    if let Some(first) = violations.first() {
        case.status.set_type(first.kind.to_string());
        let says = first.output.trim().lines().last().unwrap_or(&first.how);
        let more = match violations.len() {
            1 => String::new(),
            n => format!(" (and {} more states)", n - 1),
        };
        case.status.set_message(format!("{says}{more}"));
        let told = violations.iter().take(TOLD).map(|v| tell(v, dir));
        case.status
            .set_description(told.collect::<Vec<_>>().join("\n"));
    }
    case
}

/// Why the exploration is no proof, as a case of its own.
fn error(report: &Report, doubt: &str) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type("not decided");
    status.set_message(doubt);
    let mut case = TestCase::new("the exploration", status);
    case.set_classname(class(report));
    case
}

fn class(report: &Report) -> String {
    format!("powercut.{}.{}", report.case, report.plan.strategy)
}

/// A cut passes if the check could tell of states of it, or the verdict of all is known.
fn status(report: &Report, cut: Event, violations: &[&Violation]) -> TestCaseStatus {
    if !violations.is_empty() {
        return TestCaseStatus::non_success(NonSuccessKind::Failure);
    }
    let of = |runs: &BTreeMap<Event, u64>| runs.get(&cut).copied().unwrap_or(0);
    let (runs, untold) = (of(&report.coverage.runs), of(&report.coverage.skipped_runs));
    if untold < runs || (untold == 0 && report.coverage.all) {
        return TestCaseStatus::success();
    }
    let mut skipped = TestCaseStatus::skipped();
    skipped.set_message(match untold {
        0 => "no state of this cut was examined",
        _ => "the check could tell of no state of this cut",
    });
    skipped
}

fn tell(violation: &Violation, dir: &str) -> String {
    let mut text = format!(
        "{}, {}: state {}\n{} writes kept, {} lost, {} marks acknowledged\n",
        violation.kind,
        violation.how,
        violation.id,
        violation.kept.len(),
        violation.lost.len(),
        violation.marks
    );
    if let Some(again) = violation.again {
        text.push_str(&format!("again: {}\n", when_run_again(again)));
    }
    if let Some(culprit) = &violation.culprit {
        text.push_str(&format!("culprit: {}\n", culprit.verdict));
    }
    let output: String = violation.output.chars().take(OUTPUT).collect();
    text.push_str(&output);
    if !output.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&format!(
        "replay: {}\n",
        replay_command("replay", &violation.id, dir)
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{report, violation};
    use powercut_engine::recording::testing::History;

    #[test]
    fn a_test_case_for_every_cut() {
        let recording = History::new()
            .write(0, "a")
            .flush()
            .write(1, "b")
            .mark("m")
            .flush()
            .write(2, "c")
            .done();
        let mut report = report(&recording);
        report.coverage.all = true;
        let cut = Space::new(&recording, report.plan.marks).cuts()[0];
        report.coverage.run_seconds.insert(cut, 1.25);
        let clean = junit(&report, &recording, "d").unwrap();
        assert!(clean.contains("timestamp=\"2026-11-25T23:59:59"), "{clean}");
        assert_eq!(clean.matches("time=\"1.250\"").count(), 1, "{clean}");
        assert_eq!(
            clean.matches("<testcase").count(),
            Space::new(&recording, report.plan.marks).cuts().len()
        );
        assert!(!clean.contains("<failure") && !clean.contains("<skipped"));

        let mut found = violation(&recording, 7, |_| false);
        found.output = "it is <gone>\u{1b}[0m & more".into();
        report.violations.push(found);
        let text = junit(&report, &recording, "d").unwrap();
        assert_eq!(text.matches("<failure").count(), 1);
        assert!(text.contains("failures=\"1\""));
        assert!(text.contains("powercut replay"));
        assert!(text.contains("it is &lt;gone&gt;"));
        // Not even a check's escape sequences make it bad XML.
        assert!(!text.contains('\u{1b}'));

        report.coverage.all = false;
        let sample = junit(&report, &recording, "d").unwrap();
        let others = sample.matches("<testcase").count() - 1;
        assert_eq!(sample.matches("<skipped").count(), others);
        let first = Space::new(&recording, report.plan.marks).cuts()[0];
        report.coverage.runs.insert(first, 3);
        let sample = junit(&report, &recording, "d").unwrap();
        assert_eq!(sample.matches("<skipped").count(), others - 1);
        assert!(sample.contains("a sample of 3 examined"));
    }

    #[test]
    fn a_control_passes_if_violations_were_found() {
        let recording = History::new().write(0, "a").done();
        let mut report = report(&recording);
        let text = |report: &Report| {
            let text = document([control(report)], Duration::ZERO).unwrap();
            ["<testcase", "<failure", "<error"].map(|word| text.matches(word).count())
        };
        assert_eq!(text(&report), [1, 1, 0]);
        report.errors.push("no space left on device".into());
        assert_eq!(text(&report), [1, 0, 1]);
        report.violations.push(violation(&recording, 2, |_| false));
        assert_eq!(text(&report), [1, 0, 0]);
        let broken = unexplored("a case", "the workload failed\nand said why");
        let broken = document([broken], Duration::ZERO).unwrap();
        assert_eq!(broken.matches("<error").count(), 1, "{broken}");
    }

    #[test]
    fn what_the_check_could_not_tell_is_no_pass() {
        let recording = History::new().write(0, "a").flush().write(1, "b").done();
        let cuts = Space::new(&recording, powercut_engine::marks::Marks::Any)
            .cuts()
            .to_vec();
        let mut report = report(&recording);
        report.coverage.runs = cuts.iter().map(|cut| (*cut, 2)).collect();
        let text = |report: &Report| {
            let text = junit(report, &recording, "d").unwrap();
            let count = |word: &str| text.matches(word).count();
            (count("<error"), count("<skipped"), count("<failure"))
        };
        assert_eq!(text(&report), (0, 0, 0));
        report.coverage.skipped_runs.insert(cuts[0], 1);
        assert_eq!(text(&report), (0, 0, 0));
        report.coverage.skipped_runs.insert(cuts[0], 2);
        report.coverage.skipped = 2;
        assert_eq!(text(&report), (0, 1, 0));
        report.coverage.skipped_runs = report.coverage.runs.clone();
        report.coverage.skipped = report.coverage.checked;
        assert_eq!(text(&report), (1, cuts.len(), 0));
        report.errors.push("no space left on device".into());
        report
            .violations
            .push(violation(&recording, cuts[0], |_| false));
        assert_eq!(text(&report), (2, cuts.len() - 1, 1));
    }
}
