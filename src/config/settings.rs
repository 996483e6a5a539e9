// SPDX-License-Identifier: GPL-2.0

//! What a disk is to be like, before its power is switched on.

use super::{
    members::{
        self,
        Shown,
        SIZE_MAX_MIB, //
    },
    show::{
        put,
        Text, //
    }, //
};
use crate::{
    block::stack::Stack,
    disk::{
        Behaviour,
        Completion,
        Members, //
        Properties,
    },
    model::{
        Tear,
        PHYSICAL_SECTORS, //
    },
    store::SECTOR_SIZE,
    text::{
        parse_bool,
        parse_u64, //
    }, //
};
use kernel::{
    fmt,
    prelude::*, //
};

/// The largest atomic unit in bytes.
const ATOMIC_UNIT_MAX: u32 = 64 << 10;

/// A setting: what it is shown and set by. [`EINVAL`] if a text is no value of it, and all stays
/// as it was.
pub(super) struct Setting {
    pub(super) show: fn(&Settings, &mut Text<'_>) -> Result,
    pub(super) set: fn(&mut Settings, &[u8]) -> Result,
}

/// Settings by their names: what a value is, and what a text must be to be one.
macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident: $show:expr, $set:expr;)+) => {$(
        $(#[$doc])*
        pub(super) const $name: Setting = Setting {
            show: |settings, to| {
                let show: fn(&Settings) -> _ = $show;
                put(to, fmt!("{}\n", show(settings)))
            },
            set: $set,
        };
    )+};
}

settings! {
    /// MiB; of a group, of all members.
    SIZE: |settings| settings.nr_sectors() >> 11, |settings, text| {
        let size_mib = parse_u64(text)?;
        if !(1..=SIZE_MAX_MIB).contains(&size_mib) || !settings.members.is_empty() {
            return Err(EINVAL);
        }
        settings.size_mib = size_mib;
        Ok(())
    };
    /// The members of a group.
    DISKS: |settings| Shown(settings.members), |settings, text| {
        settings.members = members::parse(text, settings.name_len)?;
        Ok(())
    };
    /// The logical block, in bytes.
    BLOCKSIZE: |settings| settings.block_size, |settings, text| {
        settings.block_size = one_of(&[512, 4096], text)?;
        Ok(())
    };
    /// The physical block, in bytes.
    PHYSICAL_BLOCKSIZE: |settings| settings.physical_bytes(), |settings, text| {
        settings.physical_block_size = one_of(&[0, 512, 4096], text)?;
        Ok(())
    };
    /// What never tears, in bytes.
    ATOMIC_UNIT: |settings| settings.unit_bytes(), |settings, text| {
        let unit = u32::try_from(parse_u64(text)?).map_err(|_| EINVAL)?;
        let is_unit = unit.is_power_of_two() && (512..=ATOMIC_UNIT_MAX).contains(&unit);
        if unit != 0 && !is_unit {
            return Err(EINVAL);
        }
        settings.atomic_unit = unit;
        Ok(())
    };
    /// How writes tear.
    TEAR: |settings| match settings.tear {
        Tear::Any => "any",
        Tear::Prefix => "prefix",
        Tear::Rmw => "rmw",
    }, |settings, text| {
        settings.tear = match text {
            b"any" => Tear::Any,
            b"prefix" => Tear::Prefix,
            b"rmw" => Tear::Rmw,
            _ => return Err(EINVAL),
        };
        Ok(())
    };
    /// Whether there is a volatile write cache.
    WRITE_CACHE: |settings| u8::from(settings.write_cache), |settings, text| {
        settings.write_cache = parse_bool(text)?;
        Ok(())
    };
    /// Whether FUA is advertised.
    FUA: |settings| u8::from(settings.has_fua()), |settings, text| {
        settings.fua = parse_bool(text)?;
        Ok(())
    };
    /// Whether DISCARD is advertised.
    DISCARD: |settings| u8::from(settings.discard), |settings, text| {
        settings.discard = parse_bool(text)?;
        Ok(())
    };
    /// Whether the kernel looks for partitions.
    PARTSCAN: |settings| u8::from(settings.partscan), |settings, text| {
        settings.partscan = parse_bool(text)?;
        Ok(())
    };
    /// Whether a record has hashes of stacks. [`EOPNOTSUPP`] where the kernel can't tell them.
    STACKS: |settings| u8::from(settings.stacks), |settings, text| {
        let stacks = parse_bool(text)?;
        if stacks && !Stack::IS_KNOWN {
            return Err(EOPNOTSUPP);
        }
        settings.stacks = stacks;
        Ok(())
    };
    /// What discarded sectors hold.
    DISCARD_CONTENT: |settings| Content(settings.garbage), |settings, text| {
        settings.garbage = match text.strip_prefix(b"garbage:") {
            Some(seed) => Some(parse_u64(seed)?),
            None if text == b"zeroes" => None,
            None => return Err(EINVAL),
        };
        Ok(())
    };
    /// When writes and flushes are complete.
    COMPLETION: |settings| settings.completion, |settings, text| {
        settings.completion = Completion::parse(text)?;
        Ok(())
    };
    /// The memory that a record may take, in MiB.
    LOG_LIMIT_MIB: |settings| settings.log_limit_mib, |settings, text| {
        let limit_mib = parse_u64(text)?;
        if limit_mib.checked_mul(1 << 20).is_none() {
            return Err(EINVAL);
        }
        settings.log_limit_mib = limit_mib;
        Ok(())
    };
}

