// SPDX-License-Identifier: GPL-2.0

//! The life of a disk: its states, and all that leads from one to another.
//!
//! ```text
//!                 import
//!      .-----------------------------.
//!      |                             v
//!     On --- start ---> Recording - stop -> Stopped
//!      ^                  |    |              |
//!      |<---- reset, drop-'    |      reset, drop
//!      |<-------------------------------------'
//!      |                       | cut
//!      |                       v
//!      '------ restore ------ Cut
//!
//!     each of them -- power off, rmdir --> Dying
//! ```
//!
//! A record is there while it is written or kept, and nowhere else; a trigger is part of the record
//! that it would cut. A disk is [`Life::Dying`] before its block devices are removed:
//! from then on nothing that it has been told to do holds up a bio.

use super::trigger::{
    Armed,
    Mode, //
};
use crate::{
    model::History,
    record::Record, //
};
use kernel::{
    fmt,
    prelude::*, //
};

/// See the module's documentation.
#[derive(Default)]
pub(super) enum Life {
    /// The power is on, and there is no record.
    #[default]
    On,
    /// Writes go to a record as well. The power goes when the trigger fires.
    Recording {
        record: Record,
        trigger: Option<Armed>,
    },
    /// The power is on. There is a record, which does not change any more.
    Stopped { record: Record },
    /// The power went after that event of the record, which does not change any more.
    Cut {
        record: Record,
        mode: Mode,
        event: u64,
    },
    /// The disk is going. Whoever reads its record may go on.
    Dying { record: Option<Record> },
}

impl Life {
    /// The record, if there is one.
    pub(super) fn record(&self) -> Option<&Record> {
        match self {
            Self::On => None,
            Self::Recording { record, .. } | Self::Stopped { record } => Some(record),
            Self::Cut { record, .. } => Some(record),
            Self::Dying { record } => record.as_ref(),
        }
    }

    /// Takes the record out of a state that is over.
    fn into_record(self) -> Option<Record> {
        match self {
            Self::On => None,
            Self::Recording { record, .. } | Self::Stopped { record } => Some(record),
            Self::Cut { record, .. } => Some(record),
            Self::Dying { record } => record,
        }
    }

    /// The record, if it is being written.
    pub(super) fn recording(&mut self) -> Option<&mut Record> {
        match self {
            Self::Recording { record, .. } => Some(record),
            _ => None,
        }
    }

    /// What becomes of bios, if the power is off.
    pub(super) fn off(&self) -> Option<Mode> {
        match self {
            Self::Cut { mode, .. } => Some(*mode),
            Self::Dying { .. } => Some(Mode::Eio),
            _ => None,
        }
    }

    /// Begins to write a record.
    pub(super) fn start(&mut self, record: Record) -> Result {
        match self {
            Self::On => {
                let trigger = None;
                *self = Self::Recording { record, trigger };
                Ok(())
            }
            Self::Stopped { .. } => Err(EEXIST),
            Self::Recording { .. } | Self::Cut { .. } => Err(EBUSY),
            Self::Dying { .. } => Err(ENODEV),
        }
    }

    /// Takes over a record that was written elsewhere.
    pub(super) fn import(&mut self, record: Record) -> Result {
        match self {
            Self::On => {
                *self = Self::Stopped { record };
                Ok(())
            }
            Self::Dying { .. } => Err(ENODEV),
            _ => Err(EEXIST),
        }
    }

    /// Ends the writing of a record.
    pub(super) fn stop(&mut self) -> Result {
        match core::mem::take(self) {
            Self::Recording { record, .. } => {
                *self = Self::Stopped { record };
                Ok(())
            }
            other => {
                *self = other;
                Err(ENODATA)
            }
        }
    }

    /// Ends a record, which is returned to be freed.
    pub(super) fn end(&mut self) -> Result<Record> {
        match core::mem::take(self) {
            Self::Recording { record, .. } | Self::Stopped { record } => Ok(record),
            Self::On => Err(ENODATA),
            other @ Self::Cut { .. } => {
                *self = other;
                Err(EBUSY)
            }
            other @ Self::Dying { .. } => {
                *self = other;
                Err(ENODEV)
            }
        }
    }

    /// The place of the trigger, which may be set and taken back as long as the record is written.
    pub(super) fn trigger(&mut self) -> Result<&mut Option<Armed>> {
        match self {
            Self::Recording { trigger, .. } => Ok(trigger),
            Self::Cut { .. } => Err(EBUSY),
            Self::On | Self::Stopped { .. } | Self::Dying { .. } => Err(ENODATA),
        }
    }

    /// Cuts the power after the newest event of the record that is being written. Without one, all
    /// stays as it was.
    pub(super) fn cut(&mut self, mode: Mode) {
        *self = match core::mem::take(self) {
            Self::Recording { record, .. } => Self::Cut {
                event: record.last_event(),
                record,
                mode,
            },
            other => other,
        };
    }

    /// Has no bio wait for the power any more: those that come fail.
    pub(super) fn stop_hanging(&mut self) {
        if let Self::Cut { mode, .. } = self {
            *mode = Mode::Eio;
        }
    }

    /// The power is back. Returns the record, to be freed.
    pub(super) fn restore(&mut self) -> Result<Record> {
        match core::mem::take(self) {
            Self::Cut { record, .. } => Ok(record),
            other => {
                *self = other;
                Err(ENODATA)
            }
        }
    }

    /// The disk is going.
    pub(super) fn die(&mut self) {
        let record = core::mem::take(self).into_record();
        *self = Self::Dying { record };
    }

    /// What the attribute `record` calls it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Recording { .. } => "recording",
            Self::Stopped { .. } | Self::Cut { .. } => "stopped",
            Self::Dying { record } if record.is_some() => "stopped",
            Self::On | Self::Dying { .. } => "off",
        }
    }
}

/// As the attribute `cut` reads.
impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recording {
                trigger: Some(armed),
                ..
            } => write!(f, "armed {}", armed.mode.name()),
            Self::Cut { mode, event, .. } => write!(f, "cut {} event={event}", mode.name()),
            _ => f.write_str("off"),
        }
    }
}
