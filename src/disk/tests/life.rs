// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of a disk's life: what may follow what.

use super::*;

/// What can be done to a disk.
#[derive(Clone, Copy)]
enum Do {
    Start,
    Stop,
    Drop,
    Reset,
    Arm,
    Disarm,
    Cut,
    Restore,
    Put,
    Die,
}

use Do::*;

fn run(disk: &Arc<RecordedDisk>, step: Do) -> Result {
    match step {
        Start => disk.start_record(),
        Stop => disk.stop_record(),
        Drop => disk.drop_record(),
        Reset => disk.reset_record(),
        Arm => disk.set_cut(b"eio writes:2"),
        Disarm => disk.set_cut(b"off"),
        Cut => disk.set_cut(b"eio now"),
        Restore => disk.restore(b"cut=0 keep=none"),
        Put => put(disk, (8, 8), 1),
        Die => {
            disk.die();
            Ok(())
        }
    }
}

/// What was done, and what each of the steps comes to then: in the order of `Do`.
type Row = (&'static [Do], [Result; 9]);

const STEPS: [Do; 9] = [Start, Stop, Drop, Reset, Arm, Disarm, Cut, Restore, Put];

const fn no(error: Error) -> Result {
    Err(error)
}

const ROWS: [Row; 6] = [
    (
        &[],
        [
            Ok(()),
            no(ENODATA),
            no(ENODATA),
            no(ENODATA),
            no(ENODATA),
            Ok(()),
            no(ENODATA),
            no(ENODATA),
            Ok(()),
        ],
    ),
    (
        &[Start],
        [
            no(EBUSY),
            Ok(()),
            Ok(()),
            Ok(()),
            Ok(()),
            Ok(()),
            Ok(()),
            no(ENODATA),
            Ok(()),
        ],
    ),
    (
        &[Start, Stop],
        [
            no(EEXIST),
            no(ENODATA),
            Ok(()),
            Ok(()),
            no(ENODATA),
            Ok(()),
            no(ENODATA),
            no(ENODATA),
            Ok(()),
        ],
    ),
    (
        &[Start, Cut],
        [
            no(EBUSY),
            no(ENODATA),
            no(EBUSY),
            no(EBUSY),
            no(EBUSY),
            no(EBUSY),
            no(EBUSY),
            Ok(()),
            no(EIO),
        ],
    ),
    (
        &[Start, Cut, Restore],
        [
            Ok(()),
            no(ENODATA),
            no(ENODATA),
            no(ENODATA),
            no(ENODATA),
            Ok(()),
            no(ENODATA),
            no(ENODATA),
            Ok(()),
        ],
    ),
    (
        &[Start, Arm, Die],
        [
            no(ENODEV),
            no(ENODATA),
            no(ENODEV),
            no(ENODEV),
            no(ENODATA),
            Ok(()),
            no(ENODATA),
            no(ENODATA),
            no(EIO),
        ],
    ),
];

fn cut_of(disk: &RecordedDisk) -> Result<CString> {
    disk.show_cut(CString::try_from_fmt)
}

// The tests' entry points from C are made by the macro; this is not for anything else.
#[allow(unsafe_code)]
#[kunit_tests(powercut_life)]
mod suite {
    use super::*;

    #[test]
    fn each_state_takes_what_leads_on_and_refuses_the_rest() -> Result {
        for (way, expected) in ROWS {
            for (step, expected) in STEPS.iter().zip(expected) {
                let disk = disk_with(4096, 0)?;
                for step in way {
                    run(&disk, *step)?;
                }
                assert!(run(&disk, *step) == expected);
            }
        }
        Ok(())
    }

    #[test]
    fn a_trigger_goes_with_its_record() -> Result {
        for end in [Stop, Drop, Reset] {
            let disk = disk()?;
            run(&disk, Arm)?;
            assert!(cut_of(&disk)?.to_bytes() == b"armed eio\n");
            run(&disk, end)?;
            assert!(cut_of(&disk)?.to_bytes() == b"off\n");
            let _dropped = disk.drop_record();
            disk.start_record()?;
            for _ in 0..3 {
                put(&disk, (8, 8), 1)?;
            }
            assert!(disk.record_status().state == "recording");
        }
        Ok(())
    }

    #[test]
    fn a_time_that_is_over_cuts_no_trigger_that_was_set_since() -> Result {
        let disk = disk()?;
        // Hours: no timer goes off by itself, however slow the machine.
        disk.set_cut(b"eio ms:3600000")?;
        disk.set_cut(b"eio ms:7200000")?;
        let mut state = disk.state.lock();
        // As if the timer of the first one went off.
        state.trigger_by_time(disk.now_ns() + 3_700_000_000_000, &disk);
        let is_armed = matches!(state.life.trigger(), Ok(Some(_)));
        state.trigger_by_time(disk.now_ns() + 7_300_000_000_000, &disk);
        let is_cut = matches!(state.life, Life::Cut { .. });
        drop(state);
        disk.drain();
        assert!(is_armed && is_cut);
        Ok(())
    }

    #[test]
    fn a_disk_that_dies_hangs_no_more() -> Result {
        let disk = disk()?;
        disk.set_cut(b"hang now")?;
        let mut write = Write::new(Op::Write, Flags::default(), 8, 8);
        let mut data = PageList::default();
        data.push(filled(1)?)?;
        assert!(disk.write_recorded(&mut write, Ok(data), true) == Ok(Served::Hangs));
        disk.die();
        assert!(put(&disk, (8, 8), 1) == Err(EIO));
        assert!(disk.hints.has(Hint::Dying));
        Ok(())
    }

    #[test]
    fn a_record_of_a_disk_that_is_gone_can_be_read() -> Result {
        let disk = disk()?;
        put(&disk, (8, 8), 1)?;
        disk.die();
        assert!(entry(&disk, 0)?.entry.submit == 1);
        assert!(disk.record_status().state == "stopped");
        Ok(())
    }
}
