// SPDX-License-Identifier: GPL-2.0

//! What is in a file: its size, its bytes, its attributes.

use std::collections::BTreeSet;

use super::Judge;
use crate::history::{FileNr, Moment};
use crate::op::{FallocateMode, Op};
use crate::problem::{Problem, Rule};
use crate::tree::{File, Kind};

impl Judge<'_> {
    /// Judges what is in a file.
    pub fn contents(&self, inode: u64, nr: FileNr, problems: &mut Vec<Problem>) {
        let file = &self.found.files[&inode];
        if file.unreadable.is_some() {
            return;
        }
        match file.kind {
            Kind::Regular if self.trace.has_fat && !self.has_its_entry(inode, nr) => {}
            Kind::Regular => {
                let may_have_size = self.size(inode, nr, file, problems);
                // Of another size, other bytes are no news.
                if may_have_size {
                    self.bytes(inode, nr, file, problems);
                    self.space(inode, nr, file, problems);
                }
            }
            Kind::Symlink => self.target(inode, nr, file, problems),
            _ => {}
        }
        self.attributes(inode, nr, file, problems);
    }

    /// Whether it has the directory entry that it had since it was made durable: one of another name, or in another
    /// directory, is another one, and what is being removed loses its data first.
    fn has_its_entry(&self, inode: u64, nr: FileNr) -> bool {
        let since = self.events.of_size(nr, self.returned, self.history);
        let path = self.path(inode);
        let name = path.rsplit('/').next();
        let mut moments = self.history.moments[since..=self.last].iter();
        let places = |moment: &Moment<'_>| moment.names_of(nr).cloned().collect::<Vec<_>>();
        let Some(first) = moments.next().map(places) else {
            return false;
        };
        let is_named = first.iter().any(|place| Some(place.1.as_str()) == name);
        is_named && moments.all(|moment| places(moment) == first)
    }

    /// The file at the moments from one to the newest that may show.
    fn versions(&self, nr: FileNr, since: usize) -> impl Iterator<Item = &File> {
        let moments = self.history.moments[since..=self.last].iter();
        moments.filter_map(move |moment| moment.files.get(&nr).copied())
    }

    /// Whether it was made after a moment: then it was empty at first.
    fn is_new(&self, nr: FileNr, since: usize) -> bool {
        !self.history.moments[since].files.contains_key(&nr)
    }

    /// Whether the size is one that it may have.
    fn size(&self, inode: u64, nr: FileNr, file: &File, problems: &mut Vec<Problem>) -> bool {
        let since = self.events.of_size(nr, self.returned, self.history);
        let sizes = || {
            self.versions(nr, since)
                .map(|version| version.content.len())
        };
        let least = if self.is_new(nr, since) {
            0
        } else {
            sizes().min().unwrap_or(0)
        };
        let most = sizes().max().unwrap_or(0);
        let size = file.content.len();
        if (least..=most).contains(&size) {
            return true;
        }
        let allowed = if least == most {
            format!("{least}")
        } else {
            format!("{least} to {most}")
        };
        let text = format!(
            "{}: its size is {size}, not {allowed}; {}",
            self.path(inode),
            self.since(since)
        );
        problems.push(self.problem(Rule::Size, &text));
        false
    }

    fn bytes(&self, inode: u64, nr: FileNr, file: &File, problems: &mut Vec<Problem>) {
        let size = file.content.len();
        let mut edges: BTreeSet<u64> = self.events.edges(nr).filter(|edge| *edge < size).collect();
        let versions = self.versions(nr, 0);
        edges.extend(versions.flat_map(|version| version.content.runs().map(|run| run.0)));
        edges.extend(self.versions(nr, 0).map(|version| version.content.len()));
        edges.extend(file.content.runs().map(|run| run.0));
        let hides = self.trace.level.hides_stale_data();
        // What is known is the same from each edge to the next.
        for &at in edges.iter().filter(|edge| **edge < size) {
            let since = self.events.of_byte(nr, at, self.returned);
            let mut allowed: BTreeSet<u8> = self
                .versions(nr, since)
                .map(|version| version.content.byte(at))
                .collect();
            if self.is_new(nr, since) {
                allowed.insert(0);
            }
            if self.is_shifted(nr, since) {
                let versions = self.versions(nr, since);
                allowed.extend(versions.flat_map(|v| v.content.runs().map(|run| run.2)));
                allowed.insert(0);
            }
            let byte = file.content.byte(at);
            // What is beyond the end is nobody's promise.
            let is_within = self
                .versions(nr, since)
                .all(|version| at < version.content.len());
            let is_durable = allowed.len() == 1 && is_within;
            if !allowed.contains(&byte) && (hides || is_durable) {
                let allowed: Vec<String> = allowed.iter().map(|b| format!("{b:#04x}")).collect();
                let text = format!(
                    "{}: byte {at} is {byte:#04x}, not {}; {}",
                    self.path(inode),
                    allowed.join(" or "),
                    self.since(since)
                );
                problems.push(self.problem(Rule::Data, &text));
                return;
            }
        }
    }

    /// Whether it has the space that fallocate(2) gave it, once that is durable and while nothing else is done to
    /// its data: filesystems take space and give it anew within one operation. Of a file that may share blocks it is not
    /// judged: XFS counts, until the next mount, what it sets aside for copies of them.
    fn space(&self, inode: u64, nr: FileNr, file: &File, problems: &mut Vec<Problem>) {
        let since = self.events.of_size(nr, self.returned, self.history);
        let allocates = |op: &Op| {
            use FallocateMode::{Allocate, KeepSize};
            matches!(
                op,
                Op::Fallocate {
                    mode: Allocate | KeepSize,
                    ..
                }
            )
        };
        let shares = |op: &Op| {
            matches!(
                op,
                Op::Copy { .. } | Op::CopyRange { .. } | Op::Reflink { .. }
            )
        };
        let is_judged = self.trace.level.keeps_space()
            && self.is_done_to(nr, 1, since, allocates)
            && !self.is_done_to(nr, 1, since, shares)
            && !self.is_done_to(nr, since + 1, self.last, Op::changes_data);
        let durable = self.history.moments[since].files.get(&nr);
        let space = durable.map_or(0, |durable| durable.space);
        if is_judged && file.space < space {
            let text = format!(
                "{}: it has {} bytes of space, not {space}; {}",
                self.path(inode),
                file.space,
                self.since(since)
            );
            problems.push(self.problem(Rule::Space, &text));
        }
    }

    /// Whether one of these operations, of a sort, was done to a file.
    fn is_done_to(
        &self,
        nr: FileNr,
        first: usize,
        last: usize,
        is_it: impl Fn(&Op) -> bool,
    ) -> bool {
        (first..=last).any(|at| {
            let op = &self.trace.steps[at - 1].op;
            let moment = &self.history.moments[at];
            is_it(op) && op.paths().iter().any(|path| moment.find(path) == Some(nr))
        })
    }

    /// Whether bytes of a file were moved within it, which happens piece by piece.
    fn is_shifted(&self, nr: FileNr, since: usize) -> bool {
        use FallocateMode::{Collapse, Insert};
        self.is_done_to(nr, since + 1, self.last, |op| {
            matches!(
                op,
                Op::Fallocate {
                    mode: Collapse | Insert,
                    ..
                }
            )
        })
    }

    fn target(&self, inode: u64, nr: FileNr, file: &File, problems: &mut Vec<Problem>) {
        let mut versions = self.versions(nr, 0);
        if !versions.any(|version| version.content == file.content) {
            let target = String::from_utf8_lossy(&file.content.bytes()).into_owned();
            let text = format!(
                "{}: it points to {target:?}, and never did",
                self.path(inode)
            );
            problems.push(self.problem(Rule::Target, &text));
        }
    }

    fn attributes(&self, inode: u64, nr: FileNr, file: &File, problems: &mut Vec<Problem>) {
        let since = self.events.of_attributes(nr, self.returned);
        let mut wrong = Vec::new();
        if !self
            .versions(nr, since)
            .any(|version| version.mode == file.mode)
        {
            wrong.push(format!("its permissions are {:o}", file.mode));
        }
        let names = self
            .versions(nr, since)
            .flat_map(|version| version.xattrs.keys());
        let names: BTreeSet<&String> = names.chain(file.xattrs.keys()).collect();
        for name in names {
            let value = file.xattrs.get(name);
            let is_new = value.is_none() && self.is_new(nr, since);
            let mut versions = self.versions(nr, since);
            if !is_new && !versions.any(|version| version.xattrs.get(name) == value) {
                let value = value.map_or("gone".into(), |value| shown(value));
                wrong.push(format!("its attribute {name} is {value}"));
            }
        }
        // Times change with the data: only one that was set, and not changed since, is known.
        let mut times = self.versions(nr, since).map(|version| version.modified);
        let set = times.next().filter(|time| self.was_set(*time));
        if set.is_some_and(|time| times.all(|other| other == time) && file.modified != time) {
            wrong.push(format!("its time of modification is {}", file.modified.0));
        }
        for what in wrong {
            let text = format!("{}: {what}; {}", self.path(inode), self.since(since));
            problems.push(self.problem(Rule::Attributes, &text));
        }
    }

    /// Whether an operation set a time of modification to this.
    fn was_set(&self, time: (i64, u32)) -> bool {
        let mut steps = self.trace.steps[..self.returned].iter();
        steps.any(|step| match step.op {
            Op::Utimens { seconds, .. } => time == (seconds.into(), 0),
            _ => false,
        })
    }
}

/// A value of an attribute, without most of a long one.
fn shown(value: &str) -> String {
    const LONG: usize = 32;
    match value.char_indices().nth(LONG) {
        Some((end, _)) => format!("{:?}.. of {} bytes", &value[..end], value.len()),
        None => format!("{value:?}"),
    }
}
