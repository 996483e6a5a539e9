// SPDX-License-Identifier: GPL-2.0

//! Sorts cuts by what is pending there, what came before and what comes next: the run of a database
//! is the same few patterns over and over.

use std::cmp::Reverse;
use std::collections::VecDeque;

use powercut_model::{Event, History as _, Op, IN_FLIGHT};
use rustc_hash::FxHashMap;
use xxhash_rust::xxh3::xxh3_64;

use super::classes::{Class, Classes};
use crate::event_queue::EventQueue;
use crate::recording::Recording;

/// A cut is told apart from others the more closely, the higher the level.
pub const LEVELS: usize = 4;
/// So many flushes, FUA writes and marks before a cut are looked at, on two levels.
const BOUNDARIES: [usize; 2] = [3, 6];
/// So many entries before it, those of one class in a row being one.
const ENTRIES: usize = 8;

/// Cuts with the same classes of writes pending, the same class of what comes next, and as many
/// marks (none, one, several) since the oldest of these writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    pub pending: Vec<Class>,
    pub next: Option<Class>,
    pub marks: u8,
    /// The number of cuts.
    pub cuts: u64,
}

#[derive(Debug)]
pub struct Kinds {
    pub classes: Classes,
    /// The kind of each cut, by the cut's number.
    of: Vec<u32>,
    kinds: Vec<Kind>,
    /// Of each level, a cut for each pattern that none of a lower level has, the rarest first and of
    /// these the one with most to lose.
    representatives: [Vec<Event>; LEVELS],
    /// How many patterns the highest level tells apart.
    patterns: usize,
}

/// What there is at a cut, on each level.
type Signature = [u64; LEVELS];

impl Kinds {
    /// `pieces`: how many are pending at each of the cuts.
    pub fn new(recording: &Recording, cuts: &[Event], pieces: &[u32]) -> Self {
        let classes = Classes::new(recording);
        let mut walk = Walk::new(recording, &classes);
        let mut kinds: Vec<Kind> = Vec::new();
        let mut numbers: FxHashMap<u64, u32> = FxHashMap::default();
        let mut of = Vec::with_capacity(cuts.len());
        let mut signatures: Vec<Signature> = Vec::with_capacity(cuts.len());
        for cut in cuts {
            let (signature, next, marks) = walk.advance(*cut);
            let number = *numbers.entry(signature[0]).or_insert_with(|| {
                kinds.push(Kind {
                    pending: walk.pending_classes(),
                    next,
                    marks,
                    cuts: 0,
                });
                kinds.len() as u32 - 1
            });
            kinds[number as usize].cuts += 1;
            of.push(number);
            signatures.push(signature);
        }
        let (representatives, patterns) = representatives(cuts, pieces, &signatures);
        Self {
            classes,
            of,
            kinds,
            representatives,
            patterns,
        }
    }

    /// The kind of the cut of that number.
    pub fn of(&self, cut_nr: usize) -> u32 {
        self.of[cut_nr]
    }

    pub fn list(&self) -> &[Kind] {
        &self.kinds
    }

    pub fn nr_patterns(&self) -> usize {
        self.patterns
    }

    /// Of a level, a cut for each pattern that no lower level tells apart, the rarest first.
    pub fn representatives(&self, level: usize) -> &[Event] {
        &self.representatives[level]
    }

    /// A kind for people.
    pub fn name(&self, kind: &Kind) -> String {
        let pending: Vec<&str> = kind.pending.iter().map(|c| self.classes.name(*c)).collect();
        let pending = match pending[..] {
            [] => "nothing pending".into(),
            _ => format!("pending: {}", pending.join("; ")),
        };
        let marks = ["", ", one mark since", ", marks since"][kind.marks as usize];
        let next = kind.next.map(|class| self.classes.name(class));
        format!("{pending}{marks}; next: {}", next.unwrap_or("the end"))
    }
}

