// SPDX-License-Identifier: GPL-2.0

//! Large reports, made up.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use powercut_cli::examination::Examination;
use powercut_cli::report::culprit::{Sort, Suspect};
use powercut_cli::report::{
    compress, Coverage, Culprit, DiskFacts, Ended, PlanFacts, Record, Register, Report, Saved,
    Seconds, Source, Violation, SCHEMA,
};
use powercut_engine::acknowledged::Acknowledged;
use powercut_engine::choices::Choices;
use powercut_engine::explore;
use powercut_engine::id::StateId;
use powercut_engine::made_up::{self, MadeUp};
use powercut_engine::oracle::{Finding, Kind};
use powercut_engine::recording::Recording;
use powercut_model::Cut;

/// How large.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Of the log.
    pub entries: usize,
    pub violations: usize,
    pub sorts: usize,
}

/// Entries and events of a transaction of SQLite; the event at which its last page is written, and
/// those at which the first and the last of them are submitted.
const ENTRIES: usize = 16;
const EVENTS: u64 = 33;
const PAGES_WRITTEN: u64 = 25;
const FIRST_PAGE: u64 = 18;
const LAST_PAGE: u64 = 24;

/// What checks say, a sort each.
const SAYS: [&str; 7] = [
    "acknowledged transaction {n} is lost",
    "the table is corrupt: row {n} out of order",
    "the index has no entry for row {n}",
    "page {n} is all zeroes",
    "checksum of page {n} does not match",
    "malformed database schema at byte {n}",
    "the journal is hot and names page {n}",
];

fn says(nr: usize, sort: usize) -> String {
    let word = [
        "first", "second", "third", "fourth", "fifth", "sixth", "last",
    ][sort / SAYS.len() % 7];
    let line = SAYS[sort % SAYS.len()].replace("{n}", &nr.to_string());
    format!("integrity_check: ran over the {word} table\n{line}\n")
}

/// The file of a record.
pub fn record(path: &Path, made_up: MadeUp) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    compress(made_up::stream(made_up), &mut file)?;
    Ok(file.flush()?)
}

/// A report's directory, with everything in it that a run leaves.
pub fn report(dir: &Path, size: Size) -> Result<()> {
    fs::create_dir_all(dir)?;
    let kind = made_up::Kind::Sqlite;
    let (entries, flaw) = (size.entries, None);
    let made_up = MadeUp {
        kind,
        entries,
        flaw,
    };
    record(&dir.join("recording.pcut"), made_up)?;
    let saved = Saved::at(dir);
    let recording = saved.recording()?;
    let mut report = without_violations(&recording);
    violations(&mut report, &recording, size);
    saved.finish(&report)
}

fn without_violations(recording: &Recording) -> Report {
    Report {
        schema: SCHEMA,
        powercut: env!("CARGO_PKG_VERSION").into(),
        case: "a database, made up".into(),
        began: Some("2026-11-25T23:59:59Z".into()),
        disk: DiskFacts::of(recording),
        source: Source {
            fs: Some("ext4".into()),
            mount_opts: Some("data=journal".into()),
            workload: Some("./transactions \"$POWERCUT_MNT/db\"".into()),
            ..Source::default()
        },
        examination: Examination {
            check: "./check".into(),
            resident: false,
            truths: None,
            fsck: None,
            mount: None,
            cleanup: None,
            view_faults: Vec::new(),
            timeout_ms: 60_000,
            mount_timeout_ms: 60_000,
        },
        plan: PlanFacts {
            strategy: "auto".into(),
            budget: "300 states".into(),
            seed: 0,
            stop_on_first: false,
            max_violations: None,
            shard: None,
            depth: 1,
            recovery_budget: None,
            marks: Default::default(),
        },
        record: Record::of(recording),
        faults: None,
        baseline: None,
        coverage: Coverage {
            legal_states: format!("24{}", "0".repeat(160)),
            cuts: recording.header().newest_event / 5,
            checked: 0,
            covered_states: Some(format!("17{}", "0".repeat(158))),
            remaining_states: Some(format!("23{}", "0".repeat(160))),
            skipped_states: Some("0".into()),
            ended: Ended::Budget,
            reads_known: true,
            ..Coverage::default()
        },
        violations: Vec::new(),
        errors: Vec::new(),
        seconds: Seconds {
            record: 20.0,
            explore: 14.2,
        },
    }
}

