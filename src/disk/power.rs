// SPDX-License-Identifier: GPL-2.0

//! The power of a disk in use: cut at a trigger, then restored.
//!
//! A cut takes effect under the disk's `state` lock, after the event that triggers it
//! and before the next: what is in flight then stays in flight in the record, which
//! ends there. [`RecordedDisk::restore`] makes a legal survivor of that cut the
//! content of the disk.

use super::{
    RecordedDisk,
    State, //
};
use crate::{
    block::{
        Flags,
        NoIo, //
    },
    crash::Selection,
    model::{
        History,
        Op, //
    },
    record::LogEntry,
    text::{
        fields,
        parse_u64, //
    }, //
};
use kernel::{
    fmt,
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    }, //
};

/// What becomes of bios while the power is off.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Off {
    /// They fail.
    Eio,
    /// They never complete, until they are released.
    Hang,
}

/// What cuts the power.
pub(super) enum Trigger {
    /// A number of entries of a kind is submitted.
    Count(Kind, u64),
    /// A mark of that text is in the log.
    Mark(KVVec<u8>),
    /// Time, which the worker keeps.
    Millis(u64),
}

/// Entries of the log, by what a trigger is interested in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Writes,
    Flushes,
    Fua,
    Meta,
    /// Writes to a sector in that range, ends included.
    Lba(u64, u64),
}

/// Whether the power is on.
#[derive(Default)]
pub(super) enum Supply {
    #[default]
    On,
    /// It is, until something happens.
    Armed(Off, Trigger),
    /// It was cut after that event.
    Cut(Off, u64),
}

impl Kind {
    fn has(self, entry: &LogEntry) -> bool {
        let is_write = entry.op.is_write();
        match self {
            Self::Writes => is_write,
            Self::Flushes => entry.op == Op::Flush || entry.flags.contains(Flags::PREFLUSH),
            Self::Fua => is_write && entry.flags.contains(Flags::FUA),
            Self::Meta => is_write && entry.flags.contains(Flags::META),
            Self::Lba(first, last) => {
                let end = entry.sector.saturating_add(entry.nr_sectors.into());
                is_write && entry.sector <= last && end > first
            }
        }
    }
}

impl Supply {
    /// What becomes of bios, if the power is off.
    pub(super) fn off(&self) -> Option<Off> {
        match self {
            Self::Cut(off, _) => Some(*off),
            _ => None,
        }
    }

    /// The cut, if the entry, whose text `mark` is if it is a mark, triggers it.
    fn triggered(&mut self, entry: &LogEntry, mark: Option<&[u8]>) -> Option<Off> {
        let Self::Armed(off, trigger) = self else {
            return None;
        };
        let is_triggered = match trigger {
            Trigger::Count(kind, left) => {
                if kind.has(entry) {
                    *left = left.saturating_sub(1);
                }
                *left == 0
            }
            Trigger::Mark(text) => mark == Some(text.as_slice()),
            Trigger::Millis(_) => false,
        };
        is_triggered.then_some(*off)
    }
}

impl fmt::Display for Supply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On => f.write_str("off"),
            Self::Armed(off, _) => write!(f, "armed {}", off.name()),
            Self::Cut(off, event) => write!(f, "cut {} event={event}", off.name()),
        }
    }
}

impl Off {
    fn name(self) -> &'static str {
        match self {
            Self::Eio => "eio",
            Self::Hang => "hang",
        }
    }
}

/// Parses what is written to the attribute `cut`, after the mode; [`None`]: `now`.
fn parse_trigger(text: &[u8]) -> Result<Option<Trigger>> {
    if text == b"now" {
        return Ok(None);
    }
    if text == b"meta" {
        return Ok(Some(Trigger::Count(Kind::Meta, 1)));
    }
    let colon = text.iter().position(|byte| *byte == b':').ok_or(EINVAL)?;
    let (word, value) = text.split_at_checked(colon).ok_or(EINVAL)?;
    let value = value.get(1..).ok_or(EINVAL)?;
    let count = |kind| match parse_u64(value)? {
        0 => Err(EINVAL),
        n => Ok(Trigger::Count(kind, n)),
    };
    Ok(Some(match word {
        b"writes" => count(Kind::Writes)?,
        b"flushes" => count(Kind::Flushes)?,
        b"fua" => count(Kind::Fua)?,
        b"meta" => count(Kind::Meta)?,
        b"ms" => Trigger::Millis(parse_u64(value)?),
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
            Trigger::Count(Kind::Lba(first, last), 1)
        }
        b"mark" if crate::record::is_mark_text(value) => {
            let mut text = KVVec::new();
            text.extend_from_slice(value, GFP_KERNEL)?;
            Trigger::Mark(text)
        }
        _ => return Err(EINVAL),
    }))
}

