// SPDX-License-Identifier: GPL-2.0

//! Outcome by what goes wrong: status, files, text and JUnit agree.

use anyhow::bail;
use powercut_engine::recording::testing::History;
use tempfile::TempDir;

use super::*;
use crate::report::testing::{add, report, violation};
use crate::report::Ended;

/// A directory for a report, which may be full.
struct Kept {
    dir: TempDir,
    is_full: bool,
}

impl Store for Kept {
    fn save(&mut self, report: &Report) -> Result<Option<PathBuf>> {
        if self.is_full {
            bail!("cannot write the report: no space left");
        }
        Saved::at(self.dir.path()).finish(report)?;
        Ok(self.dir())
    }

    fn dir(&self) -> Option<PathBuf> {
        Some(self.dir.path().into())
    }
}

/// How the exploration went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Went {
    Clean,
    Found,
    Interrupted,
    InterruptedFound,
    Failed,
    FailedFound,
    Untold,
    NothingExamined,
}

/// What goes wrong afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    Report,
    Html,
    Junit,
    Output,
}

const WENT: [(Went, u8); 8] = [
    (Went::Clean, 0),
    (Went::Found, 1),
    (Went::Interrupted, 130),
    (Went::InterruptedFound, 1),
    (Went::Failed, 2),
    (Went::FailedFound, 1),
    (Went::Untold, 2),
    (Went::NothingExamined, 2),
];
const WRONG: [Wrong; 5] = [
    Wrong::Nothing,
    Wrong::Report,
    Wrong::Html,
    Wrong::Junit,
    Wrong::Output,
];

/// The report of an exploration that went so, and the signal that ended it.
fn came(went: Went, recording: &Recording) -> (Report, Option<Interrupted>) {
    let mut report = report(recording);
    let (mut signal, coverage) = (None, &mut report.coverage);
    match went {
        Went::Clean | Went::Found => {}
        Went::Interrupted | Went::InterruptedFound => {
            coverage.ended = Ended::Interrupted;
            signal = Some(Interrupted::Signal(2));
        }
        Went::Failed | Went::FailedFound => {
            coverage.ended = Ended::Failed;
            report.errors.push("the driver is gone".into());
        }
        Went::Untold => coverage.skipped = coverage.checked,
        Went::NothingExamined => coverage.checked = 0,
    }
    if matches!(
        went,
        Went::Found | Went::InterruptedFound | Went::FailedFound
    ) {
        add(&mut report, violation(recording, 4, |_| false));
    }
    (report, signal)
}

/// What is left of it all.
struct Left {
    exit: Exit,
    printed: String,
    dir: TempDir,
    report: Report,
}

fn concluded(went: Went, wrong: Wrong, json: bool) -> Left {
    let recording = History::new().write(0, "a").write(1, "b").done();
    let (mut report, signal) = came(went, &recording);
    let mut store = Kept {
        dir: tempfile::tempdir().unwrap(),
        is_full: wrong == Wrong::Report,
    };
    let file = |name: &str, is_wrong: bool| {
        let dir = store.dir.path();
        Some(if is_wrong {
            dir.join("none").join(name)
        } else {
            dir.join(name)
        })
    };
    let wanted = Wanted {
        minimize: false,
        html: file("page", wrong == Wrong::Html),
        junit: file("junit", wrong == Wrong::Junit),
    };
    let mut printed = String::new();
    let conclude = Conclude {
        recording: &recording,
        store: &mut store,
        wanted: &wanted,
        format: Format::new(json),
        signal,
    };
    let exit = conclude.by(&mut report, &mut |text| {
        if wrong == Wrong::Output {
            bail!("cannot write to standard output");
        }
        printed.push_str(text);
        Ok(())
    });
    Left {
        exit,
        printed,
        dir: store.dir,
        report,
    }
}

#[test]
fn a_violation_is_1_and_anything_else_that_goes_wrong_is_2() {
    for (went, status) in WENT {
        for wrong in WRONG {
            let left = concluded(went, wrong, false);
            let should = match (status, wrong) {
                // Clean is not what was asked for, if it can't be told.
                (0, Wrong::Nothing) => 0,
                (0, _) => 2,
                (status, _) => status,
            };
            assert_eq!(left.exit.status(), should, "{went:?}, {wrong:?}");
        }
    }
}

#[test]
fn what_can_be_written_is_written_and_tells_what_could_not() {
    for (went, _) in WENT {
        for wrong in WRONG {
            let left = concluded(went, wrong, false);
            let what = format!("{went:?}, {wrong:?}");
            let text = |name: &str| std::fs::read_to_string(left.dir.path().join(name));
            let saved = Saved::at(left.dir.path()).report();
            assert_eq!(saved.is_ok(), wrong != Wrong::Report, "{what}");
            assert_eq!(text("page").is_ok(), wrong != Wrong::Html, "{what}");
            assert_eq!(text("junit").is_ok(), wrong != Wrong::Junit, "{what}");
            assert!(text(PAGE).is_ok(), "{what}");
            if let Ok(saved) = saved {
                assert_eq!(
                    saved.violations.len(),
                    left.report.violations.len(),
                    "{what}"
                );
                assert_eq!(saved.errors, left.report.errors, "{what}");
            }
            let errors = usize::from(matches!(went, Went::Failed | Went::FailedFound));
            let errors = errors + usize::from(wrong != Wrong::Nothing);
            assert_eq!(
                left.report.errors.len(),
                errors,
                "{what}: {:?}",
                left.report.errors
            );
        }
    }
}

#[test]
fn junit_agrees_with_the_status() {
    for (went, _) in WENT {
        for wrong in WRONG.into_iter().filter(|wrong| *wrong != Wrong::Junit) {
            let left = concluded(went, wrong, false);
            let xml = std::fs::read_to_string(left.dir.path().join("junit")).unwrap();
            let (failed, error) = (xml.contains("<failure"), xml.contains("<error"));
            match left.exit.status() {
                0 => assert!(!failed && !error, "{went:?}, {wrong:?}: {xml}"),
                1 => assert!(failed, "{went:?}, {wrong:?}: {xml}"),
                _ => assert!(error && !failed, "{went:?}, {wrong:?}: {xml}"),
            }
        }
    }
}

#[test]
fn what_was_found_is_shown_whatever_went_wrong() {
    for (went, status) in WENT {
        for wrong in WRONG.into_iter().filter(|wrong| *wrong != Wrong::Output) {
            let text = concluded(went, wrong, false).printed;
            let json = concluded(went, wrong, true).printed;
            let json: Report = serde_json::from_str(&json).unwrap();
            let found = usize::from(status == 1);
            assert_eq!(
                text.matches("VIOLATION 1:").count(),
                found,
                "{went:?}, {wrong:?}"
            );
            assert_eq!(json.violations.len(), found, "{went:?}, {wrong:?}");
            assert_eq!(
                json.errors.is_empty(),
                wrong == Wrong::Nothing && !matches!(went, Went::Failed | Went::FailedFound)
            );
        }
    }
}
