// SPDX-License-Identifier: GPL-2.0

//! The commands that make, show and change disks.

use anyhow::{bail, Context, Result};
use powercut_engine::id::StateId;
use powercut_engine::recording::Recording;
use powercut_engine::tear::Tear;

use crate::args::{CreateArgs, RecordArgs, RecordCommand, RemoveArgs, StateArgs};
use crate::device::{
    Completion, DeviceError, DiscardContent, DiskInfo, MarkText, Name, RecordStatus, Root,
    Selection, Settings, Show,
};
use crate::exit::Exit;
use crate::faults::rules;
use crate::memory::import_limit_mib;
use crate::options;
use crate::output::{print, print_json};
use crate::size;
use crate::stale;
use crate::table::Table;

pub fn create(args: &CreateArgs) -> Result<Exit> {
    let name = options::name(&args.name)?;
    let settings = options::settings(&args.disk, None)?;
    let rules = rules(&args.fault)?;
    let disk = Root::open()?.create(&name, &settings)?;
    disk.faults().add(&rules)?;
    if args.json {
        print_json(&disk.info()?)?;
    } else {
        for node in disk.nodes().all() {
            print(format_args!("{}\n", node.display()))?;
        }
    }
    disk.leave();
    Ok(Exit::NoViolation)
}

pub fn list(json: bool) -> Result<Exit> {
    let root = Root::open()?;
    let mut disks: Vec<DiskInfo> = Vec::new();
    for name in root.disks()? {
        match root.disk(&name).and_then(|disk| disk.info()) {
            Ok(info) => disks.push(info),
            // Removed by somebody in the meantime.
            Err(_) if root.disk(&name).is_err() => {}
            Err(e) => return Err(e.into()),
        }
    }
    if json {
        print_json(&disks)?;
        return Ok(Exit::NoViolation);
    }
    if disks.is_empty() {
        return Ok(Exit::NoViolation);
    }
    let mut table = Table::new(["NODE", "SIZE", "BLOCK", "UNIT", "CACHE", "FUA", "RECORD"]);
    for disk in &disks {
        let on = |yes| if yes { "on" } else { "off" };
        table.row([
            disk.node.display().to_string(),
            size::human(disk.size_mib << 20),
            disk.block_size.to_string(),
            match disk.tear {
                Tear::Any => disk.atomic_unit.to_string(),
                Tear::Prefix | Tear::Rmw => format!("{} {}", disk.atomic_unit, disk.tear),
            },
            on(disk.write_cache).to_string(),
            on(disk.fua).to_string(),
            if disk.power {
                status_line(&disk.record)
            } else {
                "powered off".into()
            },
        ]);
        for member in &disk.disks {
            let node = member.node.display().to_string();
            let size = size::human(member.size_mib << 20);
            table.row([node.as_str(), &size, "", "", "", "", ""]);
        }
        for view in &disk.views {
            let state = if view.power {
                shorten(&view.state)
            } else {
                "powered off".into()
            };
            let node = view.node.display().to_string();
            table.row([node.as_str(), "", "", "", "", "", &state]);
        }
    }
    print(format_args!("{table}"))?;
    Ok(Exit::NoViolation)
}

fn status_line(status: &RecordStatus) -> String {
    let mut line = status.state.clone();
    if status.state != "off" {
        line.push_str(&format!(
            ", {} entries, {} events, {} marks, {}",
            status.entries,
            status.events,
            status.marks,
            size::human(status.bytes)
        ));
    }
    if status.truncated != 0 {
        line.push_str(&format!(", out of memory at event {}", status.truncated));
    }
    line
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.into(),
    }
}

pub fn remove(args: &RemoveArgs) -> Result<Exit> {
    let Some(name) = &args.name else {
        let done = stale::remove()?;
        if done.is_empty() {
            print(format_args!("nothing is stale\n"))?;
        }
        for line in done {
            print(format_args!("{line}\n"))?;
        }
        return Ok(Exit::NoViolation);
    };
    let (disk, view) = options::name_and_view(name)?;
    let disk = Root::open()?.disk(&disk)?;
    match view {
        Some(view) => disk.remove_view(&view)?,
        None => disk.remove()?,
    }
    Ok(Exit::NoViolation)
}

pub fn record(args: &RecordArgs) -> Result<Exit> {
    let name = options::name(&args.name)?;
    let disk = Root::open()?.disk(&name)?;
    match args.command {
        RecordCommand::Start => disk.record("start")?,
        RecordCommand::Stop => disk.record("stop")?,
        RecordCommand::Reset => disk.record("reset")?,
        RecordCommand::Drop => disk.record("drop")?,
        RecordCommand::Status => {}
    }
    let status = disk.status()?;
    if args.json {
        print_json(&status)?;
    } else if args.command == RecordCommand::Status {
        print(format_args!("{}\n", status_line(&status)))?;
    }
    Ok(Exit::NoViolation)
}

pub fn mark(name: &str, text: &str) -> Result<Exit> {
    let name = options::name(name)?;
    let mark: MarkText = text.parse()?;
    Root::open()?.disk(&name)?.set("mark", mark)?;
    Ok(Exit::NoViolation)
}

pub fn state(args: &StateArgs) -> Result<Exit> {
    let name = options::name(&args.name)?;
    let view_name = options::name(&args.view).context("--as")?;
    let id: StateId = args.id.parse()?;
    let root = Root::open()?;
    let disk = root.disk(&name)?;
    let recording = load(&root, name.as_str())?;
    let (choices, keep) = id.resolve(&recording)?;
    let mut view = disk.lasting_view(&view_name)?;
    view.show(&Selection::of(&choices, &keep))
        .map_err(|e| match e {
            DeviceError::Busy(_) => DeviceError::Busy(view.nodes().whole().display().to_string()),
            other => other,
        })?;
    for node in view.nodes().all() {
        print(format_args!("{}\n", node.display()))?;
    }
    view.leave();
    Ok(Exit::NoViolation)
}

/// A name for a disk of this process: short, if there must be room for others behind it.
pub fn own_name(what: &str, settings: &Settings) -> Result<Name> {
    let pid = std::process::id();
    let name = if settings.members.is_empty() {
        format!("{what}-{pid}")
    } else {
        format!("{}{pid}", &what[..1])
    };
    options::name(&name)
}

/// How to make a disk for a recording.
pub fn settings_of(recording: &Recording) -> Settings {
    let header = recording.header();
    Settings {
        size_mib: header.capacity_sectors >> 11,
        members: header.members.clone(),
        block_size: header.block_size,
        atomic_unit: header.atomic_unit,
        tear: header.tear,
        write_cache: header.write_cache,
        fua: header.fua,
        completion: Completion::Inline,
        discard_content: DiscardContent::Zeroes,
        partscan: true,
        stacks: false,
        log_limit_mib: Some(import_limit_mib()),
    }
}

/// The record of a disk.
pub fn load(root: &Root, disk: &str) -> Result<Recording> {
    let stream = root.control().export(disk)?;
    match Recording::read(stream) {
        Ok(recording) => Ok(recording),
        Err(e) => bail!("cannot use the record of {disk}: {e}"),
    }
}
