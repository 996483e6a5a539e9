// SPDX-License-Identifier: GPL-2.0

//! Trials of states: each image once, within a number of them.

use std::collections::HashMap;

use anyhow::Result;

use crate::choices::Choices;
use crate::failure::Failure;
use crate::keep::Keep;
use crate::oracle::Verdict;

/// Examines a state against the first `marks` marks of the record.
pub trait Trial {
    fn examine(&mut self, choices: &Choices<'_>, keep: &Keep, marks: usize) -> Result<Verdict>;
}

/// What a trial says, seen from the violation in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Passes,
    /// In the same way.
    Fails,
    /// In another way.
    FailsOtherwise,
    CannotTell,
}

/// Runs trials, and remembers their answers.
pub struct Trials<'t> {
    trial: &'t mut dyn Trial,
    failure: Failure,
    known: HashMap<(u128, usize), Answer>,
    pub runs: u64,
    budget: u64,
}

impl<'t> Trials<'t> {
    pub fn new(trial: &'t mut dyn Trial, failure: Failure, budget: u64) -> Self {
        Self {
            trial,
            failure,
            known: HashMap::new(),
            runs: 0,
            budget,
        }
    }

    pub fn left(&self) -> u64 {
        self.budget - self.runs
    }

    /// What a state does; none if it would take one more trial than there are.
    pub fn ask(
        &mut self,
        choices: &Choices<'_>,
        keep: &Keep,
        marks: usize,
    ) -> Result<Option<Answer>> {
        let key = key(choices, keep, marks);
        if let Some(known) = self.known.get(&key) {
            return Ok(Some(*known));
        }
        if self.runs >= self.budget {
            return Ok(None);
        }
        self.runs += 1;
        let keep = choices.canonical(keep);
        let answer = match self.trial.examine(choices, &keep, marks)? {
            Verdict::Consistent => Answer::Passes,
            Verdict::Skipped => Answer::CannotTell,
            Verdict::Violation(finding) if Failure::from(&finding) == self.failure => Answer::Fails,
            Verdict::Violation(_) => Answer::FailsOtherwise,
        };
        self.known.insert(key, answer);
        Ok(Some(answer))
    }

    pub fn fails(
        &mut self,
        choices: &Choices<'_>,
        keep: &Keep,
        marks: usize,
    ) -> Result<Option<bool>> {
        Ok(self.ask(choices, keep, marks)?.map(|a| a == Answer::Fails))
    }

    pub fn passes(
        &mut self,
        choices: &Choices<'_>,
        keep: &Keep,
        marks: usize,
    ) -> Result<Option<bool>> {
        Ok(self.ask(choices, keep, marks)?.map(|a| a == Answer::Passes))
    }
}

/// Equal images are equal to a check, whatever the cut.
fn key(choices: &Choices<'_>, keep: &Keep, marks: usize) -> (u128, usize) {
    (choices.image(keep), marks)
}
