// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of the recorded disk, and what other suites make disks with.

mod bios;
mod faults;
mod groups;
mod life;

use super::{
    in_flight::Served,
    *, //
};
use crate::{
    block::Flags,
    model::{
        Op,
        Tear, //
    },
    record::{
        Write,
        ENTRY_BYTES, //
    },
    store::{
        pages,
        tests::{
            filled,
            shown, //
        },
        PageList,
        PAGE_SECTORS, //
    }, //
};

/// What the sectors of a page consist of.
pub(crate) type Shown = [u8; PAGE_SECTORS];

/// A disk of 1 MiB with that atomic unit in bytes and that limit on its log.
pub(crate) fn disk_with(atomic_unit: u32, limit: u64) -> Result<Arc<RecordedDisk>> {
    disk_of(Members::NONE, atomic_unit, Tear::Any, limit)
}

fn disk_of(
    members: Members,
    atomic_unit: u32,
    tear: Tear,
    limit: u64,
) -> Result<Arc<RecordedDisk>> {
    let properties = Properties {
        nr_sectors: 2048,
        block_size: atomic_unit.min(4096),
        physical_block_size: 4096,
        atomic_unit,
        tear,
        write_cache: true,
        fua: true,
        discard: true,
        partscan: true,
    };
    let behaviour = Behaviour {
        log_limit_bytes: limit,
        ..Behaviour::default()
    };
    RecordedDisk::new(c"test".try_into()?, properties, members, behaviour, None)
}

/// A disk of 1 MiB whose blocks are pages, recording.
pub(crate) fn disk() -> Result<Arc<RecordedDisk>> {
    let disk = disk_with(4096, 0)?;
    disk.start_record()?;
    Ok(disk)
}

/// The same, on which writes survive as prefixes.
pub(crate) fn disk_of_prefixes() -> Result<Arc<RecordedDisk>> {
    let disk = disk_of(Members::NONE, 4096, Tear::Prefix, 0)?;
    disk.start_record()?;
    Ok(disk)
}

/// The same of blocks of 512 bytes, on which writes may cost their neighbours.
pub(crate) fn disk_of_rmw() -> Result<Arc<RecordedDisk>> {
    let disk = disk_of(Members::NONE, 512, Tear::Rmw, 0)?;
    disk.start_record()?;
    Ok(disk)
}

/// A crash-state disk on another's record.
pub(crate) fn view_of(disk: &Arc<RecordedDisk>) -> Result<Arc<RecordedDisk>> {
    let below = CrashState::new(disk.clone())?;
    let behaviour = Behaviour::default();
    RecordedDisk::new(
        c"test.view".try_into()?,
        disk.properties(),
        *disk.members(),
        behaviour,
        Some(below),
    )
}

fn flush_with(disk: &RecordedDisk, flags: Flags) -> Result {
    let flags = flags | Flags::PREFLUSH;
    disk.flush(&mut Write::new(Op::Flush, flags, 0, 0), true)?;
    Ok(())
}

/// Writes sectors full of one byte, as a bio does.
pub(crate) fn write(
    disk: &RecordedDisk,
    flags: Flags,
    (sector, nr_sectors): (u64, u32),
    byte: u8,
) -> Result {
    let mut data = PageList::default();
    for _ in pages(sector, nr_sectors.into()) {
        data.push(filled(byte)?)?;
    }
    let mut write = Write::new(Op::Write, flags, sector, nr_sectors);
    if disk.write_recorded(&mut write, Ok(data), true)? != Served::Again {
        return Ok(());
    }
    let mut data = PageList::default();
    for _ in write.pages() {
        data.push(filled(byte)?)?;
    }
    let served = disk.write_plain(&write, data)?;
    assert!(served != Served::Again);
    Ok(())
}

/// Discards or zeroes sectors, as a bio does.
pub(crate) fn zero(disk: &RecordedDisk, op: Op, (sector, nr_sectors): (u64, u32)) -> Result {
    disk.write_zeroes(
        &mut Write::new(op, Flags::default(), sector, nr_sectors),
        true,
    )?;
    Ok(())
}

/// Flushes, as an empty bio does.
pub(crate) fn flush(disk: &RecordedDisk) -> Result {
    flush_with(disk, Flags::PREFLUSH)
}

/// What a disk shows of a page.
pub(crate) fn look(disk: &RecordedDisk, page: u64) -> Result<Shown> {
    Ok(shown(&disk.page(page)?))
}

/// What a crash state shows of a page.
pub(crate) fn look_after(view: &RecordedDisk, state: &[u8], page: u64) -> Result<Shown> {
    view.below().ok_or(EINVAL)?.select(state)?;
    look(view, page)
}

fn entry(disk: &RecordedDisk, index: usize) -> Result<Write> {
    disk.with_record(|record, _| record.log_entry(index).ok_or(ENOENT))
}

/// Submit, start and complete event of an entry.
fn events(disk: &RecordedDisk, index: usize) -> Result<(u64, u64, u64)> {
    let entry = entry(disk, index)?.entry;
    Ok((entry.submit, entry.start, entry.complete))
}

