// SPDX-License-Identifier: GPL-2.0

//! What records a workload: the module, dm-log-writes of the kernel, or a disk that the command serves.

use anyhow::Result;

use crate::device::{Disk, Nodes, RecordStatus, RuleStatus};
use crate::executor::MarksTo;
use crate::faults::Rule;
use crate::mapper::MappedDisk;
use crate::served_disk::ServedDisk;

/// A disk that a workload can be recorded on.
pub trait Recorder: Sync {
    fn nodes(&self) -> &Nodes;
    /// Where the marks of the workload go.
    fn marks(&self) -> MarksTo;
    /// Begins the record with what the disk holds.
    fn start(&self) -> Result<()>;
    /// Ends it; what the disk was told to do wrong meanwhile.
    fn stop(&self) -> Result<Vec<RuleStatus>>;
    /// The disk, if it is one of the driver's.
    fn driver(&self) -> Option<&Disk> {
        None
    }
    /// How large the record is, where that can be told while it grows.
    fn status(&self) -> Option<RecordStatus> {
        None
    }
    /// What it may take, if it has a limit.
    fn limit_mib(&self) -> Option<u64> {
        None
    }
    /// Why the I/O of a workload fails, if that is the recorder's doing.
    fn failure(&self) -> Option<String> {
        used_up(&self.status()?, self.limit_mib())
    }
}

/// Why the writes of a workload failed, if there was no more room for them.
fn used_up(status: &RecordStatus, limit_mib: Option<u64>) -> Option<String> {
    (status.truncated > 0).then(|| {
        format!(
            "the record ended at event {}, when its {} MiB were used up (log_limit_mib is {}): \
             writes fail from there on; give a larger --log-limit, or a shorter workload",
            status.truncated,
            status.bytes >> 20,
            limit_mib.unwrap_or(0)
        )
    })
}

/// A disk of the module, and what it is to do wrong.
#[derive(Debug, Clone, Copy)]
pub struct ModuleRecorder<'d> {
    pub disk: &'d Disk,
    pub faults: &'d [Rule],
}

impl Recorder for ModuleRecorder<'_> {
    fn nodes(&self) -> &Nodes {
        self.disk.nodes()
    }

    fn marks(&self) -> MarksTo {
        MarksTo::File(self.disk.mark_file())
    }

    fn start(&self) -> Result<()> {
        self.disk.record("start")?;
        Ok(self.disk.faults().add(self.faults)?)
    }

    fn stop(&self) -> Result<Vec<RuleStatus>> {
        self.disk.record("stop")?;
        let rules = rules_of(self.disk)?;
        // What comes now is not recorded: nothing need go wrong with it.
        self.disk.faults().clear()?;
        Ok(rules)
    }

    fn driver(&self) -> Option<&Disk> {
        Some(self.disk)
    }

    fn status(&self) -> Option<RecordStatus> {
        self.disk.status().ok()
    }

    fn limit_mib(&self) -> Option<u64> {
        let limit = self.disk.get("log_limit_mib").ok()?;
        limit.trim().parse().ok().filter(|limit| *limit > 0)
    }
}

/// What a disk was told to do wrong.
pub fn rules_of(disk: &Disk) -> Result<Vec<RuleStatus>> {
    let status = disk.faults().status()?;
    let bad = status.bad_rule();
    Ok(status.rules.into_iter().chain(bad).collect())
}

impl Recorder for MappedDisk {
    fn nodes(&self) -> &Nodes {
        Self::nodes(self)
    }

    fn marks(&self) -> MarksTo {
        MarksTo::Mapper(self.name().into())
    }

    fn start(&self) -> Result<()> {
        Self::start(self)
    }

    fn stop(&self) -> Result<Vec<RuleStatus>> {
        Self::stop(self)?;
        Ok(Vec::new())
    }
}

impl Recorder for ServedDisk {
    fn nodes(&self) -> &Nodes {
        Self::nodes(self)
    }

    fn marks(&self) -> MarksTo {
        MarksTo::Served(self.mark_socket().into())
    }

    fn start(&self) -> Result<()> {
        Self::start(self)
    }

    fn stop(&self) -> Result<Vec<RuleStatus>> {
        Self::stop(self)?;
        Ok(Vec::new())
    }

    fn status(&self) -> Option<RecordStatus> {
        Self::status(self)
    }

    fn limit_mib(&self) -> Option<u64> {
        Self::limit_mib(self)
    }

    fn failure(&self) -> Option<String> {
        let broken = self.broken().map(|error| error.to_string());
        broken.or_else(|| used_up(&Self::status(self)?, Self::limit_mib(self)))
    }
}
