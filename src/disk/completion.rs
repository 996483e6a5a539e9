// SPDX-License-Identifier: GPL-2.0

//! When a disk completes its writes and flushes.

use crate::{
    random::draw,
    text::parse_u64, //
};
use kernel::{
    fmt,
    prelude::*, //
};

/// The longest delay in microseconds: 10 s.
const DELAY_MAX_US: u64 = 10_000_000;

/// When writes, discards and flushes are completed. Reads always are at once.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Completion {
    /// Before `submit_bio` returns.
    #[default]
    Inline,
    /// So many microseconds later, from another context.
    Delayed {
        /// How long.
        us: u64,
    },
    /// Between so many microseconds later, so that they overtake each other.
    Random {
        /// No earlier than this.
        min_us: u64,
        /// No later than this.
        max_us: u64,
        /// What the delays are drawn from.
        seed: u64,
    },
}

impl Completion {
    /// Parses what [`fmt::Display`] gives. [`EINVAL`] if it is anything else.
    pub(crate) fn parse(text: &[u8]) -> Result<Self> {
        if text == b"inline" {
            return Ok(Self::Inline);
        }
        let delay = text.strip_prefix(b"delayed:").ok_or(EINVAL)?;
        let Some(random) = delay.strip_prefix(b"random:") else {
            return Ok(Self::Delayed {
                us: parse_us(delay)?,
            });
        };
        let (range, seed) = split_once(random, b',').ok_or(EINVAL)?;
        let (min, max) = split_once(range, b'-').ok_or(EINVAL)?;
        let (min_us, max_us) = (parse_us(min)?, parse_us(max)?);
        if min_us > max_us {
            return Err(EINVAL);
        }
        Ok(Self::Random {
            min_us,
            max_us,
            seed: parse_u64(seed)?,
        })
    }

    /// Whether all is complete before `submit_bio` returns.
    pub(crate) fn is_inline(self) -> bool {
        self == Self::Inline
    }

    /// The delay of the `n`-th bio in ns.
    pub(super) fn delay_ns(self, n: u64) -> u64 {
        let us = match self {
            Self::Inline => 0,
            Self::Delayed { us } => us,
            Self::Random {
                min_us,
                max_us,
                seed,
            } => min_us + draw(seed, n) % (max_us - min_us + 1),
        };
        us * 1000
    }
}

impl fmt::Display for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline => f.write_str("inline"),
            Self::Delayed { us } => write!(f, "delayed:{us}"),
            Self::Random {
                min_us,
                max_us,
                seed,
            } => write!(f, "delayed:random:{min_us}-{max_us},{seed}"),
        }
    }
}

fn parse_us(text: &[u8]) -> Result<u64> {
    parse_u64(text).and_then(|us| {
        if us <= DELAY_MAX_US {
            Ok(us)
        } else {
            Err(EINVAL)
        }
    })
}

/// The parts of `text` before and after the first `separator`.
fn split_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == separator)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}
