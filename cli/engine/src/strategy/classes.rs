// SPDX-License-Identifier: GPL-2.0

//! Sorts the entries of a log by what they have in common: who submitted them, how, and how often
//! their place is written.

use std::collections::HashMap;

use crate::abi::{EntryOp, Flags};
use crate::recording::{Recorded, Recording};

/// More sorts of marks than this are not told apart.
const MARKS: usize = 64;

/// The class of an entry, by its number.
pub type Class = u32;

/// What entries of a class have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    /// Of a mark its first word, else the task, without numbers; by its number.
    who: u32,
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
        let mut classes = Self {
            of: Vec::with_capacity(recording.entries().len()),
            names: Vec::new(),
        };
        let mut known: HashMap<Key, Class> = HashMap::new();
        let mut words = Words::default();
        // The word of each task.
        let tasks: Vec<u32> = recording
            .tasks()
            .map(|task| words.add(word(task)))
            .collect();
        let none = words.add("");
        let mut nr_marks = 0;
        for (index, recorded) in recording.entries().iter().enumerate() {
            let mark = recording.text(recorded).map(word);
            let who = match mark {
                Some(word) => words.find(word),
                None => Some(tasks[recorded.task_nr()]),
            };
            let mut key = key(recording, index, who.unwrap_or(none));
            if let Some(word) = mark.filter(|_| who.is_none() || !known.contains_key(&key)) {
                nr_marks += 1;
                key.who = if nr_marks > MARKS {
                    none
                } else {
                    words.add(word)
                };
            }
            let class = *known.entry(key).or_insert_with_key(|key| {
                classes.names.push(key.name(words.get(key.who)));
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

    /// The number of classes.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// What entries of a class have in common, for people.
    pub fn name(&self, class: Class) -> &str {
        &self.names[class as usize]
    }
}

/// Words by their number.
#[derive(Debug, Default)]
struct Words {
    numbers: HashMap<String, u32>,
    words: Vec<String>,
}

impl Words {
    fn find(&self, word: &str) -> Option<u32> {
        self.numbers.get(word).copied()
    }

    fn add(&mut self, word: &str) -> u32 {
        self.find(word).unwrap_or_else(|| {
            let number = self.words.len() as u32;
            self.words.push(word.into());
            self.numbers.insert(word.into(), number);
            number
        })
    }

    fn get(&self, number: u32) -> &str {
        &self.words[number as usize]
    }
}

fn key(recording: &Recording, index: usize, who: u32) -> Key {
    let recorded: &Recorded = &recording.entries()[index];
    let entry = recorded.entry();
    let first = recording.places(index).next();
    let heat = match first.map_or(0, |place| recording.writes_at(place).len()) {
        0..=1 => 0,
        2..=7 => 1,
        8..=63 => 2,
        _ => 3,
    };
    let unit_sectors = u64::from(recording.header().atomic_unit) / crate::abi::SECTOR;
    let size = match u64::from(entry.nr_sectors) / unit_sectors {
        0..=1 => 0,
        2..=15 => 1,
        _ => 2,
    };
    Key {
        who,
        op: recorded.op(),
        flags: recorded.flags() & (Flags::PREFLUSH | Flags::FUA | Flags::META),
        heat,
        size,
    }
}

/// The letters that a text begins with, up to 16.
fn word(text: &str) -> &str {
    let mut letters = text.char_indices().take(16);
    let end = letters.find(|(_, c)| !c.is_alphabetic());
    let sixteen = text.char_indices().nth(16);
    let end = end.or(sixteen).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

impl Key {
    fn name(&self, who: &str) -> String {
        let mut name = match self.op {
            EntryOp::Mark => format!("mark \"{who}\""),
            op => format!("{} by {who}", op.name()),
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
    fn a_word_is_the_first_letters_up_to_16() {
        let cases = [
            ("", ""),
            ("12", ""),
            ("put 7", "put"),
            ("jbd2/sda-8", "jbd"),
            ("\u{e9}t\u{e9} 1", "\u{e9}t\u{e9}"),
            ("abcdefghijklmnop", "abcdefghijklmnop"),
            ("abcdefghijklmnopq", "abcdefghijklmnop"),
        ];
        for (text, expected) in cases {
            assert_eq!(word(text), expected);
        }
    }

    #[test]
    fn of_many_sorts_of_marks_only_the_first_are_told_apart() {
        let letters = |nr: usize| -> String {
            let digits = nr.to_string().into_bytes().into_iter();
            digits.map(|digit| char::from(digit + 50)).collect()
        };
        let marks = (0..100).map(letters);
        let log = marks.fold(History::new(), |log, mark| log.mark(&mark));
        let log = log.mark(&letters(0)).done();
        let classes = Classes::new(&log);
        assert_eq!(classes.len(), MARKS + 1);
        assert_eq!(classes.of(100), classes.of(0));
        assert_eq!(classes.of(99), classes.of(MARKS));
        assert_eq!(classes.name(classes.of(99)), "mark \"\"");
    }

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
