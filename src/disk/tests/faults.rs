// SPDX-License-Identifier: GPL-2.0

//! Faults on a recorded disk: what the log says, what is found.

use super::*;
use crate::{
    disk::faults::{
        corrupt,
        moved, //
    },
    fault::{
        Access,
        Injected,
        Kinds, //
    }, //
};

/// A write that met faults; what it wrote is `byte`.
fn write_met(disk: &RecordedDisk, bits: u32, kinds: Kinds, byte: u8) -> Result {
    let mut write = Write::new(Op::Write, flags(bits)?, 8, 8).with_faults(kinds);
    let mut data = PageList::default();
    if !kinds.contains(Kinds::LOST) {
        data.push(filled(byte)?)?;
    }
    assert!(disk.write_recorded(&mut write, Ok(data), true)? == Served::Done);
    Ok(())
}

/// What a view shows of page 1 after all that was recorded, with nothing and all kept.
fn left(disk: &Arc<RecordedDisk>) -> Result<(Shown, Shown)> {
    let view = view_of(disk)?;
    let last = disk.record_status().last_event;
    let look = |keep: &str| {
        let state = CString::try_from_fmt(fmt!("cut={} keep={}", last, *keep))?;
        look_after(&view, state.to_bytes(), 1)
    };
    Ok((look("none")?, look("all")?))
}

/// The first words of sector 8, discarded with seed 7; the command's tests have the same.
const GARBAGE_7_8_0: u64 = 0x39ab_ef4c_ca87_315c;
const GARBAGE_7_8_1: u64 = 0x9ba6_3830_f6c4_e308;

/// A disk whose page 1 holds 1, recording.
fn ready() -> Result<Arc<RecordedDisk>> {
    let disk = disk_with(4096, 0)?;
    put(&disk, (8, 8), 1)?;
    disk.start_record()?;
    Ok(disk)
}

// The tests' entry points from C are made by the macro; this is not for anything else.
#[allow(unsafe_code)]
#[kunit_tests(powercut_disk_faults)]
mod suite {
    use super::*;

    #[test]
    fn a_flush_that_lied_makes_nothing_stable() -> Result {
        for (kinds, stable) in [(Kinds::default(), 2), (Kinds::LIED, 1)] {
            let disk = ready()?;
            put(&disk, (8, 8), 2)?;
            let mut flush = Write::new(Op::Flush, Flags::PREFLUSH, 0, 0).with_faults(kinds);
            disk.flush(&mut flush, true)?;
            assert!(left(&disk)? == ([stable; 8], [2; 8]));
            assert!(disk.with_record(|record, _| Ok(record.faults()))? == kinds);

            // One that comes with a write.
            let disk = ready()?;
            put(&disk, (8, 8), 2)?;
            let mut write = Write::new(Op::Write, flags(1)?, 16, 8).with_faults(kinds);
            let mut data = PageList::default();
            data.push(filled(3)?)?;
            assert!(disk.write_recorded(&mut write, Ok(data), true)? == Served::Done);
            assert!(left(&disk)? == ([stable; 8], [2; 8]));
            assert!(events(&disk, 1)? == (3, 4, 5));
        }
        Ok(())
    }

    #[test]
    fn an_ignored_fua_is_a_write() -> Result {
        for (kinds, stable) in [(Kinds::default(), 2), (Kinds::FUA_IGNORED, 1)] {
            let disk = ready()?;
            write_met(&disk, 2, kinds, 2)?;
            assert!(left(&disk)? == ([stable; 8], [2; 8]));
            // A flush makes it stable all the same.
            flush(&disk)?;
            assert!(left(&disk)? == ([2; 8], [2; 8]));
        }
        Ok(())
    }

    #[test]
    fn a_lost_write_is_in_the_log_and_nowhere_else() -> Result {
        let disk = ready()?;
        write_met(&disk, 3, Kinds::LOST, 2)?;
        assert!(look(&disk, 1)? == [1; 8]);
        assert!(left(&disk)? == ([1; 8], [1; 8]));
        let entry = entry(&disk, 0)?;
        assert!((entry.entry.sector, entry.entry.nr_sectors) == (8, 8));
        assert!(entry.faults == Kinds::LOST && entry.entry.op == Op::Write);
        assert!(disk.record_status().bytes == ENTRY_BYTES as u64);
        let view = view_of(&disk)?;
        let select = |state: &[u8]| view.below().ok_or(EIO)?.select(state);
        assert!(select(b"cut=2 keep=1:1") == Err(EINVAL));

        let mut discard = Write::new(Op::Discard, Flags::default(), 0, 64).with_faults(Kinds::LOST);
        disk.write_zeroes(&mut discard, true)?;
        assert!(look(&disk, 1)? == [1; 8]);
        assert!(left(&disk)? == ([1; 8], [1; 8]));
        Ok(())
    }

