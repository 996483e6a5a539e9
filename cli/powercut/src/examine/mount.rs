// SPDX-License-Identifier: GPL-2.0

//! Mounts a state, and tells whose fault it is if that can't be done.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use powercut_engine::oracle::{Finding, Kind};
use rustix::io::Errno;

use crate::child::Program;
use crate::device::Nodes;
use crate::executor::{ExecutorError, Sandbox, Step};
use crate::fs::MountSpec;
use crate::kmsg::Kmsg;
use crate::mount_failure::{mount_state, Needed};
use crate::signals::Interrupted;

/// Held while a btrfs is mounted. Two states have one id: the kernel gives the second that is mounted
/// another, if the first is mounted by then.
static BTRFS: Mutex<()> = Mutex::new(());

/// What to mount a state from, and where.
pub struct MountPlace<'l> {
    pub nodes: &'l Nodes,
    pub dir: &'l Path,
    /// There are other views of the same disk.
    pub has_twins: bool,
    /// How long a command may take.
    pub limit: Duration,
}

impl MountPlace<'_> {
    /// As it is mounted here.
    fn spec<'s>(&self, spec: &'s MountSpec) -> Cow<'s, MountSpec> {
        match spec.fs.as_str() {
            // It may have the same UUID as another.
            "xfs" if self.has_twins => Cow::Owned(spec.with("nouuid")),
            _ => Cow::Borrowed(spec),
        }
    }

    /// The same as [`Self::mount`] for an executor that is told of it ahead.
    pub fn step(&self, spec: &MountSpec) -> Step {
        Step::mount(&self.spec(spec), self.nodes.first(), self.dir)
    }

    /// Mounts; the finding if it can't be, with what the kernel's log has of it from where it was skipped to.
    pub fn mount(
        &self,
        spec: &MountSpec,
        sandbox: &mut Sandbox<'_>,
        kmsg: &mut Kmsg,
    ) -> Result<Option<Finding>> {
        let spec = &self.spec(spec);
        let needed = Needed {
            fs: &spec.fs,
            nodes: self.nodes.all().collect(),
            dir: self.dir,
        };
        let Some(errno) = mount_state(|| self.try_mount(spec, sandbox, kmsg), &needed)? else {
            return Ok(None);
        };
        let output = kmsg.lines();
        let output: String = output.iter().flat_map(|line| [line, "\n"]).collect();
        let how = format!("{}: {}", spec.fs, std::io::Error::from(errno));
        Ok(Some(Finding::new(Kind::Mount, how, output)))
    }

    /// The same, without a word to a failure.
    pub fn try_mount(
        &self,
        spec: &MountSpec,
        sandbox: &mut Sandbox<'_>,
        kmsg: &mut Kmsg,
    ) -> Result<Option<Errno>> {
        let node = self.nodes.first();
        if !spec.is_known_by_id() {
            return sandbox.mount(spec, node, self.dir);
        }
        let _alone = BTRFS.lock().unwrap_or_else(PoisonError::into_inner);
        let errno = sandbox.mount(spec, node, self.dir)?;
        if errno.is_none() {
            return Ok(errno);
        }
        self.forget_btrfs(sandbox)?;
        kmsg.skip();
        sandbox.mount(spec, node, self.dir)
    }

    /// Has btrfs forget the devices that it remembers and that are not mounted: what it knows of
    /// one that is gone, or showed another state, it would take for this one's. Without btrfs-progs
    /// it can't be told to: then what the mount says counts.
    fn forget_btrfs(&self, sandbox: &mut Sandbox<'_>) -> Result<()> {
        let forget = Program::new("btrfs", ["device", "scan", "--forget"]);
        match sandbox.run(forget.limit(Some(self.limit))) {
            Err(e) if e.is::<ExecutorError>() || e.is::<Interrupted>() => Err(e),
            _ => Ok(()),
        }
    }
}
