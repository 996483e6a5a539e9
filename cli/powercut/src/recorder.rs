// SPDX-License-Identifier: GPL-2.0

//! What records a workload: the module, or dm-log-writes of the kernel.

use anyhow::Result;

use crate::device::{Disk, Nodes, RuleStatus};
use crate::executor::MarksTo;
use crate::faults::Rule;
use crate::mapper::MappedDisk;

/// A disk that a workload can be recorded on.
pub trait Recorder {
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
