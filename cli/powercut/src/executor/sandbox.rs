// SPDX-License-Identifier: GPL-2.0

//! Where one state is examined: a mount namespace that ends with it, and processes that do.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, Context, Result};
use nix::sched::{setns, unshare, CloneFlags};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::mount::{mount_change, MountPropagationFlags};

use super::children::Children;
use super::files;
use super::run::{run, Stopped};
use super::wire::{Begin, Reply, Request, Wire};

/// How long a device may stay in use once its last mount and its last user are gone.
const PATIENCE: Duration = Duration::from_secs(3);

pub struct Sandbox<'a> {
    wanted: &'a Begin,
    children: &'a Children,
    /// The mount namespace to return to.
    home: &'a File,
}

/// How a sandbox came to its end.
pub enum Over {
    /// It was asked to.
    Ended,
    /// It could not begin, or not end as asked.
    Failed(anyhow::Error),
    /// Who asked is gone.
    Alone,
}

impl<'a> Sandbox<'a> {
    pub fn new(wanted: &'a Begin, children: &'a Children, home: &'a File) -> Self {
        Self {
            wanted,
            children,
            home,
        }
    }

    /// Does what is asked, to the end. The thread that it is called in is of no other use.
    pub fn hold(&self, wire: &mut Wire) -> Over {
        let held = self.begin().and_then(|()| self.answer(wire));
        match held {
            Ok(true) => Over::Ended,
            Ok(false) => Over::Alone,
            Err(e) => Over::Failed(e),
        }
    }

    fn begin(&self) -> Result<()> {
        unshare(CloneFlags::CLONE_NEWNS).context("cannot make a mount namespace")?;
        let tmp = &self.wanted.tmp;
        fs::create_dir(tmp).with_context(|| format!("cannot make {}", tmp.display()))?;
        // As /tmp: for all users.
        fs::set_permissions(tmp, Permissions::from_mode(0o1777))?;
        first_pid(self.wanted.depth);
        Ok(())
    }

    /// Answers until the end was asked for; false if who asks is gone.
    fn answer(&self, wire: &mut Wire) -> Result<bool> {
        wire.send(&Reply::Done)?;
        let mut nodes: Vec<PathBuf> = Vec::new();
        while let Some(request) = wire.receive()? {
            let reply = match request {
                Request::Begin(_) => bail!("a sandbox in a sandbox"),
                Request::Run(program) => match run(&program, self.children, wire) {
                    Ok(finished) => Reply::Finished(finished),
                    Err(Stopped::Failed(e)) => Reply::Failed(e.to_string()),
                    Err(Stopped::Alone) => return Ok(false),
                },
                Request::Mount(mount) => match mount.spec.mount(&mount.node, &mount.dir) {
                    Ok(()) => {
                        nodes.push(mount.node);
                        Reply::Done
                    }
                    Err(e) => Reply::Errno(e.raw_os_error()),
                },
                Request::Files { dir, limit } => Reply::Files(files::below(&dir, limit)),
                Request::Kill => Reply::of(self.kill()),
                Request::End => return self.end(&nodes).map(|()| true),
            };
            wire.send(&reply)?;
        }
        Ok(false)
    }

    fn kill(&self) -> Result<()> {
        let killed = self.children.kill_all();
        killed.context("cannot kill what is left of the processes")
    }

    /// The last process of a mount namespace takes all its mounts with it.
    fn end(&self, nodes: &[PathBuf]) -> Result<()> {
        self.kill()?;
        setns(self.home, CloneFlags::CLONE_NEWNS).context("cannot leave the mount namespace")?;
        nodes.iter().try_for_each(|node| unused(node))
    }
}

/// Gives this thread, or process, a mount namespace of its own.
pub fn own_mounts() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).context("cannot make a mount namespace")?;
    // What is unmounted outside is unmounted here; what is mounted here stays here.
    let downstream = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", downstream)
        .context("cannot keep mounts apart: is / a mount point (in a chroot it has to be)?")
}

/// Waits until nothing has a device mounted.
fn unused(node: &Path) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while is_held(node) {
        if Instant::now() >= until {
            return Err(anyhow!(
                "{} is still in use after all processes that were started are gone, and their \
                 mounts: did they leave a loop device, swap or the like on it?",
                node.display()
            ));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Whether a device is mounted, or held as if it were.
pub fn is_held(node: &Path) -> bool {
    let flags = i32::try_from(OFlags::EXCL.bits()).unwrap_or(0);
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(node);
    opened.is_err_and(|e| Errno::from_io_error(&e) == Some(Errno::BUSY))
}

/// Has process ids begin where those of the workload, and of the checks of the power cuts before,
/// do not: a lock file that they left must not name a process that runs now. They begin at the same
/// number each time: a check that says them says the same. Not every kernel can do that.
fn first_pid(depth: u32) {
    let max = fs::read_to_string("/proc/sys/kernel/pid_max");
    let max: Option<u32> = max.ok().and_then(|text| text.trim().parse().ok());
    if let (Some(max), 1..) = (max, depth) {
        let last = max / 2 + max / 8 * (depth - 1).min(3);
        let _ = fs::write("/proc/sys/kernel/ns_last_pid", last.to_string());
    }
}
