// SPDX-License-Identifier: GPL-2.0

//! Executors: processes that mount states and run the user's commands, so that nothing of these
//! is left behind.
//!
//! An executor is this program again, as the first process of a PID namespace and in a mount
//! namespace, on the other end of a socket. What is examined gets a sandbox in it: one more mount
//! and PID namespace, and a directory for temporary files. Nobody else sees its mounts. At the end
//! of the sandbox all its processes are killed, and what is mounted goes. The executor ends with the
//! command, however that ends, and the kernel ends the rest.

mod children;
mod files;
mod init;
mod keeper;
mod output;
mod proc;
mod process;
mod programs;
mod requests;
mod resident;
mod run;
mod sandbox;
mod scratch;
mod serve;
mod wire;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use anyhow::{anyhow, bail, Result};
use rustix::io::Errno;
use thiserror::Error;

use crate::child::{Finished, Program};
use crate::fs::MountSpec;
use crate::output::say;
use crate::signals::Signals;
use process::{Asked, Process};
use wire::{Begin, Mount, Question, Reply, Request};

pub use files::File;
pub use keeper::{copy_of, Keep, Kept, MarksTo};
pub use programs::{FileReply, FileRequest};
pub use resident::{Heard, Told};
pub use sandbox::{is_held, own_mounts};
pub use scratch::Scratch;

#[derive(Debug, Error)]
pub enum ExecutorError {
    #[error("the executor died ({how}) when it was to {what}; was it killed, or out of memory?")]
    Died { what: &'static str, how: String },
    #[error(
        "the executor was given up: to {what} took more than {}, so the kernel may hang; if the \
         machine is only slow, give more time with --mount-timeout",
        humantime::format_duration(*limit)
    )]
    Stuck { what: &'static str, limit: Duration },
}

/// Does what this process was started for, if it is a part of an executor. One is started for each
/// state: so that is found out before the arguments are parsed.
pub fn part(args: impl Iterator<Item = OsString>) -> Option<Result<()>> {
    let mut args = args.skip(1);
    let command = args.next()?;
    if command == serve::COMMAND {
        Some(serve::serve())
    } else if command == init::COMMAND {
        let depth = args.next().and_then(|depth| depth.to_str()?.parse().ok());
        Some(init::init(depth.unwrap_or_default()))
    } else {
        None
    }
}

/// Does something that needs an executor; once more, with a new one, if that died.
pub fn retried<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let tried = attempt();
    match &tried {
        Err(e) if matches!(e.downcast_ref(), Some(ExecutorError::Died { .. })) => {
            say(format_args!("warning: {e:#}; trying again"));
            attempt()
        }
        _ => tried,
    }
}

/// Where commands are run and states mounted; a process from its first sandbox on.
#[derive(Debug)]
pub struct Executor {
    signals: Signals,
    /// How long it may take to mount, to unmount, to kill, and to list files.
    limit: Duration,
    process: Option<Process>,
}

impl Executor {
    pub fn new(signals: &Signals, limit: Duration) -> Self {
        Self {
            signals: signals.clone(),
            limit,
            process: None,
        }
    }

    /// Makes a sandbox; `scratch` is for its files, the power was cut `depth` times.
    pub fn sandbox(&mut self, scratch: &Scratch, depth: u32) -> Result<Sandbox<'_>> {
        self.sandbox_for(scratch, depth, Vec::new())
    }

    /// The same, for what is known to be asked for: the executor begins with each step as soon as the one before is done. The
    /// sandbox is to be asked for just these, and then to be ended; after one that fails, for anything.
    pub fn sandbox_for(
        &mut self,
        scratch: &Scratch,
        depth: u32,
        steps: Vec<Step>,
    ) -> Result<Sandbox<'_>> {
        self.signals.check()?;
        let process = match &mut self.process {
            Some(process) => process,
            none => {
                // What one that died left there.
                scratch.clear()?;
                none.insert(Process::start(&self.signals)?)
            }
        };
        let begin = || {
            Request::Begin(Begin {
                tmp: scratch.tmp(),
                depth,
            })
        };
        if !steps.is_empty() {
            let requests = [begin()]
                .into_iter()
                .chain(steps.into_iter().map(|step| step.0));
            let asked = requests.chain([Request::End]).map(|request| Asked {
                limit: limit(&request, self.limit),
                request,
            });
            let sent = process.send(asked.collect());
            sent.inspect_err(|_| self.process = None)?;
        }
        self.ask(begin())?;
        Ok(Sandbox {
            executor: self,
            is_over: false,
        })
    }

    /// An executor that does not answer as it should is killed.
    fn ask(&mut self, request: Request) -> Result<Reply> {
        self.signals.check().inspect_err(|_| self.process = None)?;
        let Some(process) = &mut self.process else {
            bail!("there is no executor");
        };
        let limit = limit(&request, self.limit);
        let answer = process.ask(request, limit, &self.signals);
        match answer.inspect_err(|_| self.process = None)? {
            Reply::Failed(why) => Err(anyhow!(why)),
            reply => Ok(reply),
        }
    }
}

