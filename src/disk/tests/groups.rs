// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of members: one record and one state of all, but flushes of their own.

use super::*;

/// A disk of 1 MiB, recording, in two halves.
fn group() -> Result<Arc<RecordedDisk>> {
    let mut members = Members::NONE;
    members.push(b"data", 1024)?;
    members.push(b"log", 1024)?;
    let disk = disk_of(members, 4096, Tear::Any, 0)?;
    disk.start_record()?;
    Ok(disk)
}

/// Flushes the member that begins at a sector.
fn flush_of(disk: &RecordedDisk, start: u64) -> Result {
    disk.flush(&mut Write::new(Op::Flush, Flags::PREFLUSH, start, 0), true)?;
    Ok(())
}

/// What is left of the first page of each member when nothing is kept that may be lost.
fn left_of(view: &RecordedDisk, cut: u64) -> Result<(Shown, Shown)> {
    let state = CString::try_from_fmt(fmt!("cut={} keep=none", cut))?;
    let data = look_after(view, state.to_bytes(), 0)?;
    Ok((data, look_after(view, state.to_bytes(), 128)?))
}

// The tests' entry points from C are made by the macro; this is not for anything else.
#[allow(unsafe_code)]
#[kunit_tests(powercut_groups)]
mod suite {
    use super::*;

    #[test]
    fn a_flush_covers_its_own_member() -> Result {
        let disk = group()?;
        put(&disk, (0, 8), 1)?;
        put(&disk, (1024, 8), 2)?;
        flush_of(&disk, 0)?;
        // With data, it is of the member that has them.
        write(&disk, Flags::PREFLUSH, (1032, 8), 3)?;
        let view = view_of(&disk)?;
        assert!(left_of(&view, 5)? == ([0; 8], [0; 8]));
        assert!(left_of(&view, 6)? == ([1; 8], [0; 8]));
        assert!(left_of(&view, 7)? == ([1; 8], [0; 8]));
        assert!(left_of(&view, 8)? == ([1; 8], [2; 8]));
        assert!(entry(&disk, 2)?.entry.sector == 0);
        Ok(())
    }

    #[test]
    fn the_newest_flush_of_each_is_found() -> Result {
        let disk = group()?;
        for _ in 0..200 {
            put(&disk, (0, 8), 1)?;
            flush_of(&disk, 0)?;
        }
        put(&disk, (1024, 8), 2)?;
        let last = disk.record_status().last_event;
        let view = view_of(&disk)?;
        assert!(left_of(&view, last)? == ([1; 8], [0; 8]));
        flush_of(&disk, 1024)?;
        assert!(left_of(&view, last + 1)? == ([1; 8], [0; 8]));
        assert!(left_of(&view, last + 2)? == ([1; 8], [2; 8]));
        assert!(entry(&disk, 401)?.entry.sector == 1024);
        Ok(())
    }
}
