// SPDX-License-Identifier: GPL-2.0

//! runs.jsonl of a report that is gone on with.

use std::fs;

use powercut_engine::explore::{Header, Journal, Seen, RUNS};
use powercut_engine::oracle::{Finding, Kind, Verdict};
use powercut_engine::reads::Reads;

use super::{with_dir, Target};

pub const JOURNAL: Target = Target {
    name: "journal",
    run: journal,
    seeds,
    words: &[
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        ",",
        "\n",
        "null",
        "\"state\":",
        "\"time\":",
        "\"verdict\":",
        "\"reads\":",
        "\"consistent\"",
        "\"skipped\"",
        "\"violation\"",
        "\"recoveries\":",
        "-1",
        "1e99",
    ],
    inputs: 4000,
};

fn seeds() -> Vec<Vec<u8>> {
    let dir = tempfile::tempdir().expect("a directory");
    let header = Header {
        record: "1 of 2 events".into(),
        examination: "3 (./check)".into(),
        plan: "4 (auto)".into(),
    };
    let mut journal = Journal::begin(dir.path(), &header).expect("a journal");
    let finding = Finding::new(Kind::Check, "exit 1", "two\nlines\n");
    let verdicts = [
        Verdict::Consistent,
        Verdict::Skipped,
        Verdict::Violation(finding),
    ];
    for (state, verdict) in (1..).zip(verdicts) {
        let reads = Some(Reads::from_ranges(vec![(8, 8), (1 << 30, 1)]));
        journal.add((state << 90, 0), &Seen::new(verdict, reads));
    }
    vec![fs::read(dir.path().join(RUNS)).expect("the journal's file")]
}

fn journal(input: &[u8]) {
    with_dir(|dir| {
        let path = dir.join(RUNS);
        fs::write(&path, input).expect("room for a file");
        let first = input.split(|byte| *byte == b'\n').next();
        // The one that it is of, so that the runs are looked at.
        let header = serde_json::from_slice(first.unwrap_or_default()).unwrap_or_default();
        if Journal::resume(dir, &header).is_err() {
            return;
        }
        let left = fs::read(&path).expect("it is still there");
        assert!(input.starts_with(&left), "what was there was changed");
        Journal::resume(dir, &header).expect("it can be gone on with again");
        assert_eq!(fs::read(&path).expect("it is still there"), left);
    });
}
