// SPDX-License-Identifier: GPL-2.0

//! Names: which are there, which are not, and which file has them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Files, Judge};
use crate::history::{FileNr, Moment, Place, ROOT_NR};
use crate::problem::{Problem, Rule};
use crate::tree::{Kind, Name};

impl Judge<'_> {
    /// Judges all names; which file each inode is.
    pub fn names(&self, problems: &mut Vec<Problem>) -> Files {
        let mut files = Files::from([(self.found.root, ROOT_NR)]);
        let mut found: BTreeSet<(Place, FileNr)> = BTreeSet::new();
        // Directories come before what is in them.
        let mut dirs = vec![self.found.root];
        let mut entered = BTreeSet::new();
        while let Some(dir) = dirs.pop() {
            if !entered.insert(dir) {
                continue;
            }
            let dir_nr = files[&dir];
            for name in self.found.names.iter().filter(|name| name.dir == dir) {
                let place = (dir_nr, name.name.clone());
                match self.who(&place, name, files.get(&name.inode).copied()) {
                    Ok(nr) => {
                        files.insert(name.inode, nr);
                        found.insert((place, nr));
                        if self.found.files[&name.inode].kind == Kind::Directory {
                            dirs.push(name.inode);
                        }
                    }
                    Err(problem) => problems.push(problem),
                }
            }
        }
        self.missing(&files, &found, problems);
        if self.trace.level.renames_are_atomic() && problems.is_empty() {
            self.renames(&files, &found, problems);
        }
        self.links(&found, &files, problems);
        if self.trace.level.names_are_ordered() && problems.is_empty() {
            self.order(&found, problems);
        }
        files
    }

    /// Which file may have a name that is there.
    fn who(&self, place: &Place, name: &Name, known: Option<FileNr>) -> Result<FileNr, Problem> {
        let found = &self.found.files[&name.inode];
        let kind = found.kind;
        // With a FAT a directory that has a new name is at the old place until it is fsynced.
        let since = if self.trace.has_fat && kind == Kind::Directory {
            0
        } else {
            self.events.of_place(place, self.returned, self.history)
        };
        let path = self.path_of(name);
        if let Some(why) = &found.unreadable {
            return self
                .unreadable(place)
                .ok_or_else(|| self.problem(Rule::Readable, why));
        }
        // A new file may have the inode number of one that was removed.
        let inodes = self.history.inodes.iter();
        let is_unsure =
            self.trace.has_fat || inodes.filter(|inode| **inode == name.inode).count() > 1;
        let mut is_there = false;
        // Those that it may be but for what is in it: first of all a directory with such names.
        let mut others = Vec::new();
        for at in (since..=self.last).rev() {
            let moment = &self.history.moments[at];
            let Some(&nr) = moment.names.get(place) else {
                continue;
            };
            is_there = true;
            let is_it = self.trace.has_fat || self.history.inodes[nr] == name.inode;
            let is_known = known.is_none_or(|known| known == nr);
            let is_named = at >= self.events.of_names(nr, self.returned);
            if moment.files[&nr].kind == kind && is_it && is_known && is_named {
                // Then it is whichever of the files that had the name it may be.
                if !is_unsure || self.may_be(name.inode, nr) {
                    return Ok(nr);
                }
                others.push(nr);
            }
        }
        let has_names = |nr: &&FileNr| kind == Kind::Directory && self.may_have(name.inode, **nr);
        if let Some(nr) = others.iter().find(has_names).or(others.first()) {
            return Ok(*nr);
        }
        let text = if is_there {
            format!("{path}: it is a {kind}, and not the file that has or had that name")
        } else if self.history.places(self.last).contains(place) {
            format!(
                "{path}: it is there again; that it is not is {}",
                self.since(since)
            )
        } else {
            format!("{path}: it is there, and never was")
        };
        Err(self.problem(Rule::Names, &text))
    }

    /// Which file it is that can't be read, if it may be so: with a FAT, a new one that was not fsynced,
    /// or one that is removed.
    fn unreadable(&self, place: &Place) -> Option<FileNr> {
        let since = self.events.of_place(place, self.returned, self.history);
        let moments = &self.history.moments[since..=self.last];
        let may_be_unreadable = |nr: &FileNr| {
            let is_durable = self.events.of_attributes(*nr, self.returned) > 0;
            let is_new = !self.history.moments[0].files.contains_key(nr) && !is_durable;
            // Its checker cuts one of the two entries of a renamed directory off, its only one if both were exchanged.
            let is_dir = |moment: &Moment<'_>| {
                let file = moment.files.get(nr);
                file.is_some_and(|file| file.kind == Kind::Directory)
            };
            let is_moved = self.was_renamed(*nr) && moments.iter().any(is_dir);
            is_new || is_moved || !moments.iter().all(|moment| moment.files.contains_key(nr))
        };
        let named = moments.iter().rev();
        let mut named = named.filter_map(|moment| moment.names.get(place).copied());
        let found = named.find(may_be_unreadable);
        found.filter(|_| self.trace.has_fat)
    }

    /// Whether what is in it is what may be in a file.
    fn may_be(&self, inode: u64, nr: FileNr) -> bool {
        if self.found.files[&inode].kind == Kind::Directory {
            return self.may_be_dir(inode, nr);
        }
        let mut problems = Vec::new();
        self.contents(inode, nr, &mut problems);
        problems.is_empty()
    }

    /// Whether what is in a directory is what may be in another, as far as that goes.
    fn may_be_dir(&self, inode: u64, nr: FileNr) -> bool {
        let mut names = self.found.names.iter().filter(|name| name.dir == inode);
        let is_unsure = self.trace.has_fat;
        self.may_have(inode, nr) && (!is_unsure || names.all(|name| self.may_be_in(nr, name)))
    }

    /// Whether the names in a directory are those of another, as far as they go.
    fn may_have(&self, inode: u64, nr: FileNr) -> bool {
        let names = self.found.names.iter().filter(|name| name.dir == inode);
        let names: BTreeSet<&str> = names.map(|name| name.name.as_str()).collect();
        let mut places = self.history.places(self.last).into_iter();
        let is_missing = |place: &Place| {
            place.0 == nr && !names.contains(place.1.as_str()) && !self.may_lack(place)
        };
        let had = |name: &str| {
            self.history
                .places(self.last)
                .contains(&(nr, name.to_string()))
        };
        !places.any(is_missing) && names.iter().all(|name| had(name))
    }

    /// Whether a file that is found may be one that had that name in a directory. What is no regular file may.
    fn may_be_in(&self, dir: FileNr, name: &Name) -> bool {
        if self.found.files[&name.inode].kind != Kind::Regular {
            return true;
        }
        let place = (dir, name.name.clone());
        let moments = self.history.moments[..=self.last].iter();
        let named: BTreeSet<FileNr> = moments
            .filter_map(|moment| moment.names.get(&place).copied())
            .collect();
        named.is_empty() || named.into_iter().any(|nr| self.may_be(name.inode, nr))
    }

    fn path_of(&self, name: &Name) -> String {
        match self.path(name.dir).as_str() {
            "/" => name.name.clone(),
            dir => format!("{dir}/{}", name.name),
        }
    }

    /// Names that have to be there.
    fn missing(
        &self,
        files: &Files,
        found: &BTreeSet<(Place, FileNr)>,
        problems: &mut Vec<Problem>,
    ) {
        let dirs: BTreeSet<FileNr> = files.values().copied().collect();
        let there: BTreeSet<Place> = self
            .found
            .names
            .iter()
            .filter_map(|name| Some((*files.get(&name.dir)?, name.name.clone())))
            .collect();
        debug_assert!(found.iter().all(|(place, _)| there.contains(place)));
        for place in self.history.places(self.last) {
            if !dirs.contains(&place.0) || there.contains(place) {
                continue;
            }
            let since = self.events.of_place(place, self.returned, self.history);
            if !self.may_lack(place) {
                let text = format!(
                    "{}: it is gone; it is {}",
                    self.name(place),
                    self.since(since)
                );
                problems.push(self.problem(Rule::Names, &text));
            }
        }
    }

    /// Whether a name need not be there. Where a rename is not atomic, that is so while another file gets
    /// it; where fsync of a directory covers its names alone, until the file itself is durable, too.
    fn may_lack(&self, place: &Place) -> bool {
        let since = self.events.of_place(place, self.returned, self.history);
        let moments = &self.history.moments[since..=self.last];
        let mut named = moments.iter().map(|moment| moment.names.get(place));
        let first = named.next().flatten();
        let is_atomic = self.trace.level.renames_are_atomic();
        (self.trace.has_fat && self.was_renamed(place.0))
            || first.is_none_or(|nr| !is_atomic && !self.is_durable(*nr, place))
            || named.any(|file| file.is_none() || (file != first && !is_atomic))
    }

    /// Whether a directory had several names. With a FAT both entries may be there, and its checker cuts one of
    /// them off from what is in it.
    fn was_renamed(&self, dir: FileNr) -> bool {
        let moments = self.history.moments[..=self.last].iter();
        let there = moments.filter(|moment| moment.files.contains_key(&dir));
        let names: BTreeSet<Vec<&Place>> =
            there.map(|moment| moment.names_of(dir).collect()).collect();
        names.len() > 1
    }

    /// Whether a file is durable, not only a name of it: it was there before the program, or was fsynced.
    /// With a FAT a directory has to be fsynced once more with each new name.
    fn is_durable(&self, nr: FileNr, place: &Place) -> bool {
        let since = self.events.of_attributes(nr, self.returned);
        let moment = &self.history.moments[since];
        let is_dir = |nr| {
            moment
                .files
                .get(nr)
                .is_some_and(|file| file.kind == Kind::Directory)
        };
        let has_name = moment.names.get(place) == Some(&nr);
        moment.files.contains_key(&nr) && (has_name || !self.trace.has_fat || !is_dir(&nr))
    }

    /// A place as a path.
    fn name(&self, place: &Place) -> String {
        let moments = self.history.moments[..=self.last].iter().rev();
        let mut dirs = moments.filter(|moment| moment.files.contains_key(&place.0));
        let dir = dirs.next().map_or_else(String::new, |moment| {
            moment.tree.path(self.history.inodes[place.0])
        });
        match dir.as_str() {
            "/" => place.1.clone(),
            dir => format!("{dir}/{}", place.1),
        }
    }

    /// A file that has names at all times keeps one, and has no more than it had at any.
    fn renames(
        &self,
        files: &Files,
        found: &BTreeSet<(Place, FileNr)>,
        problems: &mut Vec<Problem>,
    ) {
        let present: BTreeSet<FileNr> = files.values().copied().collect();
        for nr in 1..self.history.inodes.len() {
            let since = self.events.of_existence(nr, self.returned, self.history);
            let moments = &self.history.moments[since..=self.last];
            let least = self.counts_of_names(nr, since).min().unwrap_or(0);
            // A name that was removed may be there as long as its directory was not made durable without it.
            let since_names = self.events.of_names(nr, self.returned);
            let most = self.counts_of_names(nr, since_names).max().unwrap_or(0);
            let has = found.iter().filter(|(_, file)| *file == nr).count();
            let name = || {
                let place = moments.iter().flat_map(|moment| moment.names_of(nr)).next();
                place.map_or_else(|| "a file".into(), |place| self.name(place))
            };
            if least > 0 && !present.contains(&nr) {
                let text = format!(
                    "{}: it has no name any more, neither this nor another that it had; it is {}",
                    name(),
                    self.since(since)
                );
                problems.push(self.problem(Rule::AtomicRename, &text));
            }
            if has > most && most > 0 {
                let text = format!(
                    "{}: it has {has} names; it never had more than {most}",
                    name()
                );
                problems.push(self.problem(Rule::AtomicRename, &text));
            }
        }
    }

    /// How many names a file had at each moment, from one to the newest that may show.
    fn counts_of_names(&self, nr: FileNr, since: usize) -> impl Iterator<Item = usize> + '_ {
        let moments = self.history.moments[since..=self.last].iter();
        moments.map(move |moment| moment.names_of(nr).count())
    }

    /// Link counts are numbers of names.
    fn links(&self, found: &BTreeSet<(Place, FileNr)>, files: &Files, problems: &mut Vec<Problem>) {
        for (inode, nr) in files {
            let file = &self.found.files[inode];
            let has = self
                .found
                .names
                .iter()
                .filter(|name| name.inode == *inode)
                .count();
            let has = has + self.found.lost.get(inode).copied().unwrap_or(0);
            let is_judged = found.iter().any(|(_, named)| named == nr);
            if file.kind == Kind::Regular && is_judged && file.links as usize != has {
                let text = format!(
                    "{}: its link count is {}, its names {has}",
                    self.path(*inode),
                    file.links
                );
                problems.push(self.problem(Rule::Links, &text));
            }
        }
    }

    /// All names are those of one moment.
    fn order(&self, found: &BTreeSet<(Place, FileNr)>, problems: &mut Vec<Problem>) {
        let inode_of = |nr: FileNr| self.history.inodes[nr];
        let is_of = |at: usize| {
            let named = self.history.moments[at].names.iter();
            let by_inode: BTreeMap<(u64, &str), FileNr> = named
                .map(|((dir, name), nr)| ((inode_of(*dir), name.as_str()), *nr))
                .collect();
            let is_there = |((dir, name), nr): &(Place, FileNr)| {
                let then = by_inode.get(&(inode_of(*dir), name.as_str()));
                // Of a file and a later one with its inode number, it may be either.
                then.is_some_and(|then| {
                    then == nr
                        || (inode_of(*then) == inode_of(*nr) && self.may_be(inode_of(*nr), *then))
                })
            };
            by_inode.len() == found.len() && found.iter().all(is_there)
        };
        if !(0..=self.last).any(is_of) {
            let names: Vec<String> = found.iter().map(|(place, _)| self.name(place)).collect();
            let text = format!("the names are those of no moment: {}", names.join(" "));
            problems.push(self.problem(Rule::Order, &text));
        }
    }
}
