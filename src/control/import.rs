// SPDX-License-Identifier: GPL-2.0

//! A log on its way in: what `export` gave, put onto a fresh disk.

use super::format::{
    encode_member,
    EntryKind,
    Header,
    RawEntry,
    ENTRY_LEN,
    HEADER_LEN,
    MEMBER_LEN, //
};
use crate::{
    block::Flags,
    disk::{
        Members,
        Properties,
        RecordedDisk,
        Staged, //
    },
    fault::Kinds,
    model::Op,
    record::MARK_MAX_BYTES,
    registry,
    store::{
        pages,
        DataPage,
        PageList,
        SectorMask,
        PAGE_SECTORS,
        SECTOR_SIZE, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// What is being gathered.
enum Expect {
    Header,
    /// The member of that number.
    Member(usize),
    Entry,
    Payload(RawEntry),
    /// Everything has arrived.
    Nothing,
}

/// A record being rebuilt. The disk changes only when the last byte has arrived.
pub(super) struct Import {
    disk: Arc<RecordedDisk>,
    staged: Option<Staged>,
    expect: Expect,
    /// The part of the header, entry or payload that has arrived.
    gathered: KVVec<u8>,
    nr_base: u64,
    nr_entries: u64,
    last_event: u64,
    faults: Kinds,
}

impl Import {
    /// [`EEXIST`] if the disk has a record.
    pub(super) fn new(disk: Arc<RecordedDisk>) -> Result<Self> {
        let staged = disk.stage()?;
        Ok(Self {
            disk,
            staged: Some(staged),
            expect: Expect::Header,
            gathered: KVVec::new(),
            nr_base: 0,
            nr_entries: 0,
            last_event: 0,
            faults: Kinds::default(),
        })
    }

    /// Takes the next bytes. [`EINVAL`] if they are not what must come next.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result {
        while !bytes.is_empty() {
            let wanted = match &self.expect {
                Expect::Header => HEADER_LEN,
                Expect::Member(_) => MEMBER_LEN,
                Expect::Entry => ENTRY_LEN,
                Expect::Payload(entry) => entry.payload_len as usize,
                Expect::Nothing => return Err(EINVAL),
            };
            let missing = wanted.saturating_sub(self.gathered.len()).min(bytes.len());
            let (now, later) = bytes.split_at_checked(missing).ok_or(EINVAL)?;
            self.gathered
                .extend_from_slice(now, GFP_KERNEL | __GFP_NOWARN)?;
            bytes = later;
            if self.gathered.len() == wanted {
                let gathered = core::mem::replace(&mut self.gathered, KVVec::new());
                self.take(&gathered)?;
            }
        }
        Ok(())
    }

    /// Takes a whole header, entry or payload.
    fn take(&mut self, bytes: &[u8]) -> Result {
        match self.expect {
            Expect::Header => {
                let nr_members = self.disk.members().as_slice().len();
                let header = Header::decode(bytes, self.disk.properties(), nr_members)?;
                if header.truncated != 0 {
                    self.staged()?.truncated(header.truncated);
                }
                self.nr_base = header.nr_base;
                self.nr_entries = header.nr_entries;
                self.last_event = header.last_event;
                self.faults = header.faults;
                self.expect_member(0)
            }
            Expect::Member(index) => {
                let member = self.disk.members().as_slice().get(index).ok_or(EINVAL)?;
                if bytes != encode_member(member) {
                    return Err(EINVAL);
                }
                self.expect_member(index + 1)
            }
            Expect::Entry => {
                let entry = RawEntry::decode(bytes)?;
                check(&entry, self.disk.properties(), self.disk.members())?;
                if entry.payload_len == 0 {
                    self.apply(&entry, &[])
                } else {
                    self.expect = Expect::Payload(entry);
                    Ok(())
                }
            }
            Expect::Payload(entry) => self.apply(&entry, bytes),
            Expect::Nothing => Err(EINVAL),
        }
    }

    fn staged(&mut self) -> Result<&mut Staged> {
        self.staged.as_mut().ok_or(EINVAL)
    }

    fn apply(&mut self, entry: &RawEntry, payload: &[u8]) -> Result {
        match entry.kind {
            EntryKind::Base => {
                self.nr_base = self.nr_base.checked_sub(1).ok_or(EINVAL)?;
                let data = split_pages(entry, payload)?;
                self.staged()?.base(entry.sector, entry.nr_sectors, &data)?;
            }
            EntryKind::Log(op) => {
                if self.nr_base != 0 {
                    return Err(EINVAL);
                }
                self.nr_entries = self.nr_entries.checked_sub(1).ok_or(EINVAL)?;
                let write = entry.to_write(op)?;
                if op == Op::Discard {
                    self.staged()?.garbage(entry.garbage)?;
                }
                let data = match op {
                    Op::Write if !entry.faults.contains(Kinds::LOST) => {
                        split_pages(entry, payload)?
                    }
                    _ => PageList::default(),
                };
                self.staged()?
                    .entry(&write, entry.submitter, payload, data)?;
            }
        }
        self.expect_next()
    }

    fn expect_member(&mut self, index: usize) -> Result {
        if index == self.disk.members().as_slice().len() {
            return self.expect_next();
        }
        self.expect = Expect::Member(index);
        Ok(())
    }

    fn expect_next(&mut self) -> Result {
        self.expect = Expect::Entry;
        if self.nr_base == 0 && self.nr_entries == 0 {
            self.expect = Expect::Nothing;
            let mut staged = self.staged.take().ok_or(EINVAL)?;
            staged.check(self.last_event, self.faults)?;
            let device = registry::find(self.disk.name().to_bytes())?;
            if !Arc::ptr_eq(device.disk(), &self.disk) {
                return Err(ENODEV);
            }
            device.while_closed(|| self.disk.adopt(staged))?;
        }
        Ok(())
    }
}

/// [`EINVAL`] for an entry that no disk like `properties` with such members can have recorded.
fn check(entry: &RawEntry, properties: Properties, members: &Members) -> Result {
    let len_bytes = u64::from(entry.nr_sectors) * SECTOR_SIZE as u64;
    let end = entry.sector.checked_add(u64::from(entry.nr_sectors));
    let is_inside = end.is_some_and(|end| end <= properties.nr_sectors);
    let block_sectors = u64::from(properties.block_size) / SECTOR_SIZE as u64;
    let is_blocks = entry.sector % block_sectors == 0
        && u64::from(entry.nr_sectors) % block_sectors == 0
        && entry.nr_sectors != 0;
    let payload_len = u64::from(entry.payload_len);
    let borders = members.to_model();
    let is_of_one = borders.of(entry.sector) == borders.of(end.unwrap_or(0).saturating_sub(1));
    let is_start = borders.starts().contains(&entry.sector);

    let is_valid = match entry.kind {
        EntryKind::Base => is_inside && is_blocks && payload_len == len_bytes,
        EntryKind::Log(Op::Write) if entry.faults.contains(Kinds::LOST) => {
            is_inside && is_blocks && is_of_one && payload_len == 0
        }
        EntryKind::Log(Op::Write) => {
            is_inside && is_blocks && is_of_one && payload_len == len_bytes
        }
        EntryKind::Log(Op::WriteZeroes | Op::Discard) => {
            is_inside && is_blocks && is_of_one && payload_len == 0
        }
        EntryKind::Log(Op::Flush) => {
            let is_empty = entry.nr_sectors == 0 && payload_len == 0;
            is_empty && is_start && entry.flags.contains(Flags::PREFLUSH)
        }
        EntryKind::Log(Op::Mark) => {
            let is_nowhere = entry.sector == 0 && entry.nr_sectors == 0;
            let is_text = (1..=MARK_MAX_BYTES as u64).contains(&payload_len);
            is_nowhere && is_text && entry.flags == Flags::default()
        }
    };
    if is_valid && are_possible(entry, properties) {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

/// Whether the faults of an entry can have happened to it.
fn are_possible(entry: &RawEntry, properties: Properties) -> bool {
    let EntryKind::Log(op) = entry.kind else {
        return entry.faults.is_empty();
    };
    let mut possible = Kinds::default();
    if op != Op::Mark && entry.flags.contains(Flags::PREFLUSH) {
        possible |= Kinds::LIED;
    }
    if op.is_write() && entry.flags.contains(Flags::FUA) {
        possible |= Kinds::FUA_IGNORED;
    }
    if op.is_write() {
        possible |= Kinds::LOST;
    }
    if op == Op::Write && !entry.faults.contains(Kinds::LOST) {
        possible |= Kinds::MISDIRECTED | Kinds::CORRUPTED;
    }
    let end = entry.asked.checked_add(entry.nr_sectors.into());
    possible.contains(entry.faults) && end.is_some_and(|end| end <= properties.nr_sectors)
}

/// A write's data, in a page for each page of the disk that it touches.
fn split_pages(entry: &RawEntry, payload: &[u8]) -> Result<PageList> {
    let nr_sectors = u64::from(entry.nr_sectors);
    let mut rest = payload;
    let mut split = PageList::default();
    for page in pages(entry.sector, nr_sectors) {
        let data = DataPage::new_stale()?;
        for range in SectorMask::of_page(page, entry.sector, nr_sectors).runs() {
            let (now, later) = rest.split_at_checked(range.len()).ok_or(EINVAL)?;
            data.write(range.start, now);
            rest = later;
        }
        split.push(data)?;
    }
    Ok(split)
}

const _: () = assert!(PAGE_SECTORS == 8);
