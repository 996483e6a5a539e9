// SPDX-License-Identifier: GPL-2.0

//! Where one state is examined: a mount and a PID namespace that end with it, or that are found as they
//! were made.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, Context, Result};
use nix::sched::{setns, unshare, CloneFlags};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::mount::{mount_change, unmount, MountPropagationFlags, UnmountFlags};

use super::children::Children;
use super::files;
use super::init::Init;
use super::keeper::{Keeper, Kept};
use super::requests::Requests;
use super::resident::{Heard, Resident, Told};
use super::run::{run, Stopped};
use super::wire::{Begin, Question, Reply, Request};
use crate::child::{Finished, Program};
use crate::pause::Pause;

/// How long a device may stay in use once its last mount and its last user are gone.
const PATIENCE: Duration = Duration::from_secs(3);

/// One sandbox, or several one after the other in the same namespaces: if a check lives that long, as it has to see
/// what is mounted, or if all commands have ended and left neither a process nor a mount behind.
pub struct Sandbox<'a> {
    wanted: Begin,
    children: &'a Children,
    /// The mount namespace to return to.
    home: &'a File,
    resident: Option<Resident>,
    /// Whether a command was run that may have left something behind.
    has_run: bool,
    /// Whether nothing was asked for since all but the first process and the resident check were killed.
    is_killed: bool,
    /// The mounts of the namespace when it was made.
    made_with: Option<String>,
    /// Of the workload.
    keeper: Option<Keeper>,
    /// What was mounted, and where.
    mounts: Vec<(PathBuf, PathBuf)>,
    /// The devices that the resident check was asked about.
    nodes: Vec<PathBuf>,
}

/// How a sandbox came to its end.
pub enum Over {
    /// It was asked to.
    Ended,
    /// The same; the resident check had to be ended: why.
    Restarted(String),
    /// It could not begin, or not end as asked.
    Failed(anyhow::Error),
    /// The command is gone.
    Alone,
    /// Somebody else killed its processes.
    Dead,
}

impl<'a> Sandbox<'a> {
    pub fn new(wanted: Begin, children: &'a Children, home: &'a File) -> Self {
        Self {
            wanted,
            children,
            home,
            resident: None,
            has_run: false,
            is_killed: false,
            made_with: None,
            keeper: None,
            mounts: Vec::new(),
            nodes: Vec::new(),
        }
    }

    /// The directory for temporary files, of the last sandbox if there were several.
    pub fn tmp(&self) -> &Path {
        &self.wanted.tmp
    }

