// SPDX-License-Identifier: GPL-2.0

//! The oracle of real life: shows a state on a view, runs the filesystem
//! checker, mounts, runs the user's check, unmounts.

use std::fs;
use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use anyhow::{Context, Result};
use powercut_engine::id::StateId;
use powercut_engine::oracle::{Finding, Kind, Oracle, Verdict};
use powercut_engine::reads::Reads;
use powercut_engine::recording::Mark;
use powercut_engine::strategy::State;
use rustix::io::Errno;

use crate::child::{Ended, Env, Finished, Line, Program};
use crate::device::{Nodes, Selection, Show};
use crate::examination::Examination;
use crate::executor::{retried, Executor, ExecutorError, Sandbox, Scratch};
use crate::faults::rules;
use crate::fs::MountSpec;
use crate::fsck::Statuses;
use crate::kmsg::Kmsg;
use crate::mount_failure::{mount_state, Needed};
use crate::output::say;
use crate::signals::Interrupted;

/// The exit status of a check that can't tell.
const SKIP: i32 = 125;

pub struct Examiner<'a> {
    view: &'a mut dyn Show,
    executor: &'a mut Executor,
    steps: Steps,
    /// How many times the power was cut when a state is shown.
    cuts: u32,
    scratch: Scratch,
    kmsg: Kmsg,
    /// The number of marks in the file, if it was written.
    marks: Option<usize>,
    /// What the newest check printed.
    pub output: String,
    alone: bool,
}

/// What is done to a state.
struct Steps {
    fsck: Option<(Line, Statuses)>,
    /// Of this view.
    mount: Option<MountSpec>,
    check: Line,
    cleanup: Option<Line>,
    /// How long each may take.
    limit: Duration,
}

impl<'a> Examiner<'a> {
    pub fn new(
        view: &'a mut dyn Show,
        what: &'a Examination,
        executor: &'a mut Executor,
    ) -> Result<Self> {
        if !what.view_faults.is_empty() {
            view.add_faults(&rules(&what.view_faults)?)?;
        }
        let mount = what.mount.as_ref().map(|spec| spec.fill(view.nodes()));
        Ok(Self {
            view,
            executor,
            steps: Steps {
                fsck: what
                    .fsck
                    .as_deref()
                    .map(|fsck| (Line::new(fsck), Statuses::of(fsck))),
                mount,
                check: Line::new(&what.check),
                cleanup: what.cleanup.as_deref().map(Line::new),
                limit: Duration::from_millis(what.timeout_ms),
            },
            cuts: 1,
            scratch: Scratch::new()?,
            kmsg: Kmsg::open(),
            marks: None,
            output: String::new(),
            alone: true,
        })
    }

    /// There are other views of the same disk under examination, by their names.
    #[must_use]
    pub fn among(mut self, others: Vec<String>) -> Self {
        self.alone = others.is_empty();
        self.kmsg.leave_out(others);
        self
    }

    /// The states are what the power being cut for the how-many-th time leaves.
    #[must_use]
    pub fn after(mut self, cuts: u32) -> Self {
        self.cuts = cuts;
        self
    }

    pub fn cuts(&self) -> u32 {
        self.cuts
    }

    /// The executor, between two looks.
    pub fn executor(&mut self) -> &mut Executor {
        self.executor
    }

    fn write_marks(&mut self, marks: &[Mark]) -> Result<()> {
        if self.marks != Some(marks.len()) {
            let text = lines(marks.iter().map(|m| m.text.as_str()));
            let path = self.scratch.marks();
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            self.marks = Some(marks.len());
        }
        Ok(())
    }

    /// Examines what the view shows now.
    pub fn look(&mut self) -> Result<Verdict> {
        self.output.clear();
        let mut env = self.view.nodes().env();
        env.extend(self.executor.env(&self.scratch));
        env.push(("POWERCUT_MARKS".into(), self.scratch.marks().into()));
        if self.steps.mount.is_some() {
            env.push(("POWERCUT_MNT".into(), self.scratch.mnt().into()));
        }
        let mut look = Look {
            steps: &self.steps,
            sandbox: self.executor.sandbox(&self.scratch, self.cuts)?,
            nodes: self.view.nodes(),
            mnt: &self.scratch.mnt(),
            env,
            alone: self.alone,
            kmsg: &mut self.kmsg,
            output: &mut self.output,
        };
        let looked = look.all();
        match (looked, look.sandbox.end()) {
            // The state is bad, whatever comes of its end.
            (Ok(Verdict::Violation(finding)), Err(e)) => {
                if !e.is::<Interrupted>() {
                    say(format_args!("warning: after a violation: {e:#}"));
                }
                Ok(Verdict::Violation(finding))
            }
            (Ok(_), Err(e)) => Err(e),
            (looked, _) => looked,
        }
    }

    /// Shows a state, with the marks acknowledged by then, and examines it.
    pub fn look_at(&mut self, selection: &Selection, marks: &[Mark]) -> Result<Verdict> {
        retried(|| {
            self.show(selection, marks)?;
            self.look()
        })
    }

    /// Shows a state, with the marks acknowledged by then.
    pub fn show(&mut self, selection: &Selection, marks: &[Mark]) -> Result<()> {
        self.view.show(selection)?;
        self.write_marks(marks)
    }

