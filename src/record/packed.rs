// SPDX-License-Identifier: GPL-2.0

//! An entry of the log as it is kept: in as little memory as will do.

use super::write::Write;
use crate::{
    block::Flags,
    model, //
};
use kernel::prelude::*;

/// How many events after an entry's submit something happened; or not yet.
type After = u32;

pub(super) const NOT_YET: After = After::MAX;

/// When the other events of an entry were, and how long it took.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) start_after: After,
    pub(super) complete_after: After,
    pub(super) duration_ns: u32,
}

impl Times {
    /// Those of a write. [`EINVAL`] if it is no order of events, [`EOVERFLOW`] if they are too far
    /// from its submit.
    pub(super) fn of(write: &Write) -> Result<Self> {
        let after = |event| {
            if event == model::IN_FLIGHT {
                return Ok(NOT_YET);
            }
            let after = u64::checked_sub(event, write.entry.submit).ok_or(EINVAL)?;
            match After::try_from(after) {
                Ok(NOT_YET) | Err(_) => Err(EOVERFLOW),
                Ok(after) => Ok(after),
            }
        };
        Ok(Self {
            start_after: after(write.entry.start)?,
            complete_after: after(write.entry.complete)?,
            duration_ns: write.duration_ns,
        })
    }

    /// Of an entry that was complete as soon as it was submitted, as most are: these need not
    /// be kept.
    pub(super) fn at_once(op: model::Op, flags: Flags) -> Self {
        let starts_later = op.is_write() && flags.contains(Flags::PREFLUSH);
        let start_after = After::from(starts_later);
        Self {
            start_after,
            complete_after: start_after + After::from(op != model::Op::Mark),
            duration_ns: 0,
        }
    }

    /// Whether a write was complete as soon as it was submitted.
    pub(super) fn are_at_once(write: &Write) -> bool {
        let Self {
            start_after,
            complete_after,
            duration_ns,
        } = Self::at_once(write.entry.op, write.flags);
        // Events that are not there yet are far from any other.
        let after = |event: u64| event.wrapping_sub(write.entry.submit);
        after(write.entry.start) == u64::from(start_after)
            && after(write.entry.complete) == u64::from(complete_after)
            && write.duration_ns == duration_ns
    }

    /// An event, so many after `submit`.
    fn event(submit: u64, after: After) -> u64 {
        match after {
            NOT_YET => model::IN_FLIGHT,
            after => submit + u64::from(after),
        }
    }
}

/// See the module's documentation.
#[derive(Clone, Copy)]
pub(super) struct Packed {
    submit: u32,
    sector: u32,
    /// Upper bits of `submit` (4) and of the sector (4), number of sectors.
    lengths: u32,
    /// Operation (4), whether it met a fault (1), flags (7), submitter.
    kind: u32,
    /// Where its [`Times`] are kept, or [`AT_ONCE`].
    times: u32,
    submit_ns: [u32; 2],
}

const AT_ONCE: u32 = u32::MAX;

/// The memory that an entry takes, in bytes, if it was complete at once.
pub(crate) const ENTRY_BYTES: usize = size_of::<Packed>();
/// What others take beside it.
pub(super) const TIMES_BYTES: usize = size_of::<Times>();

/// As `value`, if it has no more than so many bits.
fn fit(value: u64, bits: u32) -> Result<u64> {
    if value >> bits == 0 {
        Ok(value)
    } else {
        Err(EOVERFLOW)
    }
}

impl Packed {
    /// An entry whose times are kept in that place, or nowhere. [`EOVERFLOW`] if there is no room
    /// for it: that takes an event or a sector beyond 2^36, a length beyond 2^24 sectors (no bio
    /// has) or 2^20 submitters.
    pub(super) fn new(write: &Write, times: Option<usize>) -> Result<Self> {
        let submit = fit(write.entry.submit, 36)?;
        let sector = fit(write.entry.sector, 36)?;
        let nr_sectors = fit(write.entry.nr_sectors.into(), 24)?;
        let submitter = fit(write.submitter.into(), 20)?;
        let op = write.entry.op as u64;
        let flags = fit(write.flags.bits().into(), 7)?;
        let flags = flags | u64::from(!write.faults.is_empty()) << 7;
        let lengths = submit >> 32 << 28 | sector >> 32 << 24 | nr_sectors;
        let kind = op << 28 | flags << 20 | submitter;

        // No truncation: what is cut off is elsewhere.
        Ok(Self {
            submit: submit as u32,
            sector: sector as u32,
            lengths: lengths as u32,
            kind: kind as u32,
            times: match times {
                Some(place) => u32::try_from(place)?,
                None => AT_ONCE,
            },
            submit_ns: [write.submit_ns as u32, (write.submit_ns >> 32) as u32],
        })
    }

    pub(super) fn is_faulty(&self) -> bool {
        self.kind >> 27 & 1 != 0
    }

    pub(super) fn submit(&self) -> u64 {
        u64::from(self.lengths >> 28) << 32 | u64::from(self.submit)
    }

    /// Where its times are kept; [`None`] if it was complete at once.
    pub(super) fn times(&self) -> Option<usize> {
        (self.times != AT_ONCE).then_some(self.times as usize)
    }

    /// From now on its times are kept nowhere: those of an entry that was complete at once.
    pub(super) fn forget_times(&mut self) {
        self.times = AT_ONCE;
    }

    /// Whether it is complete at `event`; with its times, if they are kept.
    pub(super) fn is_complete_by(&self, event: u64, times: Option<&Times>) -> bool {
        let after = match times {
            Some(times) => times.complete_after,
            None => match self.op_and_flags() {
                Some((op, flags)) => Times::at_once(op, flags).complete_after,
                None => NOT_YET,
            },
        };
        after != NOT_YET && self.submit() + u64::from(after) <= event
    }

    pub(super) fn op_and_flags(&self) -> Option<(model::Op, Flags)> {
        // No truncation: 4 bits.
        let op = model::Op::try_from((self.kind >> 28) as u8).ok()?;
        Some((op, Flags::from_bits(self.kind >> 20 & 0x7f)?))
    }

    /// All but the faults; with its times, if they are kept.
    pub(super) fn unpack(&self, times: Option<&Times>) -> Option<Write> {
        let [ns_low, ns_high] = self.submit_ns;
        let (op, flags) = self.op_and_flags()?;
        let times = times.copied().unwrap_or_else(|| Times::at_once(op, flags));
        let submit = self.submit();
        let sector = u64::from(self.lengths >> 24 & 15) << 32 | u64::from(self.sector);
        let mut write = Write::new(op, flags, sector, self.lengths & 0xff_ffff);
        write.entry.submit = submit;
        write.entry.start = Times::event(submit, times.start_after);
        write.entry.complete = Times::event(submit, times.complete_after);
        write.submit_ns = u64::from(ns_high) << 32 | u64::from(ns_low);
        write.duration_ns = times.duration_ns;
        write.submitter = self.kind & 0xf_ffff;
        Some(write)
    }
}
