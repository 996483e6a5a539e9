// SPDX-License-Identifier: GPL-2.0

//! Programs made at random, with a preference for what was not made yet: pairs of operations, and
//! states of the files that they act on. A seed gives the same programs in the same order.

use std::collections::HashMap;

use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::instances::{all_persistence, operations, Set};
use crate::namespace::{Namespace, State};
use crate::op::Op;
use crate::program::Program;
use crate::tree::Kind;

/// An operation on files in these states, after an operation.
type Situation = (String, Vec<Option<(Kind, State)>>, String);

pub struct Random {
    before: Namespace,
    rng: ChaCha8Rng,
    changes: Vec<Op>,
    persistence: Vec<Op>,
    /// The most operations, without those that make something durable.
    len: u32,
    /// How often each situation was met.
    met: HashMap<Situation, u32>,
}

impl Random {
    pub fn new(set: Set, len: u32, seed: u64, before: &[Op]) -> Self {
        Self {
            before: Namespace::after(before),
            rng: ChaCha8Rng::seed_from_u64(seed),
            changes: operations(set),
            persistence: all_persistence(),
            len: len.max(1),
            met: HashMap::new(),
        }
    }

    /// The next program.
    pub fn program(&mut self) -> Program {
        let mut namespace = self.before.clone();
        let mut ops: Vec<Op> = Vec::new();
        let changes = 1 + self.below(self.len);
        let mut made = 0;
        while made < changes {
            // Between two changes there is something made durable in half of the cases.
            let is_change = ops.last().is_none_or(Op::is_persistence) || self.below(2) == 0;
            self.add(&mut ops, &mut namespace, is_change);
            made += u32::from(is_change);
        }
        if !ops.last().is_some_and(Op::is_persistence) {
            self.add(&mut ops, &mut namespace, false);
        }
        Program { ops }
    }

    fn add(&mut self, ops: &mut Vec<Op>, namespace: &mut Namespace, is_change: bool) {
        let from = if is_change {
            &self.changes
        } else {
            &self.persistence
        };
        let before = ops.last().map_or_else(String::new, Op::kind);
        let allowed = from.iter().filter(|op| namespace.allows(op));
        let mut choices: Vec<(u64, Op, Situation)> = Vec::new();
        let mut sum = 0;
        for op in allowed {
            let states = op
                .paths()
                .iter()
                .map(|path| namespace.state(path))
                .collect();
            let situation = (op.kind(), states, before.clone());
            let met = self.met.get(&situation).copied().unwrap_or(0);
            sum += 1 + (1 << 16) / (u64::from(met) + 1);
            choices.push((sum, op.clone(), situation));
        }
        let Some(draw) = self.rng.next_u64().checked_rem(sum) else {
            return;
        };
        let found = choices.into_iter().find(|(upto, _, _)| draw < *upto);
        if let Some((_, op, situation)) = found {
            namespace.apply(&op);
            *self.met.entry(situation).or_default() += 1;
            ops.push(op);
        }
    }

    /// A number below a limit, which is not 0.
    fn below(&mut self, limit: u32) -> u32 {
        self.rng.next_u32() % limit
    }

    /// How many situations were met.
    pub fn situations(&self) -> usize {
        self.met.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{before, MAX_OPS};

    #[test]
    fn a_seed_gives_the_same_programs() {
        let programs = |seed| {
            let mut random = Random::new(Set::All, 5, seed, &before());
            (0..50).map(|_| random.program()).collect::<Vec<_>>()
        };
        assert_eq!(programs(1), programs(1));
        assert_ne!(programs(1), programs(2));
    }

    #[test]
    fn programs_are_short_can_succeed_and_make_something_durable() {
        let mut random = Random::new(Set::All, 7, 1, &before());
        for _ in 0..500 {
            let program = random.program();
            assert!(program.ops.len() <= MAX_OPS, "{program}");
            assert!(program.ops.last().unwrap().is_persistence(), "{program}");
            let mut namespace = Namespace::after(&before());
            for op in &program.ops {
                assert!(namespace.allows(op), "{program}");
                namespace.apply(op);
            }
        }
        assert!(random.situations() > 500);
    }
}
