// SPDX-License-Identifier: GPL-2.0

//! What finds most, first. Breadth first: every cut gets its few telling
//! states before any gets its many, and these in turn.

use super::simple::{all_but_last, drop_one, ends, keep_one, kinds, marks};
use super::tears::tears;
use super::{Space, State};

/// What is directed. Pairs and chance come after it, in turn with the proof.
pub fn states<'s, 'r: 's>(space: &'s Space<'r>) -> impl Iterator<Item = State<'r>> + 's {
    let cuts = space.heaviest_first();
    let singles: Vec<_> = cuts
        .iter()
        .map(|cut| {
            let drop = drop_one(space, vec![*cut]);
            let keep = keep_one(space, vec![*cut]);
            drop.zip(keep).flat_map(|(drop, keep)| [drop, keep])
        })
        .collect();
    ends(space, cuts.clone())
        .chain(marks(space, cuts.clone()))
        .chain(all_but_last(space, cuts.clone()))
        .chain(kinds(space, cuts.clone()))
        .chain(InTurn::new(singles))
        .chain(tears(space, cuts))
}

/// The first of each, the second of each...
struct InTurn<I> {
    left: std::collections::VecDeque<I>,
}

impl<I: Iterator> InTurn<I> {
    fn new(all: Vec<I>) -> Self {
        Self { left: all.into() }
    }
}

impl<I: Iterator> Iterator for InTurn<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        while let Some(mut first) = self.left.pop_front() {
            if let Some(item) = first.next() {
                self.left.push_back(first);
                return Some(item);
            }
        }
        None
    }
}