    /// What the newest look read of the state.
    pub fn reads(&self) -> Result<Option<Reads>> {
        Ok(self.view.reads()?)
    }
}

/// One look at a state.
struct Look<'l> {
    steps: &'l Steps,
    sandbox: Sandbox<'l>,
    nodes: &'l Nodes,
    mnt: &'l Path,
    env: Env,
    alone: bool,
    kmsg: &'l mut Kmsg,
    output: &'l mut String,
}

/// Whether it was told that --cleanup fails.
static CLEANUP_FAILED: Once = Once::new();

impl Look<'_> {
    fn all(&mut self) -> Result<Verdict> {
        let steps = self.steps;
        if let Some((fsck, statuses)) = &steps.fsck {
            let finished = self.command(fsck)?;
            let is_sound =
                matches!(finished.ended, Ended::Exited(status) if statuses.is_sound(status));
            if !is_sound {
                let how = finished.ended.to_string();
                let finding = Finding::new(Kind::Fsck, how, finished.output);
                return Ok(Verdict::Violation(finding));
            }
            self.sandbox.kill()?;
        }
        if let Some(spec) = &steps.mount {
            if let Some(finding) = self.mount(spec)? {
                return Ok(Verdict::Violation(finding));
            }
        }
        let checked = self.command(&steps.check)?;
        if let Some(cleanup) = &steps.cleanup {
            self.clean_up(cleanup)?;
        }
        let kind = match checked.ended {
            Ended::Exited(0) => return Ok(Verdict::Consistent),
            Ended::Exited(SKIP) => return Ok(Verdict::Skipped),
            Ended::TimedOut(_) => Kind::Timeout,
            _ => Kind::Check,
        };
        let finding = Finding::new(kind, checked.ended.to_string(), checked.output);
        Ok(Verdict::Violation(finding))
    }

    fn command(&mut self, line: &Line) -> Result<Finished> {
        let finished = self.start(line)?;
        self.output.push_str(&finished.output);
        Ok(finished)
    }

    fn start(&mut self, line: &Line) -> Result<Finished> {
        let program = line.program().env(self.env.clone());
        let finished = self.sandbox.run(program.limit(Some(self.steps.limit)));
        finished.with_context(|| format!("cannot run {line}"))
    }

    fn clean_up(&mut self, line: &Line) -> Result<()> {
        let finished = self.start(line)?;
        if !finished.ended.ok() {
            CLEANUP_FAILED.call_once(|| {
                let (how, tail) = (finished.ended, finished.tail());
                say(format_args!(
                    "warning: --cleanup {line} failed ({how}); it printed:\n{tail}"
                ));
            });
        }
        Ok(())
    }

    /// Mounts; the finding if it can't be.
    fn mount(&mut self, spec: &MountSpec) -> Result<Option<Finding>> {
        self.kmsg.skip();
        let spec = match spec.fs.as_str() {
            // It may have the same UUID as another.
            "xfs" if !self.alone => &spec.with("nouuid"),
            _ => spec,
        };
        let needed = Needed {
            fs: &spec.fs,
            nodes: self.nodes.all().collect(),
            dir: self.mnt,
        };
        let Some(errno) = mount_state(|| self.try_mount(spec), &needed)? else {
            return Ok(None);
        };
        let output = lines(self.kmsg.lines().iter().map(String::as_str));
        self.output.push_str(&output);
        let how = format!("{}: {}", spec.fs, std::io::Error::from(errno));
        Ok(Some(Finding::new(Kind::Mount, how, output)))
    }

    fn try_mount(&mut self, spec: &MountSpec) -> Result<Option<Errno>> {
        let node = self.nodes.first();
        let errno = self.sandbox.mount(spec, node, self.mnt)?;
        if errno.is_none() || spec.fs != "btrfs" {
            return Ok(errno);
        }
        self.forget_btrfs()?;
        self.kmsg.skip();
        self.sandbox.mount(spec, node, self.mnt)
    }

    /// Has btrfs forget the devices that it remembers and that are not mounted: what it knows of
    /// one that is gone, or showed another state, it would take for this one's. Without btrfs-progs
    /// it can't be told to: then what the mount says counts.
    fn forget_btrfs(&mut self) -> Result<()> {
        let forget = Program::new("btrfs", ["device", "scan", "--forget"]);
        match self.sandbox.run(forget.limit(Some(self.steps.limit))) {
            Err(e) if e.is::<ExecutorError>() || e.is::<Interrupted>() => Err(e),
            _ => Ok(()),
        }
    }
}

impl Oracle for Examiner<'_> {
    fn examine(&mut self, state: &State<'_>) -> Result<Verdict> {
        let choices = &state.choices;
        let marks = choices.recording().marks_by(choices.event());
        self.look_at(&Selection::of(choices, &state.keep), marks)
            .with_context(|| format!("state {}", StateId::of(choices, &state.keep)))
    }

    fn reads(&mut self) -> Result<Option<Reads>> {
        Examiner::reads(self)
    }
}

/// Lines as a text.
fn lines<'l>(lines: impl Iterator<Item = &'l str>) -> String {
    lines.flat_map(|line| [line, "\n"]).collect()
}