    #[test]
    fn the_data_of_a_misdirected_write_moves_with_it() -> Result {
        for (sector, nr_sectors, to) in [(8, 8, 64), (3, 2, 15), (9, 20, 6), (14, 2, 0)] {
            let from = Write::new(Op::Write, Flags::default(), sector, nr_sectors);
            let mut write = from;
            write.entry.sector = to;
            let mut data = PageList::default();
            for page in from.pages() {
                let filled = filled(0)?;
                for n in 0..PAGE_SECTORS {
                    let byte = page * PAGE_SECTORS as u64 + n as u64;
                    filled.write(n * SECTOR_SIZE, &[byte as u8; SECTOR_SIZE]);
                }
                data.push(filled)?;
            }
            let data = moved(&from, &write, data)?;
            assert!(data.len() as u64 == write.pages().end - write.pages().start);
            for (page, data) in write.pages().zip(data.iter()) {
                for n in 0..PAGE_SECTORS {
                    let sector = page * PAGE_SECTORS as u64 + n as u64;
                    if (to..to + u64::from(nr_sectors)).contains(&sector) {
                        let expected = sector - to + from.entry.sector;
                        let shown = shown(data);
                        assert!(shown
                            .get(n)
                            .is_some_and(|byte| u64::from(*byte) == expected));
                    }
                }
            }
        }
        Ok(())
    }

    #[test]
    fn as_many_bytes_are_corrupted_as_was_asked_for() -> Result {
        for (sector, nr_sectors, nr_bytes) in [(8, 8, 1), (3, 2, 100), (9, 20, 5000), (8, 1, 600)] {
            let write = Write::new(Op::Write, Flags::default(), sector, nr_sectors);
            let injected = Injected {
                kinds: Kinds::CORRUPTED,
                nr_bytes,
                seed: u64::from(nr_bytes),
                ..Injected::default()
            };
            let mut data = PageList::default();
            for _ in write.pages() {
                data.push(filled(7)?)?;
            }
            corrupt(&write, &data, &injected);
            let mut changed = 0;
            for (page, data) in write.pages().zip(data.iter()) {
                for range in write.mask(page).runs() {
                    for offset in range {
                        let mut byte = [0];
                        data.read(offset, &mut byte);
                        changed += u32::from(byte != [7]);
                    }
                }
            }
            assert!(changed == nr_bytes.min(nr_sectors * SECTOR_SIZE as u32));
        }
        Ok(())
    }

    #[test]
    fn a_stale_read_shows_what_was_there_before() -> Result {
        let stale = |disk: &RecordedDisk, page| {
            let mut data = crate::store::DataPage::new()?;
            disk.read_stale(page, SectorMask::FULL, &mut data);
            Ok::<_, Error>(shown(&data))
        };
        let disk = ready()?;
        // What was before the base is not known.
        assert!(stale(&disk, 1)? == [1; 8]);
        put(&disk, (8, 8), 2)?;
        assert!(stale(&disk, 1)? == [1; 8]);
        put(&disk, (8, 2), 3)?;
        assert!(stale(&disk, 1)? == [2; 8]);
        put(&disk, (16, 8), 4)?;
        assert!(stale(&disk, 2)? == [0; 8]);
        let view = view_of(&disk)?;
        assert!(look_after(&view, b"cut=6 keep=all", 1)? == [3, 3, 2, 2, 2, 2, 2, 2]);
        put(&view, (8, 8), 5)?;
        assert!(look(&view, 1)? == [5; 8]);
        assert!(stale(&view, 1)? == [3, 3, 2, 2, 2, 2, 2, 2]);
        Ok(())
    }

    #[test]
    fn garbage_is_what_the_documentation_says() {
        let sector = crate::random::garbage(7, 8);
        let words = sector.chunks_exact(8).take(2);
        let expected = [GARBAGE_7_8_0, GARBAGE_7_8_1].map(u64::to_le_bytes);
        assert!(words.eq(expected.iter()));
    }

    #[test]
    fn the_record_knows_of_faults_that_are_not_in_the_log() -> Result {
        let disk = ready()?;
        disk.change_faults(|faults| faults.set_rules(b"eio op=read\nstale"))?;
        let read = Access {
            op: crate::fault::AccessOp::Read,
            sector: 8,
            nr_sectors: 8,
            flushes: false,
            is_fua: false,
            has_data: false,
        };
        assert!(disk.hints.has(Hint::OffOrFaulty));
        assert!(disk
            .state
            .lock()
            .meet(&read)
            .is_err_and(|error| error == EIO));
        assert!(disk.with_record(|record, _| Ok(record.faults()))? == Kinds::EIO);
        disk.change_faults(|faults| faults.set_rules(b"stale"))?;
        assert!(disk.state.lock().meet(&read).is_ok());
        assert!(disk.with_record(|record, _| Ok(record.faults()))? == Kinds::EIO | Kinds::STALE);
        disk.change_faults(|faults| faults.set_rules(b""))?;
        assert!(!disk.hints.has(Hint::OffOrFaulty));
        Ok(())
    }
}
