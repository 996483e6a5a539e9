// SPDX-License-Identifier: GPL-2.0

//! `import` and `export` of logs of dm-log-writes and blklogwrites: no disk, no root.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use anyhow::{bail, Context, Result};
use powercut_engine::abi::{EntryOp, Reader};
use powercut_engine::budget::Budget;
use powercut_engine::explore::Plan;
use powercut_engine::log_writes::export::{Exported, Plan as LogPlan};
use powercut_engine::log_writes::import::import as import_log;
use powercut_engine::log_writes::Options;
use powercut_engine::marks::Marks;
use powercut_engine::recording::Recording;
use powercut_engine::strategy::Strategy;
use rustix::fs::{fadvise, Advice};

use crate::args::{ExportArgs, ImportArgs};
use crate::device::Root;
use crate::exit::Exit;
use crate::mapper::MappedDisk;
use crate::options::{self, examination_of_none};
use crate::output::{print, say};
use crate::report::{
    self, Coverage, DiskFacts, Ended, Imported, PlanFacts, Record, Report, Saved, Seconds, Source,
    DEFAULT_DIR, SCHEMA,
};
use crate::signals::Signals;
use crate::size;
use crate::whole_file::write_whole;
use crate::words::many;

pub fn import(args: &ImportArgs) -> Result<Exit> {
    let signals = Signals::install()?;
    let name = args.file.display();
    let size = args.size.as_deref().map(size::disk_mib).transpose();
    let base_bytes = args.base.as_deref().map(bytes_of).transpose()?;
    let options = Options {
        bytes: size.context("--size")?.map(|mib| mib << 20),
        base_bytes,
        atomic_unit: args.atomic_unit,
        salvage: args.salvage,
    };
    bytes_of(&args.file)?;
    let open = || {
        let log = Stoppable::new(open_log(&args.file)?, &signals);
        let base: Box<dyn Read> = match &args.base {
            Some(base) => Box::new(Stoppable::new(File::open(base)?, &signals)),
            None => Box::new(io::empty()),
        };
        Ok((log, base))
    };
    let dir = args.report.clone();
    let saved = Saved::at(dir.unwrap_or_else(|| DEFAULT_DIR.into()));
    let imported = import_log(open, &options)
        .map_err(anyhow::Error::from)
        .and_then(|(scan, stream)| {
            let source = Source {
                imported: Some(Imported::of_log_writes(&scan, &options)),
                ..Source::default()
            };
            let case = args.case.clone().unwrap_or_else(|| name.to_string());
            saved.begin_of(stream, |recording| report_of(recording, source, case))
        });
    // What a signal was the reason of is no news of the log.
    signals.check()?;
    let report = imported.with_context(|| format!("cannot import {name}"))?;
    for note in report.source.imported.iter().flat_map(|from| &from.notes) {
        say(format_args!("note: {note}"));
    }
    print(format_args!(
        "{}\nrecording: {}\n",
        report::commands_line(&report),
        saved.dir().display()
    ))?;
    Ok(Exit::NoViolation)
}

/// Makes a record of what dm-log-writes logged of a disk of this command, in a directory of that disk; and what
/// the log does not tell.
pub fn record_of(disk: &MappedDisk, signals: &Signals) -> Result<(Saved, Imported)> {
    let options = Options {
        bytes: Some(disk.bytes()),
        base_bytes: Some(disk.bytes()),
        atomic_unit: Some(disk.atomic_unit()),
        salvage: false,
    };
    let open = || {
        let log = Stoppable::new(File::open(disk.log())?, signals);
        Ok((log, Stoppable::new(File::open(disk.base())?, signals)))
    };
    let saved = Saved::at(disk.record());
    let imported = import_log(open, &options)
        .map_err(anyhow::Error::from)
        .and_then(|(scan, stream)| {
            if !scan.is_closed {
                return Err(disk.full());
            }
            let imported = Imported::of_log_writes(&scan, &options);
            let case = disk.name().to_string();
            saved.begin_of(stream, |recording| {
                report_of(recording, Source::default(), case)
            })?;
            Ok(imported)
        });
    signals.check()?;
    let imported = imported.context("cannot use the log of dm-log-writes")?;
    // They may be in memory, and are of no more use.
    for used in [disk.log(), disk.base()] {
        fs::remove_file(used)?;
    }
    Ok((saved, imported))
}

/// Opens a log as it is now: of a device that is in use, what was read before may be kept.
fn open_log(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    fadvise(&file, 0, None, Advice::DontNeed)?;
    Ok(file)
}

/// The size of a file, or of a block device. Others can't be read twice.
fn bytes_of(path: &Path) -> Result<u64> {
    let failed = || format!("cannot read {}", path.display());
    let kind = fs::metadata(path).with_context(failed)?.file_type();
    if !kind.is_file() && !kind.is_block_device() {
        bail!(
            "{}: give a file or a block device: it is read twice",
            path.display()
        );
    }
    let mut file = File::open(path).with_context(failed)?;
    file.seek(SeekFrom::End(0)).with_context(failed)
}

