// SPDX-License-Identifier: GPL-2.0

//! The report for CI systems: JUnit XML, one test case a cut, or, where there are very many, for
//! several cuts that follow on each other.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, FixedOffset};
use powercut_engine::recording::Recording;
use powercut_engine::strategy::Space;
use powercut_model::Event;
use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::conclusion::{doubts, Conclusion};
use super::coverage::coverage;
use super::faults::FaultFacts;
use super::model::Report;
use super::text::{replay_command, when_run_again};
use super::violation::Violation;
use crate::words::{floor_char_boundary, many, states_of};

/// Test cases at most.
const CASES: usize = 1000;
/// Violations told in a test case.
const TOLD: usize = 3;
/// Bytes of a check's output, of so many violations of which all is kept, and of the others.
const OUTPUT: usize = 4096;
const WHOLE: usize = 100;
const OUTPUT_OF_OTHERS: usize = 256;

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
    let cuts: Vec<(Event, Vec<&Violation>)> = cuts.into_iter().collect();
    let mut teller = Teller { dir, whole: WHOLE };
    for cuts in cuts.chunks(cuts.len().div_ceil(CASES).max(1)) {
        let shape = match cuts {
            [(cut, _)] => of_one(recording, &space, *cut),
            _ => many(cuts.len() as u64, "cut", "cuts"),
        };
        suite.add_test_case(case(report, cuts, &shape, &mut teller));
    }
    suite
}

/// What is known of one cut: its states.
fn of_one(recording: &Recording, space: &Space<'_>, cut: Event) -> String {
    let states = space.choices(cut).map(|choices| states_of(&choices));
    let states = states.unwrap_or_else(|| "?".into());
    let faults = recording.faults_at(cut);
    if faults.is_empty() {
        format!("{states} legal states")
    } else {
        format!("{states} states outside of the contract (faults {faults})")
    }
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

/// The case of some cuts that follow on each other; `shape` says what they are.
fn case(
    report: &Report,
    cuts: &[(Event, Vec<&Violation>)],
    shape: &str,
    teller: &mut Teller<'_>,
) -> TestCase {
    let violations: Vec<&Violation> = cuts.iter().flat_map(|(_, found)| found).copied().collect();
    let name = match cuts {
        [(first, _), .., (last, _)] => format!("power cuts after events {first} to {last}"),
        [(cut, _)] => format!("power cut after event {cut}"),
        [] => String::new(),
    };
    let ran = Ran::of(report, cuts.iter().map(|(cut, _)| cut));
    let mut case = TestCase::new(name, ran.status(report, !violations.is_empty()));
    case.set_classname(class(report));
    if let Some(time) = ran.seconds {
        case.set_time(seconds(time));
    }
    case.set_system_out(if report.coverage.all {
        format!("{shape}, the verdict of each is known")
    } else {
        format!("{shape}, a sample of {} examined", ran.runs)
    });
    if let Some(first) = violations.first() {
        case.status.set_type(first.kind.to_string());
        let says = first.says().unwrap_or(&first.how);
        let more = match violations.len() {
            1 => String::new(),
            n => format!(" (and {})", many(n as u64 - 1, "more state", "more states")),
        };
        case.status.set_message(format!("{says}{more}"));
        let told = violations.iter().take(TOLD).map(|v| teller.tell(v));
        let mut told: Vec<String> = told.collect();
        if violations.len() > TOLD {
            let numbers = violations.iter().skip(TOLD).take(20);
            let numbers: Vec<String> = numbers.map(|v| v.number.to_string()).collect();
            told.push(format!("others are violations {}\n", numbers.join(", ")));
        }
        case.status.set_description(told.join("\n"));
    }
    case
}

/// What was run at some cuts.
#[derive(Default)]
struct Ran {
    runs: u64,
    /// Those of which the check could not tell.
    untold: u64,
    seconds: Option<f64>,
}

impl Ran {
    fn of<'c>(report: &Report, cuts: impl Iterator<Item = &'c Event>) -> Self {
        let coverage = &report.coverage;
        let mut ran = Self::default();
        for cut in cuts {
            ran.runs += coverage.runs.get(cut).unwrap_or(&0);
            ran.untold += coverage.skipped_runs.get(cut).unwrap_or(&0);
            if let Some(time) = coverage.run_seconds.get(cut) {
                *ran.seconds.get_or_insert(0.0) += time;
            }
        }
        ran
    }

    /// Cuts pass if the check could tell of states of them, or the verdict of all is known.
    fn status(&self, report: &Report, has_violations: bool) -> TestCaseStatus {
        if has_violations {
            return TestCaseStatus::non_success(NonSuccessKind::Failure);
        }
        if self.untold < self.runs || (self.untold == 0 && report.coverage.all) {
            return TestCaseStatus::success();
        }
        let mut skipped = TestCaseStatus::skipped();
        skipped.set_message(match self.untold {
            0 => "no state was examined here",
            _ => "the check could not judge any state here",
        });
        skipped
    }
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

/// Tells of violations, of the first of them at more length.
struct Teller<'d> {
    dir: &'d str,
    /// How many more are told so.
    whole: usize,
}

impl Teller<'_> {
    fn tell(&mut self, violation: &Violation) -> String {
        let mut text = format!(
            "violation {}: {}, {}: state {}\n{} kept, {} lost, {} acknowledged\n",
            violation.number,
            violation.kind,
            violation.how,
            beginning(&violation.id, OUTPUT_OF_OTHERS),
            many(violation.kept_writes, "write", "writes"),
            violation.lost_writes,
            many(violation.marks, "mark", "marks")
        );
        if let Some(again) = violation.again {
            let _ = writeln!(text, "again: {}", when_run_again(again));
        }
        if let Some(culprit) = &violation.culprit {
            let _ = writeln!(text, "culprit: {}", culprit.verdict);
        }
        let is_whole = violation.kept.is_some() && self.whole > 0;
        self.whole -= usize::from(is_whole);
        let most = if is_whole { OUTPUT } else { OUTPUT_OF_OTHERS };
        let output = beginning(&violation.output, most);
        text.push_str(output);
        if !output.ends_with('\n') {
            text.push('\n');
        }
        let replay = replay_command("replay", violation, self.dir);
        let _ = writeln!(text, "replay: {replay}");
        text
    }
}

/// Not more than so many bytes of a text.
fn beginning(text: &str, most: usize) -> &str {
    &text[..floor_char_boundary(text, most)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{add, report, violation};
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
        add(&mut report, found);
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
    fn many_cuts_are_few_test_cases() {
        let log = (0..3000).fold(History::new(), |log, n| log.write(n % 7, "a").flush());
        let recording = log.done();
        let mut report = report(&recording);
        add(&mut report, violation(&recording, 6001, |_| false));
        report.coverage.runs.insert(6001, 1);
        report.coverage.runs.insert(7, 1);
        let text = junit(&report, &recording, "d").unwrap();
        let cases = text.matches("<testcase").count();
        assert!((500..=1000).contains(&cases), "{cases}");
        assert_eq!(text.matches("<failure").count(), 1);
        assert_eq!(text.matches("<skipped").count(), cases - 2);
        assert!(
            text.contains("name=\"power cuts after events 3 to 15\""),
            "{text}"
        );
        assert!(text.contains("cuts, a sample of 1 examined"), "{text}");
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
        add(&mut report, violation(&recording, 2, |_| false));
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
        add(&mut report, violation(&recording, cuts[0], |_| false));
        assert_eq!(text(&report), (2, cuts.len() - 1, 1));
    }
}
