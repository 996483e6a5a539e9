// SPDX-License-Identifier: GPL-2.0

use crate::execute::{execute, prepare};
use crate::instances::Set;
use crate::judge::judge;
use crate::level::{Level, LEVELS};
use crate::op::Op;
use crate::problem::Rule;
use crate::program::{before, Program};
use crate::random::Random;
use crate::trace::{returned, Trace};
use crate::tree::{Name, Tree};

/// What a program does on a filesystem of this machine.
fn trace(level: Level, text: &str) -> Trace {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path(), &before(), false).unwrap();
    let program: Program = text.parse().unwrap();
    let mut marks = Vec::new();
    let mark_with = |mark: &str| {
        marks.push(mark.to_string());
        Ok(())
    };
    let trace = execute(dir.path(), &program, level, false, mark_with, || Ok(()));
    assert_eq!(
        returned(marks.iter().map(String::as_str)),
        program.ops.len()
    );
    trace.unwrap()
}

/// Changes a tree: `gone PATH`, `name PATH INODE-OF`, `byte PATH BYTE`, `cut PATH`, `mode PATH`,
/// `links PATH`, `space PATH`.
fn changed(trace: &Trace, moment: usize, changes: &str) -> Tree {
    let mut tree = trace.moment(moment).clone();
    let mut more_links = None;
    for change in changes.split(';').map(str::trim).filter(|c| !c.is_empty()) {
        let words: Vec<&str> = change.split(' ').collect();
        let (dir, name) = words[1].rsplit_once('/').unwrap_or(("/", words[1]));
        let dir = tree.find(dir).unwrap();
        let inode = tree.find(words[1]);
        match words[0] {
            "gone" => tree.names.retain(|n| (n.dir, &*n.name) != (dir, name)),
            "name" => {
                let mut moments = (0..=trace.steps.len()).rev();
                let inode = moments
                    .find_map(|nr| trace.moment(nr).find(words[2]))
                    .unwrap();
                for nr in 0..=trace.steps.len() {
                    if let Some(file) = trace.moment(nr).files.get(&inode) {
                        tree.files.entry(inode).or_insert(file.clone());
                    }
                }
                tree.names.push(Name {
                    dir,
                    name: name.into(),
                    inode,
                });
            }
            "byte" => {
                let file = tree.files.get_mut(&inode.unwrap()).unwrap();
                let mut bytes = file.content.bytes();
                bytes[0] = words[2].parse().unwrap();
                file.content = Default::default();
                file.content.push(&bytes);
            }
            "cut" => tree.files.get_mut(&inode.unwrap()).unwrap().content = Default::default(),
            // Below, the others get the number of their names.
            "links" => more_links = inode,
            "space" => tree.files.get_mut(&inode.unwrap()).unwrap().space = 4096,
            "mode" => tree.files.get_mut(&inode.unwrap()).unwrap().mode = 0,
            other => panic!("{other}"),
        }
    }
    for (inode, file) in &mut tree.files {
        let names = tree
            .names
            .iter()
            .filter(|name| name.inode == *inode)
            .count();
        if names > 0 && file.kind == crate::tree::Kind::Regular {
            file.links = names as u32 + u32::from(more_links == Some(*inode));
        }
    }
    tree
}

/// Rules that are broken.
fn broken(trace: &Trace, returned: usize, found: &Tree) -> Vec<Rule> {
    let mut rules: Vec<Rule> = judge(trace, returned, found)
        .iter()
        .map(|p| p.rule)
        .collect();
    rules.dedup();
    rules
}

#[test]
fn what_there_was_at_a_moment_that_may_show_is_never_wrong() {
    let mut random = Random::new(Set::All, 6, 7, &before());
    for _ in 0..40 {
        let mut program = random.program();
        // This machine's caches stay.
        program.ops.retain(|op| *op != Op::DropCaches);
        for (level, _) in LEVELS {
            let trace = trace(level, &program.to_string());
            for returned in 0..=trace.steps.len() {
                for moment in returned..=(returned + 1).min(trace.steps.len()) {
                    let problems = judge(&trace, returned, trace.moment(moment));
                    assert_eq!(problems, [], "{program}after {returned}, as after {moment}");
                }
            }
        }
    }
}

