// SPDX-License-Identifier: GPL-2.0

//! Disks and views as directories in configfs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use powercut_engine::members::Members;
use powercut_engine::tear::Tear;
use rustix::io::Errno;
use serde::Serialize;

use super::attribute::{get, retry_busy, subdirectories, wait_for, write};
use super::name::TOO_LONG;
use super::{errno, Control, DeviceError, Name, Nodes, Settings, Show, View, CONTROL};
use crate::notes::{note, Item, Note};
use crate::output::say;

pub(super) const CONFIGFS: &str = "/sys/kernel/config";

/// The physical block of a disk with tear=rmw, in bytes.
const RMW_PHYSICAL_BLOCK: u32 = 4096;

/// The driver's directory.
#[derive(Debug, Clone)]
pub struct Root {
    dir: PathBuf,
}

impl Root {
    /// The driver, or why it can't be driven.
    pub fn open() -> Result<Self, DeviceError> {
        let dir = Path::new(CONFIGFS).join("powercut");
        if !rustix::process::geteuid().is_root() {
            return Err(DeviceError::NotRoot);
        }
        if dir.is_dir() {
            return Ok(Self { dir });
        }
        if Path::new("/sys/module/powercut").is_dir() || Path::new(CONTROL).exists() {
            return Err(DeviceError::NoConfigfs);
        }
        Err(DeviceError::NotLoaded)
    }

    pub fn control(&self) -> Control {
        Control::new(CONTROL)
    }

    /// The names of all disks.
    pub fn disks(&self) -> Result<Vec<Name>, DeviceError> {
        subdirectories(&self.dir)
    }

    /// A disk that exists.
    pub fn disk(&self, name: &Name) -> Result<Disk, DeviceError> {
        let disk = self.handle(name, &Members::default(), false);
        if !disk.dir.is_dir() {
            return Err(DeviceError::NoDisk(name.to_string()));
        }
        let text = disk.get("disks")?;
        let members = Members::read(&text).map_err(|why| DeviceError::Refused {
            what: format!("to tell the disks of group {name}: {text:?}"),
            why,
        })?;
        Ok(self.handle(name, &members, false))
    }

    /// Makes a disk and powers it on. Until [`Disk::leave`], dropping it
    /// removes it.
    pub fn create(&self, name: &Name, settings: &Settings) -> Result<Disk, DeviceError> {
        let dir = self.dir.join(name.as_str());
        fs::create_dir(&dir).map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => DeviceError::DiskTaken(name.to_string()),
            _ => DeviceError::io(format!("cannot make {}", dir.display()))(e),
        })?;
        let mut disk = self.handle(name, &settings.members, true);
        disk.note = note(Item::disk(&dir));
        if settings.members.is_empty() {
            disk.set("size", settings.size_mib)?
        } else {
            disk.set("disks", &settings.members)?
        }
        disk.set("blocksize", settings.block_size)?;
        disk.set("atomic_unit", settings.atomic_unit)?;
        if !settings.tear.is_any() {
            disk.set("tear", settings.tear)?;
        }
        if settings.tear == Tear::Rmw {
            disk.set("physical_blocksize", RMW_PHYSICAL_BLOCK)?;
        }
        // FUA needs the cache: off in that order, on in the other.
        if !settings.fua {
            disk.set("fua", 0)?;
        }
        disk.set("write_cache", u8::from(settings.write_cache))?;
        if settings.fua && settings.write_cache {
            disk.set("fua", 1)?;
        }
        disk.set("completion", settings.completion)?;
        disk.set("discard_content", settings.discard_content)?;
        if !settings.partscan {
            disk.set("partscan", 0)?;
        }
        if settings.stacks {
            disk.set("stacks", 1)?;
        }
        if let Some(limit) = settings.log_limit_mib {
            disk.set("log_limit_mib", limit)?;
        }
        disk.set("power", 1)?;
        wait_for(&disk.nodes)?;
        Ok(disk)
    }

    fn handle(&self, name: &Name, members: &Members, owned: bool) -> Disk {
        Disk {
            dir: self.dir.join(name.as_str()),
            nodes: Nodes::of(name.as_str(), members),
            members: members.clone(),
            name: name.clone(),
            owned,
            note: None,
        }
    }
}

/// A disk.
#[derive(Debug)]
pub struct Disk {
    dir: PathBuf,
    nodes: Nodes,
    members: Members,
    name: Name,
    owned: bool,
    /// As long as it is owned.
    note: Option<Note>,
}

/// What `list` shows of a disk.
#[derive(Debug, Clone, Serialize)]
pub struct DiskInfo {
    pub name: String,
    pub node: PathBuf,
    pub size_mib: u64,
    /// Of a group.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<MemberInfo>,
    pub block_size: u64,
    pub atomic_unit: u64,
    #[serde(skip_serializing_if = "Tear::is_any")]
    pub tear: Tear,
    pub write_cache: bool,
    pub fua: bool,
    pub power: bool,
    pub record: RecordStatus,
    pub views: Vec<ViewInfo>,
}

