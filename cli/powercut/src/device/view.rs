// SPDX-License-Identifier: GPL-2.0

//! Views: crash states as block devices.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::io::Errno;

use super::attribute::{get, pause, retry_busy, wait_for, write, PATIENCE};
use super::{errno, Control, DeviceError, Name, Selection, Show, CONTROL, NODES};
use crate::reads::Reads;

/// A crash-state disk.
#[derive(Debug)]
pub struct View {
    dir: PathBuf,
    node: PathBuf,
    /// NAME.VIEW
    name: String,
    owned: bool,
}

impl View {
    /// A handle for a view that may not be there.
    pub(super) fn of(disk_dir: &Path, disk: &Name, name: &Name, owned: bool) -> Self {
        let full = format!("{disk}.{name}");
        Self {
            dir: disk_dir.join(name.as_str()),
            node: Path::new(NODES).join(&full),
            name: full,
            owned,
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

    /// Lets the view outlive this handle.
    pub fn leave(mut self) {
        self.owned = false;
    }

    pub(super) fn power_on(&self) -> Result<(), DeviceError> {
        write(&self.dir.join("power"), "1").map_err(|e| DeviceError::Refused {
            what: format!("power=1 of view {}", self.name),
            why: match errno(&e) {
                Some(Errno::NODATA) => "the disk has no record".into(),
                _ => e.to_string(),
            },
        })?;
        wait_for(&self.node)
    }

    /// Has the kernel read no more than is asked for, where it would guess: the
    /// less is read, the fewer states differ. Where it can't be set, it is not.
    pub fn read_no_more(&self) {
        let queue = format!("/sys/block/powercut!{}/queue", self.name);
        let _ = fs::write(Path::new(&queue).join("read_ahead_kb"), "0\n");
    }

    pub(super) fn remove(&mut self) -> Result<(), DeviceError> {
        self.owned = false;
        retry_busy(|| write(&self.dir.join("power"), "0")).map_err(|e| match errno(&e) {
            Some(Errno::BUSY) => DeviceError::Busy(self.node.display().to_string()),
            _ => DeviceError::io(format!("cannot power off view {}", self.name))(e),
        })?;
        fs::remove_dir(&self.dir).map_err(DeviceError::io(format!(
            "cannot remove {}",
            self.dir.display()
        )))
    }
}

impl Show for View {
    fn show(&mut self, selection: &Selection) -> Result<(), DeviceError> {
        let control = Control::new(CONTROL);
        let until = Instant::now() + PATIENCE;
        loop {
            match control.state(&self.name, selection) {
                // The last user of the state before may not be quite gone.
                Err(DeviceError::Busy(_)) if Instant::now() < until => pause(),
                other => return other,
            }
        }
    }

    fn node(&self) -> &Path {
        &self.node
    }

    fn reads(&self) -> Result<Option<Reads>, DeviceError> {
        Control::new(CONTROL).reads(&self.name)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if self.owned {
            if let Err(e) = self.remove() {
                eprintln!("powercut: warning: view {} is left behind: {e}", self.name);
            }
        }
    }
}
