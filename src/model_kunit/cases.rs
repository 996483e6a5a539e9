// SPDX-License-Identifier: GPL-2.0

//! Small histories, and what each of their cuts must and may keep.

use crate::model::*;

/// The entries that [`Log`] has room for.
const MAX_ENTRIES: usize = 8;

/// What is submitted: operation, PREFLUSH, FUA, first unit, number of units.
#[derive(Clone, Copy)]
pub(super) struct Bio(Op, bool, bool, u64, u32);

/// An empty flush.
pub(super) const FLUSH: Bio = Bio(Op::Flush, false, false, 0, 0);
/// A flush of the member that has a unit.
pub(super) const fn flush_of(unit: u64) -> Bio {
    Bio(Op::Flush, false, false, unit, 0)
}

/// A mark.
pub(super) const MARK: Bio = Bio(Op::Mark, false, false, 0, 0);

pub(super) const fn write(unit: u64, nr_units: u32) -> Bio {
    Bio(Op::Write, false, false, unit, nr_units)
}

pub(super) const fn write_fua(unit: u64) -> Bio {
    write_fua_of(unit, 1)
}

pub(super) const fn write_fua_of(unit: u64, nr_units: u32) -> Bio {
    Bio(Op::Write, false, true, unit, nr_units)
}

pub(super) const fn write_preflush(unit: u64) -> Bio {
    Bio(Op::Write, true, false, unit, 1)
}

pub(super) const fn write_preflush_fua(unit: u64) -> Bio {
    Bio(Op::Write, true, true, unit, 1)
}

pub(super) const fn discard(unit: u64) -> Bio {
    Bio(Op::Discard, false, false, unit, 1)
}

pub(super) const fn write_zeroes(unit: u64) -> Bio {
    Bio(Op::WriteZeroes, false, false, unit, 1)
}

/// A log in units of 8 sectors.
pub(super) struct Log {
    pub(super) geometry: Geometry,
    entries: [Option<Entry>; MAX_ENTRIES],
    pub(super) nr_entries: usize,
    pub(super) last: Event,
}

impl Log {
    pub(super) fn new(write_cache: bool) -> Self {
        Self {
            geometry: Geometry {
                unit_sectors: 8,
                write_cache,
                tear: Tear::Any,
                members: Members::ONE,
            },
            entries: [None; MAX_ENTRIES],
            nr_entries: 0,
            last: 0,
        }
    }

    /// A log of bios that are each complete before the next is submitted.
    pub(super) fn of(write_cache: bool, bios: &[Bio]) -> Self {
        let mut log = Self::new(write_cache);

        for &bio in bios {
            let submit = log.last + 1;
            let (start, complete) = match bio {
                Bio(Op::Mark, ..) => (submit, submit),
                Bio(_, true, ..) => (submit + 1, submit + 2),
                _ => (submit, submit + 1),
            };

            log.push(bio, submit, start, complete);
        }
        log
    }

    /// Adds a bio with the events that it had.
    pub(super) fn push(&mut self, bio: Bio, submit: Event, start: Event, complete: Event) {
        let Bio(op, preflush, fua, unit, nr_units) = bio;
        let entry = Entry {
            op,
            preflush,
            fua,
            lied: false,
            sector: unit * 8,
            nr_sectors: nr_units * 8,
            submit,
            start,
            complete,
        };

        if let Some(slot) = self.entries.get_mut(self.nr_entries) {
            *slot = Some(entry);
            self.nr_entries += 1;
            self.last = self.last.max(complete);
        }
    }
}

impl History for Log {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn nr_entries(&self) -> usize {
        self.nr_entries
    }

    fn entry(&self, index: usize) -> Option<Entry> {
        self.entries.get(index).copied().flatten()
    }

    fn last_event(&self) -> Event {
        self.last
    }
}

/// A history, and what each of its cuts must and may keep.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) write_cache: bool,
    pub(super) bios: &'static [Bio],
    /// For each event from 1 on: the stable entries, and the pending pieces as (entry, unit).
    pub(super) cuts: &'static [Outcome],
}

/// What is stable after an event, and what is pending.
pub(super) type Outcome = (&'static [usize], &'static [(usize, u64)]);

/// Behaviours known by name.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "a volatile write is lost or not, and tears",
        write_cache: true,
        bios: &[write(3, 2)],
        cuts: &[(&[], &[(0, 3), (0, 4)]), (&[], &[(0, 3), (0, 4)])],
    },
    Case {
        name: "a flushed write is kept; an overwrite is volatile again",
        write_cache: true,
        bios: &[write(0, 1), FLUSH, write(0, 1)],
        cuts: &[
            (&[], &[(0, 0)]),
            (&[], &[(0, 0)]),
            (&[], &[(0, 0)]),
            (&[0], &[]),
            (&[0], &[(2, 0)]),
            (&[0], &[(2, 0)]),
        ],
    },
    Case {
        name: "a FUA write is kept, nothing else is; it retires what it covers",
        write_cache: true,
        bios: &[write(0, 2), write_fua(0), write(0, 1)],
        cuts: &[
            (&[], &[(0, 0), (0, 1)]),
            (&[], &[(0, 0), (0, 1)]),
            (&[], &[(0, 0), (0, 1), (1, 0)]),
            (&[1], &[(0, 1)]),
            (&[1], &[(0, 1), (2, 0)]),
            (&[1], &[(0, 1), (2, 0)]),
        ],
    },
    Case {
        name: "jbd2: no commit block without its journal block",
        write_cache: true,
        bios: &[write(1, 1), write_preflush_fua(2), write(9, 1)],
        cuts: &[
            (&[], &[(0, 1)]),
            (&[], &[(0, 1)]),
            (&[], &[(0, 1)]),
            (&[0], &[(1, 2)]),
            (&[0, 1], &[]),
            (&[0, 1], &[(2, 9)]),
            (&[0, 1], &[(2, 9)]),
        ],
    },
    Case {
        name: "PREFLUSH says nothing of its own data",
        write_cache: true,
        bios: &[write(0, 1), write_preflush(1)],
        cuts: &[
            (&[], &[(0, 0)]),
            (&[], &[(0, 0)]),
            (&[], &[(0, 0)]),
            (&[0], &[(1, 1)]),
            (&[0], &[(1, 1)]),
        ],
    },
    Case {
        name: "zeroes and discards are cached like writes",
        write_cache: true,
        bios: &[discard(0), write_zeroes(1), MARK, FLUSH],
        cuts: &[
            (&[], &[(0, 0)]),
            (&[], &[(0, 0)]),
            (&[], &[(0, 0), (1, 1)]),
            (&[], &[(0, 0), (1, 1)]),
            (&[], &[(0, 0), (1, 1)]),
            (&[], &[(0, 0), (1, 1)]),
            (&[0, 1], &[]),
        ],
    },
    Case {
        name: "without a cache, only what is in flight varies",
        write_cache: false,
        bios: &[write(0, 2), write(0, 1)],
        cuts: &[
            (&[], &[(0, 0), (0, 1)]),
            (&[0], &[]),
            (&[0], &[(1, 0)]),
            (&[0, 1], &[]),
        ],
    },
];
