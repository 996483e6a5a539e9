// SPDX-License-Identifier: GPL-2.0

//! Names: which are there, which are not, and which file has them.

use std::collections::BTreeSet;

use super::{Files, Judge};
use crate::history::{FileNr, Place, ROOT_NR};
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
        let since = self.events.of_place(place, self.returned, self.history);
        let found = &self.found.files[&name.inode];
        let kind = found.kind;
        let path = self.path_of(name);
        if let Some(why) = &found.unreadable {
            return self
                .unreadable(place)
                .ok_or_else(|| self.problem(Rule::Readable, why));
        }
        let mut is_there = false;
        let mut other = None;
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
                // Without inode numbers it is whichever of the files that had the name it may be.
                if !self.trace.has_fat || self.may_be(name.inode, nr) {
                    return Ok(nr);
                }
                other.get_or_insert(nr);
            }
        }
        if let Some(nr) = other {
            return Ok(nr);
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

    /// Which file it is that can't be read, if it may be so: with a FAT, a new one that was not fsynced.
    fn unreadable(&self, place: &Place) -> Option<FileNr> {
        let moments = self.history.moments[..=self.last].iter();
        let nr = moments
            .rev()
            .find_map(|moment| moment.names.get(place).copied())?;
        let is_new = !self.history.moments[0].files.contains_key(&nr);
        let is_durable = self.events.of_attributes(nr, self.returned) > 0;
        (self.trace.has_fat && is_new && !is_durable).then_some(nr)
    }

    /// Whether what is in it is what may be in a file.
    fn may_be(&self, inode: u64, nr: FileNr) -> bool {
        let mut problems = Vec::new();
        self.contents(inode, nr, &mut problems);
        problems.is_empty()
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
            let may_lack =
                (since..=self.last).any(|at| !self.history.moments[at].names.contains_key(place));
            if !may_lack {
                let text = format!(
                    "{}: it is gone; it is {}",
                    self.name(place),
                    self.since(since)
                );
                problems.push(self.problem(Rule::Names, &text));
            }
        }
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
            let counts = || moments.iter().map(|moment| moment.names_of(nr).count());
            let (least, most) = (counts().min().unwrap_or(0), counts().max().unwrap_or(0));
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
        let is_of = |at: usize| {
            let names = &self.history.moments[at].names;
            names.len() == found.len()
                && found.iter().all(|(place, nr)| names.get(place) == Some(nr))
        };
        if !(0..=self.last).any(is_of) {
            let names: Vec<String> = found.iter().map(|(place, _)| self.name(place)).collect();
            let text = format!("the names are those of no moment: {}", names.join(" "));
            problems.push(self.problem(Rule::Order, &text));
        }
    }
}
