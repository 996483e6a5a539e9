// SPDX-License-Identifier: GPL-2.0

//! When the power of a disk is to be cut, and what I/O meets then. What is displayed is what
//! the driver's `cut` attribute takes.

use std::fmt;
use std::str::FromStr;

use powercut_engine::members::{Members, SectorRange, SectorRangeError};
use thiserror::Error;

use super::{MarkError, MarkText};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CutRequest {
    /// An armed trigger is taken back.
    Off,
    Cut {
        mode: CutMode,
        trigger: Trigger,
    },
}

impl CutRequest {
    /// As the driver takes it: the sectors of a disk of a group as ones of the whole.
    pub fn within(self, members: &Members) -> Result<Self, String> {
        Ok(match self {
            Self::Cut {
                mode,
                trigger: Trigger::Sectors(range),
            } => Self::Cut {
                mode,
                trigger: Trigger::Sectors(members.whole(&range)?),
            },
            other => other,
        })
    }
}

/// What becomes of I/O while the power is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutMode {
    Eio,
    Hang,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    Now,
    /// The N-th from now, in flight then.
    Writes(u64),
    Flushes(u64),
    Fua(u64),
    Meta(u64),
    Mark(MarkText),
    /// Milliseconds from now.
    Ms(u64),
    /// The first write to these sectors.
    Sectors(SectorRange),
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum TriggerError {
    #[error(
        "give writes:N, flushes:N, fua:N, meta:N, mark:TEXT or ms:N, or sectors as lba:2048-4095"
    )]
    Syntax,
    #[error(transparent)]
    Mark(#[from] MarkError),
    #[error(transparent)]
    Sectors(#[from] SectorRangeError),
}

impl FromStr for Trigger {
    type Err = TriggerError;

    fn from_str(text: &str) -> Result<Self, TriggerError> {
        let (what, value) = text.split_once(':').ok_or(TriggerError::Syntax)?;
        let number = || {
            let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
            let number = digits.then(|| value.parse().ok()).flatten();
            number.ok_or(TriggerError::Syntax)
        };
        Ok(match what {
            "writes" => Self::Writes(number()?),
            "flushes" => Self::Flushes(number()?),
            "fua" => Self::Fua(number()?),
            "meta" => Self::Meta(number()?),
            "ms" => Self::Ms(number()?),
            "mark" => Self::Mark(value.parse()?),
            "lba" => Self::Sectors(value.parse()?),
            _ => return Err(TriggerError::Syntax),
        })
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => f.write_str("now"),
            Self::Writes(n) => write!(f, "writes:{n}"),
            Self::Flushes(n) => write!(f, "flushes:{n}"),
            Self::Fua(n) => write!(f, "fua:{n}"),
            Self::Meta(n) => write!(f, "meta:{n}"),
            Self::Mark(text) => write!(f, "mark:{text}"),
            Self::Ms(n) => write!(f, "ms:{n}"),
            Self::Sectors(range) => write!(f, "lba:{range}"),
        }
    }
}

impl fmt::Display for CutMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eio => "eio",
            Self::Hang => "hang",
        })
    }
}

impl fmt::Display for CutRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Cut { mode, trigger } => write!(f, "{mode} {trigger}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_is_given_what_was_typed() {
        for text in [
            "writes:1",
            "flushes:0",
            "fua:2",
            "meta:3",
            "ms:4",
            "mark:a: b",
            "lba:8",
            "lba:8-15",
            "lba:log+8-15",
        ] {
            let trigger: Trigger = text.parse().unwrap();
            let mode = CutMode::Hang;
            let request = CutRequest::Cut { mode, trigger };
            assert_eq!(request.to_string(), format!("hang {text}"));
        }
        assert_eq!(CutRequest::Off.to_string(), "off");
    }

    #[test]
    fn what_is_no_trigger_is_refused() {
        for text in [
            "",
            "now",
            "writes",
            "writes:",
            "writes:-1",
            "fua:+1",
            "ms:x",
        ] {
            assert!(matches!(text.parse::<Trigger>(), Err(TriggerError::Syntax)));
        }
        assert!(matches!(
            "mark:".parse::<Trigger>(),
            Err(TriggerError::Mark(_))
        ));
        for text in ["lba:", "lba:5-4", "lba:1-2-3"] {
            assert!(matches!(
                text.parse::<Trigger>(),
                Err(TriggerError::Sectors(_))
            ));
        }
    }
}
