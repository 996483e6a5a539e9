// SPDX-License-Identifier: GPL-2.0

//! The oracle of real life: shows a state on a view, runs the filesystem
//! checker, mounts, runs the user's check, unmounts.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::child::{Ended, Env, Line};
use crate::device::{Selection, Show};
use crate::faults::rules;
use crate::fs::MountSpec;
use crate::fsck::Statuses;
use crate::kmsg::Kmsg;
use crate::mountpoint::Mounted;
use crate::oracle::{Finding, Kind, Oracle, Verdict};
use crate::reads::Reads;
use crate::recording::Mark;
use crate::scratch::{scratch_dir, Scratch};
use crate::signals::Signals;
use crate::strategy::State;

/// What to do with a state to know whether it is consistent. Kept in reports,
/// so that a replay does the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Examination {
    /// The user's check; exit 0 consistent, 125 can't tell, else a violation.
    pub check: String,
    /// Run before the mount; what its exit status says is in its manual.
    pub fsck: Option<String>,
    /// None: the check gets the device alone.
    pub mount: Option<MountSpec>,
    /// What the disk that a state is examined on does wrong.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub view_faults: Vec<String>,
    /// How long the check may take.
    pub timeout_ms: u64,
}

/// The exit status of a check that can't tell.
const SKIP: i32 = 125;

pub struct Examiner<'a> {
    view: &'a mut dyn Show,
    fsck: Option<(Line, Statuses)>,
    /// Of this view.
    mount: Option<MountSpec>,
    check: Line,
    /// How long each may take.
    limit: Duration,
    signals: &'a Signals,
    scratch: Scratch,
    kmsg: Kmsg,
    /// The number of marks in the file, if it was written.
    marks: Option<usize>,
    /// What the newest check printed.
    pub output: String,
    alone: bool,
}

