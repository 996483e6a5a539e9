// SPDX-License-Identifier: GPL-2.0

//! From a violation to its culprit, on a view.

use anyhow::{Context, Result};
use powercut_engine::choices::Choices;
use powercut_engine::failure::Failure;
use powercut_engine::id::StateId;
use powercut_engine::keep::Keep;
use powercut_engine::minimize::{minimize, Found, Later, Trial, Trials};
use powercut_engine::oracle::{Finding, Verdict};
use powercut_model::{Cut, History};

use crate::culprit::culprit;
use crate::device::{Selection, Show};
use crate::examination::Examination;
use crate::examine::Examiner;
use crate::executor::Executor;
use crate::owner::Owners;
use crate::report::Culprit;

/// What a search works with.
pub struct Bench<'a> {
    pub view: &'a mut dyn Show,
    pub examination: &'a Examination,
    pub executor: &'a mut Executor,
    /// States to examine at most.
    pub budget: u64,
}

impl Trial for Examiner<'_> {
    fn examine(&mut self, choices: &Choices<'_>, keep: &Keep, marks: usize) -> Result<Verdict> {
        let marks = &choices.recording().marks()[..marks];
        self.look_at(&Selection::of(choices, keep), marks)
            .with_context(|| format!("state {}", StateId::of(choices, keep)))
    }
}

impl Bench<'_> {
    /// The culprit of a state that was found to fail so.
    pub fn culprit(
        &mut self,
        choices: &Choices<'_>,
        keep: &Keep,
        finding: &Finding,
    ) -> Result<Option<Culprit>> {
        let mut examiner = Examiner::new(self.view, self.examination, self.executor)?;
        let mut trials = Trials::new(&mut examiner, Failure::from(finding), self.budget);
        let found = minimize(&mut trials, choices, keep)?;
        let runs = trials.runs;
        drop(examiner);
        let Some(found) = found else {
            return Ok(None);
        };
        let owners = self.owners(choices, &found)?;
        let recording = choices.recording();
        let numbers = recording.geometry().members;
        Ok(Some(culprit(choices, &found, runs, |write| {
            let (_, sector) = recording.members().locate(write.sector);
            owners.find(numbers.of(write.sector), sector, write.sectors)
        })))
    }

    /// Whose sectors are, in the state that passes: what was lost is there.
    fn owners(&mut self, choices: &Choices<'_>, found: &Found) -> Result<Owners> {
        let Some(mount) = &self.examination.mount else {
            return Ok(Owners::default());
        };
        let selection = match (found.later, &found.passes) {
            (Later::MendedBy(event), _) => {
                let cut = Cut::new(choices.recording(), event)?;
                let later = Choices::new(choices.recording(), cut);
                Selection::of(&later, &later.all())
            }
            (_, Some(passes)) => Selection::of(choices, passes),
            (_, None) => Selection::of(choices, &choices.all()),
        };
        self.view.show(&selection)?;
        let nodes = self.view.nodes();
        let all: Vec<_> = nodes.all().collect();
        Ok(Owners::of(&all, &mount.fill(nodes), self.executor))
    }
}
