// SPDX-License-Identifier: GPL-2.0

//! The states of a strategy, each image once. The next stays until it is settled.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

use super::candidate::{name, Candidate};
use super::rank::Rank;
use crate::strategy::{Space, State, Strategy};

type States<'s, 'r> = Box<dyn Iterator<Item = State<'r>> + 's>;

pub struct Stream<'s, 'r> {
    /// What is directed, then what is random.
    stages: VecDeque<States<'s, 'r>>,
    stage: usize,
    /// Drawn but not settled, each with the number of equal images left out
    /// before it.
    drawn: VecDeque<(Rc<Candidate<'r>>, u64)>,
    left_out: u64,
    named: HashSet<u128>,
    images: HashSet<(u128, usize)>,
    nr_drawn: u64,
    /// Candidates of the first stage.
    directed: u64,
    /// States settled whose image, with the same marks, came before.
    pub same_image: u64,
}

impl<'s, 'r: 's> Stream<'s, 'r> {
    pub fn new(space: &'s Space<'r>, strategy: Strategy, seed: u64) -> Self {
        Self {
            stages: strategy.stages(space, seed).into(),
            stage: 0,
            drawn: VecDeque::new(),
            left_out: 0,
            named: HashSet::new(),
            images: HashSet::new(),
            nr_drawn: 0,
            directed: 0,
            same_image: 0,
        }
    }

    fn draw(&mut self) -> Option<Candidate<'r>> {
        loop {
            let Some(mut state) = self.stages.front_mut()?.next() else {
                self.stages.pop_front();
                self.stage += 1;
                continue;
            };
            let choices = Rc::clone(&state.choices);
            state.keep = choices.canonical(&state.keep);
            if !self.named.insert(name(choices.event(), &state.keep)) {
                continue;
            }
            let image = choices.image(&state.keep);
            let rank = Rank::Stream { at: self.nr_drawn };
            let candidate = Candidate::new(state, image, rank);
            if !self.images.insert(candidate.identity()) {
                self.left_out += 1;
                continue;
            }
            self.nr_drawn += 1;
            if self.stage == 0 {
                self.directed = self.nr_drawn;
            }
            return Some(candidate);
        }
    }

    fn fill(&mut self, wanted: usize) {
        while self.drawn.len() < wanted {
            let Some(candidate) = self.draw() else { break };
            let left_out = std::mem::take(&mut self.left_out);
            self.drawn.push_back((Rc::new(candidate), left_out));
        }
    }

    pub fn next(&mut self) -> Option<Rc<Candidate<'r>>> {
        self.fill(1);
        match self.drawn.front() {
            Some((candidate, _)) => Some(Rc::clone(candidate)),
            None => {
                self.same_image += std::mem::take(&mut self.left_out);
                None
            }
        }
    }

    /// The next is done with.
    pub fn settle(&mut self) {
        if let Some((_, left_out)) = self.drawn.pop_front() {
            self.same_image += left_out;
        }
    }

    /// Whether the next is of the first stage.
    pub fn is_directed(&mut self) -> bool {
        match self.next().map(|candidate| candidate.rank) {
            Some(Rank::Stream { at }) => at < self.directed,
            _ => false,
        }
    }

    /// The next ones.
    pub fn look(&mut self, wanted: usize) -> impl Iterator<Item = &Rc<Candidate<'r>>> {
        self.fill(wanted);
        self.drawn
            .iter()
            .take(wanted)
            .map(|(candidate, _)| candidate)
    }
}
