// SPDX-License-Identifier: GPL-2.0

//! One rule: what goes wrong, with which I/O, how often. Parsed, matched, shown.

use super::{
    Access,
    AccessOp, //
};
use crate::{
    random::draw,
    text::{
        fields,
        parse_u64, //
    }, //
};
use kernel::{
    fmt,
    prelude::*, //
};

/// The longest latency in microseconds: 10 s.
const USEC_MAX: u64 = 10_000_000;
/// The most bytes of a write that are corrupted.
const BYTES_MAX: u64 = 1 << 16;

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    FlushLies,
    FuaIgnored,
    Lost,
    Misdirected,
    Corrupt,
    Stale,
    Eio,
    Latency,
}

impl Kind {
    const NAMES: [(Self, &'static [u8], &'static str); 8] = [
        (Self::FlushLies, b"flush-lies", "flush-lies"),
        (Self::FuaIgnored, b"fua-ignored", "fua-ignored"),
        (Self::Lost, b"lost", "lost"),
        (Self::Misdirected, b"misdirected", "misdirected"),
        (Self::Corrupt, b"corrupt", "corrupt"),
        (Self::Stale, b"stale", "stale"),
        (Self::Eio, b"eio", "eio"),
        (Self::Latency, b"latency", "latency"),
    ];

    fn parse(word: &[u8]) -> Result<Self> {
        let found = Self::NAMES.iter().find(|(_, name, _)| *name == word);
        found.map(|(kind, ..)| *kind).ok_or(EINVAL)
    }

    fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(kind, ..)| *kind == self);
        found.map_or("", |(_, _, name)| name)
    }

    /// The operations that it can happen to.
    fn ops(self) -> Ops {
        match self {
            Self::FlushLies => Ops::FLUSH,
            Self::Stale => Ops::READ,
            Self::Misdirected | Self::Corrupt => Ops::WRITE,
            Self::FuaIgnored | Self::Lost => Ops(Ops::WRITE.0 | Ops::DISCARD.0),
            Self::Eio | Self::Latency => Ops::ALL,
        }
    }

    /// Those that it happens to if none are named.
    fn default_ops(self) -> Ops {
        match self {
            Self::Lost => Ops::WRITE,
            _ => self.ops(),
        }
    }

    /// Whether `op` makes a choice.
    fn takes_op(self) -> bool {
        matches!(self, Self::Lost | Self::Eio | Self::Latency)
    }
}

/// A set of operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Ops(u8);

impl Ops {
    const READ: Self = Self(1);
    const WRITE: Self = Self(2);
    const DISCARD: Self = Self(4);
    const FLUSH: Self = Self(8);
    const ALL: Self = Self(15);
    const NAMES: [(Self, &'static [u8], &'static str); 4] = [
        (Self::READ, b"read", "read"),
        (Self::WRITE, b"write", "write"),
        (Self::DISCARD, b"discard", "discard"),
        (Self::FLUSH, b"flush", "flush"),
    ];

    fn of(op: AccessOp) -> Self {
        match op {
            AccessOp::Read => Self::READ,
            AccessOp::Write => Self::WRITE,
            AccessOp::Discard => Self::DISCARD,
            AccessOp::Flush => Self::FLUSH,
        }
    }

    fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// A list without repeats.
    fn parse(list: &[u8]) -> Result<Self> {
        fields(list, b',').try_fold(Self(0), |ops, word| {
            let found = Self::NAMES.iter().find(|(_, name, _)| *name == word);
            let (op, ..) = found.ok_or(EINVAL)?;
            if ops.has(*op) {
                Err(EINVAL)
            } else {
                Ok(Self(ops.0 | op.0))
            }
        })
    }
}

impl fmt::Display for Ops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for (op, _, name) in &Self::NAMES {
            if self.has(*op) {
                write!(f, "{comma}{name}")?;
                comma = ",";
            }
        }
        Ok(())
    }
}

/// So many out of so many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Odds(u64, u64);

