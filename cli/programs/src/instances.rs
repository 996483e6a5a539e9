// SPDX-License-Identifier: GPL-2.0

//! The operations that programs are made of: over few names and few ranges.

use std::str::FromStr;

use crate::namespace::parent;
use crate::op::{FallocateMode, Op, RenameHow, WriteHow, ROOT};

/// A choice of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// Those that change names.
    Names,
    /// Those that change what is in a file.
    Data,
    /// Those that change attributes.
    Attributes,
    All,
}

/// The sets, with their names.
pub const SETS: [(Set, &str); 4] = [
    (Set::Names, "names"),
    (Set::Data, "data"),
    (Set::Attributes, "attributes"),
    (Set::All, "all"),
];

impl FromStr for Set {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = SETS.iter().find(|(_, name)| *name == text);
        let found = found.map(|(set, _)| *set);
        found.ok_or_else(|| format!("{text:?} is no set: give names, data, attributes or all"))
    }
}

const NAMES: &str = "\
creat foo
creat bar
creat A/foo
creat A/bar
creat B/bar
creat A/C/foo
tmpfile bar
tmpfile A/bar
open foo
open bar
open A/foo
open A
open B
mkdir C
mkdir A/C
mkdir B/C
mkfifo A/bar
symlink foo bar
symlink foo A/bar
link foo bar
link foo A/bar
link foo B/bar
link A/foo bar
link A/foo A/bar
link A/foo B/bar
link baz bar
link baz B/bar
unlink baz
unlink A/baz
unlink foo
unlink bar
unlink A/foo
unlink A/bar
unlink B/bar
rmdir B
rmdir A/C
rmdir B/C
";

/// Pairs of names that a rename may be between.
const RENAMES: [(&str, &str); 20] = [
    ("foo", "bar"),
    ("bar", "foo"),
    ("foo", "A/foo"),
    ("foo", "A/bar"),
    ("foo", "B/bar"),
    ("bar", "A/foo"),
    ("bar", "A/bar"),
    ("A/foo", "foo"),
    ("A/foo", "bar"),
    ("A/foo", "A/bar"),
    ("A/foo", "B/bar"),
    ("A/bar", "A/foo"),
    ("A/bar", "B/bar"),
    ("baz", "bar"),
    ("A/baz", "B/bar"),
    ("baz", "foo"),
    ("A", "C"),
    ("A", "B"),
    ("B", "A/C"),
    ("A/C", "B/C"),
];

const WITH_FLAGS: [(&str, &str); 4] = [
    ("foo", "bar"),
    ("foo", "A/foo"),
    ("A/foo", "A/bar"),
    ("A", "B"),
];

/// Files that data is written to.
const FILES: [&str; 3] = ["foo", "bar", "A/foo"];

/// Ranges that are written: aligned, extending, odd, odd and extending, beyond the end.
const RANGES: [(u64, u64); 6] = [
    (0, 4096),
    (4096, 8192),
    (12288, 4096),
    (100, 1000),
    (12000, 1000),
    (20480, 4096),
];

/// Ranges of fallocate: within a file, across its end, beyond it.
const HOLES: [(u64, u64); 3] = [(4096, 4096), (8192, 8192), (16384, 4096)];

/// What is copied of `foo`, and to where: its end to its start, over its end, to another file.
const COPIES: [(&str, u64, u64, u64); 3] = [
    ("foo", 8192, 0, 4096),
    ("foo", 0, 12288, 8192),
    ("A/foo", 4096, 8192, 8192),
];

const ATTRIBUTES: &str = "\
setxattr foo user.a 1
setxattr foo user.b 2
setxattr bar user.a 1
setxattr A user.a 1
setxattr foo user.c 3*600
setxattr foo user.c 4*600
setxattr A user.c 3*600
removexattr foo user.c
removexattr foo user.a
removexattr A user.a
chmod foo 600
chmod bar 600
chmod A 700
utimens foo 1000000000
";

/// What is in every set.
const CACHES: &str = "\
drop_caches
remount
";

/// A sort of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Names,
    Data,
    Attributes,
    Caches,
}

/// The sort of an operation; none of what makes something durable and does nothing else.
pub fn sort_of(op: &Op) -> Option<Sort> {
    match op {
        Op::Fsync(_) | Op::Fdatasync(_) | Op::FsyncOpen | Op::Syncfs | Op::Sync => None,
        Op::SetXattr { .. } | Op::RemoveXattr { .. } | Op::Chmod { .. } | Op::Utimens { .. } => {
            Some(Sort::Attributes)
        }
        Op::DropCaches | Op::Remount => Some(Sort::Caches),
        Op::SyncFileRange(_) => Some(Sort::Data),
        _ if op.changes_data() => Some(Sort::Data),
        _ => Some(Sort::Names),
    }
}

