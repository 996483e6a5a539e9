// SPDX-License-Identifier: GPL-2.0

//! What a disk is to be like, before its power is switched on.

use super::members;
use crate::{
    disk::{
        Behaviour,
        Completion,
        Geometry,
        Members, //
    },
    model::Tear,
    text::{
        parse_bool,
        parse_u64, //
    }, //
};
use kernel::prelude::*;

/// 16 TiB.
pub(super) const SIZE_MAX_MIB: u64 = 16 << 20;
/// The largest atomic unit in bytes.
const ATOMIC_UNIT_MAX: u32 = 64 << 10;

/// A setting, by the name of its attribute.
#[derive(Clone, Copy)]
pub(super) enum Setting {
    Size,
    BlockSize,
    PhysicalBlockSize,
    AtomicUnit,
    WriteCache,
    Fua,
    Discard,
    LogLimit,
}

/// The settings of a disk.
#[derive(Clone, Copy)]
pub(super) struct Settings {
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
    log_limit_mib: u64,
    completion: Completion,
    /// Discarded sectors hold what follows from it; [`None`]: zeroes.
    garbage: Option<u64>,
    /// Whose sizes are in force where there are some.
    members: Members,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            size_mib: 64,
            block_size: 4096,
            physical_block_size: 0,
            atomic_unit: 0,
            tear: Tear::Any,
            write_cache: true,
            fua: true,
            discard: true,
            log_limit_mib: 1024,
            completion: Completion::Inline,
            garbage: None,
            members: Members::NONE,
        }
    }
}

impl Settings {
    /// The value of a setting.
    pub(super) fn get(&self, setting: Setting) -> u64 {
        match setting {
            Setting::Size => self.nr_sectors() >> 11,
            Setting::BlockSize => self.block_size.into(),
            Setting::PhysicalBlockSize => self.physical_bytes().into(),
            Setting::AtomicUnit => self.unit_bytes().into(),
            Setting::WriteCache => self.write_cache.into(),
            Setting::Fua => (self.fua && self.write_cache).into(),
            Setting::Discard => self.discard.into(),
            Setting::LogLimit => self.log_limit_mib,
        }
    }

    /// Changes a setting. [`EINVAL`] if the value is none, and all stays as it was.
    pub(super) fn set(&mut self, setting: Setting, text: &[u8]) -> Result {
        match setting {
            Setting::Size => {
                let size_mib = parse_u64(text)?;
                if !(1..=SIZE_MAX_MIB).contains(&size_mib) || !self.members.is_empty() {
                    return Err(EINVAL);
                }
                self.size_mib = size_mib;
            }
            Setting::BlockSize => {
                let block_size = parse_u64(text)?;
                if block_size != 512 && block_size != 4096 {
                    return Err(EINVAL);
                }
                self.block_size = u32::try_from(block_size)?;
            }
            Setting::PhysicalBlockSize => {
                let block_size = parse_u64(text)?;
                if !matches!(block_size, 0 | 512 | 4096) {
                    return Err(EINVAL);
                }
                self.physical_block_size = u32::try_from(block_size)?;
            }
            Setting::AtomicUnit => {
                let unit = parse_u64(text)?;
                let unit = u32::try_from(unit).map_err(|_| EINVAL)?;
                let is_unit = unit.is_power_of_two() && (512..=ATOMIC_UNIT_MAX).contains(&unit);
                if unit != 0 && !is_unit {
                    return Err(EINVAL);
                }
                self.atomic_unit = unit;
            }
            Setting::WriteCache => self.write_cache = parse_bool(text)?,
            Setting::Fua => self.fua = parse_bool(text)?,
            Setting::Discard => self.discard = parse_bool(text)?,
            Setting::LogLimit => {
                let limit_mib = parse_u64(text)?;
                if limit_mib.checked_mul(1 << 20).is_none() {
                    return Err(EINVAL);
                }
                self.log_limit_mib = limit_mib;
            }
        }
        Ok(())
    }

    fn nr_sectors(&self) -> u64 {
        match self.members.is_empty() {
            true => self.size_mib << 11,
            false => self.members.nr_sectors(),
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

    /// The disk that they describe. [`EINVAL`] if they don't go together: a unit or a
    /// physical block smaller than a block.
    pub(super) fn geometry(&self) -> Result<Geometry> {
        if self.unit_bytes().min(self.physical_bytes()) < self.block_size {
            return Err(EINVAL);
        }
        Ok(Geometry {
            nr_sectors: self.nr_sectors(),
            block_size: self.block_size,
            physical_block_size: self.physical_bytes(),
            atomic_unit: self.unit_bytes(),
            tear: self.tear,
            write_cache: self.write_cache,
            fua: self.fua && self.write_cache,
            discard: self.discard,
        })
    }

    /// The members that it is to have.
    pub(super) fn members(&self) -> &Members {
        &self.members
    }

    /// Changes them, for a disk whose name has so many bytes: see [`members::parse`].
    pub(super) fn set_members(&mut self, text: &[u8], disk_name_len: usize) -> Result {
        self.members = members::parse(text, disk_name_len)?;
        Ok(())
    }

    /// How it is to behave.
    pub(super) fn behaviour(&self) -> Behaviour {
        Behaviour {
            log_limit_bytes: self.log_limit_mib.saturating_mul(1 << 20),
            completion: self.completion,
            garbage: self.garbage,
        }
    }

    /// What discarded sectors are to hold: zeroes, or what follows from a seed.
    pub(super) fn garbage(&self) -> Option<u64> {
        self.garbage
    }

    /// Changes that: `zeroes` or `garbage:SEED`. [`EINVAL`] if the text is no such thing.
    pub(super) fn set_discard_content(&mut self, text: &[u8]) -> Result {
        self.garbage = match text.strip_prefix(b"garbage:") {
            Some(seed) => Some(parse_u64(seed)?),
            None if text == b"zeroes" => None,
            None => return Err(EINVAL),
        };
        Ok(())
    }

    /// How its writes are to tear.
    pub(super) fn tear(&self) -> Tear {
        self.tear
    }

    /// Changes that: `any` or `prefix`. [`EINVAL`] if the text is no such thing.
    pub(super) fn set_tear(&mut self, text: &[u8]) -> Result {
        self.tear = match text {
            b"any" => Tear::Any,
            b"prefix" => Tear::Prefix,
            _ => return Err(EINVAL),
        };
        Ok(())
    }

    /// When it is to complete writes and flushes.
    pub(super) fn completion(&self) -> Completion {
        self.completion
    }

    /// Changes that. [`EINVAL`] if the text is no such thing.
    pub(super) fn set_completion(&mut self, text: &[u8]) -> Result {
        self.completion = Completion::parse(text)?;
        Ok(())
    }
}
