// SPDX-License-Identifier: GPL-2.0

//! What finds most, first. Breadth first: every cut gets its few telling
//! states before any gets its many, and these in turn.

use std::collections::VecDeque;

use powercut_model::Event;

use super::simple::{all_but_last, drop_one, ends, keep_one, kinds, marks};
use super::tears::tears;
use super::{Space, States};

/// What is directed. Pairs and chance come after it, in turn with the proof.
///
/// Cuts that differ from others in their marks alone have their turn once all others have had
/// their few most telling states, and then every other state is of one of them.
pub fn states<'s, 'r: 's>(space: &'s Space<'r>) -> States<'s, 'r> {
    let cuts = space.heaviest_first();
    let (before_marks, spans): (Vec<_>, Vec<_>) =
        cuts.into_iter().partition(|cut| space.is_before_mark(*cut));
    let few = ends(space, spans.clone()).chain(marks(space, spans.clone()));
    let many: [States<'s, 'r>; 2] = [
        Box::new(many(space, spans)),
        Box::new(ends(space, before_marks.clone()).chain(many(space, before_marks))),
    ];
    Box::new(few.chain(InTurn::new(many)))
}

fn many<'s, 'r: 's>(space: &'s Space<'r>, cuts: Vec<Event>) -> States<'s, 'r> {
    let singles: Vec<_> = cuts
        .iter()
        .map(|cut| {
            let drop = drop_one(space, vec![*cut]);
            let keep = keep_one(space, vec![*cut]);
            drop.zip(keep).flat_map(|(drop, keep)| [drop, keep])
        })
        .collect();
    let states = all_but_last(space, cuts.clone())
        .chain(kinds(space, cuts.clone()))
        .chain(InTurn::new(singles))
        .chain(tears(space, cuts));
    Box::new(states)
}

/// The first of each, the second of each...
struct InTurn<I> {
    left: VecDeque<I>,
}

impl<I: Iterator> InTurn<I> {
    fn new(all: impl IntoIterator<Item = I>) -> Self {
        Self {
            left: all.into_iter().collect(),
        }
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
