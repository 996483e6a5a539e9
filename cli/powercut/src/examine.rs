// SPDX-License-Identifier: GPL-2.0

//! The oracle of real life: shows a state on a view, runs the filesystem
//! checker, mounts, runs the user's check, unmounts.

mod commands;
mod look;
mod mount;

use std::fs;
use std::sync::{Arc, Once};

use anyhow::{Context, Result};
use powercut_engine::id::StateId;
use powercut_engine::oracle::{Oracle, Verdict};
use powercut_engine::reads::Reads;
use powercut_engine::recording::Mark;
use powercut_engine::strategy::State;

use crate::device::{Selection, Show};
use crate::examination::Examination;
use crate::executor::{retried, Executor, Scratch};
use crate::faults::rules;
use crate::kmsg::Kmsg;
use crate::output::say;
use crate::signals::Interrupted;
use crate::slots::Slots;
use commands::{Commands, Company, Steps};
use look::Look;

pub use mount::MountPlace;

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
    /// Whether the newest check ended without an answer that lives from state to state.
    has_died: bool,
    among: Among,
}

/// Other examiners at work.
#[derive(Debug, Clone)]
pub struct Among {
    /// Which of them this one is.
    pub lane: usize,
    /// The names of the views of the same disk that others look at.
    pub others: Vec<String>,
    /// How many checks may run at the same time.
    pub slots: Arc<Slots>,
}

impl Among {
    /// None.
    fn none() -> Self {
        Self {
            lane: 0,
            others: Vec::new(),
            slots: Arc::new(Slots::new(1)),
        }
    }
}

/// Whether it was told that a check ends that should live from state to state.
static CHECK_DIED: Once = Once::new();

impl<'a> Examiner<'a> {
    pub fn new(
        view: &'a mut dyn Show,
        what: &'a Examination,
        executor: &'a mut Executor,
    ) -> Result<Self> {
        if !what.view_faults.is_empty() {
            view.add_faults(&rules(&what.view_faults)?)?;
        }
        Ok(Self {
            steps: Steps::new(what, view.nodes()),
            view,
            executor,
            cuts: 1,
            scratch: Scratch::new()?,
            kmsg: Kmsg::open(),
            marks: None,
            output: String::new(),
            has_died: false,
            among: Among::none(),
        })
    }

    /// There are others at work.
    #[must_use]
    pub fn among(mut self, among: Among) -> Self {
        self.kmsg.leave_out(among.others.clone());
        self.among = among;
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
            let text = lines(marks.iter().map(|m| &*m.text));
            let path = self.scratch.marks();
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            self.marks = Some(marks.len());
        }
        Ok(())
    }

    /// Examines what the view shows now.
    pub fn look(&mut self) -> Result<Verdict> {
        self.look_in(false)
    }

    /// The same; with `alone` no other check runs meanwhile.
    fn look_in(&mut self, alone: bool) -> Result<Verdict> {
        self.output.clear();
        let mut env = self.view.nodes().env();
        env.push(("TMPDIR".into(), self.scratch.tmp().into()));
        env.push(("POWERCUT_MARKS".into(), self.scratch.marks().into()));
        if self.steps.mount.is_some() {
            env.push(("POWERCUT_MNT".into(), self.scratch.mnt().into()));
        }
        let (mnt, observed) = (self.scratch.mnt(), self.scratch.observed());
        let Among {
            lane,
            others,
            slots,
        } = &self.among;
        let mut commands = Commands {
            steps: &self.steps,
            nodes: self.view.nodes(),
            mnt: &mnt,
            env,
            observed: &observed,
            company: Company {
                slots,
                alone,
                lane: *lane,
                has_twins: !others.is_empty(),
                has_own_slot: others.len() < slots.count(),
            },
            slot: None,
            are_known: false,
        };
        let steps = commands.all();
        self.kmsg.skip();
        let sandbox =
            self.executor
                .sandbox_for(&self.scratch, self.cuts, steps.unwrap_or_default());
        let mut look = Look {
            sandbox: sandbox?,
            commands,
            marks: self.marks.unwrap_or(0) as u64,
            kmsg: &mut self.kmsg,
            output: &mut self.output,
            has_died: false,
        };
        let looked = look.verdict();
        self.has_died = look.has_died;
        // The slot is the next check's once nothing runs: the unmount need not be waited for.
        let killed = look.release();
        let ended = killed.and_then(|()| look.sandbox.end());
        // Neither a verdict nor what went wrong on the way to it is one of the state then.
        self.view.is_served()?;
        match (looked, ended) {
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
        self.look_at_in(selection, marks, false)
    }

    /// The same; with `alone` no other check runs meanwhile.
    pub fn look_at_in(
        &mut self,
        selection: &Selection,
        marks: &[Mark],
        alone: bool,
    ) -> Result<Verdict> {
        let verdict = self.shown(selection, marks, alone)?;
        if !self.has_died {
            return Ok(verdict);
        }
        CHECK_DIED.call_once(|| {
            say(format_args!(
                "warning: the resident check ended before it answered; it is asked once more each \
                 time that it does"
            ));
        });
        self.shown(selection, marks, alone)
    }

    fn shown(&mut self, selection: &Selection, marks: &[Mark], alone: bool) -> Result<Verdict> {
        retried(|| {
            self.show(selection, marks)?;
            self.look_in(alone)
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
