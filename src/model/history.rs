// SPDX-License-Identifier: GPL-2.0

//! What the model is told of a recorded disk: its log, entry by entry.

use core::{
    fmt,
    ops::Range, //
};

use super::members::Members;

/// A position in the order of everything that happened to a disk, numbered from 1 by one counter
/// per record. 0 is the base: before anything happened.
pub type Event = u64;

/// The event of what has not happened yet: the completion of a write in flight, say.
pub const IN_FLIGHT: Event = u64::MAX;

/// What an entry of the log is. The values are those of the log's format.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Op {
    /// A write of data.
    Write = 1,
    /// A write of zeroes.
    WriteZeroes = 2,
    /// A discard: a write of zeroes that nobody may rely on.
    Discard = 3,
    /// A flush without data of its own (an empty bio with REQ_PREFLUSH).
    Flush = 4,
    /// A note by the user, such as that something is saved.
    Mark = 5,
}

impl Op {
    /// Whether this is a *write* in the contract's sense: something with sectors and a content.
    pub const fn is_write(self) -> bool {
        matches!(self, Op::Write | Op::WriteZeroes | Op::Discard)
    }
}

/// The number of an [`Op`] that does not exist.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnknownOp(pub u8);

impl fmt::Display for UnknownOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not the number of an operation", self.0)
    }
}

impl TryFrom<u8> for Op {
    type Error = UnknownOp;

    fn try_from(value: u8) -> Result<Self, UnknownOp> {
        match value {
            1 => Ok(Op::Write),
            2 => Ok(Op::WriteZeroes),
            3 => Ok(Op::Discard),
            4 => Ok(Op::Flush),
            5 => Ok(Op::Mark),
            _ => Err(UnknownOp(value)),
        }
    }
}

/// One bio or mark of the log, less what legality does not depend on.
///
/// `submit <= start <= complete`. They differ for every bio, but that `start` is `submit` unless
/// the bio is a write with `preflush`. All three are the same for a mark.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry {
    /// What it is.
    pub op: Op,
    /// A write that flushes first (REQ_PREFLUSH). Says nothing on other entries.
    pub preflush: bool,
    /// A write that is stable once complete (REQ_FUA). Says nothing on other entries.
    pub fua: bool,
    /// Its flush was answered and not done, by an injected fault: it is no flush.
    pub lied: bool,
    /// The first sector written, in units of 512 bytes; of a flush without data, any of the member
    /// that it was sent to.
    pub sector: u64,
    /// The number of sectors written; 0 if this is not a write.
    pub nr_sectors: u32,
    /// When it reached the disk.
    pub submit: Event,
    /// When its own data began to reach the cache; with `preflush`, that is also when its flush
    /// was complete. [`IN_FLIGHT`] if not yet.
    pub start: Event,
    /// When the submitter was told of its end. [`IN_FLIGHT`] if not yet.
    pub complete: Event,
}

impl Entry {
    /// Whether this is a write in the contract's sense: see [`Op::is_write`].
    pub const fn is_write(&self) -> bool {
        self.op.is_write()
    }

    /// Whether this is a write that has one of `sectors`; one without sectors has none.
    pub const fn touches(&self, sectors: &Range<u64>) -> bool {
        let end = self.sector.saturating_add(self.nr_sectors as u64);

        let is_there = self.sector < sectors.end && end > sectors.start;
        self.is_write() && self.nr_sectors != 0 && is_there
    }

    /// The event at which the flush in this entry is complete (R1), or [`None`] without a flush.
    ///
    /// For an empty flush it is the completion. For a write with `preflush` it is the start of its
    /// data: R1 promises no more, but no less either, and cuts from there on may rely on it.
    /// A flush that lied is none.
    pub const fn flush_complete(&self) -> Option<Event> {
        match self.op {
            _ if self.lied => None,
            Op::Flush => Some(self.complete),
            Op::Mark => None,
            _ if self.preflush => Some(self.start),
            _ => None,
        }
    }
}

/// Which parts of a write that is not stable may survive a power cut (R3).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Tear {
    /// Any of its units.
    #[default]
    Any,
    /// Its first units, in ascending order: none, some or all.
    Prefix,
    /// Any of its units; and a write of a part of a physical block may cost other units of that.
    Rmw,
}

/// The properties of a disk that legality depends on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Geometry {
    /// Sectors (of 512 bytes) in a unit: a power of two, 1 to 128.
    pub unit_sectors: u32,
    /// Whether the disk has a volatile write cache.
    pub write_cache: bool,
    /// How writes tear.
    pub tear: Tear,
    /// The block devices that the disk is cut into.
    pub members: Members,
}

