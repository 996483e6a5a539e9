// SPDX-License-Identifier: GPL-2.0

//! The parts of all cuts that are left to look at, cut by cut. The next stays on the
//! list until it is settled, so that nothing is lost if its examination is.

use std::collections::VecDeque;
use std::rc::Rc;

use powercut_model::Event;

use super::cache::Cache;
use super::candidate::Candidate;
use super::outcome::Shard;
use super::partition::{Partition, Size};
use super::prefixes::ByPrefixes;
use super::rank::Rank;
use super::units::ByUnits;
use crate::choices::Choices;
use crate::strategy::{Space, State};

/// A cut that was begun.
struct Begun<'r> {
    /// Its number.
    nr: u64,
    choices: Rc<Choices<'r>>,
    parts: Box<dyn Partition + 'r>,
}

pub struct Worklist<'s, 'r> {
    space: &'s Space<'r>,
    /// The cuts to come, by number, ascending.
    cuts: VecDeque<u32>,
    /// Those begun, the current first.
    begun: VecDeque<Begun<'r>>,
    /// Leaves of the current cut.
    leaves: u64,
    /// Some states were left out, or can't be told apart.
    incomplete: bool,
    done: f64,
    total: f64,
}

impl<'r> Begun<'r> {
    fn candidate(&self, part: usize, leaf: u64) -> Candidate<'r> {
        let state = State {
            keep: self.choices.canonical(&self.parts.keep(part)),
            choices: Rc::clone(&self.choices),
        };
        let rank = Rank::Leaf { cut: self.nr, leaf };
        Candidate {
            branch: self.parts.branch(part),
            ..Candidate::new(state, self.parts.image(part), rank)
        }
    }
}

impl<'s, 'r> Worklist<'s, 'r> {
    /// Of a shard, its own cuts alone.
    pub fn new(space: &'s Space<'r>, shard: Option<Shard>) -> Self {
        let cuts = 0..space.cuts().len() as u32;
        let is_mine = |nr: &u32| shard.is_none_or(|shard| shard.has((*nr).into()));
        let cuts: VecDeque<u32> = cuts.filter(is_mine).collect();
        Self {
            space,
            total: cuts.len() as f64,
            cuts,
            begun: VecDeque::new(),
            leaves: 0,
            incomplete: false,
            done: 0.0,
        }
    }

    /// Begins one more cut.
    fn begin(&mut self) -> bool {
        while let Some(nr) = self.cuts.pop_front() {
            let Some(choices) = self.space.choices(self.space.cuts()[nr as usize]) else {
                continue;
            };
            if let Some(parts) = partition(&choices) {
                let nr = nr.into();
                self.begun.push_back(Begun { nr, choices, parts });
                return true;
            }
            self.space.note_partial();
            self.incomplete = true;
            self.done += 1.0;
        }
        false
    }

    /// The next part to look at.
    pub fn next(&mut self) -> Option<Candidate<'r>> {
        loop {
            if self.begun.is_empty() && !self.begin() {
                return None;
            }
            let current = self.begun.front()?;
            if let Some(last) = current.parts.len().checked_sub(1) {
                return Some(current.candidate(last, self.leaves));
            }
            self.begun.pop_front();
            self.leaves = 0;
            self.done += 1.0;
        }
    }

    /// Makes a leaf of the next part, given what a run read that speaks for its state. The
    /// size of the leaf.
    pub fn settle(&mut self, reads: &[u32]) -> Size {
        self.leaves += 1;
        let current = self.begun.front_mut();
        current.map_or_else(Size::default, |current| current.parts.settle(reads))
    }

    /// Takes the next part off the list without a look at it.
    pub fn leave_out(&mut self) {
        self.incomplete = true;
        if let Some(current) = self.begun.front_mut() {
            current.parts.leave_out();
        }
    }

    /// Takes cuts that were not begun off the list without a look at them.
    pub fn leave_out_cuts(&mut self, is_left_out: impl Fn(Event) -> bool) {
        let before = self.cuts.len();
        let cuts = self.space.cuts();
        self.cuts.retain(|nr| !is_left_out(cuts[*nr as usize]));
        self.incomplete |= self.cuts.len() < before;
    }

    /// Whether every state of these cuts is in a leaf.
    pub fn is_complete(&mut self) -> bool {
        self.next().is_none() && !self.incomplete
    }

    /// Parts that may come after the next, whose verdict is not known.
    pub fn ahead(&mut self, wanted: usize, cache: &Cache) -> Vec<Rc<Candidate<'r>>> {
        let mut found = Vec::new();
        let mut at = 0;
        while found.len() < wanted {
            if at == self.begun.len() && (at > wanted || !self.begin()) {
                break;
            }
            let begun = &self.begun[at];
            let parts = (0..begun.parts.len()).rev().take(4 * wanted);
            // Which leaves come before them is not known yet.
            let candidates = parts.map(|part| begun.candidate(part, u64::from(u32::MAX)));
            let unknown = candidates.filter(|candidate| cache.find(candidate).is_none());
            found.extend(unknown.map(Rc::new).take(wanted - found.len()));
            at += 1;
        }
        found
    }

    /// About how much is done, from 0 to 1.
    pub fn fraction(&self) -> f64 {
        let within = self
            .begun
            .front()
            .map_or(0.0, |current| current.parts.done());
        (self.done + within) / self.total.max(1.0)
    }
}

/// None if there is too much to tell the states of a cut apart.
fn partition<'r>(choices: &Rc<Choices<'r>>) -> Option<Box<dyn Partition + 'r>> {
    let choices = Rc::clone(choices);
    if choices.has_prefixes() {
        Some(Box::new(ByPrefixes::new(choices)?))
    } else {
        Some(Box::new(ByUnits::new(choices)?))
    }
}
