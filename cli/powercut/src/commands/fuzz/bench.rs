// SPDX-License-Identifier: GPL-2.0

//! A disk on which programs are run, one after the other, and their crash states judged.

use std::fs::File;

use anyhow::{bail, Context, Result};
use powercut_engine::budget::Budget;
use powercut_engine::choices::Choices;
use powercut_engine::explore::{
    explore, Journal, JournaledRunner, Outcome, Plan, Progress, Serial, Violation, Watch,
};
use powercut_engine::marks::Marks;
use powercut_engine::recording::Recording;
use powercut_engine::strategy::{Space, Strategy};
use powercut_programs::level::has_fat;
use powercut_programs::op::Op;
use powercut_programs::program::{before, Program};
use powercut_programs::trace::Trace;

use super::oracle::{Cuts, StateOracle, Steps};
use crate::child::Line;
use crate::commands::manage::load;
use crate::commands::mkfs::{mkfs, Maker};
use crate::device::{Disk, Name, Root, Settings};
use crate::examine::MountPlace;
use crate::executor::{Executor, FileReply, FileRequest, Scratch};
use crate::fsck::Statuses;
use crate::kmsg::Kmsg;
use crate::options::Target;
use crate::report::compress;
use crate::signals::Signals;

pub struct Bench<'b> {
    root: &'b Root,
    target: &'b Target,
    signals: &'b Signals,
    disk: Disk,
    executor: Executor,
    scratch: Scratch,
    kmsg: Kmsg,
    steps: Steps,
    /// Which states have their recovery cut.
    pub cuts: Cuts,
    /// Whether all states are looked at thoroughly, and not a sample.
    looks_at_all: bool,
}

/// What came of a program.
pub struct Judged {
    pub trace: Trace,
    pub outcome: Outcome,
    /// Why it ended early.
    pub error: Option<anyhow::Error>,
}

impl Judged {
    pub fn is_broken(&self) -> bool {
        !self.outcome.violations.is_empty()
    }
}

impl<'b> Bench<'b> {
    /// Makes a disk with a filesystem that holds what every program finds.
    pub fn new(
        root: &'b Root,
        target: &'b Target,
        settings: &Settings,
        signals: &'b Signals,
        name: &Name,
    ) -> Result<Self> {
        let disk = root.create(name, settings)?;
        let fsck = target.fsck.as_deref();
        let mut bench = Self {
            root,
            target,
            signals,
            disk,
            executor: Executor::new(signals, target.mount_timeout),
            scratch: Scratch::new()?,
            kmsg: Kmsg::open(),
            steps: Steps {
                mount: target.mount.clone(),
                fsck: fsck.map(Line::new),
                statuses: Statuses::of(fsck.unwrap_or_default()),
                thorough: target.thorough,
                limit: target.mount_timeout,
            },
            cuts: usual_cuts(target),
            looks_at_all: false,
        };
        bench.prepare()?;
        Ok(bench)
    }

    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Has all states looked at thoroughly, and not a sample.
    pub fn look_at_all(&mut self) {
        self.looks_at_all = true;
        self.cuts = Cuts::Spared;
    }

    /// Has a sample looked at further, as before.
    pub fn look_as_usual(&mut self) {
        self.looks_at_all = false;
        self.cuts = usual_cuts(self.target);
    }

    fn prepare(&mut self) -> Result<()> {
        let maker = Maker {
            fs: &self.target.fs,
            options: &self.target.mkfs_opts,
            command: self.target.mkfs.as_deref(),
        };
        mkfs(&maker, self.disk.nodes(), &mut self.executor, &self.scratch)?;
        let request = |dir| FileRequest::Prepare {
            dir,
            ops: before(),
            fill: true,
        };
        self.mounted(request, || Ok(())).map(drop)
    }

    /// Does something with the filesystem mounted; then, before that is unmounted, something else.
    fn mounted(
        &mut self,
        request: impl FnOnce(std::path::PathBuf) -> FileRequest,
        then: impl FnOnce() -> Result<()>,
    ) -> Result<FileReply> {
        let dir = self.scratch.mnt();
        let place = MountPlace {
            nodes: self.disk.nodes(),
            dir: &dir,
            has_twins: false,
            limit: self.target.mount_timeout,
        };
        let spec = self.target.mount.fill(place.nodes);
        let mut sandbox = self.executor.sandbox(&self.scratch, 0)?;
        if let Some(errno) = place.try_mount(&spec, &mut sandbox, &mut self.kmsg)? {
            let said: String = self.kmsg.lines().iter().flat_map(|l| ["\n", l]).collect();
            bail!(
                "cannot mount the new filesystem as {} with options {:?}: {errno}{said}",
                spec.fs,
                spec.options
            );
        }
        let reply = sandbox.with_files(request(dir))?;
        then()?;
        sandbox.end()?;
        Ok(reply)
    }