/// Flags by their bits.
pub(crate) fn flags(bits: u32) -> Result<Flags> {
    Flags::from_bits(bits).ok_or(EINVAL)
}

/// A plain write.
pub(crate) fn put(disk: &RecordedDisk, sectors: (u64, u32), byte: u8) -> Result {
    write(disk, Flags::default(), sectors, byte)
}

// The tests' entry points from C are made by the macro; this is not for anything else.
#[allow(unsafe_code)]
#[kunit_tests(powercut_disk)]
mod suite {
    use super::*;

    #[test]
    fn bios_are_logged_and_survive_as_their_flags_say() {
        for case in bios::CASES {
            assert!(bios::check_case(case) == Ok(true));
        }
    }

    #[test]
    fn a_commit_block_never_survives_without_its_journal() -> Result {
        let disk = disk()?;
        put(&disk, (8, 8), 1)?;
        write(&disk, flags(3)?, (16, 8), 2)?;
        put(&disk, (24, 8), 3)?;
        assert!(events(&disk, 1)? == (3, 4, 5));

        // Cut; journal, commit and in-place block with nothing kept, then with all.
        let cuts: [(u64, [u8; 3], [u8; 3]); 8] = [
            (0, [0, 0, 0], [0, 0, 0]),
            (1, [0, 0, 0], [1, 0, 0]),
            (2, [0, 0, 0], [1, 0, 0]),
            (3, [0, 0, 0], [1, 0, 0]),
            (4, [1, 0, 0], [1, 2, 0]),
            (5, [1, 2, 0], [1, 2, 0]),
            (6, [1, 2, 0], [1, 2, 3]),
            (7, [1, 2, 0], [1, 2, 3]),
        ];
        let view = view_of(&disk)?;
        for (cut, none, all) in cuts {
            for (keep, expected) in [("none", none), ("all", all)] {
                let state = CString::try_from_fmt(fmt!("cut={} keep={}", cut, keep))?;
                for (page, byte) in (1..).zip(expected) {
                    assert!(look_after(&view, state.to_bytes(), page)? == [byte; 8]);
                }
            }
        }
        // Neither by name: it waits for its flush, then the journal is stable.
        let select = |state: &[u8]| view.below().ok_or(EIO)?.select(state);
        assert!(select(b"cut=3 keep=3:2") == Err(EINVAL));
        assert!(select(b"cut=4 keep=1:1") == Err(EINVAL));
        assert!(select(b"cut=4 keep=3:2") == Ok(()));
        Ok(())
    }

    #[test]
    fn an_overwrite_after_a_flush_is_volatile_again() -> Result {
        let disk = disk()?;
        put(&disk, (8, 8), 1)?;
        flush(&disk)?;
        put(&disk, (8, 8), 2)?;
        let view = view_of(&disk)?;
        assert!(look_after(&view, b"cut=6 keep=none", 1)? == [1; 8]);
        assert!(look_after(&view, b"cut=6 keep=5:1", 1)? == [2; 8]);
        Ok(())
    }

    #[test]
    fn zeroes_over_zeroes_are_logged_and_take_no_page() -> Result {
        let disk = disk()?;
        zero(&disk, Op::Discard, (0, 2048))?;
        zero(&disk, Op::WriteZeroes, (0, 2048))?;
        assert!(disk.record_status().nr_entries == 2);
        assert!(disk.record_status().bytes == 2 * ENTRY_BYTES as u64);
        assert!(disk.next_written(0).is_none());
        Ok(())
    }

    #[test]
    fn a_record_begins_and_ends_once() -> Result {
        let disk = disk_with(4096, 0)?;
        for ended in [disk.stop_record(), disk.reset_record(), disk.drop_record()] {
            assert!(ended == Err(ENODATA));
        }
        assert!(disk.mark(b"mark") == Err(ENODATA));
        assert!(disk.with_record(|_, _| Ok(())) == Err(ENODATA));
        assert!(disk.record_status().state == "off");

        disk.start_record()?;
        assert!(disk.start_record() == Err(EBUSY));
        assert!(disk.record_status().state == "recording");
        disk.stop_record()?;
        assert!(disk.stop_record() == Err(ENODATA));
        assert!(disk.start_record() == Err(EEXIST));
        assert!(disk.mark(b"mark") == Err(ENODATA));
        assert!(disk.stage().is_err());
        assert!(disk.record_status().state == "stopped");
        disk.drop_record()?;
        assert!(disk.record_status().state == "off");
        disk.start_record()?;
        disk.reset_record()?;
        Ok(())
    }

    #[test]
    fn reset_returns_the_base_and_drop_keeps_the_disk() -> Result {
        for (keeps, expected) in [(false, [1, 0, 0]), (true, [2, 3, 4])] {
            let disk = disk_with(4096, 0)?;
            put(&disk, (8, 8), 1)?;
            disk.start_record()?;
            put(&disk, (8, 16), 2)?;
            put(&disk, (16, 8), 3)?;
            disk.stop_record()?;
            // Unrecorded.
            put(&disk, (24, 8), 4)?;
            assert!(disk.record_status().last_event == 4);
            if keeps {
                disk.drop_record()?;
            } else {
                disk.reset_record()?;
            }
            for (page, byte) in (1..).zip(expected) {
                assert!(look(&disk, page)? == [byte; 8]);
            }
        }
        Ok(())
    }

