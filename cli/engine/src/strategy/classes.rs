// SPDX-License-Identifier: GPL-2.0

//! Sorts the entries of a log by what they have in common: who submitted them, how, and how often
//! their place is written.

use std::collections::HashMap;

use crate::abi::{EntryOp, Flags};
use crate::recording::{Content, Recorded, Recording};

/// More sorts of marks than this are not told apart.
const MARKS: usize = 64;

/// The class of an entry, by its number.
pub type Class = u32;

/// What entries of a class have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    /// Of a mark its first word, else the task, without numbers.
    who: String,
    op: EntryOp,
    flags: Flags,
    /// Larger, the more often the first unit is written in the whole record.
    heat: u8,
    /// Larger, the more units are written.
    size: u8,
}

#[derive(Debug, Default)]
pub struct Classes {
    of: Vec<Class>,
    names: Vec<String>,
}

impl Classes {
    pub fn new(recording: &Recording) -> Self {
        let mut classes = Self::default();
        let mut known: HashMap<Key, Class> = HashMap::new();
        let mut nr_marks = 0;
        for recorded in recording.entries() {
            let mut key = key(recording, recorded);
            if key.op == EntryOp::Mark && !known.contains_key(&key) {
                nr_marks += 1;
                if nr_marks > MARKS {
                    key.who.clear();
                }
            }
            let class = *known.entry(key).or_insert_with_key(|key| {
                classes.names.push(key.name());
                classes.names.len() as Class - 1
            });
            classes.of.push(class);
        }
        classes
    }

    /// The class of the entry of that index.
    pub fn of(&self, index: usize) -> Class {
        self.of[index]
    }

    /// What entries of a class have in common, for people.
    pub fn name(&self, class: Class) -> &str {
        &self.names[class as usize]
    }
}

fn key(recording: &Recording, recorded: &Recorded) -> Key {
    let (raw, entry) = (&recorded.raw, &recorded.entry);
    let who = match &recorded.content {
        Content::Mark(text) => text.as_str(),
        _ => raw.task.as_str(),
    };
    let unit_sectors = u64::from(recording.header().atomic_unit) / crate::abi::SECTOR;
    let heat = match recording.writes_of(entry.sector / unit_sectors).len() {
        _ if entry.nr_sectors == 0 => 0,
        0..=1 => 0,
        2..=7 => 1,
        8..=63 => 2,
        _ => 3,
    };
    let size = match u64::from(entry.nr_sectors) / unit_sectors {
        0..=1 => 0,
        2..=15 => 1,
        _ => 2,
    };
    Key {
        who: word(who),
        op: raw.op,
        flags: raw.flags & (Flags::PREFLUSH | Flags::FUA | Flags::META),
        heat,
        size,
    }
}

/// The letters that a text begins with, up to 16.
fn word(text: &str) -> String {
    let letters = text.chars().take_while(|c| c.is_alphabetic());
    letters.take(16).collect()
}

impl Key {
    fn name(&self) -> String {
        let mut name = match self.op {
            EntryOp::Mark => format!("mark \"{}\"", self.who),
            op => format!("{} by {}", op.name(), self.who),
        };
        for flag in self.flags.names().filter(|_| self.op != EntryOp::Flush) {
            name.push(' ');
            name.push_str(flag);
        }
        let size = ["", ", several units", ", large"];
        let heat = ["", ", written again", ", written often", ", hot"];
        name.push_str(size[self.size as usize]);
        name.push_str(heat[self.heat as usize]);
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::testing::History;

    #[test]
    fn entries_that_differ_in_numbers_alone_are_of_one_class() {
        let log = History::new()
            .write(1, "a")
            .write(2, "b")
            .mark("put 1")
            .mark("put 23")
            .mark("del 1")
            .fua(5, "c")
            .write_run(8, &["d", "e"]);
        let log = (0..9).fold(log, |log, _| log.write(6, "f")).done();
        let classes = Classes::new(&log);
        let names: Vec<&str> = (0..7).map(|nr| classes.name(classes.of(nr))).collect();
        let expected = [
            "WRITE by test",
            "WRITE by test",
            "mark \"put\"",
            "mark \"put\"",
            "mark \"del\"",
            "WRITE by test FUA",
            "WRITE by test, several units",
        ];
        assert_eq!(names, expected);
        assert_eq!(classes.name(classes.of(8)), "WRITE by test, written often");
    }
}
