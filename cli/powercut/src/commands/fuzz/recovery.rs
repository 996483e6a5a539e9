// SPDX-License-Identifier: GPL-2.0

//! The power is cut again while a state is recovered from: what its recovery writes is recorded, and what
//! that may leave is held to the same.

use std::sync::Arc;

use anyhow::Result;
use powercut_engine::budget::Budget;
use powercut_engine::explore::{explore, Journal, JournaledRunner, Serial};
use powercut_engine::oracle::{Finding, Verdict};
use powercut_engine::strategy::Space;

use super::bench::{plan, Quiet};
use super::oracle::{Cuts, StateOracle};
use crate::commands::manage::load;
use crate::device::{Name, Selection, Show, ViewOrigin};

/// So many states of a recovery are looked at.
pub const RECOVERY_BUDGET: Budget = Budget::States(4);

impl StateOracle<'_> {
    /// What is wrong with a state, or with one that its recovery leaves if it is cut.
    pub fn cut(&mut self, selection: &Selection, returned: usize) -> Result<Verdict> {
        self.view.show(selection)?;
        let origin = self.view.as_origin();
        origin.record("start")?;
        let looked = self.look(returned, false);
        let stopped = origin.record("stop");
        let verdict = looked.and_then(|verdict| {
            verdict.outlives(stopped)?;
            if verdict == Verdict::Consistent {
                self.recover(&origin, returned)
            } else {
                Ok(verdict)
            }
        });
        let dropped = origin.record("drop");
        let verdict = verdict?;
        verdict.outlives(dropped)?;
        Ok(verdict)
    }

    /// Looks at states of the record of a recovery.
    fn recover(&mut self, origin: &ViewOrigin, returned: usize) -> Result<Verdict> {
        let recording = load(self.root, origin.name())?;
        if recording.written().is_empty() {
            return Ok(Verdict::Consistent);
        }
        let space = Space::of_recovery(&recording);
        let name: Name = "r".parse()?;
        let mut view = origin.create_view(&name)?;
        view.read_no_more();
        let mut oracle = StateOracle {
            root: self.root,
            signals: self.signals,
            steps: self.steps,
            view: &mut view,
            executor: self.executor,
            scratch: self.scratch,
            kmsg: self.kmsg,
            trace: self.trace,
            cuts: Cuts::None,
            returned: Some(returned),
        };
        let mut serial = Serial::new(&mut oracle);
        let mut journal = Journal::none();
        let mut runner = JournaledRunner::new(&mut serial, &mut journal);
        let plan = plan(RECOVERY_BUDGET);
        let (outcome, error) = explore(&space, &plan, &mut runner, self.signals, &mut Quiet);
        if let Some(first) = outcome.violations.into_iter().next() {
            let id = first.id.to_string();
            let output = format!(
                "{}in state {id} of the recovery, as the power was cut again\n",
                first.finding.output
            );
            return Ok(Verdict::Violation(Finding {
                output: Arc::from(output),
                within: Some(id),
                ..first.finding
            }));
        }
        error.map_or(Ok(Verdict::Consistent), Err)
    }
}
