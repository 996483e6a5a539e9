// SPDX-License-Identifier: GPL-2.0

//! What finds most, first: every kind of cut before the many cuts of one kind, and of each the few
//! most telling states before its others.

use std::collections::VecDeque;
use std::iter::{once, once_with};
use std::rc::Rc;

use super::by_class::{classes, singles};
use super::kinds::LEVELS;
use super::random::Random;
use super::simple::{acknowledged, all_but_last, drop_one, ends, keep_one, marks, metadata};
use super::tears::{costs, tears};
use super::{Space, State, States};

/// What is directed. Pairs and chance come after it, in turn with the proof.
pub fn states<'s, 'r: 's>(space: &'s Space<'r>) -> States<'s, 'r> {
    let kinds = space.kinds();
    let of_kinds = || kinds.representatives(0).iter().copied();
    let patterns = || (1..LEVELS).flat_map(|level| kinds.representatives(level).iter().copied());
    let both = || of_kinds().chain(patterns());
    let few = ends(space, of_kinds())
        .chain(marks(space, of_kinds()))
        .chain(costs(space, of_kinds()));
    // Each of these has its share of a budget, however many the others are.
    let shares: Vec<(States<'s, 'r>, usize)> = vec![
        (
            Box::new(ends(space, patterns()).chain(marks(space, patterns()))),
            2,
        ),
        (Box::new(classes(space, both())), 1),
        (Box::new(singles(space, both())), 1),
    ];
    let many = once_with(|| many(space)).flatten();
    Box::new(few.chain(InTurn::new(shares)).chain(many))
}

/// What each mark promises, and after each of these a state of chance, which is where an order that nothing
/// enforces shows; then as `auto`.
pub fn after_acknowledged<'s, 'r: 's>(
    space: &'s Space<'r>,
    seed: u64,
) -> impl Iterator<Item = State<'r>> + 's {
    let marks = space.recording().marks().len();
    let chance = once_with(move || Random::new(space, seed)).flatten();
    let shares: Vec<(States<'s, 'r>, usize)> = vec![
        (Box::new(acknowledged(space)), 2),
        (Box::new(chance.take(marks)), 1),
    ];
    InTurn::new(shares).chain(once_with(|| states(space)).flatten())
}

/// All cuts, those of one kind late.
fn many<'s, 'r: 's>(space: &'s Space<'r>) -> impl Iterator<Item = State<'r>> + 's {
    let cuts = space.kinds_in_turn();
    let all = || {
        let cuts = Rc::clone(&cuts);
        (0..cuts.len()).map(move |nr| cuts[nr])
    };
    let dropped_or_kept = all().map(|cut| {
        let drop = drop_one(space, once(cut));
        let keep = keep_one(space, once(cut));
        drop.zip(keep).flat_map(|(drop, keep)| [drop, keep])
    });
    ends(space, all())
        .chain(marks(space, all()))
        .chain(all_but_last(space, all()))
        .chain(metadata(space, all()))
        .chain(RoundRobin::new(dropped_or_kept))
        .chain(tears(space, all()))
        .chain(costs(space, all()))
}

/// One of each in turn. There may be very many: each is made when its first turn comes.
struct RoundRobin<M, I> {
    /// Those that had no turn yet.
    to_come: M,
    begun: VecDeque<I>,
}

impl<M: Iterator<Item = I>, I> RoundRobin<M, I> {
    fn new(to_come: M) -> Self {
        Self {
            to_come,
            begun: VecDeque::new(),
        }
    }
}

impl<M: Iterator<Item = I>, I: Iterator> Iterator for RoundRobin<M, I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        loop {
            let next = self.to_come.next();
            let mut next = next.or_else(|| self.begun.pop_front())?;
            if let Some(item) = next.next() {
                self.begun.push_back(next);
                return Some(item);
            }
        }
    }
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
    fn each_has_its_turn_and_is_made_for_it() {
        let mut made = 0;
        let to_come = [1..4, 11..11, 21..23].into_iter().inspect(|_| made += 1);
        let mut all = RoundRobin::new(to_come);
        assert_eq!(all.next(), Some(1));
        let left: Vec<i32> = all.collect();
        assert_eq!(left, [21, 2, 22, 3]);
        assert_eq!(made, 3);
    }

    #[test]
    fn each_has_its_share_and_the_others_the_rest() {
        let all = vec![(1..4, 2), (11..12, 1), (21..24, 1)];
        let states: Vec<i32> = InTurn::new(all).collect();
        assert_eq!(states, [1, 2, 11, 21, 3, 22, 23]);
    }
}
