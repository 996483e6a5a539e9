// SPDX-License-Identifier: GPL-2.0

//! What finds most, first: every kind of cut before the many cuts of one kind, and of each the few
//! most telling states before its others.

use std::collections::VecDeque;

use super::by_class::{classes, singles};
use super::kinds::LEVELS;
use super::simple::{all_but_last, drop_one, ends, keep_one, marks, metadata};
use super::tears::tears;
use super::{Space, States};

/// What is directed. Pairs and chance come after it, in turn with the proof.
pub fn states<'s, 'r: 's>(space: &'s Space<'r>) -> States<'s, 'r> {
    let kinds = space.kinds();
    let of_kinds = kinds.representatives(0).to_vec();
    let patterns = (1..LEVELS).flat_map(|level| kinds.representatives(level).to_vec());
    let patterns: Vec<_> = patterns.collect();
    let both = [&of_kinds[..], &patterns].concat();
    let few = ends(space, of_kinds.clone()).chain(marks(space, of_kinds));
    // Each of these has its share of a budget, however many the others are.
    let shares: Vec<(States<'s, 'r>, usize)> = vec![
        (
            Box::new(ends(space, patterns.clone()).chain(marks(space, patterns))),
            2,
        ),
        (Box::new(classes(space, both.clone())), 1),
        (Box::new(singles(space, both)), 1),
    ];
    Box::new(few.chain(InTurn::new(shares)).chain(many(space)))
}

/// All cuts, those of one kind late.
fn many<'s, 'r: 's>(space: &'s Space<'r>) -> States<'s, 'r> {
    // Not before it is needed.
    let states = std::iter::once(()).flat_map(move |()| {
        let cuts = space.kinds_in_turn();
        let singles: Vec<(States<'s, 'r>, usize)> = cuts
            .iter()
            .map(|cut| {
                let drop = drop_one(space, vec![*cut]);
                let keep = keep_one(space, vec![*cut]);
                let both = drop.zip(keep).flat_map(|(drop, keep)| [drop, keep]);
                (Box::new(both) as States<'s, 'r>, 1)
            })
            .collect();
        ends(space, cuts.clone())
            .chain(marks(space, cuts.clone()))
            .chain(all_but_last(space, cuts.clone()))
            .chain(metadata(space, cuts.clone()))
            .chain(InTurn::new(singles))
            .chain(tears(space, cuts))
    });
    Box::new(states)
}

/// In turn, so many of each as it has a share of.
struct InTurn<I> {
    left: VecDeque<(I, usize)>,
    /// How many the first has had of its turn.
    had: usize,
}

impl<I> InTurn<I> {
    fn new(all: Vec<(I, usize)>) -> Self {
        Self {
            left: all.into(),
            had: 0,
        }
    }
}

impl<I: Iterator> Iterator for InTurn<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        while let Some((first, share)) = self.left.front_mut() {
            let item = first.next();
            self.had += 1;
            if item.is_none() {
                self.left.pop_front();
                self.had = 0;
                continue;
            }
            if self.had == *share {
                self.left.rotate_left(1);
                self.had = 0;
            }
            return item;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_share_and_the_others_the_rest() {
        let all = vec![(1..4, 2), (11..12, 1), (21..24, 1)];
        let states: Vec<i32> = InTurn::new(all).collect();
        assert_eq!(states, [1, 2, 11, 21, 3, 22, 23]);
    }
}
