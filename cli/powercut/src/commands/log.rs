// SPDX-License-Identifier: GPL-2.0

//! The commands that show a record: log and count.

use std::io::{BufWriter, Read, Write};

use anyhow::{Context, Result};
use num_bigint::BigUint;
use powercut_engine::abi::{Entry, EntryOp, Flags, Reader, IN_FLIGHT};
use powercut_engine::choices::Choices;
use powercut_engine::count;
use powercut_engine::explore::legal_states;
use powercut_engine::marks::Marks;
use powercut_engine::members::Members;
use powercut_engine::strategy::Space;
use powercut_model::{Cut, Event};
use serde::Serialize;

use super::manage::load;
use crate::args::{CountArgs, LogArgs};
use crate::device::Root;
use crate::exit::Exit;
use crate::options;
use crate::output::{print, print_json, say, unless_closed};
use crate::report::outside;

/// An entry as `log --json` prints it, one a line.
#[derive(Debug, Serialize)]
struct Line<'e> {
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
    submitted_ns: u64,
    completed_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<String>,
    /// Where a misdirected write was to go.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_lba: Option<u64>,
}

pub fn log(args: &LogArgs) -> Result<Exit> {
    let name = options::name(&args.name)?;
    let root = Root::open()?;
    let disk = root.disk(&name)?;
    let stream = root.control().log(disk.name().as_str())?;
    let mut reader = Reader::new(stream)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    unless_closed(entries(&mut out, &mut reader, args.json))?;
    if reader.header().truncated != 0 {
        let event = reader.header().truncated;
        say(format_args!(
            "warning: the log ended at event {event}, when its memory ran out"
        ));
    }
    Ok(Exit::NoViolation)
}

fn entries(out: &mut impl Write, reader: &mut Reader<impl Read>, json: bool) -> Result<()> {
    if !json {
        writeln!(
            out,
            "{:>8} {:>8}  {:<12} {:>10} {:>7}  {:<16} {:>12}  FLAGS",
            "SUBMIT", "COMPLETE", "OP", "LBA(512)", "SECTORS", "TASK", "TIME(us)"
        )?;
    }
    let mut payload = Vec::new();
    let members = reader.header().members.clone();
    while let Some(entry) = reader.next_entry(&mut payload)? {
        let text = String::from_utf8_lossy(&payload);
        if json {
            serde_json::to_writer(&mut *out, &line(&entry, &text, &members))?;
            out.write_all(b"\n")?;
        } else {
            row(out, &entry, &text, &members)?;
        }
    }
    Ok(out.flush()?)
}

fn line<'e>(entry: &'e Entry, text: &str, members: &'e Members) -> Line<'e> {
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
        submitted_ns: entry.submitted_ns,
        completed_ns: entry.completed_ns,
        mark: (entry.op == EntryOp::Mark).then(|| text.to_string()),
        asked_lba: is_elsewhere(entry).then_some(entry.asked),
    }
}

fn is_elsewhere(entry: &Entry) -> bool {
    entry.flags.contains(Flags::MISDIRECTED)
}

fn row(out: &mut impl Write, entry: &Entry, text: &str, members: &Members) -> Result<()> {
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
    let quoted = format!("{text:?}");
    let asked = format!("(for {})", entry.asked);
    if is_elsewhere(entry) {
        flags.push(&asked);
    }
    if entry.op == EntryOp::Mark {
        flags.push(&quoted);
    }
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

#[derive(Debug, Serialize)]
struct Counted {
    /// That the log met.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<&'static str>,
    /// Of the states, those that no disk may be left in.
    #[serde(skip_serializing_if = "Option::is_none")]
    outside_states: Option<String>,
    /// In decimal.
    legal_states: String,
    /// There may be fewer: they could not be counted exactly.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    legal_at_most: bool,
    cuts: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<u64>,
    /// Those of the cut alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_pieces: Option<usize>,
}

pub fn count(args: &CountArgs) -> Result<Exit> {
    let name = options::name(&args.name)?;
    let root = Root::open()?;
    let disk = root.disk(&name)?;
    let recording = load(&root, disk.name().as_str())?;
    let (states, cuts, pieces, is_exact) = match args.cut {
        Some(event) => {
            let last = recording.header().newest_event;
            let cut = Cut::new(&recording, event)
                .with_context(|| format!("--cut {event}: the last event of {name} is {last}"))?;
            let choices = Choices::new(&recording, cut);
            let states = count::states(&choices);
            (states, 1, Some(choices.len()), count::is_exact(&choices))
        }
        None => {
            let space = Space::new(&recording, Marks::Any);
            let choices = |cut: &Event| space.choices(*cut);
            let mut all = space.cuts().iter().filter_map(choices);
            let is_exact = all.all(|choices| count::is_exact(&choices));
            (legal_states(&space), space.cuts().len(), None, is_exact)
        }
    };
    let faults = match args.cut {
        Some(event) => recording.faults_at(event),
        None => recording.faults_at(recording.header().newest_event),
    };
    let outside = match (faults.is_empty(), args.cut) {
        (true, _) => None,
        (false, Some(_)) => Some(states.clone()),
        (false, None) => Some(outside(&Space::new(&recording, Marks::Any)).0),
    };
    if args.json {
        print_json(&Counted {
            faults: faults.names(),
            outside_states: outside.as_ref().map(BigUint::to_string),
            legal_states: states.to_string(),
            legal_at_most: !is_exact,
            cuts,
            cut: args.cut,
            pending_pieces: pieces,
        })?;
        return Ok(Exit::NoViolation);
    }
    let of = match (args.cut, pieces) {
        (Some(cut), Some(pieces)) => format!("at cut {cut}, {pieces} pending pieces"),
        _ => format!("over {cuts} cuts"),
    };
    let (sort, outside) = match &outside {
        None => ("legal states", String::new()),
        Some(n) => (
            "states",
            format!(
                ", {} of them outside of the contract: faults {faults}",
                exact(n)
            ),
        ),
    };
    let at_most = if is_exact { "" } else { "at most " };
    let states = exact(&states);
    print(format_args!("{at_most}{states} {sort} {of}{outside}\n"))?;
    Ok(Exit::NoViolation)
}

/// The number, and what it comes to if it is long.
fn exact(n: &BigUint) -> String {
    let (digits, human) = (n.to_string(), count::human(n));
    if digits == human {
        digits
    } else {
        format!("{digits} ({human})")
    }
}