    /// Does what is asked, to the end. The thread that it is called in is of no other use.
    pub fn hold(&mut self, requests: &mut Requests) -> Over {
        let unshared = unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID);
        let held = unshared
            .context("cannot make a mount and a PID namespace")
            .and_then(|()| Init::start(self.wanted.depth, self.children))
            .and_then(|init| self.answer(init, requests));
        held.unwrap_or_else(|e| {
            // Whatever else can be done is of no use.
            let _ = self.children.kill_all();
            Over::Failed(e)
        })
    }

    fn begin(&self) -> Result<()> {
        let tmp = &self.wanted.tmp;
        fs::create_dir(tmp).with_context(|| format!("cannot make {}", tmp.display()))?;
        // As /tmp: for all users.
        fs::set_permissions(tmp, Permissions::from_mode(0o1777))?;
        Ok(())
    }

    /// Answers until the end.
    fn answer(&mut self, mut init: Init, requests: &mut Requests) -> Result<Over> {
        self.made_with = mounts();
        self.begin()?;
        requests.answer(&Reply::Done)?;
        while let Some(request) = requests.next()? {
            self.is_killed &= matches!(request, Request::End);
            let reply = match request {
                Request::Begin(_) => bail!("a sandbox in a sandbox"),
                Request::Run(program) => {
                    self.has_run = true;
                    match self.run(&program, requests) {
                        Ok(finished) => {
                            if !finished.ended.ok() || program.stdout.is_some() {
                                requests.hurry();
                            }
                            Reply::Finished(finished)
                        }
                        Err(Stopped::Failed(e)) => Reply::Failed(e.to_string()),
                        Err(Stopped::Alone) => return Ok(Over::Alone),
                    }
                }
                Request::Ask(question) => match self.ask(question, requests) {
                    Ok(told) => {
                        if !told.heard.is_ok() {
                            requests.hurry();
                        }
                        Reply::Told(told)
                    }
                    Err(Stopped::Failed(e)) => Reply::Failed(e.to_string()),
                    Err(Stopped::Alone) => return Ok(Over::Alone),
                },
                Request::Mount(mount) => match mount.spec.mount(&mount.node, &mount.dir) {
                    Ok(()) => {
                        self.mounts.push((mount.node, mount.dir));
                        Reply::Done
                    }
                    Err(e) => Reply::Errno(e.raw_os_error()),
                },
                Request::Unmount(dir) => Reply::of(self.unmount(&dir)),
                Request::Files(request) => {
                    requests.hurry();
                    let done = if request.has_threads() {
                        init.outside(|| request.done()).and_then(|done| done)
                    } else {
                        request.done()
                    };
                    match done {
                        Ok(reply) => Reply::Files(reply),
                        Err(e) => Reply::Failed(format!("{e:#}")),
                    }
                }
                Request::Keep(keep) => Reply::of(Keeper::new(keep).map(|keeper| {
                    self.keeper = Some(keeper);
                })),
                Request::Kept => match self.kept() {
                    Ok(kept) => Reply::Kept(kept),
                    Err(e) => Reply::Failed(format!("{e:#}")),
                },
                Request::List { dir, limit } => Reply::List(files::below(&dir, limit)),
                Request::Kill => Reply::of(self.kill().inspect(|()| self.is_killed = true)),
                Request::End => match self.end(&mut init)? {
                    Next::Over(over) => return Ok(over),
                    Next::Another => {
                        remove(&self.wanted.tmp)?;
                        requests.answer(&Reply::Done)?;
                        match requests.next()? {
                            None => return Ok(Over::Alone),
                            Some(Request::Begin(wanted)) => self.next(wanted, &mut init)?,
                            Some(request) => bail!("asked for {request:?} outside of a sandbox"),
                        }
                        Reply::Done
                    }
                },
            };
            if init.has_ended()? {
                return Ok(Over::Dead);
            }
            requests.answer(&reply)?;
        }
        Ok(Over::Alone)
    }

    /// Begins another one in the same namespaces.
    fn next(&mut self, wanted: Begin, init: &mut Init) -> Result<()> {
        if wanted.depth != self.wanted.depth {
            // If it has ended, that is found out as soon as something is run.
            init.is_alone(wanted.depth);
        }
        self.wanted = wanted;
        self.has_run = false;
        self.begin()
    }

    fn run(&mut self, program: &Program, asker: &Requests) -> Result<Finished, Stopped> {
        run(program, self.children, asker, self.keeper.as_mut())
    }

    fn kept(&mut self) -> Result<Vec<Kept>> {
        let keeper = self.keeper.take().context("nothing is kept")?;
        keeper.end(self.children)
    }

    fn ask(&mut self, question: Question, asker: &Requests) -> Result<Told, Stopped> {
        let program = &question.program;
        self.nodes = question.nodes;
        if let Some(resident) = &mut self.resident {
            if resident.is_ahead() {
                return Err(io::Error::other(AHEAD).into());
            }
            if resident.has_ended(self.children)? {
                self.resident = None;
            }
        }
        let resident = match &mut self.resident {
            Some(resident) => resident,
            none => none.insert(Resident::start(program, self.children)?),
        };
        let told = resident.ask(program, self.children, asker)?;
        if matches!(told.heard, Heard::End(_)) {
            self.resident = None;
        }
        Ok(told)
    }

    /// Kills all processes but the first one and the resident check.
    fn kill(&self) -> Result<()> {
        let killed = self.children.kill_others();
        killed.context("cannot kill what is left of the processes")
    }

    fn unmount(&mut self, dir: &Path) -> Result<()> {
        unmount(dir, UnmountFlags::empty())
            .with_context(|| format!("cannot unmount {}", dir.display()))?;
        self.mounts.retain(|(_, mounted)| mounted != dir);
        Ok(())
    }

    fn end(&mut self, init: &mut Init) -> Result<Next> {
        let mut why = None;
        if self.is_as_made(init)? {
            return Ok(Next::Another);
        }
        if let Some(mut resident) = self.resident.take() {
            if !self.is_killed {
                self.kill()?;
            }
            if resident.is_ahead() {
                bail!(AHEAD);
            }
            why = self.held_by(&resident)?;
            if why.is_none() && !resident.has_ended(self.children)? {
                self.resident = Some(resident);
                return Ok(Next::Another);
            }
            resident.end(self.children)?;
        }
        let killed = self.children.kill_all();
        killed.context("cannot kill what is left of the processes")?;
        // The last process of a mount namespace takes all its mounts with it.
        setns(self.home, CloneFlags::CLONE_NEWNS).context("cannot leave the mount namespace")?;
        for (node, _) in &self.mounts {
            unused(node)?;
        }
        Ok(Next::Over(why.map_or(Over::Ended, Over::Restarted)))
    }

    /// Whether the namespaces are as they were made, once what was mounted here is unmounted: no process, no
    /// other mount. Nothing can come into them later, as nobody is in there.
    fn is_as_made(&mut self, init: &mut Init) -> Result<bool> {
        if self.resident.is_some() {
            return Ok(false);
        }
        if self.has_run {
            // Commands are children of this process.
            self.children.reap_orphans()?;
            if !init.is_alone(self.wanted.depth) {
                return Ok(false);
            }
        }
        let is_unmounted = self.still_mounted().is_none();
        Ok(is_unmounted
            && (!self.has_run || (self.made_with.is_some() && mounts() == self.made_with)))
    }

    /// Unmounts; where something is still mounted or in use, if it is.
    fn still_mounted(&mut self) -> Option<&Path> {
        while let Some((node, dir)) = self.mounts.pop() {
            // A check may have done it. All other errors show in what follows.
            let _ = unmount(&dir, UnmountFlags::empty());
            if is_held(&node) {
                self.mounts.push((node, dir));
                return self.mounts.last().map(|(_, dir)| dir.as_path());
            }
        }
        None
    }

    /// Unmounts while the resident check lives; what it keeps of the state, if it does.
    fn held_by(&mut self, resident: &Resident) -> Result<Option<String>> {
        if let Some(dir) = self.still_mounted() {
            let why = format!("it keeps {} in use, or mounted elsewhere", dir.display());
            return Ok(Some(why));
        }
        let has_open = resident.has_open(&self.nodes, self.children)?;
        Ok(has_open.then(|| "it keeps the device open".into()))
    }
}

