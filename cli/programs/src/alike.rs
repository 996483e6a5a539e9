// SPDX-License-Identifier: GPL-2.0

//! Whether a program has the operations of another in it, on other files maybe: then what is wrong with
//! both is the same.

use std::collections::HashMap;

use crate::namespace::{parent, Namespace, NodeNr};
use crate::op::{Op, RenameHow};
use crate::program::before;

/// An operation, and what it acts on.
struct Act<'o> {
    op: &'o Op,
    /// For each path: the file, and the directory that it is in, whatever both are called by then.
    on: Vec<(NodeNr, NodeNr)>,
    /// The files that are held open.
    held: Vec<NodeNr>,
}

/// The operations of a program that can succeed, done one after the other.
fn acts(ops: &[Op]) -> Vec<Act<'_>> {
    let mut names = Namespace::after(&before());
    let mut acts = Vec::new();
    for op in ops {
        if !names.allows(op) {
            continue;
        }
        let there = names.clone();
        names.apply(op);
        // What is made has a number afterwards.
        let number = |path: &str| there.node(path).or_else(|| names.node(path));
        let paths = op.paths();
        let on = paths.iter().filter_map(|path| {
            // A new name is one more of its file, whatever it replaces.
            let named = if gives_name(op) { paths[0] } else { path };
            let file = number(named)?;
            // The root is in no directory.
            Some((file, number(parent(path)).unwrap_or(file)))
        });
        acts.push(Act {
            op,
            on: on.collect(),
            held: names.held().to_vec(),
        });
    }
    acts
}

/// Whether the first path of an operation gets the second as a name.
fn gives_name(op: &Op) -> bool {
    match op {
        Op::Link { .. } => true,
        Op::Rename { how, .. } => *how != RenameHow::Exchange,
        _ => false,
    }
}

/// Whether an operation is nothing but an fsync, be it of all of a file or of what reading it takes: both break a rule alike.
fn is_fsync(op: &Op) -> bool {
    matches!(op, Op::Fsync(_) | Op::Fdatasync(_))
}

/// Whether an fsync is in an operation: a synchronous write ends with one.
fn has_fsync(op: &Op) -> bool {
    is_fsync(op) || matches!(op, Op::Write { how, .. } if how.is_durable())
}

/// Whether two operations are of one kind, whatever they act on.
fn are_alike(op: &Op, wanted: &Op) -> bool {
    let syncs_all = |op: &Op| matches!(op, Op::Sync | Op::Syncfs);
    op.kind() == wanted.kind()
        || (has_fsync(op) && is_fsync(wanted))
        || (syncs_all(op) && syncs_all(wanted))
}

/// Which file of the program stands for which of the pattern.
#[derive(Clone, Default)]
struct Match {
    files: HashMap<NodeNr, NodeNr>,
    taken: HashMap<NodeNr, NodeNr>,
}

/// Whether operations of these kinds are in a program, in this order, on files that have to do with each
/// other as these do: where a pattern acts on a file twice, or on the directory of one, the program does.
pub fn contains(ops: &[Op], pattern: &[Op]) -> bool {
    has(&acts(ops), &acts(pattern), &Match::default())
}

fn has(acts: &[Act<'_>], pattern: &[Act<'_>], so_far: &Match) -> bool {
    let Some((wanted, rest)) = pattern.split_first() else {
        return true;
    };
    (0..acts.len()).any(|nr| {
        let later = |found: &Match| has(&acts[nr + 1..], rest, found);
        so_far.with(&acts[nr], wanted).iter().any(later)
    })
}

impl Match {
    /// The ways in which an operation may be one of the pattern.
    fn with(&self, act: &Act<'_>, wanted: &Act<'_>) -> Vec<Self> {
        if let (Op::FsyncOpen, Op::Fsync(_)) = (act.op, wanted.op) {
            let fsynced = wanted.on[0].0;
            let held = act.held.iter();
            return held
                .filter_map(|file| self.clone().and(fsynced, *file))
                .collect();
        }
        if !are_alike(act.op, wanted.op) || act.on.len() != wanted.on.len() {
            return Vec::new();
        }
        let mut orders = vec![act.on.clone()];
        // Each of two names that are exchanged is the other's.
        if matches!(act.op, Op::Rename { how, .. } if *how == RenameHow::Exchange) {
            orders.push(act.on.iter().rev().copied().collect());
        }
        orders
            .iter()
            .filter_map(|on| self.with_files(act.op, on, &wanted.on))
            .collect()
    }

    /// With the files that an operation acts on in the place of those of the pattern.
    fn with_files(
        &self,
        op: &Op,
        on: &[(NodeNr, NodeNr)],
        wanted: &[(NodeNr, NodeNr)],
    ) -> Option<Self> {
        let mut found = self.clone();
        for ((wanted_file, wanted_dir), (file, dir)) in wanted.iter().zip(on) {
            found = found.and(*wanted_file, *file)?;
            // What an fsync covers is the file; what changes names has to do with the directory, too.
            if !op.is_persistence() {
                found = found.and(*wanted_dir, *dir)?;
            }
        }
        Some(found)
    }

    /// With a file that stands for one of the pattern, and for no other.
    fn and(mut self, wanted: NodeNr, file: NodeNr) -> Option<Self> {
        let is_it = *self.files.entry(wanted).or_insert(file) == file
            && *self.taken.entry(file).or_insert(wanted) == wanted;
        is_it.then_some(self)
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
                "link A/foo B/bar\nlink foo bar\nfsync foo",
                true,
            ),
            // Directories that got other names are the same.
            (
                "rename A/foo B/bar\nfsync B/bar",
                "rename A/foo B/bar\nrename B C\nmkdir B\nfsync C/bar",
                true,
            ),
            (
                "rename A/foo B/bar\nfsync B",
                "rename foo A/bar\nrename A B exchange\nfsync B",
                true,
            ),
            (
                "rename A/foo B/bar\nfsync B",
                "rename foo A/bar\nrename A B exchange\nfsync A",
                false,
            ),
            // Another name of the file, and what is held open, is the file.
            ("link foo bar\nfsync foo", "link foo bar\nfsync bar", true),
            (
                "rename foo A/bar\nfsync A/bar",
                "open foo\nrename foo A/bar\nfsync_open",
                true,
            ),
            (
                "rename foo A/bar\nfsync A/bar",
                "open A\nrename foo A/bar\nfsync_open",
                false,
            ),
            (
                "rename foo A/bar\nfsync A/bar",
                "rename foo A/bar\nfdatasync A/bar",
                true,
            ),
            // A synchronous write has an fsync in it; an fsync has no write.
            (
                "setxattr foo user.c 1\nfsync foo",
                "setxattr foo user.c 1\nwrite foo 0 4096 msync",
                true,
            ),
            (
                "setxattr foo user.c 1\nfsync foo",
                "setxattr foo user.c 1\nwrite foo 0 4096 direct",
                false,
            ),
            ("write foo 0 4096 dsync", "fsync foo", false),
            // What fails does nothing.
            ("creat bar\nfsync bar", "creat foo\nfsync foo", false),
            // Either of two names that are exchanged may be the first.
            (
                "rename A B exchange\nfsync B",
                "rename A B exchange\nfsync A",
                true,
            ),
            (
                "rename foo A/foo exchange\nfsync B",
                "rename foo A/foo exchange\nfsync A",
                false,
            ),
            ("sync", "creat bar\nsync", true),
            ("sync", "creat bar\nsyncfs", true),
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