/// Violations all over the log, each when the pages of a transaction are written and not yet flushed.
fn violations(report: &mut Report, recording: &Recording, size: Size) {
    report.coverage.checked = size.violations as u64 + 300;
    let mut register = Register::default();
    let transactions = (size.entries / ENTRIES) as u64;
    let mut template = None;
    for nr in 0..size.violations {
        let sort = if nr < size.sorts {
            nr
        } else {
            nr * nr % size.sorts
        };
        let transaction = (nr as u64).wrapping_mul(0x9e37_79b9) % transactions;
        let cut = transaction * EVENTS + PAGES_WRITTEN;
        *report.coverage.runs.entry(cut).or_default() += 1;
        let mut violation = match (&template, nr < size.sorts) {
            (Some(template), false) => Violation::clone(template),
            _ => whole(recording, cut),
        };
        let places = (0..40).map(|n| (n * 7).to_string());
        let keep = places.collect::<Vec<_>>().join(",");
        violation.id = format!("5f0c2a19:k={cut}:keep={keep},{}", 300 + nr);
        violation.cut = cut;
        violation.output = says(nr, sort).into();
        violation.marks = transaction;
        violation.last_mark = transaction.checked_sub(1).map(|nr| format!("put {nr}"));
        violation.image = format!("{nr:032x}");
        template.get_or_insert_with(|| violation.clone());
        register.enter(&mut violation);
        if nr < 2 {
            violation.culprit = Some(culprit(recording, &violation, nr));
        }
        report.violations.push(violation);
    }
}

fn whole(recording: &Recording, cut: u64) -> Violation {
    let cut = Cut::new(recording, cut).unwrap_or_else(|_| panic!("no cut {cut}"));
    let choices = Choices::new(recording, cut);
    let keep = choices.none();
    let found = explore::Violation {
        image: choices.image(&keep),
        again: None,
        rank: Default::default(),
        id: StateId::of(&choices, &keep),
        keep,
        finding: Finding::new(Kind::Check, "exit 1", ""),
    };
    Violation::of(&choices, &found)
}

/// The first and the last page of a transaction.
fn culprit(recording: &Recording, violation: &Violation, nr: usize) -> Culprit {
    let suspect = |submit: u64| {
        let entries = recording.entries();
        let at = entries.partition_point(|r| r.submit() < submit);
        let recorded = &entries[at];
        Suspect {
            write: recorded.submit(),
            op: recorded.op().name().into(),
            sector: recorded.sector(),
            place: None,
            sectors: recorded.nr_sectors(),
            flags: recorded.flags().names().map(String::from).collect(),
            task: recording.task(recorded).into(),
            units: None,
            costs: false,
            after_mark: None,
            before_mark: None,
            belongs: None,
        }
    };
    let begin = violation.cut - PAGES_WRITTEN;
    let needed = suspect(begin + FIRST_PAGE);
    let before = suspect(begin + LAST_PAGE);
    Culprit {
        sort: if nr == 0 { Sort::Order } else { Sort::Promise },
        verdict: format!("{} must be stable before {}", needed.name(), before.name()),
        must_be_stable: vec![needed],
        before: vec![before],
        broken: violation
            .last_mark
            .clone()
            .map(|text| Acknowledged { event: begin, text }),
        minimal: true,
        fails: "5f0c2a19:k=6:keep=none".into(),
        passes: Some("5f0c2a19:k=6:keep=all".into()),
        runs: 23,
    }
}
