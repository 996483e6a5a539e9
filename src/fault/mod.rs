// SPDX-License-Identifier: GPL-2.0

//! Injected faults: behaviour outside of the contract, such as a flush that is answered and not
//! done.
//!
//! [`Faults`] is what a disk was told, rules and bad sectors; asked about each I/O it gives
//! what is [`Injected`] into that. Nothing in here touches data: whoever asks sees to it that it
//! happens, and that the log says so ([`Kinds`]).
//!
//! Every choice follows from a rule's seed and from how many I/Os it has seen: the same
//! I/O meets the same faults.

mod bad;
mod kinds;
mod rule;
#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
mod tests;

pub(crate) use kinds::Kinds;

use crate::{
    random::{
        draw,
        mix, //
    },
    text::{
        fields,
        parse_bool, //
    }, //
};
use bad::{
    BadSectors,
    Mode, //
};
use kernel::{
    fmt,
    prelude::*, //
};
use rule::{
    Kind,
    Rule, //
};

/// The most rules that a disk can have.
const RULES_MAX: usize = 32;

/// What an I/O does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AccessOp {
    Read,
    /// Zeroes or data.
    Write,
    Discard,
    /// And nothing else.
    Flush,
}

/// An I/O, as far as rules look at it.
#[derive(Clone, Copy)]
pub(crate) struct Access {
    pub(crate) op: AccessOp,
    pub(crate) sector: u64,
    pub(crate) nr_sectors: u32,
    /// It is a flush, or comes with one.
    pub(crate) flushes: bool,
    pub(crate) is_fua: bool,
    /// It is a write of data.
    pub(crate) has_data: bool,
}

impl Access {
    /// Its sectors, ends included, if it has any.
    fn run(&self) -> Option<(u64, u64)> {
        let more = u64::from(self.nr_sectors).checked_sub(1)?;
        Some((self.sector, self.sector.saturating_add(more)))
    }

    fn touches(&self, (first, last): (u64, u64)) -> bool {
        self.run()
            .is_some_and(|run| run.0 <= last && run.1 >= first)
    }
}

/// The sectors of a disk, and of a block.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) nr_sectors: u64,
    pub(crate) block_sectors: u64,
}

/// The faults that an I/O is to meet.
#[derive(Clone, Copy, Default)]
pub(crate) struct Injected {
    /// What the log says of it.
    pub(crate) kinds: Kinds,
    /// Where a misdirected write goes.
    pub(crate) sector: u64,
    /// How many bytes of a corrupted write are others, and what they follow from.
    pub(crate) nr_bytes: u32,
    pub(crate) seed: u64,
    /// How much later it is complete.
    pub(crate) delay_us: u64,
}

impl Injected {
    /// Whether it has one of these.
    pub(crate) fn is(&self, kinds: Kinds) -> bool {
        self.kinds.contains(kinds)
    }

    /// The bytes of a corrupted write of so many: where each is, and the bits that are others. They
    /// are neighbours, from a random one on.
    pub(crate) fn corrupted_bytes(&self, len_bytes: u64) -> impl Iterator<Item = (u64, u8)> {
        let seed = self.seed;
        let is_corrupted = self.is(Kinds::CORRUPTED) && len_bytes != 0;
        let nr_bytes = if is_corrupted { self.nr_bytes } else { 0 };
        let first = mix(seed).checked_rem(len_bytes).unwrap_or(0);
        (0..u64::from(nr_bytes).min(len_bytes)).map(move |n| {
            // One bit at least, so that it is another byte.
            ((first + n) % len_bytes, draw(seed, n) as u8 | 1)
        })
    }
}

/// What a disk was told to do wrong.
pub(crate) struct Faults {
    rules: KVVec<Rule>,
    bad: BadSectors,
    disk: Extent,
}

impl Faults {
    pub(crate) fn new(disk: Extent) -> Self {
        Self {
            rules: KVVec::new(),
            bad: BadSectors::new(),
            disk,
        }
    }

