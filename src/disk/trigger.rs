// SPDX-License-Identifier: GPL-2.0

//! What cuts the power of a disk in use, and how it goes then.

use crate::{
    block::Flags,
    model::Op,
    record::Write,
    text::{
        fields,
        parse_u64, //
    }, //
};
use kernel::prelude::*;

/// What becomes of bios once the power is off.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// They fail.
    Eio,
    /// They never complete, until they are released.
    Hang,
}

/// What cuts the power.
pub(super) enum Trigger {
    /// A number of entries of a kind is submitted.
    Count(Counted, u64),
    /// A mark of that text is in the log.
    Mark(KVVec<u8>),
    /// A time, in ns since the disk was made.
    Time(u64),
}

/// A trigger, and how the power goes when it fires.
pub(super) struct Armed {
    pub(super) mode: Mode,
    pub(super) trigger: Trigger,
}

/// Entries of the log, by what a trigger is interested in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    Writes,
    Flushes,
    Fua,
    Meta,
    /// Writes to a sector in that range, ends included.
    Lba(u64, u64),
}

impl Counted {
    fn has(self, write: &Write) -> bool {
        let entry = &write.entry;
        let is_write = entry.op.is_write();
        match self {
            Self::Writes => is_write,
            Self::Flushes => entry.op == Op::Flush || entry.preflush,
            Self::Fua => is_write && write.flags.contains(Flags::FUA),
            Self::Meta => is_write && write.flags.contains(Flags::META),
            Self::Lba(first, last) => {
                let end = entry.sector.saturating_add(entry.nr_sectors.into());
                is_write && entry.sector <= last && end > first
            }
        }
    }
}

impl Armed {
    /// Whether the entry, whose text `mark` is if it is a mark, makes it fire.
    pub(super) fn fires(&mut self, write: &Write, mark: Option<&[u8]>) -> bool {
        match &mut self.trigger {
            Trigger::Count(kind, left) => {
                if kind.has(write) {
                    *left = left.saturating_sub(1);
                }
                *left == 0
            }
            Trigger::Mark(text) => mark == Some(text.as_slice()),
            Trigger::Time(_) => false,
        }
    }
}

impl Mode {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Eio => "eio",
            Self::Hang => "hang",
        }
    }
}

/// Parses what is written to the attribute `cut`, after the mode; [`None`]: `now`. Times count
/// from `now_ns` on.
pub(super) fn parse(text: &[u8], now_ns: u64) -> Result<Option<Trigger>> {
    if text == b"now" {
        return Ok(None);
    }
    if text == b"meta" {
        return Ok(Some(Trigger::Count(Counted::Meta, 1)));
    }
    let colon = text.iter().position(|byte| *byte == b':').ok_or(EINVAL)?;
    let (word, value) = text.split_at_checked(colon).ok_or(EINVAL)?;
    let value = value.get(1..).ok_or(EINVAL)?;
    let count = |kind| match parse_u64(value)? {
        0 => Err(EINVAL),
        n => Ok(Trigger::Count(kind, n)),
    };
    Ok(Some(match word {
        b"writes" => count(Counted::Writes)?,
        b"flushes" => count(Counted::Flushes)?,
        b"fua" => count(Counted::Fua)?,
        b"meta" => count(Counted::Meta)?,
        b"ms" => Trigger::Time(now_ns.saturating_add(parse_u64(value)?.saturating_mul(1_000_000))),
        b"lba" => {
            let mut ends = fields(value, b'-');
            let (Some(first), last, None) = (ends.next(), ends.next(), ends.next()) else {
                return Err(EINVAL);
            };
            let first = parse_u64(first)?;
            let last = last.map_or(Ok(first), parse_u64)?;
            if first > last {
                return Err(EINVAL);
            }
            Trigger::Count(Counted::Lba(first, last), 1)
        }
        b"mark" if crate::record::is_mark_text(value) => {
            let mut text = KVVec::new();
            text.extend_from_slice(value, GFP_KERNEL)?;
            Trigger::Mark(text)
        }
        _ => return Err(EINVAL),
    }))
}