impl Odds {
    /// `P/Q` or `P%`.
    fn parse(text: &[u8]) -> Result<Self> {
        let odds = if let Some(percent) = text.strip_suffix(b"%") {
            Self(parse_u64(percent)?, 100)
        } else {
            let (p, q) = pair(text, b'/').ok_or(EINVAL)?;
            Self(parse_u64(p)?, parse_u64(q)?)
        };
        if odds.0 != 0 && odds.0 <= odds.1 {
            Ok(odds)
        } else {
            Err(EINVAL)
        }
    }
}

/// The two parts of `text`, if there are as many.
fn pair(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let mut parts = fields(text, separator);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(one), Some(other), None) => Some((one, other)),
        _ => None,
    }
}

/// `A-B`, or `A` for `A-A`.
pub(super) fn parse_range(text: &[u8]) -> Result<(u64, u64)> {
    let (first, last) = pair(text, b'-').unwrap_or((text, text));
    let (first, last) = (parse_u64(first)?, parse_u64(last)?);
    if first <= last {
        Ok((first, last))
    } else {
        Err(EINVAL)
    }
}

/// See the module's documentation, and docs/abi.md for how it is written.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub(super) kind: Kind,
    ops: Option<Ops>,
    /// Sectors, ends included.
    lba: Option<(u64, u64)>,
    after: Option<u64>,
    every: Option<u64>,
    count: Option<u64>,
    odds: Option<Odds>,
    seed: Option<u64>,
    to: Option<u64>,
    bytes: Option<u64>,
    usec: Option<u64>,
    /// The I/O that it could have hit since it was set or wound back.
    seen: u64,
    /// That it hit.
    done: u64,
    /// The same since it was set.
    hits: u64,
}

/// Puts a value where none may be yet. [`EINVAL`] if there is one.
fn once<T>(slot: &mut Option<T>, value: T) -> Result {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(EINVAL),
    }
}

/// A number of at least 1, and at most `max`.
fn positive(text: &[u8], max: u64) -> Result<u64> {
    match parse_u64(text)? {
        number if (1..=max).contains(&number) => Ok(number),
        _ => Err(EINVAL),
    }
}

impl Rule {
    /// Parses `KIND[ KEY=VALUE]...` for a disk of so many sectors, so many to a block.
    /// [`EINVAL`] if it is malformed, [`ERANGE`] if it speaks of sectors that are not
    /// there.
    pub(super) fn parse(text: &[u8], disk: super::Extent) -> Result<Self> {
        let mut words = fields(text, b' ');
        let kind = Kind::parse(words.next().ok_or(EINVAL)?)?;
        let mut rule = Self {
            kind,
            ops: None,
            lba: None,
            after: None,
            every: None,
            count: None,
            odds: None,
            seed: None,
            to: None,
            bytes: None,
            usec: None,
            seen: 0,
            done: 0,
            hits: 0,
        };
        for word in words {
            let (key, value) = pair(word, b'=').ok_or(EINVAL)?;
            match key {
                b"op" if kind.takes_op() => once(&mut rule.ops, Ops::parse(value)?)?,
                b"lba" if kind != Kind::FlushLies => once(&mut rule.lba, parse_range(value)?)?,
                b"after" => once(&mut rule.after, parse_u64(value)?)?,
                b"every" => once(&mut rule.every, positive(value, u64::MAX)?)?,
                b"count" => once(&mut rule.count, positive(value, u64::MAX)?)?,
                b"prob" => once(&mut rule.odds, Odds::parse(value)?)?,
                b"seed" => once(&mut rule.seed, parse_u64(value)?)?,
                b"to" if kind == Kind::Misdirected => once(&mut rule.to, parse_u64(value)?)?,
                b"bytes" if kind == Kind::Corrupt => {
                    once(&mut rule.bytes, positive(value, BYTES_MAX)?)?;
                }
                b"usec" if kind == Kind::Latency => {
                    once(&mut rule.usec, positive(value, USEC_MAX)?)?;
                }
                _ => return Err(EINVAL),
            }
        }
        rule.check(disk)?;
        Ok(rule)
    }

