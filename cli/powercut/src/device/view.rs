// SPDX-License-Identifier: GPL-2.0

//! Views: crash states as block devices.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use powercut_engine::members::Members;
use powercut_engine::reads::Reads;
use rustix::io::Errno;

use super::attribute::{get, retry_busy, subdirectories, wait_for, write};
use super::name::{MAX, TOO_LONG};
use super::{errno, Control, DeviceError, Name, Nodes, Selection, Show, CONTROL};
use crate::faults::Rule;
use crate::notes::{note, Item, Note};
use crate::output::say;

/// Bytes of marks written at a time: configfs takes a page.
const MARKS_LEN: usize = 2048;

/// A crash-state disk.
#[derive(Debug)]
pub struct View {
    dir: PathBuf,
    nodes: Nodes,
    members: Members,
    /// NAME.VIEW
    name: String,
    owned: bool,
    /// As long as it is owned.
    note: Option<Note>,
}

impl View {
    /// A handle for a view that may not be there.
    pub(super) fn of(
        disk_dir: &Path,
        disk: &str,
        members: &Members,
        name: &Name,
        owned: bool,
    ) -> Self {
        let full = format!("{disk}.{name}");
        Self {
            dir: disk_dir.join(name.as_str()),
            nodes: Nodes::of(&full, members),
            members: members.clone(),
            name: full,
            owned,
            note: None,
        }
    }

    /// NAME.VIEW
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn is_on(&self) -> Result<bool, DeviceError> {
        Ok(get(&self.dir, "power")? == "1")
    }

    pub(super) fn state(&self) -> Result<String, DeviceError> {
        get(&self.dir, "state")
    }

    /// The same view as a disk that is recorded in its turn.
    pub fn as_origin(&self) -> ViewOrigin {
        ViewOrigin {
            dir: self.dir.clone(),
            name: self.name.clone(),
            members: self.members.clone(),
        }
    }

    /// Lets the view outlive this handle.
    pub fn leave(mut self) {
        self.owned = false;
    }

    /// Makes a view of the record of what has that directory, powered on.
    pub(super) fn create(
        dir: &Path,
        disk: &str,
        members: &Members,
        name: &Name,
    ) -> Result<Self, DeviceError> {
        let mut view = Self::of(dir, disk, members, name, true);
        if view.name().len() > MAX {
            // Not there yet: nothing to remove.
            let name = view.name().to_string();
            view.leave();
            return Err(DeviceError::Refused {
                what: format!("a view named {name}"),
                why: format!("NAME.VIEW has {MAX} bytes at most: use a shorter name"),
            });
        }
        if let Err(e) = fs::create_dir(view.dir()) {
            let what = format!("cannot make {}", view.dir().display());
            view.leave();
            return Err(DeviceError::io(what)(e));
        }
        view.note = note(Item::disk(view.dir()));
        view.power_on()?;
        Ok(view)
    }

    pub(super) fn power_on(&self) -> Result<(), DeviceError> {
        write(&self.dir.join("power"), "1").map_err(|e| DeviceError::Refused {
            what: format!("power=1 of view {}", self.name),
            why: match errno(&e) {
                Some(Errno::NODATA) => "the disk has no record".into(),
                Some(Errno::NAMETOOLONG) => TOO_LONG.into(),
                _ => e.to_string(),
            },
        })?;
        wait_for(&self.nodes)
    }

    /// [`Nodes::read_no_more`].
    pub fn read_no_more(&self) {
        self.nodes.read_no_more();
    }

    /// Removes the view and those within it, if nobody uses them.
    pub(super) fn remove(&mut self) -> Result<(), DeviceError> {
        self.owned = false;
        for within in subdirectories(&self.dir)? {
            Self::of(&self.dir, &self.name, &self.members, &within, false).remove()?;
        }
        retry_busy(|| write(&self.dir.join("power"), "0")).map_err(|e| match errno(&e) {
            Some(Errno::BUSY) => DeviceError::Busy(self.nodes.whole().display().to_string()),
            _ => DeviceError::io(format!("cannot power off view {}", self.name))(e),
        })?;
        fs::remove_dir(&self.dir).map_err(DeviceError::io(format!(
            "cannot remove {}",
            self.dir.display()
        )))
    }
}

/// A view as what other views are of.
#[derive(Debug, Clone)]
pub struct ViewOrigin {
    dir: PathBuf,
    name: String,
    members: Members,
}

impl ViewOrigin {
    /// NAME.VIEW
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `start`, `stop`, `reset` or `drop`.
    pub fn record(&self, command: &str) -> Result<(), DeviceError> {
        let set = || write(&self.dir.join("record"), command);
        let done = match command {
            // The last user may not be quite gone.
            "reset" | "drop" => retry_busy(set),
            _ => set(),
        };
        done.map_err(DeviceError::io(format!(
            "cannot {command} the record of {}",
            self.name
        )))
    }

    /// Puts marks into the record.
    pub fn mark<'m>(&self, marks: impl Iterator<Item = &'m str>) -> Result<(), DeviceError> {
        let failed = || DeviceError::io(format!("cannot mark {}", self.name));
        let path = self.dir.join("mark");
        let mut lines = String::new();
        for mark in marks {
            if !lines.is_empty() && lines.len() + mark.len() > MARKS_LEN {
                write(&path, &lines).map_err(failed())?;
                lines.clear();
            }
            if !lines.is_empty() {
                lines.push('\n');
            }
            lines.push_str(mark);
        }
        if lines.is_empty() {
            return Ok(());
        }
        write(&path, &lines).map_err(failed())
    }

    /// The record, as the control device gives it.
    pub fn export(&self) -> Result<impl Read, DeviceError> {
        Control::new(CONTROL).export(&self.name)
    }

    /// A view of the record.
    pub fn create_view(&self, name: &Name) -> Result<View, DeviceError> {
        View::create(&self.dir, &self.name, &self.members, name)
    }
}

impl Show for View {
    fn show(&mut self, selection: &Selection) -> Result<(), DeviceError> {
        Control::new(CONTROL).state(&self.name, selection)
    }

    fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    fn reads(&self) -> Result<Option<Reads>, DeviceError> {
        Control::new(CONTROL).reads(&self.name)
    }

    fn add_faults(&mut self, rules: &[Rule]) -> Result<(), DeviceError> {
        let faults = self.faults();
        faults.clear()?;
        faults.add(rules)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if self.owned {
            if let Err(e) = self.remove() {
                say(format_args!(
                    "warning: view {} is left behind: {e}",
                    self.name
                ));
                if let Some(note) = self.note.take() {
                    note.keep();
                }
            }
        }
    }
}
