// SPDX-License-Identifier: GPL-2.0

//! Logs of dm-log-writes, from file to file: no disk, no module, no root.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use predicates::str::contains;

const SECTOR: usize = 512;

fn powercut(dir: &Path, words: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Command::cargo_bin("powercut").expect("the binary");
    command.current_dir(dir).args(words).assert()
}

fn sector(numbers: &[u64], text: &[u8]) -> Vec<u8> {
    let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
    let mut bytes: Vec<u8> = numbers.chain(text.iter().copied()).collect();
    bytes.resize(SECTOR, 0);
    bytes
}

fn write(at: u64, flags: u64) -> Vec<u8> {
    [sector(&[at, 1, flags, 0], b""), vec![7; SECTOR]].concat()
}

fn mark(text: &[u8]) -> Vec<u8> {
    sector(&[0, 0, 8, text.len() as u64], text)
}

fn log(counted: u64, entries: &[Vec<u8>]) -> Vec<u8> {
    let first = sector(&[0x006a_7366_7773_6872, 1, counted, SECTOR as u64], b"");
    [&[first][..], entries].concat().concat()
}

#[test]
fn a_log_becomes_a_record_that_needs_no_root_and_a_log_again() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let flush = || sector(&[0, 0, 1, 0], b"");
    let entries = [
        write(0, 16),
        write(8, 0),
        flush(),
        mark(b"safe"),
        write(0, 2),
    ];
    fs::write(
        dir.join("log"),
        log(6, &[&entries[..], &[mark(b"dm-log-writes-end")]].concat()),
    )
    .unwrap();
    fs::write(dir.join("base"), vec![1; 3 << 20]).unwrap();
    let import = ["import", "--format", "log-writes"];
    powercut(dir, &[&import[..], &["log", "--base", "base"]].concat())
        .success()
        .stdout(contains("recording: powercut-report"))
        .stderr(contains("does not tell when writes were submitted"));
    powercut(dir, &["log", "--limit", "1", "--offset", "3"])
        .success()
        .stdout(contains("\"safe\""));
    powercut(dir, &["log", "--flags", "META"])
        .success()
        .stdout(contains("(not logged)"));
    powercut(dir, &["lint"]).success();
    powercut(dir, &["count"])
        .success()
        .stdout(contains("legal states at"));
    powercut(dir, &["count", "--cut", "3"])
        .success()
        .stdout(contains("4 legal states at cut 3"));
    powercut(dir, &["report"])
        .success()
        .stdout(contains("note: the record was made of a log"));
    powercut(dir, &["explore", "--recording", "powercut-report"])
        .code(2)
        .stderr(contains("the report names no check: give --check"));
    let export = ["export", "--format", "log-writes"];
    powercut(
        dir,
        &[
            &export[..],
            &["./powercut-report", "again", "--base", "image"],
        ]
        .concat(),
    )
    .success();
    assert_eq!(
        fs::read(dir.join("again")).unwrap(),
        fs::read(dir.join("log")).unwrap()
    );
    assert_eq!(
        fs::read(dir.join("image")).unwrap(),
        fs::read(dir.join("base")).unwrap()
    );
    powercut(
        dir,
        &[&export[..], &["powercut-report/recording.pcut", "again"]].concat(),
    )
    .success()
    .stderr(contains("--base IMAGE writes that"));
}

#[test]
fn what_is_refused_leaves_nothing_and_the_old_report_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let import = ["import", "--format", "log-writes", "log", "-o", "r"];
    let whole = log(2, &[write(0, 0), write(1, 0)]);
    fs::write(dir.join("log"), &whole[..whole.len() - 1]).unwrap();
    powercut(dir, &import)
        .code(2)
        .stderr(contains("byte 2048: the log ends at byte 2559"));
    assert!(!dir.join("r").exists());
    fs::write(dir.join("log"), &whole).unwrap();
    powercut(dir, &import).success();
    let before = fs::read(dir.join("r/report.json")).unwrap();
    fs::write(dir.join("log"), b"hello").unwrap();
    powercut(dir, &import)
        .code(2)
        .stderr(contains("not a log of dm-log-writes"));
    assert_eq!(fs::read(dir.join("r/report.json")).unwrap(), before);
    fs::write(dir.join("thesis.tex"), b"").unwrap();
    fs::write(dir.join("log"), &whole).unwrap();
    let other = ["import", "--format", "log-writes", "log", "-o", "."];
    powercut(dir, &other)
        .code(2)
        .stderr(contains("give a new directory"));
}

/// Of which each tenth is a flush.
#[test]
fn a_log_of_many_entries_is_read_in_linear_time() {
    const ENTRIES: u64 = 200_000;
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut file = std::io::BufWriter::new(fs::File::create(dir.join("log")).unwrap());
    file.write_all(&log(ENTRIES, &[])).unwrap();
    let ten: Vec<u8> = (0..9).flat_map(|at| write(at * 3, 0)).collect();
    let flush = sector(&[0, 0, 1, 0], b"");
    for _ in 0..ENTRIES / 10 {
        file.write_all(&ten).unwrap();
        file.write_all(&flush).unwrap();
    }
    file.flush().unwrap();
    let began = Instant::now();
    let import = ["import", "--format", "log-writes", "log"];
    powercut(dir, &import).success();
    let took = began.elapsed();
    // A second on an idle machine; what is quadratic takes hours.
    assert!(took < Duration::from_secs(300), "{took:?}");
}