#[derive(Debug, Clone, Serialize)]
pub struct MemberInfo {
    pub name: String,
    pub node: PathBuf,
    pub size_mib: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct ViewInfo {
    pub name: String,
    pub node: PathBuf,
    pub power: bool,
    pub state: String,
}

/// The status line of a record, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RecordStatus {
    pub state: String,
    pub entries: u64,
    pub events: u64,
    pub marks: u64,
    pub bytes: u64,
    pub truncated: u64,
}

impl RecordStatus {
    pub fn parse(line: &str) -> Self {
        let mut status = Self::default();
        for (key, value) in line.split_whitespace().filter_map(|w| w.split_once('=')) {
            let number = value.parse().unwrap_or(0);
            match key {
                "state" => status.state = value.into(),
                "entries" => status.entries = number,
                "events" => status.events = number,
                "marks" => status.marks = number,
                "bytes" => status.bytes = number,
                "truncated" => status.truncated = number,
                _ => {}
            }
        }
        status
    }
}

impl Disk {
    pub fn name(&self) -> &Name {
        &self.name
    }

    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// The disks that it is made of, if it is a group.
    pub fn members(&self) -> &Members {
        &self.members
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file into which each line written is a mark.
    pub fn mark_file(&self) -> PathBuf {
        self.dir.join("mark")
    }

    /// Lets the disk outlive this handle.
    pub fn leave(mut self) {
        self.owned = false;
    }

    pub fn get(&self, attribute: &str) -> Result<String, DeviceError> {
        get(&self.dir, attribute)
    }

    pub fn set(&self, attribute: &str, value: impl ToString) -> Result<(), DeviceError> {
        let value = value.to_string();
        let path = self.dir.join(attribute);
        write(&path, &value).map_err(|e| self.refused(attribute, &value, e))
    }

    fn refused(&self, attribute: &str, value: &str, e: io::Error) -> DeviceError {
        let name = &self.name;
        let why = match (attribute, value, errno(&e)) {
            ("power", _, Some(Errno::BUSY)) => {
                return DeviceError::Busy(self.nodes.whole().display().to_string())
            }
            ("disks" | "power", _, Some(Errno::NAMETOOLONG)) => TOO_LONG.into(),
            ("disks", _, Some(Errno::EXIST)) => {
                "a partition of one would be called as another is".into()
            }
            ("power", _, Some(Errno::EXIST)) => {
                "a disk that is on could have a partition of its name, or it one of that".into()
            }
            ("cut", _, Some(Errno::NODATA)) => {
                format!("it is not being recorded: `powercut record {name} start` first")
            }
            ("cut", _, Some(Errno::BUSY)) => {
                format!("its power is off already: `powercut restore {name}`")
            }
            ("cut", _, Some(Errno::INVAL)) => {
                "that is no trigger: see `powercut cut --help`".into()
            }
            ("record", _, Some(Errno::BUSY)) if self.cut_event().is_some() => {
                format!("its power is cut: `powercut restore {name}` first")
            }
            ("record" | "mark" | "cut", _, Some(Errno::NODEV)) => "the disk is powered off".into(),
            ("record", "start", Some(Errno::BUSY)) => "it is being recorded already".into(),
            ("record", "start", Some(Errno::EXIST)) => format!(
                "it holds a stopped record: `powercut record {name} reset` returns the disk to \
                 where that began"
            ),
            ("record", "stop", Some(Errno::NODATA)) => "it is not being recorded".into(),
            ("record", "reset", Some(Errno::NODATA)) => "it has no record".into(),
            ("record", "reset", Some(Errno::BUSY)) => {
                "the disk is in use, or a view of it is powered".into()
            }
            ("mark", _, Some(Errno::NODATA)) => {
                format!("it is not being recorded: `powercut record {name} start` first")
            }
            ("stacks", _, Some(Errno::OPNOTSUPP)) => {
                "this kernel cannot tell stacks (CONFIG_STACKTRACE, CONFIG_HAVE_RELIABLE_STACKTRACE)".into()
            }
            (_, _, Some(Errno::BUSY)) => "the disk is powered on".into(),
            _ => e.to_string(),
        };
        DeviceError::Refused {
            what: format!("{attribute}={value} of disk {name}"),
            why,
        }
    }

    pub fn record(&self, command: &str) -> Result<(), DeviceError> {
        self.set("record", command)
    }

    pub fn status(&self) -> Result<RecordStatus, DeviceError> {
        self.get("record").map(|line| RecordStatus::parse(&line))
    }

    /// The event that the power was cut after, if it is off.
    pub fn cut_event(&self) -> Option<u64> {
        let cut = self.get("cut").ok()?;
        let (_, event) = cut.strip_prefix("cut ")?.split_once("event=")?;
        event.parse().ok()
    }

    pub fn views(&self) -> Result<Vec<Name>, DeviceError> {
        subdirectories(&self.dir)
    }

    pub fn info(&self) -> Result<DiskInfo, DeviceError> {
        let number = |attribute: &str| {
            let text = self.get(attribute)?;
            Ok::<u64, DeviceError>(text.parse().unwrap_or(0))
        };
        let mut views = Vec::new();
        for view in self.views()? {
            let view = View::of(&self.dir, self.name.as_str(), &self.members, &view, false);
            views.push(ViewInfo {
                power: view.is_on()?,
                state: view.state().unwrap_or_default(),
                name: view.name().to_string(),
                node: view.nodes().whole().into(),
            });
        }
        let block_size = number("blocksize")?;
        Ok(DiskInfo {
            name: self.name.to_string(),
            node: self.nodes.whole().into(),
            size_mib: number("size")?,
            disks: self
                .nodes
                .members()
                .zip(self.members.iter())
                .map(|((name, node), member)| MemberInfo {
                    name: name.into(),
                    node: node.into(),
                    size_mib: member.sectors >> 11,
                })
                .collect(),
            block_size,
            atomic_unit: match number("atomic_unit")? {
                0 => block_size,
                unit => unit,
            },
            tear: match self.get("tear")?.as_str() {
                "prefix" => Tear::Prefix,
                "rmw" => Tear::Rmw,
                _ => Tear::Any,
            },
            write_cache: number("write_cache")? == 1,
            fua: number("fua")? == 1,
            power: number("power")? == 1,
            record: self.status()?,
            views,
        })
    }

    /// Makes a view of the record, powered on. Until [`View::leave`], dropping
    /// it removes it.
    pub fn create_view(&self, name: &Name) -> Result<View, DeviceError> {
        View::create(&self.dir, self.name.as_str(), &self.members, name)
    }

    /// A view under the first free of a few names, as [`Self::create_view`].
    pub fn create_some_view(&self) -> Result<View, DeviceError> {
        let mut nr = 0;
        loop {
            let name: Name = format!("x{nr}").parse().map_err(|e| DeviceError::Refused {
                what: "a view".into(),
                why: format!("{e}"),
            })?;
            match self.create_view(&name) {
                Err(DeviceError::Io { source, .. })
                    if source.kind() == io::ErrorKind::AlreadyExists && nr < 99 =>
                {
                    nr += 1;
                }
                other => return other,
            }
        }
    }

    /// A view of that name, made if need be; it stays when this handle goes.
    pub fn lasting_view(&self, name: &Name) -> Result<View, DeviceError> {
        let view = View::of(&self.dir, self.name.as_str(), &self.members, name, false);
        if !view.dir().is_dir() {
            return self.create_view(name);
        }
        if !view.is_on()? {
            view.power_on()?;
        }
        Ok(view)
    }

    /// A view that is there; it stays when this handle goes.
    pub fn view(&self, name: &Name) -> Result<View, DeviceError> {
        let view = View::of(&self.dir, self.name.as_str(), &self.members, name, false);
        if view.dir().is_dir() {
            Ok(view)
        } else {
            Err(DeviceError::NoView(view.name().into()))
        }
    }

    pub fn remove_view(&self, name: &Name) -> Result<(), DeviceError> {
        let mut view = View::of(&self.dir, self.name.as_str(), &self.members, name, false);
        if !view.dir().is_dir() {
            return Err(DeviceError::NoView(view.name().into()));
        }
        view.remove()
    }

    /// Removes the disk and its views, if nobody uses them.
    pub fn remove(mut self) -> Result<(), DeviceError> {
        self.owned = false;
        self.tear_down()
    }

    fn tear_down(&self) -> Result<(), DeviceError> {
        for view in self.views()? {
            self.remove_view(&view)?;
        }
        retry_busy(|| write(&self.dir.join("power"), "0"))
            .map_err(|e| self.refused("power", "0", e))?;
        fs::remove_dir(&self.dir).map_err(DeviceError::io(format!(
            "cannot remove {}",
            self.dir.display()
        )))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.owned {
            if let Err(e) = self.tear_down() {
                say(format_args!(
                    "warning: disk {} is left behind: {e}",
                    self.name
                ));
                if let Some(note) = self.note.take() {
                    note.keep();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_line_is_taken_apart() {
        let line = "state=recording entries=12 events=30 marks=2 bytes=4096 truncated=0";
        let status = RecordStatus::parse(line);
        assert_eq!(status.state, "recording");
        assert_eq!((status.entries, status.events), (12, 30));
        assert_eq!((status.marks, status.bytes, status.truncated), (2, 4096, 0));
    }
}
