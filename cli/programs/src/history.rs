// SPDX-License-Identifier: GPL-2.0

//! A trace with one number for each file from its first name to its last, as inode numbers are
//! used again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::trace::Trace;
use crate::tree::{File, Tree};

/// A file, over all moments; the root is 0.
pub type FileNr = usize;

/// A name in a directory.
pub type Place = (FileNr, String);

pub const ROOT_NR: FileNr = 0;

/// What there is at a moment.
#[derive(Debug)]
pub struct Moment<'t> {
    pub tree: &'t Tree,
    pub files: BTreeMap<FileNr, &'t File>,
    pub names: BTreeMap<Place, FileNr>,
}

impl Moment<'_> {
    /// Who has a path.
    pub fn find(&self, path: &str) -> Option<FileNr> {
        if path == crate::op::ROOT {
            return Some(ROOT_NR);
        }
        path.split('/').try_fold(ROOT_NR, |dir, name| {
            self.names.get(&(dir, name.to_string())).copied()
        })
    }

    /// The names of a file.
    pub fn names_of(&self, nr: FileNr) -> impl Iterator<Item = &Place> {
        let names = self.names.iter();
        names
            .filter(move |(_, file)| **file == nr)
            .map(|(place, _)| place)
    }
}

/// All moments of a trace: before the program, and after each operation.
#[derive(Debug)]
pub struct History<'t> {
    pub moments: Vec<Moment<'t>>,
    /// The inode number of each file.
    pub inodes: Vec<u64>,
}

impl<'t> History<'t> {
    pub fn of(trace: &'t Trace) -> Self {
        let mut inodes = vec![trace.before.root];
        let mut now: HashMap<u64, FileNr> = HashMap::from([(trace.before.root, ROOT_NR)]);
        let mut moments = Vec::new();
        for ops in 0..=trace.steps.len() {
            let tree = trace.moment(ops);
            now.retain(|inode, _| tree.files.contains_key(inode));
            for inode in tree.files.keys() {
                now.entry(*inode).or_insert_with(|| {
                    inodes.push(*inode);
                    inodes.len() - 1
                });
            }
            let names = tree.names.iter();
            moments.push(Moment {
                tree,
                files: tree
                    .files
                    .iter()
                    .map(|(inode, file)| (now[inode], file))
                    .collect(),
                names: names
                    .map(|name| ((now[&name.dir], name.name.clone()), now[&name.inode]))
                    .collect(),
            });
        }
        Self { moments, inodes }
    }

    /// All places that a name was at, at some moment up to one.
    pub fn places(&self, last: usize) -> BTreeSet<&Place> {
        let moments = self.moments.iter().take(last + 1);
        moments.flat_map(|moment| moment.names.keys()).collect()
    }
}
