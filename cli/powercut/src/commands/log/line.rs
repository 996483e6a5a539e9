// SPDX-License-Identifier: GPL-2.0

//! An entry of the log, as JSON and as a row.

use std::io::Write;

use anyhow::Result;
use powercut_engine::abi::{Entry, EntryOp, Flags, IN_FLIGHT};
use powercut_engine::members::Members;
use serde::Serialize;

/// What is printed above the rows.
pub fn titles(out: &mut impl Write) -> Result<()> {
    writeln!(
        out,
        "{:>8} {:>8}  {:<12} {:>10} {:>7}  {:<16} {:>12}  FLAGS",
        "SUBMIT", "COMPLETE", "OP", "LBA(512)", "SECTORS", "TASK", "TIME(us)"
    )?;
    Ok(())
}

/// An entry as `log --json` prints it, one a line.
#[derive(Debug, Serialize)]
pub struct Line<'e> {
    op: &'static str,
    flags: Vec<&'static str>,
    submit: u64,
    /// When its own data started, if not at its submit.
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<u64>,
    /// None: in flight.
    complete: Option<u64>,
    /// The disk of a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    disk: Option<&'e str>,
    /// On that disk, in units of 512 bytes, as `sectors`.
    lba: u64,
    sectors: u32,
    task: &'e str,
    tid: u32,
    /// The hash of the kernel stack that it came from, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<String>,
    submitted_ns: u64,
    completed_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<String>,
    /// Where a misdirected write was to go.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_lba: Option<u64>,
}

pub fn line<'e>(entry: &'e Entry, text: &str, members: &'e Members) -> Line<'e> {
    let (disk, lba) = members.locate(entry.sector);
    Line {
        op: entry.op.name(),
        flags: entry.flags.names().collect(),
        submit: entry.submit,
        start: (entry.start != entry.submit && entry.start != IN_FLIGHT).then_some(entry.start),
        complete: (entry.complete != IN_FLIGHT).then_some(entry.complete),
        disk: disk.filter(|_| entry.op != EntryOp::Mark),
        lba,
        sectors: entry.nr_sectors,
        task: &entry.task,
        tid: entry.tid,
        stack: stack(entry),
        submitted_ns: entry.submitted_ns,
        completed_ns: entry.completed_ns,
        mark: (entry.op == EntryOp::Mark).then(|| text.to_string()),
        asked_lba: is_elsewhere(entry).then_some(entry.asked),
    }
}

fn stack(entry: &Entry) -> Option<String> {
    (entry.stack != 0).then(|| format!("{:08x}", entry.stack))
}

fn is_elsewhere(entry: &Entry) -> bool {
    entry.flags.contains(Flags::MISDIRECTED)
}

/// Prints a row.
pub fn row(out: &mut impl Write, entry: &Entry, text: &str, members: &Members) -> Result<()> {
    let event = |event| match event {
        IN_FLIGHT => "flying".to_string(),
        event => event.to_string(),
    };
    let (disk, _) = members.locate(entry.sector);
    let (lba, sectors) = match (entry.op, disk) {
        (op, _) if op.changes_data() => (members.place(entry.sector), entry.nr_sectors.to_string()),
        (EntryOp::Flush, Some(disk)) => (disk.into(), "-".into()),
        _ => ("-".into(), "-".into()),
    };
    let mut flags: Vec<&str> = entry.flags.names().collect();
    let more = match entry.op {
        _ if is_elsewhere(entry) => Some(format!("(for {})", entry.asked)),
        EntryOp::Mark => Some(format!("{text:?}")),
        _ => None,
    };
    let stack = stack(entry).map(|stack| format!("stack={stack}"));
    flags.extend(stack.as_deref());
    flags.extend(more.as_deref());
    writeln!(
        out,
        "{:>8} {:>8}  {:<12} {lba:>10} {sectors:>7}  {:<16} {:>12}  {}",
        entry.submit,
        event(entry.complete),
        entry.op.name(),
        entry.task,
        entry.submitted_ns / 1000,
        flags.join(" "),
    )?;
    Ok(())
}