/// Program; operations that returned; the moment that the state found is made of; its changes; the
/// rules broken at the levels posix, linux and ordered.
type Case = (
    &'static str,
    usize,
    usize,
    &'static str,
    [&'static [Rule]; 3],
);

const FINE: [&[Rule]; 3] = [&[]; 3];
const NAMES: [&[Rule]; 3] = [&[Rule::Names]; 3];
const DATA: [&[Rule]; 3] = [&[Rule::Data]; 3];

#[rustfmt::skip]
const CASES: &[Case] = &[
    // Nothing is durable yet.
    ("creat bar", 1, 0, "", FINE),
    ("unlink foo", 1, 0, "", FINE),
    // A file made durable, by itself and by its directory.
    ("creat bar\nfsync bar", 2, 0, "", [&[], &[Rule::Names], &[Rule::Names]]),
    ("creat bar\nfsync /", 2, 0, "", [&[], &[Rule::Names], &[Rule::Names]]),
    ("creat bar\nfsync /\nfsync bar", 3, 0, "", NAMES),
    ("rename foo bar\nfsync /", 2, 0, "", NAMES),
    ("creat bar\nfsync /", 1, 0, "", FINE),
    ("creat bar\nsync", 2, 0, "", NAMES),
    ("creat bar\nfdatasync bar", 2, 0, "", FINE),
    // What was removed stays away.
    ("unlink foo\nfsync /", 2, 0, "", NAMES),
    ("link foo bar\nunlink foo\nfsync bar", 3, 3, "name foo bar", [&[], &[Rule::Names], &[Rule::Names]]),
    ("creat bar\nsync\nunlink bar", 2, 1, "", FINE),
    ("creat bar\nsync\nunlink bar", 2, 0, "", FINE),
    ("creat bar\nsync\nunlink bar\nsync", 4, 2, "", NAMES),
    // A rename.
    ("rename foo bar", 1, 1, "gone bar", [&[], &[Rule::AtomicRename], &[Rule::AtomicRename]]),
    ("rename foo bar", 1, 1, "name foo bar", [&[], &[Rule::AtomicRename], &[Rule::AtomicRename]]),
    ("rename foo A/foo", 1, 1, "gone A/foo", [&[], &[Rule::Names], &[Rule::Names]]),
    // The directory of the name that was removed was not fsynced.
    ("unlink baz\nfsync A", 2, 0, "", FINE),
    ("rename foo bar\ncreat foo\nfsync foo", 3, 3, "gone bar", [&[], &[Rule::AtomicRename], &[Rule::AtomicRename]]),
    ("rename A C\nfsync C/foo", 2, 0, "", [&[], &[], &[]]),
    ("mkdir C\ncreat C/x\nfsync C/x", 3, 0, "", [&[], &[Rule::AtomicRename], &[Rule::AtomicRename]]),
    // Order.
    ("creat bar\ncreat A/bar", 2, 2, "gone bar", [&[], &[], &[Rule::Order]]),
    // A name that never was.
    ("creat bar", 1, 1, "name B/x foo", NAMES),
    ("link foo bar", 1, 1, "links bar", [&[Rule::Links]; 3]),
    // Data.
    ("write foo 0 4096", 1, 0, "", FINE),
    ("write foo 0 4096\nfsync foo", 2, 0, "", DATA),
    ("write foo 0 4096\nfdatasync foo", 2, 0, "", DATA),
    ("write foo 0 4096 dsync", 1, 0, "", DATA),
    ("write foo 0 4096 msync", 1, 0, "", DATA),
    ("write foo 0 4096 mmap", 1, 0, "", FINE),
    ("write foo 0 4096", 1, 1, "byte foo 77", [&[], &[Rule::Data], &[Rule::Data]]),
    ("creat bar\nwrite bar 0 4096", 2, 2, "byte bar 254", [&[], &[Rule::Data], &[Rule::Data]]),
    ("creat bar\nwrite bar 0 4096", 2, 2, "byte bar 0", FINE),
    ("creat bar\nwrite bar 0 4096\nfsync bar", 3, 3, "byte bar 0", DATA),
    // Stale bytes where nothing was durable.
    ("creat bar\nwrite bar 8192 4096", 2, 2, "byte bar 254", [&[], &[Rule::Data], &[Rule::Data]]),
    ("write foo 0 4096 io_uring", 1, 0, "", FINE),
    ("write foo 0 4096 io_uring-dsync", 1, 0, "", DATA),
    // What is held open, by any name or none.
    ("open foo\nwrite foo 0 4096\nfsync_open", 3, 0, "", DATA),
    ("open foo\nrename foo bar\nfsync_open", 3, 0, "", [&[], &[Rule::Names], &[Rule::Names]]),
    ("open foo\nunlink foo\nfsync_open", 3, 0, "", FINE),
    ("open B\ncreat B/bar\nfsync_open", 3, 0, "", [&[], &[Rule::Names], &[Rule::Names]]),
    ("open foo\nwrite A/foo 0 4096\nfsync_open", 3, 0, "", FINE),
    // The size.
    ("write foo 12288 4096\nfdatasync foo", 2, 0, "", [&[Rule::Size]; 3]),
    ("truncate foo 4096", 1, 0, "", FINE),
    ("truncate foo 4096\nfsync foo", 2, 0, "", [&[Rule::Size]; 3]),
    ("creat bar\nwrite bar 0 4096\nfsync bar", 3, 3, "cut bar", [&[Rule::Size]; 3]),
    ("creat bar\nwrite bar 0 4096\nfsync bar", 2, 3, "cut bar", FINE),
    // Space.
    ("fallocate foo keep-size 16384 4096\nfsync foo", 2, 2, "space foo", [&[], &[Rule::Space], &[Rule::Space]]),
    ("fallocate foo allocate 8192 8192\nsync", 2, 2, "space foo", [&[], &[Rule::Space], &[Rule::Space]]),
    ("fallocate foo keep-size 16384 4096\nfsync foo", 1, 2, "space foo", FINE),
    ("fallocate foo keep-size 16384 4096\nfsync foo\ntruncate foo 12288", 2, 2, "space foo", FINE),
    ("write foo 0 4096\nfsync foo", 2, 2, "space foo", FINE),
    ("copy A/foo foo 0 0 4096\nfallocate foo keep-size 16384 4096\nfsync foo", 3, 3, "space foo", FINE),
    ("copy foo A/foo\nfallocate foo keep-size 16384 4096\nfsync foo", 3, 3, "space foo", FINE),
    ("copy A/foo baz\nfallocate foo keep-size 16384 4096\nfsync foo", 3, 3, "space foo", [&[], &[Rule::Space], &[Rule::Space]]),
    // Attributes.
    ("chmod foo 600", 1, 0, "", FINE),
    ("chmod foo 600\nfsync foo", 2, 0, "", [&[Rule::Attributes]; 3]),
    ("chmod foo 600\nfdatasync foo", 2, 0, "", FINE),
    ("chmod foo 600", 1, 1, "mode foo", [&[Rule::Attributes]; 3]),
    ("utimens foo 1000000000", 1, 0, "", FINE),
    ("utimens foo 1000000000\nfsync foo", 2, 0, "", [&[Rule::Attributes]; 3]),
    // A symbolic link.
    ("symlink foo bar", 1, 1, "cut bar", [&[Rule::Target]; 3]),
];

/// A tree as vfat has it after a mount: with other inode numbers.
fn numbered_anew(tree: &Tree) -> Tree {
    let mut tree = tree.clone();
    let files = std::mem::take(&mut tree.files);
    tree.files = files
        .into_iter()
        .map(|(inode, file)| (inode + 1000, file))
        .collect();
    tree.root += 1000;
    for name in &mut tree.names {
        name.dir += 1000;
        name.inode += 1000;
    }
    tree
}

#[test]
fn with_a_fat_a_name_stands_for_any_file_that_had_it() {
    let mut trace = trace(Level::Posix, "rename foo A/foo exchange");
    trace.has_fat = true;
    for moment in 0..=1 {
        let found = numbered_anew(trace.moment(moment));
        assert_eq!(judge(&trace, 0, &found), []);
        assert_eq!(trace.moment(moment).difference(&found), None);
        assert_ne!(trace.moment(1 - moment).difference(&found), None);
    }
}

#[test]
fn with_a_fat_a_directory_is_told_from_another_by_the_files_in_it() {
    let mut trace = trace(
        Level::Posix,
        "rename A B exchange\ncreat A/foo\nfsync A/foo\nwrite A/foo 0 100\nfsync A/foo",
    );
    trace.has_fat = true;
    // Which has no attributes.
    let steps = trace.steps.iter_mut().map(|step| &mut step.after);
    for tree in steps.chain([&mut trace.before]) {
        tree.files.values_mut().for_each(|file| file.xattrs.clear());
    }
    // The exchange is not durable: `A` has the old `foo` of 4096 bytes.
    let found = numbered_anew(trace.moment(0));
    for returned in 3..=5 {
        assert_eq!(judge(&trace, returned, &found), [], "{returned}");
    }
    // What neither of them held is in none.
    let found = numbered_anew(&changed(&trace, 5, "byte A/foo 77"));
    assert_ne!(judge(&trace, 5, &found), []);
}

#[test]
fn with_a_fat_what_is_in_a_renamed_directory_may_be_cut_off() {
    let mut trace = trace(Level::Posix, "rename A C\nfsync C\nfsync C/foo");
    let found = changed(&trace, 3, "gone C/foo");
    assert_ne!(judge(&trace, 3, &found), []);
    trace.has_fat = true;
    assert_eq!(judge(&trace, 3, &found), []);
}

#[test]
fn a_new_file_with_the_inode_number_of_a_removed_one_is_told_from_it() {
    for (level, name) in LEVELS {
        let mut trace = trace(level, "unlink foo\ncreat foo\nwrite foo 0 4096");
        let old = trace.before.find("foo").unwrap();
        for step in &mut trace.steps {
            let Some(new) = step.after.find("foo") else {
                continue;
            };
            let file = step.after.files.remove(&new).unwrap();
            step.after.files.insert(old, file);
            for name in &mut step.after.names {
                if name.inode == new {
                    name.inode = old;
                }
            }
        }
        for moment in [0, 1, 2, 3] {
            let found = trace.moment(moment);
            assert_eq!(judge(&trace, 3, found), [], "{name}, as after {moment}");
        }
        trace.steps[2].op = "fsync foo".parse().unwrap();
        let is_broken = !judge(&trace, 3, trace.moment(0)).is_empty();
        // By POSIX the name takes an fsync of the directory.
        assert_eq!(is_broken, level >= Level::Linux, "{name}: fsynced");
    }
}

#[test]
fn a_name_may_be_of_a_removed_file_or_of_a_later_one_with_its_inode_number() {
    let text = "symlink foo bar\ncreat B/bar\nunlink bar\ncreat C\nsymlink foo bar";
    let mut trace = trace(Level::Ordered, text);
    let old = trace.moment(1).find("bar").unwrap();
    let last = &mut trace.steps[4].after;
    let new = last.find("bar").unwrap();
    let file = last.files.remove(&new).unwrap();
    last.files.insert(old, file);
    for name in &mut last.names {
        if name.inode == new {
            name.inode = old;
        }
    }
    for moment in 0..=5 {
        let found = trace.moment(moment);
        assert_eq!(judge(&trace, 5, found), [], "as after {moment}");
    }
    let found = changed(&trace, 5, "gone B/bar");
    assert_eq!(broken(&trace, 5, &found), [Rule::Order]);
}

#[test]
fn a_name_below_lost_and_found_is_a_name() {
    let trace = trace(Level::Posix, "fsync A");
    let mut found = trace.moment(0).clone();
    let baz = found.find("baz").unwrap();
    found
        .names
        .retain(|name| name.name != "baz" || name.dir != found.root);
    assert_eq!(broken(&trace, 0, &found), [Rule::Names, Rule::Links]);
    found.lost.insert(baz, 1);
    assert_eq!(broken(&trace, 0, &found), [Rule::Names]);
}

#[test]
fn each_rule_finds_what_breaks_it_at_its_levels_and_nothing_else() {
    for (text, returned, moment, changes, rules) in CASES {
        for ((level, name), rules) in LEVELS.into_iter().zip(rules) {
            let trace = trace(level, text);
            assert!(
                trace.steps.iter().all(|step| step.errno.is_none()),
                "{text}"
            );
            let found = changed(&trace, *moment, changes);
            let problems = judge(&trace, *returned, &found);
            let told =
                format!("{text}; {returned} returned, {moment}, {changes}, {name}: {problems:#?}");
            assert_eq!(&broken(&trace, *returned, &found), rules, "{told}");
        }
    }
}