impl State {
    /// Cuts the power if the entry of that index, just submitted, triggers that.
    /// Whether it did.
    pub(super) fn trigger(&mut self, index: u32, disk: &RecordedDisk) -> bool {
        if !matches!(self.supply, Supply::Armed(..)) {
            return false;
        }
        let record = self.record.as_ref();
        let Some(record) = record.filter(|record| record.is_recording()) else {
            return false;
        };
        let Some(entry) = record.log_entry(index as usize) else {
            return false;
        };
        let off = self.supply.triggered(&entry, record.mark_text(&entry));
        if let Some(off) = off {
            self.cut(off, disk);
        }
        off.is_some()
    }

    fn cut(&mut self, off: Off, disk: &RecordedDisk) {
        if let Some(record) = self.recording() {
            record.stop();
            self.supply = Supply::Cut(off, record.last_event());
            disk.is_recording.store(false, Relaxed);
            disk.is_odd.store(true, Relaxed);
        }
    }
}

impl RecordedDisk {
    /// Cuts the power, or arms a trigger for that, or takes it back: `off`, or
    /// `eio|hang TRIGGER` (docs/abi.md). [`ENODATA`] if nothing is being recorded,
    /// [`EBUSY`] if the power is off already.
    pub(crate) fn set_cut(self: &Arc<Self>, text: &[u8]) -> Result {
        let (off, trigger) = if let Some(trigger) = text.strip_prefix(b"eio ") {
            (Off::Eio, trigger)
        } else if let Some(trigger) = text.strip_prefix(b"hang ") {
            (Off::Hang, trigger)
        } else if text == b"off" {
            return self.disarm();
        } else {
            return Err(EINVAL);
        };
        let trigger = parse_trigger(trigger)?;
        let ms = match &trigger {
            Some(Trigger::Millis(ms)) => Some(*ms),
            _ => None,
        };

        let _noio = NoIo::enter();
        // What was armed before is freed after unlocking.
        let _old;
        let mut state = self.state.lock();
        if state.supply.off().is_some() {
            return Err(EBUSY);
        }
        state.recording().ok_or(ENODATA)?;
        match trigger {
            Some(trigger) => {
                let armed = Supply::Armed(off, trigger);
                _old = core::mem::replace(&mut state.supply, armed);
            }
            None => {
                _old = Supply::On;
                state.cut(off, self);
            }
        }
        drop(state);
        match ms {
            Some(ms) => self.cut_later(ms),
            None => self.do_not_cut_later(),
        }
        Ok(())
    }

    fn disarm(&self) -> Result {
        self.do_not_cut_later();
        let mut state = self.state.lock();
        match state.supply {
            Supply::Cut(..) => Err(EBUSY),
            _ => {
                state.supply = Supply::On;
                Ok(())
            }
        }
    }

    /// The time of an armed trigger has come.
    pub(super) fn cut_now(&self) {
        let mut state = self.state.lock();
        if let Supply::Armed(off, Trigger::Millis(_)) = state.supply {
            state.cut(off, self);
        }
    }

    /// Has bios that wait for the power fail, and all later ones.
    pub(crate) fn stop_hanging(self: &Arc<Self>) {
        let mut state = self.state.lock();
        if let Supply::Cut(off, _) = &mut state.supply {
            *off = Off::Eio;
            drop(state);
            self.release_hung();
        }
    }

    /// Brings the power back, with the content that `state`, a state at the cut, has;
    /// the record ends. [`EINVAL`] if it is no such state, [`ENODATA`] if the power is
    /// on, [`EBUSY`] if there are views. Nobody may have the disk open.
    pub(crate) fn restore(&self, state: &[u8]) -> Result {
        let _noio = NoIo::enter();
        // Freed after unlocking.
        let (_record, _content);
        let mut guard = self.state.lock();
        let this = &mut *guard;
        let Supply::Cut(_, event) = this.supply else {
            return Err(ENODATA);
        };
        if this.nr_views != 0 {
            return Err(EBUSY);
        }
        let record = this.record.as_ref().ok_or(ENODATA)?;
        let selection = Selection::parse(state, record)?;
        if selection.event() != event {
            return Err(EINVAL);
        }
        _content = this.store.survive(&selection.over(record))?;
        _record = this.record.take();
        this.supply = Supply::On;
        this.update(self);
        Ok(())
    }

    /// What the attribute `cut` reads as.
    pub(crate) fn show_cut<R>(&self, f: impl FnOnce(fmt::Arguments<'_>) -> R) -> R {
        let _noio = NoIo::enter();
        let state = self.state.lock();
        f(fmt!("{}\n", state.supply))
    }
}