impl Geometry {
    /// The base-2 logarithm of the sectors in a unit: 0 to 7, whatever `unit_sectors` holds.
    pub(super) const fn unit_shift(&self) -> u32 {
        let shift = self.unit_sectors.trailing_zeros();

        if shift > 7 {
            7
        } else {
            shift
        }
    }
}

/// The log of a recorded disk.
///
/// Entries are numbered from 0 and ordered by their submit events. All events of an entry are at
/// most [`Self::last_event`], or [`IN_FLIGHT`].
///
/// The provided methods are lookups: implementers that keep an index make them faster, never
/// different.
pub trait History {
    /// The properties of the disk, the same throughout.
    fn geometry(&self) -> Geometry;

    /// The number of entries.
    fn nr_entries(&self) -> usize;

    /// The entry of that index; [`None`] from [`Self::nr_entries`] on.
    fn entry(&self, index: usize) -> Option<Entry>;

    /// The newest event of all.
    fn last_event(&self) -> Event;

    /// The number of entries submitted at or before `event`: they are those from index 0 up to it.
    fn submitted_by(&self, event: Event) -> usize {
        let mut low = 0;
        let mut high = self.nr_entries();

        while low < high {
            let middle = usize::midpoint(low, high);

            match self.entry(middle) {
                Some(entry) if entry.submit <= event => low = middle.saturating_add(1),
                _ => high = middle,
            }
        }
        low
    }

    /// A lower bound on the index of every entry that completes after `event`. 0 is always right,
    /// tight is fast.
    fn first_completing_after(&self, _event: Event) -> usize {
        0
    }

    /// The lowest index from `index` on of an entry that completes after `event`, or a lower one.
    fn next_completing_after(&self, index: usize, _event: Event) -> usize {
        index
    }

    /// The lowest index from `index` on of a write that is not stable at `event`, or a lower one.
    /// See [`Cut::is_stable`](super::Cut::is_stable).
    fn next_unstable(&self, index: usize, _event: Event) -> usize {
        index
    }

    /// The highest index in `within` of an entry that flushes ([`Entry::flush_complete`]) the
    /// member of that number.
    fn newest_flush(&self, within: Range<usize>, member: usize) -> Option<usize> {
        let members = self.geometry().members;

        newest(self, within, |entry| {
            entry.flush_complete().is_some() && members.of(entry.sector) == member
        })
    }

    /// The highest index in `within` of a write with FUA.
    fn newest_fua(&self, within: Range<usize>) -> Option<usize> {
        newest(self, within, |entry| entry.is_write() && entry.fua)
    }

    /// The highest index in `within` of a write with FUA that touches one of `sectors`.
    ///
    /// It is asked about once or more for each piece that has FUA writes after it: by looking at
    /// all of these, unless the implementer knows the writes of a place.
    fn newest_fua_touching(&self, within: Range<usize>, sectors: Range<u64>) -> Option<usize> {
        let mut within = within;

        loop {
            let index = self.newest_fua(within.clone())?;

            if self
                .entry(index)
                .is_some_and(|entry| entry.touches(&sectors))
            {
                return Some(index);
            }
            within.end = index;
        }
    }
}

impl<H: History + ?Sized> History for &H {
    fn geometry(&self) -> Geometry {
        (**self).geometry()
    }

    fn nr_entries(&self) -> usize {
        (**self).nr_entries()
    }

    fn entry(&self, index: usize) -> Option<Entry> {
        (**self).entry(index)
    }

    fn last_event(&self) -> Event {
        (**self).last_event()
    }

    fn submitted_by(&self, event: Event) -> usize {
        (**self).submitted_by(event)
    }

    fn first_completing_after(&self, event: Event) -> usize {
        (**self).first_completing_after(event)
    }

    fn next_completing_after(&self, index: usize, event: Event) -> usize {
        (**self).next_completing_after(index, event)
    }

    fn next_unstable(&self, index: usize, event: Event) -> usize {
        (**self).next_unstable(index, event)
    }

    fn newest_flush(&self, within: Range<usize>, member: usize) -> Option<usize> {
        (**self).newest_flush(within, member)
    }

    fn newest_fua(&self, within: Range<usize>) -> Option<usize> {
        (**self).newest_fua(within)
    }

    fn newest_fua_touching(&self, within: Range<usize>, sectors: Range<u64>) -> Option<usize> {
        (**self).newest_fua_touching(within, sectors)
    }
}

/// The highest index in `within` of an entry that `is_sought`.
fn newest<H: History + ?Sized>(
    history: &H,
    within: Range<usize>,
    is_sought: impl Fn(&Entry) -> bool,
) -> Option<usize> {
    within
        .rev()
        .find(|&index| history.entry(index).is_some_and(|entry| is_sought(&entry)))
}
