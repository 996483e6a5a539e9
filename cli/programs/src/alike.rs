// SPDX-License-Identifier: GPL-2.0

//! Whether a program has the operations of another in it, with other names maybe: then what is wrong with
//! both is the same.

use std::collections::HashMap;

use crate::namespace::parent;
use crate::op::Op;

/// Which path of the program stands for which of the pattern.
#[derive(Clone, Default)]
struct Match<'o> {
    paths: HashMap<&'o str, &'o str>,
    taken: HashMap<&'o str, &'o str>,
}

/// Whether operations of these kinds are in a program, in this order, on paths that have to do with each
/// other as these do: where a pattern names a path twice, or the directory of one, the program does.
pub fn contains(ops: &[Op], pattern: &[Op]) -> bool {
    has(ops, pattern, &Match::default())
}

fn has<'o>(ops: &'o [Op], pattern: &'o [Op], so_far: &Match<'o>) -> bool {
    let Some((wanted, rest)) = pattern.split_first() else {
        return true;
    };
    (0..ops.len()).any(|nr| {
        let mut found = so_far.clone();
        found.takes(&ops[nr], wanted) && has(&ops[nr + 1..], rest, &found)
    })
}

impl<'o> Match<'o> {
    /// Whether an operation may be one of the pattern.
    fn takes(&mut self, op: &'o Op, wanted: &'o Op) -> bool {
        let (paths, of_pattern) = (op.paths(), wanted.paths());
        if op.kind() != wanted.kind() || paths.len() != of_pattern.len() {
            return false;
        }
        of_pattern
            .into_iter()
            .zip(paths)
            .all(|(wanted_path, path)| {
                // What an fsync covers is the file; what changes names has to do with the directory, too.
                let is_same_dir = op.is_persistence() || self.is(parent(wanted_path), parent(path));
                is_same_dir && self.is(wanted_path, path)
            })
    }

    /// Whether a path may stand for one of the pattern, and for no other.
    fn is(&mut self, wanted: &'o str, path: &'o str) -> bool {
        *self.paths.entry(wanted).or_insert(path) == path
            && *self.taken.entry(path).or_insert(wanted) == wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Program;

    #[test]
    fn a_pattern_is_found_with_other_names() {
        for (pattern, text, is_it) in [
            (
                "rename foo bar\nfsync bar",
                "creat A/bar\nrename A/foo A/bar\nsync\nfsync A/bar",
                true,
            ),
            (
                "rename foo bar\nfsync bar",
                "rename foo bar\nfsync foo",
                false,
            ),
            (
                "rename foo bar\nfsync bar",
                "fsync bar\nrename foo bar",
                false,
            ),
            (
                "rename foo bar\nfsync bar",
                "rename foo bar exchange\nfsync bar",
                false,
            ),
            // From one directory to another, which is fsynced.
            (
                "rename A/foo B/bar\nfsync B",
                "rename A/foo foo\nfsync /",
                true,
            ),
            (
                "rename A/foo B/bar\nfsync B",
                "rename foo A/foo\nlink foo bar\nfsync A",
                true,
            ),
            (
                "rename A/foo B/bar\nfsync B",
                "rename A/foo foo\nfsync A",
                false,
            ),
            (
                "rename A/foo B/bar\nfsync B",
                "rename foo bar\nfsync /",
                false,
            ),
            (
                "rename A/foo B/bar\nfsync B",
                "rename foo bar\ncreat foo\nfsync foo",
                false,
            ),
            // The first that fits need not be the one.
            (
                "link foo bar\nfsync foo",
                "link A/foo bar\nlink foo bar\nfsync foo",
                true,
            ),
            ("sync", "creat bar\nsync", true),
            ("sync", "creat bar\nfsync bar", false),
        ] {
            let parsed = |text: &str| text.parse::<Program>().unwrap().ops;
            let (ops, pattern_ops) = (parsed(text), parsed(pattern));
            assert_eq!(
                contains(&ops, &pattern_ops),
                is_it,
                "{text:?} has {pattern:?}"
            );
        }
    }
}