/// A number that is one of these.
fn one_of(values: &[u32], text: &[u8]) -> Result<u32> {
    let value = parse_u64(text)?;
    let mut values = values.iter().copied();
    values.find(|one| u64::from(*one) == value).ok_or(EINVAL)
}

/// `zeroes`, or `garbage:SEED`.
struct Content(Option<u64>);

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("zeroes"),
            Some(seed) => write!(f, "garbage:{seed}"),
        }
    }
}

/// The settings of a disk.
#[derive(Clone, Copy)]
pub(super) struct Settings {
    /// Length of the disk's name in bytes.
    name_len: usize,
    size_mib: u64,
    block_size: u32,
    /// 0: as the block.
    physical_block_size: u32,
    /// 0: as the block.
    atomic_unit: u32,
    tear: Tear,
    write_cache: bool,
    fua: bool,
    discard: bool,
    partscan: bool,
    stacks: bool,
    log_limit_mib: u64,
    completion: Completion,
    /// Discarded sectors hold what follows from it; [`None`]: zeroes.
    garbage: Option<u64>,
    /// Whose sizes are in force where there are some.
    members: Members,
}

impl Settings {
    /// Those of a disk whose name has so many bytes.
    pub(super) fn new(name_len: usize) -> Self {
        Self {
            name_len,
            size_mib: 64,
            block_size: 4096,
            physical_block_size: 0,
            atomic_unit: 0,
            tear: Tear::Any,
            write_cache: true,
            fua: true,
            discard: true,
            partscan: true,
            stacks: false,
            log_limit_mib: 1024,
            completion: Completion::Inline,
            garbage: None,
            members: Members::NONE,
        }
    }

    fn nr_sectors(&self) -> u64 {
        if self.members.is_empty() {
            self.size_mib << 11
        } else {
            self.members.nr_sectors()
        }
    }

    fn unit_bytes(&self) -> u32 {
        match self.atomic_unit {
            0 => self.block_size,
            unit => unit,
        }
    }

    fn physical_bytes(&self) -> u32 {
        match self.physical_block_size {
            0 => self.block_size,
            size => size,
        }
    }

    fn has_fua(&self) -> bool {
        self.fua && self.write_cache
    }

    /// The disk that they describe. [`EINVAL`] if they don't go together: a unit or a
    /// physical block smaller than a block; or, with [`Tear::Rmw`], a unit that is no sector or a
    /// physical block of other than [`PHYSICAL_SECTORS`].
    pub(super) fn properties(&self) -> Result<Properties> {
        let (unit, physical) = (self.unit_bytes(), self.physical_bytes());
        if unit.min(physical) < self.block_size {
            return Err(EINVAL);
        }
        let sector = SECTOR_SIZE as u32;
        if self.tear == Tear::Rmw && (unit, physical) != (sector, PHYSICAL_SECTORS * sector) {
            return Err(EINVAL);
        }
        Ok(Properties {
            nr_sectors: self.nr_sectors(),
            block_size: self.block_size,
            physical_block_size: self.physical_bytes(),
            atomic_unit: self.unit_bytes(),
            tear: self.tear,
            write_cache: self.write_cache,
            fua: self.has_fua(),
            discard: self.discard,
            partscan: self.partscan,
        })
    }

    /// The members that it is to have.
    pub(super) fn members(&self) -> &Members {
        &self.members
    }

    /// How it is to behave.
    pub(super) fn behaviour(&self) -> Behaviour {
        Behaviour {
            log_limit_bytes: self.log_limit_mib.saturating_mul(1 << 20),
            completion: self.completion,
            garbage: self.garbage,
            stacks: self.stacks,
        }
    }
}