/// What comes after the end of a sandbox.
enum Next {
    Over(Over),
    /// One in the same mount namespace.
    Another,
}

/// What is wrong if an answer might be that to another question.
const AHEAD: &str = "the resident check said more than one line of a state, so it is not known \
                     which line is of which state: let it print nothing but its answers on standard output";

/// Removes the directory of a sandbox.
pub fn remove(tmp: &Path) -> Result<()> {
    // Most are empty.
    let removed = fs::remove_dir(tmp).or_else(|_| fs::remove_dir_all(tmp));
    removed.with_context(|| format!("cannot remove {}", tmp.display()))
}

/// Gives this thread, or process, a mount namespace of its own.
pub fn own_mounts() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).context("cannot make a mount namespace")?;
    // What is unmounted outside is unmounted here; what is mounted here stays here.
    let downstream = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", downstream)
        .context("cannot keep mounts apart: is / a mount point (in a chroot it has to be)?")
}

/// What the kernel tells of the mounts of the mount namespace that this thread has in common with the first process of its
/// PID namespace, in which /proc is mounted.
fn mounts() -> Option<String> {
    fs::read_to_string("/proc/1/mountinfo").ok()
}

/// Waits until nothing has a device mounted.
fn unused(node: &Path) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    let mut pause = Pause::default();
    while is_held(node) {
        if Instant::now() >= until {
            return Err(anyhow!(
                "{} is still in use after all processes that were started are gone, and their \
                 mounts: did they leave a loop device, swap or the like on it?",
                node.display()
            ));
        }
        pause.sleep();
    }
    Ok(())
}

/// Whether a device is mounted, or held as if it were.
pub fn is_held(node: &Path) -> bool {
    let flags = i32::try_from(OFlags::EXCL.bits()).unwrap_or(0);
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(node);
    opened.is_err_and(|e| Errno::from_io_error(&e) == Some(Errno::BUSY))
}
