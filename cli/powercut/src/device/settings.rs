// SPDX-License-Identifier: GPL-2.0

//! How a disk is made. What is displayed is what the driver's attributes take.

use std::fmt;
use std::str::FromStr;

use powercut_engine::members::Members;
use powercut_engine::tear::Tear;
use thiserror::Error;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub size_mib: u64,
    /// Of a group, whose sizes count then.
    pub members: Members,
    pub block_size: u32,
    /// 0 stands for the block size.
    pub atomic_unit: u32,
    pub tear: Tear,
    pub write_cache: bool,
    pub fua: bool,
    pub completion: Completion,
    pub discard_content: DiscardContent,
    /// Whether the kernel looks for partitions, of its crash states too.
    pub partscan: bool,
    /// Whether the log has hashes of kernel stacks.
    pub stacks: bool,
    /// The memory that its record may take; 0: no limit. None: what the driver says.
    pub log_limit_mib: Option<u64>,
}

/// When writes and flushes complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Completion {
    /// Before their submit returns.
    #[default]
    Inline,
    Delayed {
        us: u64,
    },
    /// Each after a time from a range, both ends in.
    DelayedAtRandom {
        min_us: u64,
        max_us: u64,
        seed: u64,
    },
}

/// The longest delay of a completion, in microseconds.
const DELAY_MAX_US: u64 = 10_000_000;

#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "{0:?}: give inline, delayed:USEC or delayed:random:MIN-MAX,SEED, \
     {DELAY_MAX_US} us at most"
)]
pub struct CompletionError(String);

impl FromStr for Completion {
    type Err = CompletionError;

    fn from_str(text: &str) -> Result<Self, CompletionError> {
        let us = |text: &str| number(text).filter(|us| *us <= DELAY_MAX_US);
        let at_random = |text: &str| {
            let (range, seed) = text.split_once(',')?;
            let (min, max) = range.split_once('-')?;
            let (min_us, max_us, seed) = (us(min)?, us(max)?, number(seed)?);
            (min_us <= max_us).then_some(Self::DelayedAtRandom {
                min_us,
                max_us,
                seed,
            })
        };
        let completion = match text.strip_prefix("delayed:") {
            None => (text == "inline").then_some(Self::Inline),
            Some(delay) => match delay.strip_prefix("random:") {
                Some(delay) => at_random(delay),
                None => us(delay).map(|us| Self::Delayed { us }),
            },
        };
        completion.ok_or_else(|| CompletionError(text.into()))
    }
}

impl fmt::Display for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline => f.write_str("inline"),
            Self::Delayed { us } => write!(f, "delayed:{us}"),
            Self::DelayedAtRandom {
                min_us,
                max_us,
                seed,
            } => write!(f, "delayed:random:{min_us}-{max_us},{seed}"),
        }
    }
}

/// What a discarded block that was written to before holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DiscardContent {
    #[default]
    Zeroes,
    Garbage {
        seed: u64,
    },
}

#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0:?}: give zeroes, or garbage:SEED with a number")]
pub struct DiscardContentError(String);

impl FromStr for DiscardContent {
    type Err = DiscardContentError;

    fn from_str(text: &str) -> Result<Self, DiscardContentError> {
        let garbage = |text: &str| {
            let seed = number(text.strip_prefix("garbage:")?)?;
            Some(Self::Garbage { seed })
        };
        if text == "zeroes" {
            return Ok(Self::Zeroes);
        }
        garbage(text).ok_or_else(|| DiscardContentError(text.into()))
    }
}

impl fmt::Display for DiscardContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zeroes => f.write_str("zeroes"),
            Self::Garbage { seed } => write!(f, "garbage:{seed}"),
        }
    }
}

/// A decimal number without a sign.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_is_given_what_was_typed() {
        for text in [
            "inline",
            "delayed:0",
            "delayed:10000000",
            "delayed:random:5-10,7",
        ] {
            assert_eq!(text.parse::<Completion>().unwrap().to_string(), text);
        }
        for text in ["zeroes", "garbage:0", "garbage:18446744073709551615"] {
            assert_eq!(text.parse::<DiscardContent>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_it_would_not_take_is_refused() {
        for text in [
            "",
            "Inline",
            "delayed",
            "delayed:",
            "delayed:-1",
            "delayed:+1",
            "delayed:10000001",
            "delayed:random:",
            "delayed:random:5-10",
            "delayed:random:10-5,7",
            "delayed:random:5-10,x",
        ] {
            assert!(text.parse::<Completion>().is_err(), "{text}");
        }
        for text in [
            "",
            "zeros",
            "garbage",
            "garbage:",
            "garbage:+1",
            "garbage:x",
        ] {
            assert!(text.parse::<DiscardContent>().is_err(), "{text}");
        }
    }
}
