// SPDX-License-Identifier: GPL-2.0

//! A disk in a file, by a loop device under a mapped device that is linear, or logged.

use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};

use super::{remove, tools};
use crate::device::{DeviceError, Nodes, Settings};
use crate::memory::record_limit_mib;
use crate::notes::{note, Item, Note};
use crate::output::say;
use crate::scratch::{scratch_dir, ScratchDir};
use crate::sparse;

/// The largest log if it is to have no limit, in MiB: a file with holes takes no more than is written.
const NO_LIMIT_MIB: u64 = 1 << 20;

/// A device of the device mapper, and the files that it needs.
#[derive(Debug)]
pub struct MappedDisk {
    mapped: Mapped,
    nodes: Nodes,
    /// The loop device below.
    below: String,
    bytes: u64,
    block_size: u32,
    atomic_unit: u32,
    log_mib: u64,
    /// It goes last.
    dir: ScratchDir,
}

/// The mapped device, which goes with its handle.
#[derive(Debug)]
struct Mapped {
    name: String,
    note: Option<Note>,
}

impl Drop for Mapped {
    fn drop(&mut self) {
        if let Err(e) = remove(&self.name) {
            say(format_args!(
                "warning: the mapped device {} is left behind: {e:#}",
                self.name
            ));
            if let Some(note) = self.note.take() {
                note.keep();
            }
        }
    }
}

impl MappedDisk {
    /// A disk full of zeroes, which nobody records yet.
    pub fn create(settings: &Settings) -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Err(DeviceError::NotRoot.into());
        }
        tools::load_modules();
        let made = Self::make(settings);
        made.context("cannot make a disk that dm-log-writes can log")
    }

    fn make(settings: &Settings) -> Result<Self> {
        let dir = scratch_dir()?;
        let Some(name) = dir.path().file_name().and_then(|name| name.to_str()) else {
            bail!("{} has no name", dir.path().display());
        };
        let (bytes, block_size) = (settings.size_mib << 20, settings.block_size);
        let file = dir.path().join("disk");
        sparse::hole(&file, bytes)?;
        let below = tools::loop_device(&file, block_size)?;
        let created = tools::dmsetup(["create", name, "--table", &linear(bytes, &below)]);
        // From now on it goes with what is above; at once, if there is nothing.
        tools::detach(&below)?;
        created?;
        let mapped = Mapped {
            name: name.into(),
            note: note(Some(Item::Mapper { name: name.into() })),
        };
        let minor = tools::dmsetup(["info", "-c", "--noheadings", "-o", "minor", name])?;
        let kernels = format!("dm-{}", minor.trim());
        Ok(Self {
            mapped,
            nodes: Nodes::at(Path::new("/dev").join(&kernels), &kernels),
            below,
            bytes,
            block_size,
            atomic_unit: settings.atomic_unit.max(block_size),
            log_mib: match settings.log_limit_mib {
                None => record_limit_mib(),
                Some(0) => NO_LIMIT_MIB,
                Some(mib) => mib,
            },
            dir,
        })
    }

    /// As the device mapper calls it.
    pub fn name(&self) -> &str {
        &self.mapped.name
    }

    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn atomic_unit(&self) -> u32 {
        self.atomic_unit
    }

    /// What the disk held when the log began: an image.
    pub fn base(&self) -> PathBuf {
        self.dir.path().join("base")
    }

    /// What dm-log-writes wrote.
    pub fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// A directory for what is made of both.
    pub fn record(&self) -> PathBuf {
        self.dir.path().join("record")
    }

    /// Has what is written from now on logged. Nobody is to have the disk open.
    pub fn start(&self) -> Result<()> {
        let file = self.dir.path().join("disk");
        sparse::copy(&file, &self.base()).context("cannot copy the disk as it is")?;
        sparse::hole(&self.log(), self.log_mib << 20)?;
        let log = tools::loop_device(&self.log(), self.block_size)?;
        let (sectors, below) = (self.bytes >> 9, &self.below);
        let swapped = self.swap(&format!("0 {sectors} log-writes {below} {log}"));
        tools::detach(&log)?;
        swapped.context(
            "the kernel does not log a disk: does it have the target (CONFIG_DM_LOG_WRITES, the module dm-log-writes)?",
        )
    }

    /// Ends the log, with all that was complete until now. It may be mounted: that is not synced.
    pub fn stop(&self) -> Result<()> {
        let status = tools::dmsetup(["status", self.name()])?;
        let swapped = self.swap(&linear(self.bytes, &self.below));
        swapped.context("cannot end the log")?;
        if status.contains("logging_disabled") {
            return Err(self.full());
        }
        Ok(())
    }

    /// Why a log is not whole.
    pub fn full(&self) -> anyhow::Error {
        anyhow::anyhow!(
            "the log of dm-log-writes ended before the workload did: it may have {} MiB, in {}; give a larger \
             --log-limit, more room there (TMPDIR), or a shorter workload",
            self.log_mib,
            self.dir.path().display()
        )
    }

    fn swap(&self, table: &str) -> Result<()> {
        let name = self.name();
        tools::dmsetup(["load", name, "--table", table])?;
        tools::dmsetup(["suspend", "--nolockfs", name])?;
        tools::dmsetup(["resume", name]).map(drop)
    }
}

fn linear(bytes: u64, below: &str) -> String {
    format!("0 {} linear {below} 0", bytes >> 9)
}
