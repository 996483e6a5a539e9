// SPDX-License-Identifier: GPL-2.0

//! The trees of all cuts, one after the other, and how much of them is done.

use std::collections::VecDeque;

use num_bigint::BigUint;
use powercut_model::Event;

use super::candidate::{Candidate, Place};
use super::known::Known;
use super::tree::{Node, Size, Tree};
use super::Shard;
use crate::count;
use crate::strategy::Space;

/// More nodes than this are not gone through just to count.
const COUNTED: usize = 200_000;

/// Legal states of the cuts and what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Covered {
    /// Whose verdict is known.
    pub states: BigUint,
    /// Those that have the same image as another, by the cut.
    pub same_content: BigUint,
    /// Images that a run spoke for as it did not read where they differ.
    pub unread: BigUint,
    /// Images that a run on another cut, or for another reason, spoke for.
    pub shared: BigUint,
}

#[derive(Debug)]
pub struct Forest<'s, 'r> {
    space: &'s Space<'r>,
    /// The cuts to come, by number, ascending.
    cuts: VecDeque<(usize, Event)>,
    /// Those begun, the current first.
    trees: VecDeque<(usize, Tree<'r>)>,
    /// Leaves of the current cut.
    leaves: u64,
    pub covered: Covered,
    /// Legal states of cuts that can't be taken apart.
    unfit: BigUint,
    done: f64,
    total: f64,
}

impl<'s, 'r> Forest<'s, 'r> {
    pub fn new(space: &'s Space<'r>, shard: Option<Shard>) -> Self {
        let cuts = space.cuts().iter().copied().enumerate();
        let cuts: VecDeque<_> = cuts
            .filter(|(nr, _)| shard.is_none_or(|s| s.has(*nr as u64)))
            .collect();
        Self {
            space,
            total: cuts.len() as f64,
            cuts,
            trees: VecDeque::new(),
            leaves: 0,
            covered: Covered::default(),
            unfit: BigUint::default(),
            done: 0.0,
        }
    }

    /// Begins the tree of one more cut.
    fn grow(&mut self) -> bool {
        while let Some((nr, event)) = self.cuts.pop_front() {
            let Some(choices) = self.space.choices(event) else {
                continue;
            };
            match Tree::new(std::rc::Rc::clone(&choices)) {
                Some(tree) => {
                    self.trees.push_back((nr, tree));
                    return true;
                }
                None => {
                    self.space.note_partial();
                    self.unfit += count::states(&choices);
                    self.done += 1.0;
                }
            }
        }
        false
    }

    /// The next part to look at; it is to be settled next, or put back.
    pub fn next(&mut self) -> Option<Candidate<'r>> {
        loop {
            if self.trees.is_empty() && !self.grow() {
                return None;
            }
            let (nr, tree) = self.trees.front_mut()?;
            let Some(node) = tree.left.pop() else {
                self.trees.pop_front();
                self.leaves = 0;
                self.done += 1.0;
                continue;
            };
            let (state, contents) = (tree.state(&node), tree.contents(&node));
            let place = Place::Leaf {
                cut: *nr as u64,
                leaf: self.leaves,
                branch: node.branch(tree),
                node,
            };
            return Some(Candidate::new(state, contents, place));
        }
    }

    /// Parts that may come next, whose verdict is not known.
    pub fn ahead(&mut self, wanted: usize, known: &Known) -> Vec<Candidate<'r>> {
        let mut found = Vec::new();
        let mut at = 0;
        while found.len() < wanted {
            if at == self.trees.len() && (at > wanted || !self.grow()) {
                break;
            }
            let (nr, tree) = &self.trees[at];
            for node in tree.left.iter().rev().take(4 * wanted) {
                let contents = tree.contents(node);
                let event = tree.choices().event();
                let marks = self.space.recording().marks_by(event).len();
                if known.find(&contents, marks).is_some() {
                    continue;
                }
                let place = Place::Leaf {
                    cut: *nr as u64,
                    leaf: 0,
                    branch: None,
                    node: node.clone(),
                };
                found.push(Candidate::new(tree.state(node), contents, place));
                if found.len() == wanted {
                    break;
                }
            }
            at += 1;
        }
        found
    }

    /// Makes a part a leaf, given what its run read; `run`: that was its own.
    pub fn settle(&mut self, node: &Node, reads: &[u32], run: bool) {
        if let Some((_, tree)) = self.trees.front_mut() {
            let size = tree.settle(node, reads);
            self.leaves += 1;
            self.covered.add(&size, run);
        }
    }

    pub fn put_back(&mut self, node: Node) {
        if let Some((_, tree)) = self.trees.front_mut() {
            tree.left.push(node);
        }
    }

    /// Settles what is known without a run, and tells the number of legal
    /// states that are not. None: it would take too long.
    pub fn remaining(&mut self, known: &Known) -> Option<BigUint> {
        let mut remaining = self.unfit.clone();
        let mut steps = 0;
        while let Some(candidate) = self.next() {
            steps += 1;
            if steps > COUNTED {
                return None;
            }
            let Place::Leaf { node, .. } = &candidate.place else {
                continue;
            };
            match known.find(&candidate.contents, candidate.marks) {
                Some(run) => self.settle(node, &known.run(run).reads, false),
                None => {
                    if let Some((_, tree)) = self.trees.front() {
                        remaining += tree.size_of(node, &[]).legal;
                    }
                }
            }
        }
        Some(remaining)
    }

    /// About how much is done, from 0 to 1.
    pub fn fraction(&self) -> f64 {
        let within = self.trees.front().map_or(0.0, |(_, tree)| tree.done);
        (self.done + within) / self.total.max(1.0)
    }
}

impl Covered {
    fn add(&mut self, size: &Size, run: bool) {
        self.states += &size.legal;
        self.same_content += &size.legal - &size.images;
        if run {
            self.unread += &size.images - 1u8;
        } else {
            self.shared += &size.images;
        }
    }
}
