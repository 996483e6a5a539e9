// SPDX-License-Identifier: GPL-2.0

//! The commands that look at a state, and what they are told.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use powercut_engine::truths::Truths;

use super::mount::MountPlace;
use crate::child::{Env, Line, Program};
use crate::device::Nodes;
use crate::examination::Examination;
use crate::executor::Step;
use crate::fs::MountSpec;
use crate::fsck::Statuses;
use crate::slots::{Slot, Slots};

/// What is done to a state.
pub struct Steps {
    pub fsck: Option<(Line, Statuses)>,
    /// Of this view.
    pub mount: Option<MountSpec>,
    pub check: Line,
    /// The check lives from state to state.
    pub is_resident: bool,
    /// What the check printed at the moments of the workload, if it observes.
    pub truths: Option<Arc<Truths>>,
    pub cleanup: Option<Line>,
    /// [`Examination::is_one_step`]
    is_one_step: bool,
    /// How long each may take.
    limit: Duration,
}

impl Steps {
    pub fn new(what: &Examination, nodes: &Nodes) -> Self {
        let fsck = what.fsck.as_deref();
        Self {
            fsck: fsck.map(|fsck| (Line::new(fsck), Statuses::of(fsck))),
            mount: what.mount.as_ref().map(|spec| spec.fill(nodes)),
            check: Line::new(&what.check),
            is_resident: what.resident,
            truths: what.truths.clone(),
            cleanup: what.cleanup.as_deref().map(Line::new),
            is_one_step: what.is_one_step(),
            limit: what.timeout(),
        }
    }
}

/// What is shared with looks at other states at the same time.
pub struct Company<'l> {
    pub slots: &'l Slots,
    /// No other check may run meanwhile.
    pub alone: bool,
    /// The number of a check that lives from state to state; others have that of their slot.
    pub lane: usize,
    /// There are other views of the same disk.
    pub has_twins: bool,
    /// There are as many slots as there are looks: who waits for one waits for no mount.
    pub has_own_slot: bool,
}

/// The commands of one look.
pub struct Commands<'l> {
    pub steps: &'l Steps,
    pub nodes: &'l Nodes,
    /// Where the state is mounted.
    pub mnt: &'l Path,
    /// Variables of all commands, but for POWERCUT_SLOT.
    pub env: Env,
    /// A file for what is observed.
    pub observed: &'l Path,
    pub company: Company<'l>,
    /// As long as commands may run.
    pub slot: Option<Slot<'l>>,
    /// The executor is told all of them at once.
    pub are_known: bool,
}

impl Commands<'_> {
    /// All that is done to the state, if that is known by now and need not wait for a slot.
    pub fn all(&mut self) -> Option<Vec<Step>> {
        let steps = self.steps;
        self.are_known = steps.is_one_step && self.company.has_own_slot;
        if !self.are_known {
            return None;
        }
        let mount = steps.mount.as_ref().map(|spec| self.place().step(spec));
        let check = match &steps.truths {
            Some(_) => Step::run(self.observer(&steps.check)),
            None if steps.is_resident => Step::ask(self.program(&steps.check), self.devices()),
            None => Step::run(self.program(&steps.check)),
        };
        Some(mount.into_iter().chain([check, Step::kill()]).collect())
    }

    pub fn place(&self) -> MountPlace<'_> {
        MountPlace {
            nodes: self.nodes,
            dir: self.mnt,
            has_twins: self.company.has_twins,
            limit: self.steps.limit,
        }
    }

    pub fn devices(&self) -> Vec<PathBuf> {
        self.nodes.all().map(Into::into).collect()
    }

    /// Takes a slot, if it has none; the number for POWERCUT_SLOT.
    fn slot(&mut self) -> usize {
        let Company {
            slots, alone, lane, ..
        } = self.company;
        let take = || {
            if alone {
                slots.take_all()
            } else {
                slots.take()
            }
        };
        let number = self.slot.get_or_insert_with(take).number();
        if self.steps.is_resident {
            lane
        } else {
            number
        }
    }

    pub fn program(&mut self, line: &Line) -> Program {
        let slot = self.slot();
        let mut env = self.env.clone();
        env.push(("POWERCUT_SLOT".into(), slot.to_string().into()));
        line.program().env(env).limit(Some(self.steps.limit))
    }

    /// What prints what the software holds, into a file.
    pub fn observer(&mut self, line: &Line) -> Program {
        let mut program = self.program(line).stdout(self.observed.into());
        program.env.retain(|(name, _)| is_for_observers(name));
        program
    }
}

/// Whether a command that observes gets this variable: what it prints is to follow from the files alone,
/// not from the marks, and at the moments of the workload there is no device.
fn is_for_observers(name: &str) -> bool {
    matches!(name, "POWERCUT_MNT" | "POWERCUT_SLOT" | "TMPDIR")
}
