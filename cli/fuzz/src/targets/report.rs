// SPDX-License-Identifier: GPL-2.0

//! Reports that somebody sent: report.json and violations.jsonl, shown in all formats.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use powercut_cli::report::github::{annotations, markdown};
use powercut_cli::report::{self, merge, Report, Saved};
use powercut_engine::recording::Recording;

use super::{with_dir, Target};
use crate::made::{self, Size};

const REPORT_FILE: &str = "report.json";
const VIOLATIONS_FILE: &str = "violations.jsonl";
const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "null",
    "true",
    "\\u0000",
    "0",
    "-1",
    "1e99",
    "18446744073709551615",
    "k=",
    "keep=",
    "\"schema\":",
    "\"violations\":",
    "\"number\":",
    "\"sort\":",
    "\"culprit\":",
    "\"kept\":",
    "\"lost\":",
    "\"marks\":",
];

pub const REPORT: Target = Target {
    name: "report",
    run: report_json,
    seeds: || vec![MADE.report.clone()],
    words: WORDS,
    inputs: 750,
};

pub const VIOLATIONS: Target = Target {
    name: "violations",
    run: violations,
    seeds: || vec![MADE.violations.clone()],
    words: WORDS,
    inputs: 400,
};

/// A report made up.
struct Made {
    recording: Recording,
    report: Vec<u8>,
    /// Its violations, a line each.
    violations: Vec<u8>,
    without: Vec<u8>,
}

static MADE: LazyLock<Made> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a directory");
    let size = Size {
        entries: 100,
        violations: 3,
        sorts: 2,
    };
    made::report(dir.path(), size).expect("a report");
    let saved = Saved::at(dir.path());
    let mut whole = saved.report().expect("a report");
    let report = serde_json::to_vec(&whole).expect("a report as JSON");
    let lines = whole.violations.iter().map(|violation| {
        let line = serde_json::to_string(violation).expect("a violation as JSON");
        line + "\n"
    });
    let violations = lines.collect::<String>().into();
    whole.violations.clear();
    Made {
        recording: saved.log().expect("its recording"),
        report,
        violations,
        without: serde_json::to_vec(&whole).expect("a report as JSON"),
    }
});

fn report_json(input: &[u8]) {
    with_dir(|dir| {
        let _ = fs::remove_file(dir.join(VIOLATIONS_FILE));
        fs::write(dir.join(REPORT_FILE), input).expect("room for a file");
        read(dir);
    });
}

fn violations(input: &[u8]) {
    with_dir(|dir| {
        fs::write(dir.join(VIOLATIONS_FILE), input).expect("room for a file");
        fs::write(dir.join(REPORT_FILE), &MADE.without).expect("room for a file");
        read(dir);
        report::Found::open(dir).expect("it can be added to");
        let left = fs::read(dir.join(VIOLATIONS_FILE)).expect("it is still there");
        assert!(input.starts_with(&left), "what was there was changed");
    });
}

/// Reads a report and shows it in every way. As it is written it is read again.
fn read(dir: &Path) {
    let saved = Saved::at(dir);
    let Ok(report) = saved.report() else {
        return;
    };
    show(&report);
    let written = json(&report);
    fs::write(dir.join(REPORT_FILE), &written).expect("room for a file");
    let again = saved.report().expect("a report is read as it was written");
    assert_eq!(json(&again), written);
    let _ = merge(&[("a".into(), report), ("b".into(), again)]);
}

fn json(report: &Report) -> String {
    serde_json::to_string(report).expect("a report as JSON")
}

fn show(report: &Report) {
    let _ = report::commands_line(report);
    let _ = report::details(report, Some("dir"));
    let _ = report::summary(report);
    let _ = report::coverage(report);
    let _ = report::doubts(report);
    let _ = (annotations(report, None, "dir"), markdown(report, "dir"));
    let _ = report::html(report, &MADE.recording, "dir");
    let _ = report::junit(report, &MADE.recording, "dir");
}
