// SPDX-License-Identifier: GPL-2.0

//! The violations of a report as they come: each gets a number, which it keeps, and the number of its
//! sort. All facts are kept of the first of each sort; of the others, what can't be had again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use powercut_engine::failure::Failure;
use powercut_engine::oracle::Kind;
use xxhash_rust::xxh3::xxh3_128;

use super::violation::Violation;

#[derive(Debug, Default)]
pub struct Register {
    /// Those that had a number before, by their ids.
    numbers: HashMap<String, u64>,
    newest: u64,
    sorts: HashMap<Failure, u64>,
    /// Telling sorts takes time: those of texts that were seen.
    known: HashMap<(Kind, String, u128), u64>,
    /// By sort: the violation of which all is kept.
    whole: HashMap<u64, u64>,
    outputs: HashSet<Arc<str>>,
}

impl Register {
    /// Goes on with those of a report.
    pub fn of(earlier: &[Violation]) -> Self {
        let mut register = Self::default();
        for violation in earlier {
            let (id, number) = (violation.id.clone(), violation.number);
            register.numbers.insert(id, number);
            register.newest = register.newest.max(number);
            if violation.kept.is_some() {
                register.whole.entry(violation.sort).or_insert(number);
            }
        }
        for at in first_of_sorts(earlier, usize::MAX) {
            let first = &earlier[at];
            register.sorts.insert(failure(first), first.sort);
        }
        register
    }

    /// Gives one its numbers, and leaves out what is kept of one of its sort alone.
    pub fn enter(&mut self, violation: &mut Violation) {
        let sort = self.sort(violation);
        self.enter_as(violation, sort);
    }

    /// The same for one of the sort of another, of which more is known.
    pub fn enter_like(&mut self, violation: &mut Violation, like: &Violation) {
        let sort = self.sort(like);
        self.enter_as(violation, sort);
    }

    fn enter_as(&mut self, violation: &mut Violation, sort: u64) {
        violation.number = match self.numbers.get(&violation.id) {
            Some(number) => *number,
            None => {
                self.newest += 1;
                self.newest
            }
        };
        violation.sort = sort;
        let is_whole = match self.whole.get(&sort) {
            Some(number) => *number == violation.number,
            None => violation.kept.is_some(),
        };
        if is_whole {
            self.whole.insert(sort, violation.number);
        } else if violation.culprit.is_none() {
            violation.shorten();
        }
        match self.outputs.get(&violation.output) {
            Some(output) => violation.output = Arc::clone(output),
            None => {
                self.outputs.insert(Arc::clone(&violation.output));
            }
        }
    }

    fn sort(&mut self, violation: &Violation) -> u64 {
        let text = xxh3_128(violation.output.as_bytes());
        let key = (violation.kind, violation.how.clone(), text);
        if let Some(sort) = self.known.get(&key) {
            return *sort;
        }
        let next = self.sorts.len() as u64 + 1;
        let sort = *self.sorts.entry(failure(violation)).or_insert(next);
        self.known.insert(key, sort);
        sort
    }
}

fn failure(violation: &Violation) -> Failure {
    Failure::new(violation.kind, &violation.how, &violation.output)
}

/// The violations of one sort, the first of them before the others.
pub struct Group<'r> {
    pub first: &'r Violation,
    pub others: Vec<&'r Violation>,
}

impl<'r> Group<'r> {
    /// The one to show for all: the first of those whose culprit is known, if any.
    pub fn shown(&self) -> &'r Violation {
        let known = self.all().find(|v| v.culprit.is_some());
        known.unwrap_or(self.first)
    }

    pub fn all(&self) -> impl Iterator<Item = &'r Violation> + '_ {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }

    /// How many there are of the sort.
    pub fn count(&self) -> usize {
        self.others.len() + 1
    }
}

/// By their sort, in the order in which these were found.
pub fn groups(violations: &[Violation]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut known: HashMap<u64, usize> = HashMap::new();
    for violation in violations {
        match known.get(&violation.sort) {
            Some(at) => groups[*at].others.push(violation),
            None => {
                known.insert(violation.sort, groups.len());
                groups.push(Group {
                    first: violation,
                    others: Vec::new(),
                });
            }
        }
    }
    groups
}

/// The places of the first violation of each of the first sorts.
pub fn first_of_sorts(violations: &[Violation], sorts: usize) -> Vec<usize> {
    let mut known = HashSet::new();
    let places = violations.iter().enumerate();
    let firsts = places.filter(|(_, v)| known.insert(v.sort));
    firsts.take(sorts).map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::violation;
    use powercut_engine::recording::testing::History;

    fn found(cut: u64, output: &str) -> Violation {
        let recording = History::new().write(0, "a").write(1, "b").done();
        let mut found = violation(&recording, cut, |_| false);
        found.output = output.into();
        found
    }

    #[test]
    fn numbers_are_kept_when_an_exploration_goes_on() {
        let mut register = Register::default();
        let mut before = [
            found(1, "key 1 is lost"),
            found(2, "torn"),
            found(3, "key 2 is lost"),
        ];
        before.iter_mut().for_each(|v| register.enter(v));
        let numbers =
            |all: &[Violation]| all.iter().map(|v| (v.number, v.sort)).collect::<Vec<_>>();
        assert_eq!(numbers(&before), [(1, 1), (2, 2), (3, 1)]);
        let mut register = Register::of(&before);
        // In another order, and with new ones between.
        let mut after = [
            found(4, "key 9 is lost"),
            found(3, "key 2 is lost"),
            found(2, "torn"),
            found(0, "something else"),
            found(1, "key 1 is lost"),
        ];
        after.iter_mut().for_each(|v| register.enter(v));
        assert_eq!(numbers(&after), [(4, 1), (3, 1), (2, 2), (5, 3), (1, 1)]);
        let whole: Vec<bool> = after.iter().map(|v| v.lost.is_some()).collect();
        assert_eq!(whole, [false, false, true, true, true]);
    }

    #[test]
    fn the_first_of_a_sort_is_whole_and_the_others_are_short() {
        let mut register = Register::default();
        let long = |word: &str| format!("{word} is lost\n{}", "é".repeat(30_000));
        let mut all = [
            found(3, &long("key 1")),
            found(4, &long("key 2")),
            found(4, &long("key 2")),
        ];
        all.iter_mut().for_each(|v| register.enter(v));
        let [first, second, third] = &all;
        assert_eq!(first.sort, second.sort);
        assert_eq!((first.output.len(), first.output_left_out), (60_014, 0));
        assert!(first.kept.is_some() && first.lost.is_some());
        assert!(second.output.len() < 2100 && second.lost.is_none());
        assert!(second.output_left_out > 57_000);
        assert!(
            second.output.starts_with("key 2 is lost\né"),
            "{}",
            second.output
        );
        assert!(
            second.output.contains(" bytes left out]\né"),
            "{}",
            second.output
        );
        assert_eq!(second.lost_writes, 2);
        // Equal texts are one.
        assert!(Arc::ptr_eq(&second.output, &third.output));
    }
}