    fn check(&self, disk: super::Extent) -> Result {
        let ops = self.ops.unwrap_or(self.kind.default_ops());
        let is_possible = Ops(ops.0 & !self.kind.ops().0) == Ops(0);
        // A flush has no sectors.
        let is_nowhere = self.lba.is_some() && ops == Ops::FLUSH;
        let is_timed = self.usec.is_some() || self.kind != Kind::Latency;
        let is_block = self.to.is_none_or(|to| to % disk.block_sectors == 0);
        if !is_possible || is_nowhere || !is_timed || !is_block {
            return Err(EINVAL);
        }
        let last = self.lba.map_or(0, |(_, last)| last);
        if last.max(self.to.unwrap_or(0)) < disk.nr_sectors {
            Ok(())
        } else {
            Err(ERANGE)
        }
    }

    /// Whether it could hit an I/O, if its turn has come.
    pub(super) fn concerns(&self, access: &Access) -> bool {
        let ops = self.ops.unwrap_or(self.kind.default_ops());
        let is_op = ops.has(Ops::of(access.op)) || (access.flushes && ops.has(Ops::FLUSH));
        let is_there = self.lba.is_none_or(|lba| access.touches(lba));
        let is_kind = match self.kind {
            Kind::FuaIgnored => access.is_fua,
            Kind::Misdirected | Kind::Corrupt => access.has_data,
            // A write that brings a flush is for `flush-lies`.
            Kind::Lost => access.nr_sectors != 0,
            _ => true,
        };
        is_op && is_there && is_kind
    }

    /// Whether it hits an I/O that it could hit: then with a random number.
    pub(super) fn draw(&mut self) -> Option<u64> {
        let n = self.seen;
        self.seen = self.seen.saturating_add(1);
        let seed = self.seed.unwrap_or(0);
        let Odds(p, q) = self.odds.unwrap_or(Odds(1, 1));
        let after = n.checked_sub(self.after.unwrap_or(0))?;
        let is_turn = (after.saturating_add(1)) % self.every.unwrap_or(1) == 0
            && self.done < self.count.unwrap_or(u64::MAX)
            && u128::from(draw(seed, n)) * u128::from(q) >> 64 < u128::from(p);
        if !is_turn {
            return None;
        }
        self.done += 1;
        self.hits = self.hits.saturating_add(1);
        Some(draw(!seed, n))
    }

    /// Begins again, as if nothing had been seen.
    pub(super) fn rewind(&mut self) {
        self.seen = 0;
        self.done = 0;
    }

    /// Where a write of `nr_sectors` goes: as told, or anywhere, but so that it fits.
    pub(super) fn place(&self, random: u64, nr_sectors: u64, disk: super::Extent) -> u64 {
        let room = disk.nr_sectors.saturating_sub(nr_sectors);
        let anywhere = random % (room / disk.block_sectors + 1) * disk.block_sectors;
        self.to.unwrap_or(anywhere).min(room)
    }

    /// How many bytes of a write are corrupted.
    pub(super) fn nr_bytes(&self) -> u32 {
        // No truncation: less than `BYTES_MAX`.
        self.bytes.unwrap_or(1) as u32
    }

    /// How much later an I/O is complete.
    pub(super) fn delay_us(&self) -> u64 {
        self.usec.unwrap_or(0)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if let Some(ops) = self.ops {
            f.write_fmt(fmt!(" op={}", ops))?;
        }
        if let Some((first, last)) = self.lba {
            write!(f, " lba={first}-{last}")?;
        }
        let numbers = [
            ("after", self.after),
            ("every", self.every),
            ("count", self.count),
        ];
        for (key, value) in numbers {
            if let Some(value) = value {
                write!(f, " {key}={value}")?;
            }
        }
        if let Some(Odds(p, q)) = self.odds {
            write!(f, " prob={p}/{q}")?;
        }
        let numbers = [
            ("seed", self.seed),
            ("to", self.to),
            ("bytes", self.bytes),
            ("usec", self.usec),
        ];
        for (key, value) in numbers {
            if let Some(value) = value {
                write!(f, " {key}={value}")?;
            }
        }
        write!(f, " hits={}", self.hits)
    }
}
