// SPDX-License-Identifier: GPL-2.0

//! The search for a violation's culprit.

use anyhow::Result;
use powercut_model::Event;

use super::blend::{
    blend, differences, kept_groups, kept_of, length, lost_and_kept, with_length, Items,
};
use super::ddmin::{ddmin, Reduced};
use super::later::mended_by;
use super::passing::{passing, Passing};
use super::promise::broken;
use super::trials::{Answer, Trials};
use crate::choices::Choices;
use crate::keep::Keep;

/// What was found out about a violation. Every state named was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The state that fails, as small as it got.
    pub fails: Keep,
    /// The nearest state of the same cut that passes.
    pub passes: Option<Keep>,
    /// On the disk in the one that passes, not in the one that fails: these
    /// had to be stable ...
    pub lost: Keep,
    /// ... before these, which are on the disk in the one that fails.
    pub kept: Keep,
    /// Of the states between the two, and around them, none is smaller.
    pub minimal: bool,
    /// The index of the mark that is broken.
    pub broken: Option<usize>,
    /// The search for a state of the cut that passes.
    pub tried: u64,
    pub all_fail: bool,
    pub later: Later,
}

/// Whether a write after the cut mends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Later {
    NotAsked,
    /// From this event on, everything kept, it passes.
    MendedBy(Event),
    NotFound,
}

/// Finds the culprit of a state that failed; none if it does not fail so now. That is looked at
/// first: a search that follows what a check said once, and says no more, would name anything.
pub fn minimize(
    trials: &mut Trials<'_>,
    choices: &Choices<'_>,
    fails: &Keep,
) -> Result<Option<Found>> {
    let marks = choices.recording().marks_by(choices.event()).len();
    if trials.fails(choices, fails, marks)? != Some(true) {
        return Ok(None);
    }
    let broken = broken(trials, choices, fails, marks)?;
    let passing = passing(trials, choices, marks, (trials.left() / 8).max(8))?;
    let mut found = Found {
        fails: choices.canonical(fails),
        passes: None,
        lost: choices.none(),
        kept: choices.none(),
        minimal: false,
        broken,
        tried: passing.tried,
        all_fail: passing.all && passing.keep.is_none(),
        later: Later::NotAsked,
    };
    if let Some(passes) = &passing.keep {
        Search {
            trials,
            choices,
            marks,
        }
        .between(&mut found, passes)?;
    }
    found.later = later(trials, choices, &found, &passing, marks)?;
    Ok(Some(found))
}

/// Asks for a write after the cut if nothing that was lost explains it.
fn later(
    trials: &mut Trials<'_>,
    choices: &Choices<'_>,
    found: &Found,
    passing: &Passing,
    marks: usize,
) -> Result<Later> {
    let costs = found.kept.iter().any(|piece| choices.is_loss(piece));
    if passing.keep.is_some() && (costs || !found.lost.is_empty()) {
        return Ok(Later::NotAsked);
    }
    let mended = mended_by(trials, choices.recording(), choices.event(), marks)?;
    Ok(mended.map_or(Later::NotFound, Later::MendedBy))
}

struct Search<'s, 't, 'r> {
    trials: &'s mut Trials<'t>,
    choices: &'s Choices<'r>,
    marks: usize,
}