fn representatives(
    cuts: &[Event],
    pieces: &[u32],
    signatures: &[Signature],
) -> ([Vec<Event>; LEVELS], usize) {
    let mut patterns = 0;
    let mut chosen = vec![false; cuts.len()];
    let found = std::array::from_fn(|level| {
        // How often each pattern comes, the cut with most pending, and whether a cut was chosen.
        let mut seen: FxHashMap<u64, (u32, u32, bool)> = FxHashMap::default();
        for (nr, signature) in (0u32..).zip(signatures) {
            let (count, most, has_one) = seen.entry(signature[level]).or_insert((0, nr, false));
            *count += 1;
            *has_one |= chosen[nr as usize];
            if pieces[nr as usize] > pieces[*most as usize] {
                *most = nr;
            }
        }
        patterns = seen.len();
        let mut rare: Vec<(u32, Reverse<u32>, u32)> = seen
            .into_values()
            .filter(|(.., has_one)| !has_one)
            .map(|(count, most, _)| (count, Reverse(pieces[most as usize]), most))
            .collect();
        rare.sort_unstable();
        rare.iter().for_each(|(.., nr)| chosen[*nr as usize] = true);
        rare.into_iter().map(|(.., nr)| cuts[nr as usize]).collect()
    });
    (found, patterns)
}

/// Goes through a log from cut to cut.
struct Walk<'r> {
    recording: &'r Recording,
    classes: &'r Classes,
    /// When writes become pending, and when stable.
    changes: EventQueue,
    /// The number of writes pending, by class.
    pending: Vec<u64>,
    /// The sum of the hashes of the classes that have any.
    pending_hash: u64,
    /// The entry that is pending the longest.
    oldest: usize,
    /// Where spans end.
    boundaries: EventQueue,
    /// The marks before that entry, and those so far.
    marks_before: usize,
    marks: usize,
    /// How many entries were submitted.
    submitted: usize,
    last_boundaries: VecDeque<Class>,
    last_entries: VecDeque<Class>,
}

impl<'r> Walk<'r> {
    fn new(recording: &'r Recording, classes: &'r Classes) -> Self {
        let mut changes = EventQueue::default();
        let mut boundaries = EventQueue::default();
        let cached = recording.geometry().write_cache;
        for (index, recorded) in (0u32..).zip(recording.entries()) {
            let entry = &recorded.entry();
            if entry.is_write() && entry.start != IN_FLIGHT {
                changes.add(entry.start, index);
                changes.add(recording.stable_from(index as usize), index);
            }
            if let Some(event) = entry.flush_complete() {
                boundaries.add(event, index);
            }
            if entry.op == Op::Mark || (entry.is_write() && (entry.fua || !cached)) {
                boundaries.add(entry.complete, index);
            }
        }
        changes.sort();
        boundaries.sort();
        Self {
            recording,
            classes,
            changes,
            pending: vec![0; classes.len()],
            pending_hash: 0,
            oldest: 0,
            boundaries,
            marks_before: 0,
            marks: 0,
            submitted: 0,
            last_boundaries: VecDeque::new(),
            last_entries: VecDeque::new(),
        }
    }
    /// Goes on to a later cut: its signature, the class of what comes next, and the marks since the
    /// oldest pending write.
    fn advance(&mut self, cut: Event) -> (Signature, Option<Class>, u8) {
        self.take_in_changes(cut);
        self.take_in_entries(cut);
        while self.boundaries.take_by(cut).is_some() {}
        let next = self.boundaries.peek();
        let next = next.map(|(_, index)| self.classes.of(index as usize));
        let marks = self.marks_since_oldest(cut).min(2) as u8;
        let base = hash([
            self.pending_hash,
            next.map_or(u64::MAX, u64::from),
            u64::from(marks),
        ]);
        let context = |last: &VecDeque<Class>, len: usize| {
            let newest = last.iter().rev().take(len).map(|class| u64::from(*class));
            hash(std::iter::once(base).chain(newest))
        };
        let few = context(&self.last_boundaries, BOUNDARIES[0]);
        let more = context(&self.last_boundaries, BOUNDARIES[1]);
        let entries = context(&self.last_entries, ENTRIES);
        ([base, few, more, hash([more, entries])], next, marks)
    }

