// SPDX-License-Identifier: GPL-2.0

//! A log in memory, written event by event.

use std::ops::Range;

use powercut_model::{Entry, Event, Geometry, History, Members, Op, Tear, IN_FLIGHT};

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

    /// A flush of the member that has a sector.
    pub fn flush_of(sector: u64) -> Self {
        Self {
            sectors: sector..sector,
            ..Self::flush()
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
                tear: Tear::Any,
                members: Members::ONE,
            },
            entries: Vec::new(),
            last: 0,
        }
    }

    /// The same for members that begin at these sectors.
    pub fn with_members(mut self, starts: &[u64]) -> Self {
        self.geometry.members = Members::new(starts).unwrap();
        self
    }

    /// The same for a disk on which writes survive as prefixes.
    pub fn with_prefixes(mut self) -> Self {
        self.geometry.tear = Tear::Prefix;
        self
    }

    /// The same for a disk that reads, modifies and writes physical blocks.
    pub fn with_rmw(mut self) -> Self {
        self.geometry.tear = Tear::Rmw;
        self
    }

    /// The number of the member that an entry is of; [`None`] for a mark.
    pub fn member(&self, entry: &Entry) -> Option<usize> {
        (entry.op != Op::Mark).then(|| self.geometry.members.of(entry.sector))
    }

    /// What there is room for of a bio in its member.
    pub fn cut_to_member(&self, bio: &Bio) -> Bio {
        let Range { start, end } = bio.sectors;
        let members = self.geometry.members;
        let next = members.starts().get(members.of(start) + 1);

        Bio {
            sectors: start..next.map_or(end, |&next| end.min(next)),
            ..bio.clone()
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

    /// What happened to one member, as if it were a disk by itself: with its marks, with the numbers
    /// that its entries have here, and the events of this log that are its own.
    pub fn alone(&self, member: usize) -> (Self, Vec<usize>, Vec<Event>) {
        let is_of = |entry: &Entry| self.member(entry).is_none_or(|of| of == member);
        let indices: Vec<_> = (0..self.entries.len())
            .filter(|&index| is_of(&self.entries[index]))
            .collect();
        let mut events: Vec<_> = indices
            .iter()
            .map(|&index| &self.entries[index])
            .flat_map(|entry| [entry.submit, entry.start, entry.complete])
            .filter(|&event| event != IN_FLIGHT)
            .collect();

        events.sort_unstable();
        events.dedup();

        let renumber = |event| match events.binary_search(&event) {
            Ok(place) => place as Event + 1,
            Err(_) => IN_FLIGHT,
        };
        let alone = Self {
            geometry: Geometry {
                members: Members::ONE,
                ..self.geometry
            },
            entries: indices
                .iter()
                .map(|&index| self.entries[index])
                .map(|entry| Entry {
                    submit: renumber(entry.submit),
                    start: renumber(entry.start),
                    complete: renumber(entry.complete),
                    ..entry
                })
                .collect(),
            last: events.len() as Event,
        };

        (alone, indices, events)
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