impl<'a> Examiner<'a> {
    pub fn new(
        view: &'a mut dyn Show,
        what: &'a Examination,
        signals: &'a Signals,
    ) -> Result<Self> {
        if !what.view_faults.is_empty() {
            view.add_faults(&rules(&what.view_faults)?)?;
        }
        let scratch = scratch_dir()?;
        fs::create_dir(scratch.path().join("mnt"))?;
        let mount = what.mount.as_ref().map(|spec| spec.fill(view.nodes()));
        Ok(Self {
            view,
            fsck: what
                .fsck
                .as_deref()
                .map(|fsck| (Line::new(fsck), Statuses::of(fsck))),
            mount,
            check: Line::new(&what.check),
            limit: Duration::from_millis(what.timeout_ms),
            signals,
            scratch,
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

    /// The check's variables.
    fn env(&self) -> Env {
        let scratch = self.scratch.path();
        let mut env = self.view.nodes().env();
        env.push(("POWERCUT_MARKS".into(), scratch.join("marks").into()));
        if self.mount.is_some() {
            env.push(("POWERCUT_MNT".into(), scratch.join("mnt").into()));
        }
        env
    }

    fn write_marks(&mut self, marks: &[Mark]) -> Result<()> {
        if self.marks != Some(marks.len()) {
            let text = lines(marks.iter().map(|m| m.text.as_str()));
            let path = self.scratch.path().join("marks");
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            self.marks = Some(marks.len());
        }
        Ok(())
    }

    /// Runs a command; the finding if it failed.
    fn command(&mut self, kind: Kind) -> Result<(Ended, Option<Finding>)> {
        let (line, statuses) = match (kind, &self.fsck) {
            (Kind::Fsck, Some((fsck, statuses))) => (fsck, Some(statuses)),
            _ => (&self.check, None),
        };
        let done = line.run(&self.env(), Some(self.limit), self.signals)?;
        self.output.push_str(&done.output);
        let kind = match done.ended {
            Ended::Exited(0) => return Ok((done.ended, None)),
            Ended::Exited(status) if statuses.is_some_and(|s| s.is_sound(status)) => {
                return Ok((done.ended, None))
            }
            Ended::TimedOut(_) if kind == Kind::Check => Kind::Timeout,
            _ => kind,
        };
        let finding = Finding::new(kind, done.ended.to_string(), done.output);
        Ok((done.ended, Some(finding)))
    }

    /// Examines what the view shows now.
    pub fn look(&mut self) -> Result<Verdict> {
        self.output.clear();
        if self.fsck.is_some() {
            if let (_, Some(finding)) = self.command(Kind::Fsck)? {
                return Ok(Verdict::Violation(finding));
            }
        }
        let mounted = match &self.mount.clone() {
            None => None,
            Some(spec) => {
                self.kmsg.skip();
                let dir = self.scratch.path().join("mnt");
                let again = |e: std::io::Error| match spec.fs.as_str() {
                    "btrfs" => {
                        forget_btrfs();
                        self.kmsg.skip();
                        mount(spec, self.view.nodes().first(), &dir, self.alone)
                    }
                    _ => Err(e),
                };
                match mount(spec, self.view.nodes().first(), &dir, self.alone).or_else(again) {
                    Ok(mounted) => Some(mounted),
                    Err(e) => return self.mount_failed(spec, &e),
                }
            }
        };
        let checked = self.command(Kind::Check);
        if let Some(mounted) = mounted {
            mounted.unmount()?;
        }
        let (ended, finding) = checked?;
        Ok(match finding {
            None => Verdict::Consistent,
            Some(_) if ended == Ended::Exited(SKIP) => Verdict::Skipped,
            Some(finding) => Verdict::Violation(finding),
        })
    }

    fn mount_failed(&mut self, spec: &MountSpec, e: &std::io::Error) -> Result<Verdict> {
        let error = Errno::from_io_error(e);
        // Nothing that the state could be blamed for.
        match error {
            Some(Errno::NODEV) => anyhow::bail!(
                "this kernel has no filesystem {0}: `modprobe {0}`, or another kernel",
                spec.fs
            ),
            Some(Errno::PERM | Errno::BUSY | Errno::NOENT) => {
                let node = self.view.nodes().first().display();
                anyhow::bail!("cannot mount {node}: {e}")
            }
            _ => {}
        }
        let said = self.kmsg.lines();
        let output = lines(said.iter().map(String::as_str));
        self.output.push_str(&output);
        let how = format!("{}: {e}", spec.fs);
        Ok(Verdict::Violation(Finding::new(Kind::Mount, how, output)))
    }
}

impl Examiner<'_> {
    /// Shows a state, with the marks acknowledged by then, and examines it.
    pub fn look_at(&mut self, selection: &Selection, marks: &[Mark]) -> Result<Verdict> {
        self.show(selection, marks)?;
        self.look()
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

impl Oracle for Examiner<'_> {
    fn examine(&mut self, state: &State<'_>) -> Result<Verdict> {
        let choices = &state.choices;
        let marks = choices.recording().marks_by(choices.event());
        self.look_at(&Selection::of(choices, &state.keep), marks)
    }

    fn reads(&mut self) -> Result<Option<Reads>> {
        Examiner::reads(self)
    }
}

/// Lines as a text.
fn lines<'l>(lines: impl Iterator<Item = &'l str>) -> String {
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Mounts. An XFS that is not alone may have the same UUID as another.
fn mount(spec: &MountSpec, node: &Path, dir: &Path, alone: bool) -> std::io::Result<Mounted> {
    if spec.fs == "xfs" && !alone {
        return spec.with("nouuid").mount(node, dir);
    }
    spec.mount(node, dir)
}

/// Has btrfs forget the devices that it remembers and that are not mounted: what it knows of one
/// that is gone, or showed another state, it would take for this one's. Without btrfs-progs it
/// can't be told to: then what the mount says counts.
fn forget_btrfs() {
    let forget = ["device", "scan", "--forget"];
    let _ = std::process::Command::new("btrfs").args(forget).output();
}
