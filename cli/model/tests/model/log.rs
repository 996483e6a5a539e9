// SPDX-License-Identifier: GPL-2.0

//! A log in memory, written event by event.

use std::ops::Range;

use powercut_model::{Entry, Event, Geometry, History, Op, IN_FLIGHT};

/// What is submitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Bio {
    pub op: Op,
    pub preflush: bool,
    pub fua: bool,
    pub sectors: Range<u64>,
}

impl Bio {
    pub fn write(sectors: Range<u64>) -> Self {
        Self {
            op: Op::Write,
            preflush: false,
            fua: false,
            sectors,
        }
    }

    pub fn discard(sectors: Range<u64>) -> Self {
        Self {
            op: Op::Discard,
            ..Self::write(sectors)
        }
    }

    pub fn write_zeroes(sectors: Range<u64>) -> Self {
        Self {
            op: Op::WriteZeroes,
            ..Self::write(sectors)
        }
    }

    pub fn flush() -> Self {
        Self {
            op: Op::Flush,
            ..Self::write(0..0)
        }
    }

    pub fn mark() -> Self {
        Self {
            op: Op::Mark,
            ..Self::write(0..0)
        }
    }

    pub fn fua(self) -> Self {
        Self { fua: true, ..self }
    }

    pub fn preflush(self) -> Self {
        Self {
            preflush: true,
            ..self
        }
    }
}

/// The recorded disk.
#[derive(Clone, Debug)]
pub struct Log {
    pub geometry: Geometry,
    pub entries: Vec<Entry>,
    pub last: Event,
}

impl Log {
    pub fn new(unit_sectors: u32, write_cache: bool) -> Self {
        Self {
            geometry: Geometry {
                unit_sectors,
                write_cache,
            },
            entries: Vec::new(),
            last: 0,
        }
    }

    /// A log of bios that are each complete before the next is submitted.
    pub fn of(unit_sectors: u32, write_cache: bool, bios: impl IntoIterator<Item = Bio>) -> Self {
        let mut log = Self::new(unit_sectors, write_cache);

        for bio in bios {
            log.issue(&bio);
        }
        log
    }

    fn tick(&mut self) -> Event {
        self.last += 1;
        self.last
    }

    /// Something happens to another disk of the group.
    pub fn elsewhere(&mut self) {
        self.tick();
    }

    /// Adds a bio that is in flight from now on, and returns its index.
    pub fn submit(&mut self, bio: &Bio) -> usize {
        let submit = self.tick();

        self.entries.push(Entry {
            op: bio.op,
            preflush: bio.preflush,
            fua: bio.fua,
            lied: false,
            sector: bio.sectors.start,
            nr_sectors: u32::try_from(bio.sectors.end - bio.sectors.start).unwrap(),
            submit,
            start: if bio.preflush && bio.op.is_write() {
                IN_FLIGHT
            } else {
                submit
            },
            complete: if bio.op == Op::Mark {
                submit
            } else {
                IN_FLIGHT
            },
        });
        self.entries.len() - 1
    }

    /// The next event of a bio in flight: the start of its data, if that is still to come, or its
    /// completion.
    pub fn advance(&mut self, index: usize) {
        let event = self.tick();
        let entry = &mut self.entries[index];

        if entry.start == IN_FLIGHT {
            entry.start = event;
        } else {
            assert_eq!(entry.complete, IN_FLIGHT);
            entry.complete = event;
        }
    }

    /// Adds a bio and completes it.
    pub fn issue(&mut self, bio: &Bio) -> usize {
        let index = self.submit(bio);

        while self.entries[index].complete == IN_FLIGHT {
            self.advance(index);
        }
        index
    }

    /// The log as it was when it had that many entries.
    pub fn truncate(&mut self, nr_entries: usize, last: Event) {
        self.entries.truncate(nr_entries);
        self.last = last;
    }

    /// The events of this disk, in order.
    pub fn events(&self) -> Vec<Event> {
        let mut events: Vec<_> = self
            .entries
            .iter()
            .flat_map(|entry| [entry.submit, entry.start, entry.complete])
            .filter(|&event| event != IN_FLIGHT)
            .collect();

        events.sort_unstable();
        events.dedup();
        events
    }

    /// The same log without gaps in the numbers of its events.
    pub fn alone(&self) -> Self {
        let events = self.events();
        let renumber = |event| match events.binary_search(&event) {
            Ok(place) => place as Event + 1,
            Err(_) => IN_FLIGHT,
        };

        Self {
            geometry: self.geometry,
            entries: self
                .entries
                .iter()
                .map(|entry| Entry {
                    submit: renumber(entry.submit),
                    start: renumber(entry.start),
                    complete: renumber(entry.complete),
                    ..*entry
                })
                .collect(),
            last: events.len() as Event,
        }
    }

    /// The log as it was after `event`, with what was in flight then.
    pub fn as_of(&self, event: Event) -> Self {
        let before = |e: Event| if e <= event { e } else { IN_FLIGHT };

        Self {
            geometry: self.geometry,
            entries: self
                .entries
                .iter()
                .filter(|entry| entry.submit <= event)
                .map(|entry| Entry {
                    start: before(entry.start),
                    complete: before(entry.complete),
                    ..*entry
                })
                .collect(),
            last: event,
        }
    }
}

impl History for Log {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn nr_entries(&self) -> usize {
        self.entries.len()
    }

    fn entry(&self, index: usize) -> Option<Entry> {
        self.entries.get(index).copied()
    }

    fn last_event(&self) -> Event {
        self.last
    }
}

/// The same log with the lookups of a recorder that keeps an index: as tight as can be.
pub struct Indexed<'a>(pub &'a Log);

impl History for Indexed<'_> {
    fn geometry(&self) -> Geometry {
        self.0.geometry()
    }

    fn nr_entries(&self) -> usize {
        self.0.nr_entries()
    }

    fn entry(&self, index: usize) -> Option<Entry> {
        self.0.entry(index)
    }

    fn last_event(&self) -> Event {
        self.0.last_event()
    }

    fn submitted_by(&self, event: Event) -> usize {
        let entries = &self.0.entries;

        entries.iter().filter(|entry| entry.submit <= event).count()
    }

    fn first_completing_after(&self, event: Event) -> usize {
        let entries = &self.0.entries;

        entries
            .iter()
            .position(|entry| entry.complete > event)
            .unwrap_or(entries.len())
    }

    fn newest_fua_touching(&self, within: Range<usize>, sectors: Range<u64>) -> Option<usize> {
        within.rev().find(|&index| {
            self.0.entries.get(index).is_some_and(|entry| {
                let end = entry.sector + u64::from(entry.nr_sectors);

                entry.is_write()
                    && entry.fua
                    && (entry.sector..end).any(|sector| sectors.contains(&sector))
            })
        })
    }
}