    /// The number of marks between the submit of the oldest pending write and a cut.
    fn marks_since_oldest(&mut self, cut: Event) -> usize {
        // As time goes on, it is ever later ones.
        self.oldest = self.recording.next_unstable(self.oldest, cut);
        let oldest = self.recording.entry(self.oldest);
        let oldest = oldest.map_or(cut, |entry| entry.submit.min(cut));
        let marks = self.recording.marks();
        let goes_on = |nr: usize, event: Event| marks.get(nr).is_some_and(|m| m.event <= event);
        while goes_on(self.marks_before, oldest) {
            self.marks_before += 1;
        }
        while goes_on(self.marks, cut) {
            self.marks += 1;
        }
        self.marks - self.marks_before
    }

    fn take_in_changes(&mut self, cut: Event) {
        while let Some((event, index)) = self.changes.take_by(cut) {
            let index = index as usize;
            let class = self.classes.of(index);
            let count = &mut self.pending[class as usize];
            // A write may be stable at once.
            let starts = event == self.recording.entries()[index].start();
            let is_new = starts && self.recording.stable_from(index) != event;
            if is_new {
                *count += 1;
                if *count == 1 {
                    self.pending_hash = self.pending_hash.wrapping_add(hash([u64::from(class)]));
                }
            } else if !starts {
                *count -= 1;
                if *count == 0 {
                    self.pending_hash = self.pending_hash.wrapping_sub(hash([u64::from(class)]));
                }
            }
        }
    }

    fn take_in_entries(&mut self, cut: Event) {
        let end = self.recording.submitted_by(cut);
        for index in self.submitted..end {
            let entry = &self.recording.entries()[index].entry();
            let class = self.classes.of(index);
            let is_promise = entry.fua && entry.is_write();
            if entry.op == Op::Mark || entry.flush_complete().is_some() || is_promise {
                push(&mut self.last_boundaries, class, BOUNDARIES[1]);
            }
            if self.last_entries.back() != Some(&class) {
                push(&mut self.last_entries, class, ENTRIES);
            }
        }
        self.submitted = end;
    }

    fn pending_classes(&self) -> Vec<Class> {
        let pending = (0..).zip(&self.pending);
        let pending = pending.filter(|(_, count)| **count > 0);
        pending.map(|(class, _)| class).collect()
    }
}

fn push(last: &mut VecDeque<Class>, class: Class, len: usize) {
    if last.len() == len {
        last.pop_front();
    }
    last.push_back(class);
}

/// Of one more than [`ENTRIES`] numbers at most.
fn hash(numbers: impl IntoIterator<Item = u64>) -> u64 {
    let mut bytes = [[0; 8]; ENTRIES + 1];
    let mut len = 0;
    for (place, number) in bytes.iter_mut().zip(numbers) {
        *place = number.to_le_bytes();
        len += 1;
    }
    xxh3_64(bytes[..len].as_flattened())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks::Marks;
    use crate::recording::testing::History;
    use crate::strategy::Space;

    /// A write, a flush and a mark, many times; once the mark comes before the flush.
    #[test]
    fn the_one_that_is_not_like_the_others_comes_early() {
        let mut log = History::new();
        for nr in 0..50 {
            log = log.write(100 + nr, "a");
            log = if nr == 31 {
                log.mark("put").flush()
            } else {
                log.flush().mark("put")
            };
        }
        let log = log.done();
        let space = Space::new(&log, Marks::Any);
        let kinds = space.kinds();
        let early = log.marks()[31].event;
        let rare: Vec<Event> = kinds.representatives(0).to_vec();
        assert!(
            rare.iter()
                .take(4)
                .any(|cut| (early..=early + 1).contains(cut)),
            "{rare:?}"
        );
        assert!(kinds.list().len() < 8, "{:?}", kinds.list());
        let all: u64 = kinds.list().iter().map(|kind| kind.cuts).sum();
        assert_eq!(all, space.cuts().len() as u64);
        let common = kinds.list().iter().max_by_key(|kind| kind.cuts).unwrap();
        assert_eq!(
            kinds.name(common),
            "pending: WRITE by test; next: FLUSH by test"
        );
    }

    #[test]
    fn no_cut_represents_two_patterns() {
        let log = History::long(3).done();
        let space = Space::new(&log, Marks::Any);
        let kinds = space.kinds();
        let all = (0..LEVELS).flat_map(|level| kinds.representatives(level));
        let mut all: Vec<Event> = all.copied().collect();
        let len = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), len);
        assert!(kinds.nr_patterns() <= space.cuts().len());
    }
}