/// The report of a recording of which nothing was explored.
fn report_of(recording: &Recording, source: Source, case: String) -> Report {
    let plan = Plan {
        strategy: Strategy::Auto,
        budget: Budget::States(0),
        seed: 0,
        max_violations: None,
        shard: None,
        depth: 1,
        recovery_budget: Budget::States(0),
        marks: Marks::Any,
    };
    Report {
        schema: SCHEMA,
        powercut: env!("CARGO_PKG_VERSION").into(),
        case,
        began: None,
        disk: DiskFacts::of(recording),
        source,
        examination: examination_of_none(),
        plan: PlanFacts::of(&plan),
        record: Record::of(recording),
        faults: None,
        baseline: None,
        coverage: Coverage {
            ended: Ended::Unfinished,
            ..Coverage::default()
        },
        violations: Vec::new(),
        errors: Vec::new(),
        seconds: Seconds::default(),
    }
}

/// A record that can be read more than once.
enum From {
    Disk(Root, String),
    Path(Saved),
}

impl From {
    /// What has a slash is a path, and so is what there is.
    fn new(text: &str) -> Result<Self> {
        if text.contains('/') || Path::new(text).exists() {
            return Ok(Self::Path(Saved::at(text)));
        }
        let name = options::name(text)?;
        let root = Root::open()?;
        root.disk(&name)?;
        Ok(Self::Disk(root, name.to_string()))
    }

    fn open<'s>(&self, signals: &'s Signals) -> Result<Stoppable<'s, Box<dyn Read>>> {
        let stream: Box<dyn Read> = match self {
            Self::Disk(root, name) => Box::new(root.control().export(name)?),
            Self::Path(saved) => Box::new(saved.stream()?),
        };
        Ok(Stoppable::new(stream, signals))
    }
}

pub fn export(args: &ExportArgs) -> Result<Exit> {
    let signals = Signals::install()?;
    let from = From::new(&args.record)?;
    let exported = export_from(&from, args, &signals);
    signals.check()?;
    tell(&exported?, args);
    Ok(Exit::NoViolation)
}

fn export_from(from: &From, args: &ExportArgs, signals: &Signals) -> Result<Exported> {
    let failed = || format!("cannot make a log of {}", args.record);
    let plan = LogPlan::new(BufReader::new(from.open(signals)?)).with_context(failed)?;
    if let Some(base) = &args.base {
        write_whole(base, |out| write_base(from.open(signals)?, out))?;
    }
    let file = &args.file;
    let log = |out: &File| {
        let record = BufReader::new(from.open(signals)?);
        plan.write(record, BufWriter::with_capacity(1 << 20, out))
            .with_context(failed)
    };
    let is_device = fs::metadata(file).is_ok_and(|meta| meta.file_type().is_block_device());
    if is_device {
        let out = OpenOptions::new().write(true).open(file);
        let out = out.with_context(|| format!("cannot write {}", file.display()))?;
        log(&out)?;
        out.sync_all()?;
    } else {
        write_whole(file, log)?;
    }
    Ok(plan.exported().clone())
}

/// What the disk held before, as an image.
fn write_base(record: impl Read, mut out: &File) -> Result<()> {
    let mut reader = Reader::new(BufReader::new(record))?;
    out.set_len(reader.header().capacity_sectors * 512)?;
    let mut payload = Vec::new();
    while let Some(entry) = reader.next_entry(&mut payload)? {
        if entry.op != EntryOp::Base {
            break;
        }
        out.seek(SeekFrom::Start(entry.sector * 512))?;
        out.write_all(&payload)?;
    }
    Ok(())
}

/// What the log does not tell of the record.
fn tell(exported: &Exported, args: &ExportArgs) {
    if exported.write_zeroes > 0 {
        say(format_args!(
            "note: the log has no write of zeroes: {} became data",
            many(exported.write_zeroes, "one", "ones")
        ));
    }
    if exported.overlapping > 0 {
        say(format_args!(
            "note: the log does not tell what was in flight at once: {} had others before them that were; they follow \
             each other, in the order of their completion",
            many(exported.overlapping, "entry", "entries")
        ));
    }
    if exported.in_flight > 0 {
        say(format_args!(
            "note: {} in flight at the end of the record: the writes are the last of the log",
            many(exported.in_flight, "entry was", "entries were")
        ));
    }
    if exported.has_base && args.base.is_none() {
        say(format_args!(
            "note: the log begins with what the disk held when the record began, which is not in it: --base IMAGE \
             writes that"
        ));
    }
}

/// Reads until a signal comes.
struct Stoppable<'s, R> {
    inner: R,
    signals: &'s Signals,
}

impl<'s, R> Stoppable<'s, R> {
    fn new(inner: R, signals: &'s Signals) -> Self {
        Self { inner, signals }
    }
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.signals.check().map_err(io::Error::other)?;
        self.inner.read(buf)
    }
}

impl<R: Seek> Seek for Stoppable<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.signals.check().map_err(io::Error::other)?;
        self.inner.seek(to)
    }
}
