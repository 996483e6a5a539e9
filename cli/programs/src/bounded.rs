// SPDX-License-Identifier: GPL-2.0

//! All programs of a number of operations over a set, each with its number.
//!
//! A program is that many operations, each of them with or without something that makes durable
//! what it did; after the last there is always that.

use crate::instances::{operations, persistence, Set};
use crate::namespace::Namespace;
use crate::op::Op;
use crate::program::Program;

/// An operation, and what makes something durable after it.
type Step = (Op, Option<Op>);

pub struct Bounded {
    before: Namespace,
    /// How many operations, without those that make something durable.
    len: u32,
    steps: Vec<Step>,
    last: Vec<Step>,
}

impl Bounded {
    pub fn new(set: Set, len: u32, before: &[Op]) -> Self {
        let mut steps = Vec::new();
        let mut last = Vec::new();
        for op in operations(set) {
            // The longest step first is no use: what is durable at once is found early.
            last.extend(
                persistence(&op)
                    .into_iter()
                    .map(|then| (op.clone(), Some(then))),
            );
            steps.push((op, None));
        }
        steps.extend(last.clone());
        Self {
            before: Namespace::after(before),
            len,
            steps,
            last,
        }
    }

    /// How many numbers there are; not each is of a program whose operations can succeed.
    pub fn numbers(&self) -> u64 {
        let (steps, last) = (self.steps.len() as u64, self.last.len() as u64);
        match self.len {
            0 => 0,
            len => steps
                .checked_pow(len - 1)
                .and_then(|n| n.checked_mul(last))
                .unwrap_or(u64::MAX),
        }
    }

    /// The program of a number; none if an operation of it can't succeed.
    pub fn program(&self, number: u64) -> Option<Program> {
        if number >= self.numbers() {
            return None;
        }
        let (steps, last) = (self.steps.len() as u64, self.last.len() as u64);
        let mut rest = number / last;
        let mut chosen = vec![&self.last[(number % last) as usize]];
        for _ in 1..self.len {
            chosen.push(&self.steps[(rest % steps) as usize]);
            rest /= steps;
        }
        let mut namespace = self.before.clone();
        let mut ops = Vec::new();
        for (op, then) in chosen.into_iter().rev() {
            for op in [Some(op), then.as_ref()].into_iter().flatten() {
                if !namespace.allows(op) {
                    return None;
                }
                namespace.apply(op);
                ops.push(op.clone());
            }
        }
        Some(Program { ops })
    }

    /// How many programs there are; none if counting would take long.
    pub fn programs(&self) -> Option<u64> {
        const COUNTED: u64 = 1 << 22;
        let numbers = self.numbers();
        let count = || {
            (0..numbers)
                .filter(|nr| self.program(*nr).is_some())
                .count() as u64
        };
        (numbers <= COUNTED).then(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::before;

    #[test]
    fn numbers_are_of_different_programs() {
        let bounded = Bounded::new(Set::Names, 1, &before());
        let programs: Vec<Program> = (0..bounded.numbers())
            .filter_map(|nr| bounded.program(nr))
            .collect();
        let set: std::collections::BTreeSet<&Program> = programs.iter().collect();
        assert_eq!(set.len(), programs.len());
        assert_eq!(bounded.programs(), Some(programs.len() as u64));
        assert!(programs
            .iter()
            .all(|p| p.ops.len() == 2 && p.ops[1].is_persistence()));
        assert!(bounded.program(bounded.numbers()).is_none());
    }

    #[test]
    fn known_kinds_are_within_the_bounds() {
        let bounded = Bounded::new(Set::Names, 2, &before());
        // A file renamed, another with its name made and made durable: xfstests generic/342.
        let wanted: Program = "rename foo bar\ncreat foo\nfsync foo".parse().unwrap();
        let found = (0..bounded.numbers()).any(|nr| bounded.program(nr).as_ref() == Some(&wanted));
        assert!(found);
    }
}