    /// Has a program recorded.
    fn record(&mut self, program: &Program) -> Result<Trace> {
        self.disk.record("start")?;
        let mark_file = self.disk.mark_file();
        let level = self.target.level;
        let has_fat = has_fat(self.target.fs.name());
        let program = program.clone();
        let node = self.disk.nodes().first().to_path_buf();
        let spec = self.target.mount.fill(self.disk.nodes());
        let request = |dir| FileRequest::Execute {
            dir,
            node,
            spec,
            program,
            level,
            has_fat,
            mark_file,
        };
        // The disk's handle stays with this; only its name is needed within.
        let disk = self.root.disk(self.disk.name())?;
        match self.mounted(request, || Ok(disk.record("stop")?))? {
            FileReply::Traced(trace) => Ok(*trace),
            other => bail!("an executor answered {other:?}"),
        }
    }

    /// Records a program, and judges its crash states. The disk is as before then, unless `keep`
    /// says that the record is needed further.
    pub fn judge(
        &mut self,
        program: &Program,
        budget: Budget,
        keep: impl FnOnce(&Judged) -> bool,
    ) -> Result<Judged> {
        self.kmsg.skip();
        self.steps.thorough = if self.looks_at_all {
            1
        } else {
            sampled(self.target.thorough, program)
        };
        let trace = self.record(program)?;
        let recording = load(self.root, self.disk.name().as_str())?;
        let judged = self.explore(trace, &recording, budget)?;
        if !keep(&judged) {
            self.reset()?;
        }
        Ok(judged)
    }

    /// Returns the disk to what every program finds.
    pub fn reset(&self) -> Result<()> {
        self.disk
            .record("reset")
            .context("cannot return the disk to what it was before the program")
    }

    /// The record of the newest program as a report has it, in a file that nobody else sees.
    pub fn copy_record(&self) -> Result<File> {
        let copied = || {
            let stream = self.root.control().export(self.disk.name().as_str())?;
            let file = tempfile::tempfile()?;
            compress(stream, &file)?;
            anyhow::Ok(file)
        };
        copied().context("cannot keep the record of a program that broke a rule")
    }

    /// Whether the record of the newest program is still there.
    pub fn has_record(&self) -> Result<bool> {
        Ok(self.disk.status()?.state != "off")
    }

    fn explore(&mut self, trace: Trace, recording: &Recording, budget: Budget) -> Result<Judged> {
        let space = Space::new(recording, Marks::Any);
        let mut view = self.disk.create_some_view()?;
        view.read_no_more();
        let mut oracle = StateOracle {
            root: self.root,
            signals: self.signals,
            steps: &self.steps,
            view: &mut view,
            executor: &mut self.executor,
            scratch: &self.scratch,
            kmsg: &mut self.kmsg,
            trace: &trace,
            cuts: self.cuts,
            returned: None,
        };
        let mut serial = Serial::new(&mut oracle);
        let mut journal = Journal::none();
        let mut runner = JournaledRunner::new(&mut serial, &mut journal);
        let plan = plan(budget);
        let (outcome, error) = explore(&space, &plan, &mut runner, self.signals, &mut Quiet);
        drop(view);
        Ok(Judged {
            trace,
            outcome,
            error,
        })
    }
}

/// Of one of how many states of a program more is looked at. A file without a name that was open shows in nothing that can
/// be read: a checker has to find it.
fn sampled(thorough: u64, program: &Program) -> u64 {
    const OFTEN: u64 = 8;
    let holds = program.ops.iter().any(|op| matches!(op, Op::Open(_)));
    if holds {
        thorough.div_ceil(OFTEN)
    } else {
        thorough
    }
}

/// Whose recovery is cut. Of a filesystem that does not survive that, or that a checker recovers, only if it was asked for.
fn usual_cuts(target: &Target) -> Cuts {
    if target.mount.recovers_again() && target.fsck.is_none() {
        Cuts::Sample
    } else {
        Cuts::IfThorough
    }
}

/// How the states of a program are gone through.
pub fn plan(budget: Budget) -> Plan {
    Plan {
        // What an operation that returned has promised is what most bugs break.
        strategy: Strategy::Acknowledged,
        budget,
        seed: 0,
        max_violations: Some(1),
        shard: None,
        depth: 1,
        recovery_budget: Budget::Unlimited,
        marks: Marks::Any,
    }
}

/// Tells nothing.
pub struct Quiet;

impl Watch for Quiet {
    fn progress(&mut self, _progress: Progress) {}
    fn violation(&mut self, _choices: &Choices<'_>, _violation: &Violation) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_programs_with_open_files_more_is_looked_at() {
        for (thorough, text, wanted) in [
            (32, "open foo\nunlink foo\nsync", 4),
            (1, "open foo\nunlink foo\nsync", 1),
            (0, "open foo\nunlink foo\nsync", 0),
            (32, "unlink foo\nsync", 32),
        ] {
            let program: Program = text.parse().unwrap();
            assert_eq!(sampled(thorough, &program), wanted, "{thorough} {text:?}");
        }
    }
}
