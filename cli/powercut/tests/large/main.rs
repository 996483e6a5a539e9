// SPDX-License-Identifier: GPL-2.0

//! What is shown of large records and reports stays small, and is found again by number.

mod made;

use std::path::Path;

use assert_cmd::Command;
use made::Size;
use powercut_engine::made_up::{Flaw, Kind, MadeUp};
use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;

/// What a person reads at most, and what a browser and a CI system are given at most.
const TEXT: usize = 64 << 10;
const PAGE: usize = 2 << 20;
const XML: usize = 4 << 20;

fn powercut(args: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Command::cargo_bin("powercut").expect("the binary");
    command.args(args).assert()
}

fn printed(args: &[&str]) -> String {
    let done = powercut(args);
    String::from_utf8(done.get_output().stdout.clone()).expect("text")
}

fn made(dir: &Path) -> &str {
    let size = Size {
        entries: 8_000,
        violations: 1_500,
        sorts: 28,
    };
    made::report(dir, size).expect("a report");
    dir.to_str().expect("its name")
}

#[test]
fn a_large_report_is_short_in_all_formats() {
    let dir = tempfile::tempdir().expect("a directory");
    let report = made(dir.path());
    let text = printed(&["report", report]);
    assert!(text.len() < TEXT, "{} bytes", text.len());
    let told = [
        "1500 crash states fail, in 28 different ways; the first found: check failed, exit 1, after event ",
        "\nVIOLATION 1: check failed, exit 1 (sort 1 of 28)\n",
        "about 10^159 of about 10^161 legal states covered by 1800 runs of the check, at 3300 cuts",
        "replay  powercut replay 1 --report ",
        "20 more sorts of violations",
    ];
    for told in told {
        assert!(text.contains(told), "{told:?} is not in {text}");
    }
    let at = |name: &str| dir.path().join(name).to_str().expect("a name").to_string();
    let (page, xml) = (at("page.html"), at("junit.xml"));
    powercut(&["report", report, "--html", &page, "--junit", &xml]).success();
    let size = |path: &str| std::fs::read_to_string(path).expect("a file").len();
    assert!(size(&page) < PAGE, "{} bytes", size(&page));
    assert!(size(&xml) < XML, "{} bytes", size(&xml));
    // The same again, from what is printed as JSON.
    let json = printed(&["report", report, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let violations = json["violations"].as_array().expect("a list");
    assert_eq!(violations.len(), 1500);
    for (at, violation) in violations.iter().enumerate() {
        assert_eq!(violation["number"], at as u64 + 1);
    }
    let whole = violations.iter().filter(|v| v["lost"].is_array());
    assert_eq!(whole.count(), 28);
}

#[test]
fn violations_go_by_number() {
    let dir = tempfile::tempdir().expect("a directory");
    let report = made(dir.path());
    for command in ["replay", "minimize"] {
        let none = powercut(&[command, "1501", "--report", report]);
        none.code(2).stderr(contains(
            "there is no violation 1501 in the report: it has 1500, from 1 on",
        ));
        // What is numbered is looked for in the record, which this id is not of.
        let known = powercut(&[command, "1500", "--report", report]);
        known.code(2).stderr(contains("is of another log"));
        let on_a_disk = powercut(&[command, "3", "--disk", "a", "--check", "true"]);
        on_a_disk.code(2).stderr(contains("give --report DIR"));
    }
}

#[test]
fn the_log_is_shown_by_pages_and_filters() {
    let dir = tempfile::tempdir().expect("a directory");
    let report = made(dir.path());
    let log = |words: &[&str]| powercut(&[&["log", "--report", report][..], words].concat());
    let lines = |words: &[&str]| {
        let done = log(words);
        String::from_utf8_lossy(&done.get_output().stdout)
            .lines()
            .count()
            - 1
    };
    assert_eq!(lines(&[]), 8_000);
    assert_eq!(lines(&["--op", "mark"]), 500);
    assert_eq!(lines(&["--flags", "FUA,META", "--task", "jbd2"]), 1_000);
    assert_eq!(lines(&["--lba", "65536-65543"]), 1_000);
    assert_eq!(lines(&["--events", "1-33"]), 16);
    assert_eq!(lines(&["--time", "0-660us"]), 16);
    log(&["--mark", "put 102"])
        .success()
        .stdout(contains("\"put 102\"").and(contains("\"put 101\"").not()));
    assert_eq!(lines(&["--mark", "put 102"]), 16);
    log(&["--limit", "50", "--offset", "100"])
        .success()
        .stderr(contains("there is more: --offset 150"));
    log(&["--op", "read"])
        .code(2)
        .stderr(contains("give write"));
}

#[test]
fn one_early_acknowledgement_among_many_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("record");
    let record = path.to_str().expect("its name");
    let lint = |flaw, code| {
        let made_up = MadeUp {
            kind: Kind::Wal,
            entries: 9_000,
            flaw,
        };
        made::record(&path, made_up).expect("a record");
        let done = powercut(&["lint", "--report", record]).code(code);
        String::from_utf8_lossy(&done.get_output().stdout).into_owned()
    };
    let early = lint(Some((Flaw::Acknowledgement, 777)), 1);
    assert!(early.starts_with("1 of "), "{early}");
    assert!(early.contains("\n1 before writes of their own that were stable only later\n"));
    assert!(early.contains("\"put 777\""), "{early}");
    let safe = lint(None, 0);
    assert!(
        safe.contains("all that was written before each was stable by then"),
        "{safe}"
    );
}
