// SPDX-License-Identifier: GPL-2.0

//! Programs that are much like others: an operation more, less, another one, or another name.

use rand_chacha::rand_core::RngCore;

use crate::namespace::Namespace;
use crate::op::Op;
use crate::program::{Program, MAX_OPS};

/// Names that take the place of others.
const NAMES: [&str; 8] = [
    "foo", "bar", "baz", "A/foo", "A/bar", "A/baz", "B/bar", "A/C/foo",
];

/// A program with one to three changes; what can't succeed then is left out.
pub fn mutated(
    program: &Program,
    before: &Namespace,
    from: &[&[Op]],
    rng: &mut impl RngCore,
) -> Program {
    let mut ops = program.ops.clone();
    let mut below = |limit: usize| (rng.next_u32() as usize).checked_rem(limit).unwrap_or(0);
    for _ in 0..=below(3) {
        let at = below(ops.len());
        let group = from[below(from.len())];
        let other = group.get(below(group.len())).cloned();
        match (below(4), other) {
            (0, Some(other)) if ops.len() < MAX_OPS => ops.insert(at, other),
            (1, Some(other)) if at < ops.len() => ops[at] = other,
            (2, _) if ops.len() > 2 => {
                ops.remove(at);
            }
            _ => {
                let (old, new) = (NAMES[below(NAMES.len())], NAMES[below(NAMES.len())]);
                ops = ops.iter().map(|op| renamed(op, old, new)).collect();
            }
        }
    }
    let mut namespace = before.clone();
    ops.retain(|op| {
        let is_allowed = namespace.allows(op);
        if is_allowed {
            namespace.apply(op);
        }
        is_allowed
    });
    if !ops.last().is_some_and(Op::is_persistence) {
        ops.truncate(MAX_OPS - 1);
        ops.push(Op::Sync);
    }
    Program { ops }
}

/// The operation with one name for another.
fn renamed(op: &Op, old: &str, new: &str) -> Op {
    let text = op.to_string();
    let words = text.split(' ');
    let words: Vec<&str> = words
        .map(|word| if word == old { new } else { word })
        .collect();
    words.join(" ").parse().unwrap_or_else(|_| op.clone())
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::instances::{all_persistence, operations, Set};
    use crate::program::before;
    use crate::seeds::seeds;

    #[test]
    fn what_is_mutated_is_a_program_that_can_succeed() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let namespace = Namespace::after(&before());
        let (changes, persistence) = (operations(Set::All), all_persistence());
        let mut others = 0;
        for _ in 0..20 {
            for seed in seeds() {
                let program = mutated(&seed, &namespace, &[&changes, &persistence], &mut rng);
                others += u32::from(program != seed);
                assert!((1..=MAX_OPS).contains(&program.ops.len()), "{program}");
                assert!(program.ops.last().unwrap().is_persistence(), "{program}");
                let mut namespace = namespace.clone();
                for op in &program.ops {
                    assert!(namespace.allows(op), "{program}");
                    namespace.apply(op);
                }
            }
        }
        assert!(others > 1000, "{others}");
    }

    #[test]
    fn names_are_changed_as_a_whole() {
        let op: Op = "rename A/foo foo plain".parse().unwrap();
        assert_eq!(
            renamed(&op, "foo", "bar").to_string(),
            "rename A/foo bar plain"
        );
    }
}