/// The operations of a set, by their sort.
pub fn sorts(set: Set) -> Vec<(Sort, Vec<Op>)> {
    let all = [
        (Sort::Names, names()),
        (Sort::Data, data()),
        (Sort::Attributes, lines(ATTRIBUTES)),
        (Sort::Caches, lines(CACHES)),
    ];
    let is_of_set = |sort| match set {
        Set::All => true,
        Set::Names => sort == Sort::Names,
        Set::Data => sort == Sort::Data,
        Set::Attributes => sort == Sort::Attributes,
    };
    let wanted = |sort| sort == Sort::Caches || is_of_set(sort);
    all.into_iter().filter(|(sort, _)| wanted(*sort)).collect()
}

/// All operations of a set, in an order that does not change.
pub fn operations(set: Set) -> Vec<Op> {
    sorts(set).into_iter().flat_map(|(_, ops)| ops).collect()
}

fn lines(text: &str) -> Vec<Op> {
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn names() -> Vec<Op> {
    let mut ops = lines(NAMES);
    let rename = |how| {
        move |&(from, to): &(&str, &str)| Op::Rename {
            from: from.into(),
            to: to.into(),
            how,
        }
    };
    ops.extend(RENAMES.iter().map(rename(RenameHow::Plain)));
    for how in [
        RenameHow::NoReplace,
        RenameHow::Exchange,
        RenameHow::Whiteout,
    ] {
        ops.extend(WITH_FLAGS.iter().map(rename(how)));
    }
    ops
}

fn data() -> Vec<Op> {
    let mut ops = Vec::new();
    for file in FILES {
        let path = || file.to_string();
        for &how in WriteHow::ALL {
            let ranges = match how {
                WriteHow::Plain | WriteHow::Mmap => &RANGES[..],
                WriteHow::Direct | WriteHow::Atomic | WriteHow::Uring | WriteHow::UringDsync => {
                    &RANGES[..3]
                }
                _ => &RANGES[..1],
            };
            ops.extend(ranges.iter().map(|&(at, len)| Op::Write {
                path: path(),
                at,
                len,
                how,
            }));
        }
        ops.extend([0, 4096, 6000, 16384].map(|size| Op::Truncate { path: path(), size }));
        for &mode in FallocateMode::ALL {
            ops.extend(HOLES.iter().map(|&(at, len)| Op::Fallocate {
                path: path(),
                mode,
                at,
                len,
            }));
        }
        ops.push(Op::SyncFileRange(path()));
    }
    for (from, to) in [("foo", "A/foo"), ("A/foo", "foo"), ("foo", "bar")] {
        let (from, to) = (from.to_string(), to.to_string());
        ops.push(Op::Copy {
            from: from.clone(),
            to: to.clone(),
        });
        ops.push(Op::Reflink { from, to });
    }
    ops.extend(COPIES.map(|(to, from_at, to_at, len)| Op::CopyRange {
        from: "foo".into(),
        to: to.into(),
        from_at,
        to_at,
        len,
    }));
    ops
}

/// Ways to make durable what an operation did, or something beside it.
pub fn persistence(op: &Op) -> Vec<Op> {
    let mut ops = Vec::new();
    for path in op.paths() {
        ops.push(Op::Fsync(path.into()));
        ops.push(Op::Fsync(parent(path).into()));
        ops.push(Op::Fdatasync(path.into()));
    }
    for other in ["foo", "A/foo", "A"] {
        ops.push(Op::Fsync(other.into()));
    }
    ops.extend([Op::FsyncOpen, Op::Sync]);
    let mut seen = std::collections::HashSet::new();
    ops.retain(|op| seen.insert(op.clone()));
    ops
}

/// All ways to make something durable, of programs made at random.
pub fn all_persistence() -> Vec<Op> {
    let paths = [
        "foo", "bar", "baz", "A/foo", "A/bar", "B/bar", ROOT, "A", "B", "C", "A/C",
    ];
    let fsyncs = paths.map(|path| Op::Fsync(path.into()));
    let fdatasyncs = FILES.map(|path| Op::Fdatasync(path.into()));
    fsyncs
        .into_iter()
        .chain(fdatasyncs)
        .chain([Op::FsyncOpen, Op::Syncfs, Op::Sync])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_there_once_and_every_kind_at_least() {
        let ops = operations(Set::All);
        let set: std::collections::HashSet<&Op> = ops.iter().collect();
        assert_eq!(set.len(), ops.len());
        assert_eq!(lines(NAMES).len(), NAMES.lines().count());
        assert_eq!(lines(ATTRIBUTES).len(), ATTRIBUTES.lines().count());
        let persistence = all_persistence();
        for verb in crate::op::VERBS {
            let mut all = ops.iter().chain(&persistence);
            assert!(all.any(|op| op.verb() == verb), "{verb}");
        }
    }
}