    /// Whether no I/O can meet any.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.bad.is_empty()
    }

    /// Takes rules, one a line, in place of those there are; or in addition to them, if
    /// each begins with `+`. On failure ([`EINVAL`], [`ERANGE`], [`E2BIG`]: too many)
    /// all stays as it was.
    pub(crate) fn set_rules(&mut self, text: &[u8]) -> Result {
        let adds = text.starts_with(b"+");
        let flags = GFP_KERNEL | __GFP_NOWARN;
        let mut rules = KVVec::new();
        if adds {
            rules.extend_from_slice(&self.rules, flags)?;
        }
        if !text.is_empty() {
            for line in fields(text, b'\n') {
                let rule = match (line.strip_prefix(b"+"), adds) {
                    (Some(rule), true) => rule,
                    (None, false) => line,
                    _ => return Err(EINVAL),
                };
                rules.push(Rule::parse(rule, self.disk)?, flags)?;
            }
        }
        if rules.len() > RULES_MAX {
            return Err(E2BIG);
        }
        self.rules = rules;
        Ok(())
    }

    /// Makes sectors bad, or good: `+A-B`, `-A-B`.
    pub(crate) fn set_bad(&mut self, text: &[u8]) -> Result {
        self.bad.change(text, self.disk)
    }

    /// Whether a failure makes bad sectors good.
    pub(crate) fn set_once(&mut self, text: &[u8]) -> Result {
        self.bad.once = parse_bool(text)?;
        Ok(())
    }

    /// What fails on bad sectors.
    pub(crate) fn set_mode(&mut self, text: &[u8]) -> Result {
        self.bad.mode = Mode::parse(text)?;
        Ok(())
    }

    /// Begins again: rules count from 0, bad sectors are as they were set.
    pub(crate) fn rewind(&mut self) -> Result {
        self.bad.rewind()?;
        for rule in &mut self.rules {
            rule.rewind();
        }
        Ok(())
    }

    /// What becomes of an I/O. If it fails, why is in `kinds` of it. [`ENOMEM`] if there is
    /// no memory to keep track of bad sectors.
    pub(crate) fn inject(&mut self, access: &Access) -> Result<Injected> {
        let mut injected = Injected::default();
        for rule in &mut self.rules {
            let is_lost = injected.is(Kinds::LOST);
            let has_no_data = is_lost && matches!(rule.kind, Kind::Misdirected | Kind::Corrupt);
            if has_no_data || !rule.concerns(access) {
                continue;
            }
            let Some(random) = rule.draw() else {
                continue;
            };
            match rule.kind {
                Kind::FlushLies => injected.kinds |= Kinds::LIED,
                Kind::FuaIgnored => injected.kinds |= Kinds::FUA_IGNORED,
                Kind::Lost => {
                    let others = Kinds::MISDIRECTED | Kinds::CORRUPTED;
                    injected.kinds = injected.kinds.without(others) | Kinds::LOST;
                }
                Kind::Misdirected => {
                    injected.kinds |= Kinds::MISDIRECTED;
                    injected.sector = rule.place(random, access.nr_sectors.into(), self.disk);
                }
                Kind::Corrupt => {
                    injected.kinds |= Kinds::CORRUPTED;
                    injected.nr_bytes = rule.nr_bytes();
                    injected.seed = random;
                }
                Kind::Stale => injected.kinds |= Kinds::STALE,
                Kind::Eio => {
                    injected.kinds = Kinds::EIO;
                    return Ok(injected);
                }
                Kind::Latency => injected.delay_us = injected.delay_us.max(rule.delay_us()),
            }
        }
        if self.bad.fails(access)? {
            injected.kinds = Kinds::BAD_SECTOR;
        }
        Ok(injected)
    }

    /// The rules, as their attribute shows them.
    pub(crate) fn rules(&self) -> Rules<'_> {
        Rules(&self.rules)
    }

    /// The bad sectors, likewise.
    pub(crate) fn bad(&self) -> &impl fmt::Display {
        &self.bad
    }

    /// Whether a failure makes them good.
    pub(crate) fn once(&self) -> bool {
        self.bad.once
    }

    /// What fails on them.
    pub(crate) fn mode(&self) -> &'static str {
        self.bad.mode.name()
    }

    /// I/O that they had fail.
    pub(crate) fn bad_hits(&self) -> u64 {
        self.bad.hits
    }
}

/// Rules, one a line.
pub(crate) struct Rules<'a>(&'a [Rule]);

impl fmt::Display for Rules<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|rule| f.write_fmt(fmt!("{}\n", *rule)))
    }
}