/// How long a request may take, if what the kernel does for one may take `kernel`.
fn limit(request: &Request, kernel: Duration) -> Option<Duration> {
    match request {
        Request::Run(program) | Request::Ask(Question { program, .. }) => {
            program.limit.map(|limit| limit + kernel)
        }
        Request::Keep(_) | Request::Kept => None,
        _ => Some(kernel),
    }
}

/// Something that a sandbox is asked for.
#[derive(Debug)]
pub struct Step(Request);

impl Step {
    /// [`Sandbox::run`].
    pub fn run(program: Program) -> Self {
        Self(Request::Run(program))
    }

    /// [`Sandbox::ask`].
    pub fn ask(program: Program, nodes: Vec<PathBuf>) -> Self {
        Self(Request::Ask(Question { program, nodes }))
    }

    /// [`Sandbox::mount`].
    pub fn mount(spec: &MountSpec, node: &Path, dir: &Path) -> Self {
        Self(Request::Mount(Mount {
            spec: spec.clone(),
            node: node.into(),
            dir: dir.into(),
        }))
    }

    /// [`Sandbox::with_files`].
    pub fn with_files(request: FileRequest) -> Self {
        Self(Request::Files(request))
    }

    /// [`Sandbox::kill`].
    pub fn kill() -> Self {
        Self(Request::Kill)
    }
}

/// What one state is examined in. Dropped, it ends as well.
#[derive(Debug)]
pub struct Sandbox<'e> {
    executor: &'e mut Executor,
    is_over: bool,
}

impl Sandbox<'_> {
    /// Runs a program to its end, or until its time is over. What it started may go on.
    pub fn run(&mut self, program: Program) -> Result<Finished> {
        match self.ask_for(Step::run(program))? {
            Reply::Finished(finished) => Ok(finished),
            other => Err(unexpected(&other)),
        }
    }

    /// Asks a check that lives from one sandbox to the next, and starts it if it does not run: what
    /// it has to say of a state that is on these devices.
    pub fn ask(&mut self, program: Program, nodes: Vec<PathBuf>) -> Result<Told> {
        match self.ask_for(Step::ask(program, nodes))? {
            Reply::Told(told) => Ok(told),
            other => Err(unexpected(&other)),
        }
    }

    /// Mounts until the end; what mount() said if it could not.
    pub fn mount(&mut self, spec: &MountSpec, node: &Path, dir: &Path) -> Result<Option<Errno>> {
        match self.ask_for(Step::mount(spec, node, dir))? {
            Reply::Done => Ok(None),
            Reply::Errno(errno) => Ok(Some(Errno::from_raw_os_error(errno))),
            other => Err(unexpected(&other)),
        }
    }

    /// Unmounts what was mounted on a directory.
    pub fn unmount(&mut self, dir: &Path) -> Result<()> {
        self.executor.ask(Request::Unmount(dir.into())).map(drop)
    }

    /// Runs a program of file operations, or takes down or uses what a filesystem holds. It takes
    /// no process, so that it is fast.
    pub fn with_files(&mut self, request: FileRequest) -> Result<FileReply> {
        match self.ask_for(Step::with_files(request))? {
            Reply::Files(reply) => Ok(reply),
            other => Err(unexpected(&other)),
        }
    }

    /// Takes the marks of the workload that is run next, and keeps what is in its files at each of them.
    pub fn keep(&mut self, keep: Keep) -> Result<()> {
        match self.executor.ask(Request::Keep(keep))? {
            Reply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Ends that; the moments that were kept. What still runs is stopped, and to be killed.
    pub fn kept(&mut self) -> Result<Vec<Kept>> {
        match self.executor.ask(Request::Kept)? {
            Reply::Kept(kept) => Ok(kept),
            other => Err(unexpected(&other)),
        }
    }

    /// The files and directories below one, itself included; not more than `limit`.
    pub fn files(&mut self, dir: &Path, limit: usize) -> Result<Vec<File>> {
        let dir = dir.into();
        match self.executor.ask(Request::List { dir, limit })? {
            Reply::List(files) => Ok(files),
            other => Err(unexpected(&other)),
        }
    }

    fn ask_for(&mut self, step: Step) -> Result<Reply> {
        self.executor.ask(step.0)
    }

    /// Kills what still runs.
    pub fn kill(&mut self) -> Result<()> {
        self.ask_for(Step::kill()).map(drop)
    }

    /// Kills what still runs, and unmounts.
    pub fn end(mut self) -> Result<()> {
        self.close()
    }

    fn close(&mut self) -> Result<()> {
        self.is_over = true;
        // With its process it is gone already.
        if self.executor.process.is_none() {
            return Ok(());
        }
        if let Reply::Restarted(why) = self.executor.ask(Request::End)? {
            RESTARTED.call_once(|| {
                say(format_args!(
                    "warning: the resident check was ended after a state, and is started anew for \
                     the next, each time: {why}"
                ));
            });
        }
        Ok(())
    }
}

/// Whether it was told that a resident check keeps what it may not keep.
static RESTARTED: Once = Once::new();

impl Drop for Sandbox<'_> {
    fn drop(&mut self) {
        if !self.is_over && self.close().is_err() {
            self.executor.process = None;
        }
    }
}

fn unexpected(reply: &Reply) -> anyhow::Error {
    anyhow!("an executor answered {reply:?}, which makes no sense")
}