    #[test]
    fn views_keep_their_record() -> Result {
        let disk = disk_with(4096, 0)?;
        assert!(view_of(&disk).is_err());
        disk.start_record()?;
        put(&disk, (8, 8), 1)?;

        let one = view_of(&disk)?;
        let other = view_of(&disk)?;
        assert!(disk.die_unless_viewed() == Err(EBUSY));
        assert!(disk.reset_record() == Err(EBUSY));
        assert!(disk.drop_record() == Err(EBUSY));
        drop(one);
        assert!(disk.drop_record() == Err(EBUSY));
        drop(other);
        assert!(disk.die_unless_viewed() == Ok(()));
        assert!(view_of(&disk).is_err_and(|error| error == ENODEV));
        Ok(())
    }

    #[test]
    fn views_are_written_to_by_themselves() -> Result {
        let disk = disk()?;
        put(&disk, (8, 8), 1)?;
        let view = view_of(&disk)?;
        assert!(look_after(&view, b"cut=2 keep=all", 1)? == [1; 8]);

        put(&view, (10, 2), 7)?;
        zero(&view, Op::Discard, (15, 1))?;
        let written = [1, 1, 7, 7, 1, 1, 1, 0];
        assert!(look(&view, 1)? == written);
        assert!(look(&disk, 1)? == [1; 8]);
        // The disk goes on; the view stays.
        put(&disk, (8, 8), 2)?;
        assert!(look(&disk, 1)? == [2; 8]);
        assert!(look(&view, 1)? == written);
        view.select(b"cut=2 keep=all")?;
        assert!(look(&view, 1)? == [1; 8]);
        Ok(())
    }

    #[test]
    fn marks_are_in_the_order_of_writes() -> Result {
        let disk = disk()?;
        disk.mark(b"one")?;
        put(&disk, (8, 8), 1)?;
        disk.mark(b"two")?;
        assert!(events(&disk, 0)? == (1, 1, 1));
        assert!(events(&disk, 1)? == (2, 2, 3));
        assert!(events(&disk, 2)? == (4, 4, 4));
        assert!(disk.record_status().nr_marks == 2);
        for (index, expected) in [(0, Some(b"one".as_slice())), (1, None), (2, Some(b"two"))] {
            let is_text = disk.with_record(|record, _| {
                let entry = record.log_entry(index).ok_or(EINVAL)?;
                Ok(record.mark_text(&entry) == expected)
            })?;
            assert!(is_text);
        }
        Ok(())
    }

    #[test]
    fn a_full_log_fails_writes_and_keeps_the_content() -> Result {
        let limit = 3 * PAGE_SIZE as u64;
        let disk = disk_with(4096, limit)?;
        disk.start_record()?;
        put(&disk, (8, 16), 1)?;
        let bytes = disk.record_status().bytes;
        assert!(put(&disk, (8, 8), 2) == Err(ENOSPC));
        assert!(flush(&disk) == Err(ENOSPC));
        assert!(zero(&disk, Op::Discard, (8, 8)) == Err(ENOSPC));
        assert!(disk.mark(b"mark") == Err(ENOSPC));

        let status = disk.record_status();
        assert!(status.truncated == 3);
        assert!((status.nr_entries, status.last_event, status.bytes) == (1, 2, bytes));
        assert!(look(&disk, 1)? == [1; 8]);
        // Once it is stopped, the disk serves on; the record stays as it was.
        disk.stop_record()?;
        put(&disk, (8, 8), 3)?;
        assert!(look(&disk, 1)? == [3; 8]);
        assert!(look_after(&*view_of(&disk)?, b"cut=2 keep=all", 1)? == [1; 8]);
        assert!(disk.record_status().truncated == 3);
        Ok(())
    }

    #[test]
    fn what_is_to_be_atomic_lies_within_one_unit() -> Result {
        for unit in [512, 4096, 65536] {
            let disk = disk_with(unit, 0)?;
            let sectors = unit / 512;
            let of = |first, nr_sectors| disk.is_in_unit(first, nr_sectors);
            assert!(of(0, sectors) && of(u64::from(sectors), sectors));
            assert!(of(u64::from(sectors) - 1, 1) && of(3, 0));
            assert!(!of(0, sectors + 1) && !of(u64::from(sectors) - 1, 2));
        }
        Ok(())
    }

    #[test]
    fn a_failed_allocation_ends_the_log() -> Result {
        let disk = disk()?;
        put(&disk, (8, 8), 1)?;
        let failed = disk.write_recorded(
            &mut Write::new(Op::Write, Flags::default(), 8, 8),
            Err(ENOMEM),
            true,
        );
        assert!(failed.is_err_and(|error| error == ENOMEM));
        assert!(put(&disk, (16, 8), 1) == Err(ENOMEM));
        assert!(disk.record_status().truncated == 3);
        assert!(look(&disk, 1)? == [1; 8]);
        assert!(look(&disk, 2)? == [0; 8]);
        Ok(())
    }
}
