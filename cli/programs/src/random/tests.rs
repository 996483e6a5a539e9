// SPDX-License-Identifier: GPL-2.0

use std::collections::HashMap;

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
    for _ in 0..2000 {
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

/// What bugs of filesystems were found by, or xfstests look for. A capital letter stands for a path,
/// `*` for one word of any kind, `..` for the rest of a line.
#[rustfmt::skip]
const KNOWN: &[(&str, &str)] = &[
    ("another file gets the name of one that was renamed", "rename X Y plain; creat X; fsync X"),
    ("a name of a file is removed", "link X Y; sync; unlink Y; fsync X"),
    ("the same, after the inode left the cache", "link X Y; sync; unlink Y; drop_caches; fsync X"),
    ("a file is moved, its old directory fsynced", "rename A/foo Y plain; fsync A"),
    ("a file is moved, its new directory fsynced", "rename X B/bar plain; fsync B"),
    ("a directory is moved, its old parent fsynced", "rename A/C B/C plain; fsync A"),
    ("a new directory with a link in it", "mkdir A/C; link foo A/C/foo; fsync A"),
    ("a file is fsynced, linked, fsynced again", "write X ..; fsync X; link X Y; fsync X"),
    ("a file is fsynced, renamed, its directory fsynced", "write A/foo ..; fsync A/foo; rename A/foo A/bar plain; fsync A"),
    ("a directory is fsynced, a file moved out", "creat A/bar; fsync A; rename A/foo B/bar plain; fsync B/bar"),
    ("a directory is fsynced, a file removed", "creat A/bar; fsync A; unlink A/bar; fsync *"),
    ("a file grows after its fsync, is linked, another is fsynced", "write X ..; fsync X; write X ..; link X Y; fsync *"),
    ("a name is removed, made again", "unlink X; creat X; fsync X"),
    ("a name is removed, given to another file", "unlink X; link Y X; fsync Y"),
    ("two names change places", "rename X Z plain; rename Y X plain; fsync X"),
    ("a hole is punched after an fsync", "fsync X; fallocate X punch ..; fsync X"),
    ("a hole is punched after a sync", "write X ..; sync; fallocate X punch ..; fsync X"),
    ("a file shrinks and grows", "truncate X *; truncate X *; fsync X"),
    ("space past the end", "fallocate X keep-size 16384 4096; fsync X"),
    ("space past the end, then a write", "fallocate X keep-size ..; fsync X; write X ..; fsync X"),
    ("an attribute is removed", "setxattr X ..; sync; removexattr X *; fsync X"),
    ("an attribute is removed after an fsync", "setxattr X ..; fsync X; removexattr X *; fsync X"),
    ("a file is removed while it is open, and fsynced then", "open X; write X ..; unlink X; fsync_open"),
    ("a directory is removed while it is open, and fsynced then", "open B; rmdir B; fsync_open"),
    ("a write by io_uring", "write X 0 4096 io_uring; fsync X"),
    ("a clone", "write X ..; reflink X Y; fsync Y; fsync X"),
    ("a fifo in the place of a file", "unlink X; mkfifo X; fsync A"),
    ("a symbolic link in a directory", "symlink foo A/bar; fsync A"),
];

/// Whether an operation is as a pattern says.
fn is_like<'o>(op: &'o str, pattern: &str, paths: &mut HashMap<String, &'o str>) -> bool {
    let mut words = op.split(' ');
    for wanted in pattern.split(' ') {
        if wanted == ".." {
            return true;
        }
        let Some(word) = words.next() else {
            return false;
        };
        let is_it = match wanted {
            "*" => true,
            "X" | "Y" | "Z" => *paths.entry(wanted.into()).or_insert(word) == word,
            "sync" => word == "sync" || word == "syncfs",
            _ => wanted == word,
        };
        if !is_it {
            return false;
        }
    }
    words.next().is_none()
}

/// Whether operations like these are in a program, in this order.
fn has<'o>(ops: &'o [String], patterns: &[&str], paths: &HashMap<String, &'o str>) -> bool {
    let Some((first, rest)) = patterns.split_first() else {
        return true;
    };
    (0..ops.len()).any(|nr| {
        let mut paths = paths.clone();
        is_like(&ops[nr], first, &mut paths) && has(&ops[nr + 1..], rest, &paths)
    })
}

#[test]
fn known_kinds_come_up_soon() {
    const PROGRAMS: usize = 3000;
    let mut random = Random::new(Set::All, 4, 1, &before());
    let programs: Vec<Vec<String>> = (0..PROGRAMS)
        .map(|_| {
            random
                .program()
                .ops
                .iter()
                .map(ToString::to_string)
                .collect()
        })
        .collect();
    for (what, pattern) in KNOWN {
        let patterns: Vec<&str> = pattern.split("; ").collect();
        let has = |ops: &&Vec<String>| has(ops, &patterns, &HashMap::new());
        let count = programs.iter().filter(has).count();
        assert!(count > 0, "{what}: {pattern}");
    }
}
