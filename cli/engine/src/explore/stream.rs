// SPDX-License-Identifier: GPL-2.0

//! The states of a strategy, each image once.

use std::collections::{HashSet, VecDeque};

use super::candidate::{name, Candidate, Place};
use crate::strategy::{Space, State, Strategy};

type States<'s, 'r> = Box<dyn Iterator<Item = State<'r>> + 's>;

pub struct Stream<'s, 'r> {
    /// What is directed, then what is random.
    stages: VecDeque<States<'s, 'r>>,
    /// Drawn but not given out, each with the number of equal images left out
    /// before it.
    ahead: VecDeque<(Candidate<'r>, u64)>,
    left_out: u64,
    named: HashSet<u128>,
    images: HashSet<(u128, usize)>,
    drawn: u64,
    /// Candidates of the first stage.
    directed: u64,
    stage: usize,
    given: HashSet<(u128, usize)>,
    /// States given out whose image, with the same marks, came before.
    pub same_image: u64,
}

impl<'s, 'r: 's> Stream<'s, 'r> {
    pub fn new(space: &'s Space<'r>, strategy: Strategy, seed: u64) -> Self {
        Self {
            stages: strategy.stages(space, seed).into(),
            ahead: VecDeque::new(),
            left_out: 0,
            named: HashSet::new(),
            images: HashSet::new(),
            drawn: 0,
            directed: 0,
            stage: 0,
            given: HashSet::new(),
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
            let choices = std::rc::Rc::clone(&state.choices);
            state.keep = choices.canonical(&state.keep);
            if !self.named.insert(name(choices.event(), &state.keep)) {
                continue;
            }
            let contents = choices.contents(&state.keep);
            let candidate = Candidate::new(state, contents, Place::Stream(self.drawn));
            if !self.images.insert((candidate.image, candidate.marks)) {
                self.left_out += 1;
                continue;
            }
            self.drawn += 1;
            if self.stage == 0 {
                self.directed = self.drawn;
            }
            return Some(candidate);
        }
    }

    fn fill(&mut self, wanted: usize) {
        while self.ahead.len() < wanted {
            let Some(candidate) = self.draw() else { break };
            let left_out = std::mem::take(&mut self.left_out);
            self.ahead.push_back((candidate, left_out));
        }
    }

    pub fn next(&mut self) -> Option<Candidate<'r>> {
        self.fill(1);
        match self.ahead.pop_front() {
            Some((candidate, left_out)) => {
                self.same_image += left_out;
                self.given.insert((candidate.image, candidate.marks));
                Some(candidate)
            }
            None => {
                self.same_image += std::mem::take(&mut self.left_out);
                None
            }
        }
    }

    /// Whether the next is of the first stage.
    pub fn is_directed(&mut self) -> bool {
        let first = self.look(1).next();
        match first.map(|c| &c.place) {
            Some(Place::Stream(at)) => *at < self.directed,
            _ => false,
        }
    }

    /// Whether that image was given out.
    pub fn has_given(&self, candidate: &Candidate<'_>) -> bool {
        self.given.contains(&(candidate.image, candidate.marks))
    }

    /// The next ones, which stay.
    pub fn look(&mut self, wanted: usize) -> impl Iterator<Item = &Candidate<'r>> {
        self.fill(wanted);
        self.ahead
            .iter()
            .take(wanted)
            .map(|(candidate, _)| candidate)
    }
}