impl Search<'_, '_, '_> {
    /// From a state that fails and one that passes to the smallest difference.
    fn between(mut self, found: &mut Found, passes: &Keep) -> Result<()> {
        let switched = self.smallest(&found.fails, passes)?;
        found.minimal = switched.minimal;
        let switched = switched.items;
        let mut fails = blend(self.choices, passes, &found.fails, &switched);
        let mut passes = passes.clone();
        if let (true, [write]) = (self.choices.has_prefixes(), &switched[..]) {
            found.minimal &= self.where_it_tears(&mut fails, &mut passes, *write)?;
        }
        let passes = &passes;
        (found.lost, found.kept) = lost_and_kept(self.choices, passes, &fails, &switched);
        (found.fails, found.passes) = (fails, Some(passes.clone()));
        if found.lost.is_empty() {
            self.which_lost(found, &switched)
        } else if self.breaks_a_promise(found) {
            // It had to be stable by then, whatever else is on the disk.
            found.kept = self.choices.none();
            Ok(())
        } else {
            self.which_kept(found, &switched)
        }
    }

    /// What was lost had been written when a mark was given that needs it.
    fn breaks_a_promise(&self, found: &Found) -> bool {
        let recording = self.choices.recording();
        let Some(mark) = found.broken.map(|nr| &recording.marks()[nr]) else {
            return false;
        };
        let entry = |piece: usize| self.choices.pieces()[piece].entry;
        let written = |piece| recording.entries()[entry(piece)].submit() < mark.event;
        found.lost.iter().all(written)
    }

    /// The fewest units by which a state that passes has to become like one that
    /// fails, to fail: by whole writes first.
    fn smallest(&mut self, fails: &Keep, passes: &Keep) -> Result<Reduced<usize>> {
        let groups = differences(self.choices, fails, passes);
        let mut try_units = |units: &[usize]| {
            let state = blend(self.choices, passes, fails, units);
            self.trials.fails(self.choices, &state, self.marks)
        };
        let writes = ddmin(groups, |some| try_units(&some.concat()))?;
        let units = writes.items.concat();
        if !writes.minimal || units.len() == writes.items.len() {
            return Ok(Reduced {
                items: units,
                minimal: writes.minimal,
            });
        }
        ddmin(units, try_units)
    }

    /// From two states that differ in the length of one write to two that differ in one piece of
    /// it. False if some length on the way did neither pass nor fail so.
    fn where_it_tears(
        &mut self,
        fails: &mut Keep,
        passes: &mut Keep,
        write: usize,
    ) -> Result<bool> {
        let choices = self.choices;
        let mut bad = length(choices, fails, write);
        let mut good = length(choices, passes, write);
        while bad.abs_diff(good) > 1 {
            let middle = bad.midpoint(good);
            let state = with_length(choices, fails, write, middle);
            match self.trials.ask(choices, &state, self.marks)? {
                Some(Answer::Fails) => (bad, *fails) = (middle, state),
                Some(Answer::Passes) => (good, *passes) = (middle, state),
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// The fewest other pieces that have to be kept for it to make a difference
    /// whether `switched` are lost.
    fn which_kept(&mut self, found: &mut Found, switched: &[usize]) -> Result<()> {
        let Some(passes) = found.passes.clone() else {
            return Ok(());
        };
        let (fails, choices) = (found.fails.clone(), self.choices);
        let groups = kept_groups(choices, &passes, switched);
        let none = choices.none();
        let pair = |others: &[Items]| {
            let units = others.concat();
            let with = |of: &Keep| {
                let own = blend(choices, &none, of, switched);
                blend(choices, &own, &passes, &units)
            };
            (with(&fails), with(&passes))
        };
        let needed = ddmin(groups, |others| self.differ(&pair(others)))?;
        found.minimal &= needed.minimal;
        let (fails, passes) = pair(&needed.items);
        let others = kept_of(choices, &passes, &needed.items.concat());
        others.iter().for_each(|piece| found.kept.insert(piece));
        (found.fails, found.passes) = (choices.canonical(&fails), Some(choices.canonical(&passes)));
        Ok(())
    }

    /// Nothing that passing keeps is lost: the fewest other pieces that have to
    /// be lost for it to make a difference whether `switched` are kept.
    fn which_lost(&mut self, found: &mut Found, switched: &[usize]) -> Result<()> {
        let Some(passes) = found.passes.clone() else {
            return Ok(());
        };
        let (fails, choices) = (found.fails.clone(), self.choices);
        let all = choices.canonical(&choices.all());
        let mut groups = differences(choices, &passes, &all);
        for group in &mut groups {
            group.retain(|unit| !switched.contains(unit));
        }
        groups.retain(|group| !group.is_empty());
        let pair = |lost: &[Items]| {
            let units = lost.concat();
            let with = |of: &Keep| {
                let own = blend(choices, &all, of, switched);
                blend(choices, &own, &passes, &units)
            };
            (with(&fails), with(&passes))
        };
        let needed = ddmin(groups, |lost| self.differ(&pair(lost)))?;
        found.minimal &= needed.minimal;
        let (fails, passes) = pair(&needed.items);
        (found.lost, _) = lost_and_kept(choices, &all, &fails, &needed.items.concat());
        (found.fails, found.passes) = (choices.canonical(&fails), Some(choices.canonical(&passes)));
        Ok(())
    }

    /// Whether the first of two states fails and the second passes.
    fn differ(&mut self, (fails, passes): &(Keep, Keep)) -> Result<Option<bool>> {
        match self.trials.ask(self.choices, fails, self.marks)? {
            Some(Answer::Fails) => self.trials.passes(self.choices, passes, self.marks),
            answer => Ok(answer.map(|_| false)),
        }
    }
}
