// SPDX-License-Identifier: GPL-2.0

//! Every kind of bio, and what becomes of it.

use super::*;

/// A bio on a page that holds 1: operation, flags (1 PREFLUSH, 2 FUA), and what the log
/// must say of it: flags, number of events.
pub(super) type Case = (Op, u32, u32, u64);

/// Every combination that a bio can have.
pub(super) const CASES: &[Case] = &[
    (Op::Write, 0, 0, 2),
    (Op::Write, 1, 1, 3),
    (Op::Write, 2, 2, 2),
    (Op::Write, 3, 3, 3),
    (Op::WriteZeroes, 0, 0, 2),
    (Op::WriteZeroes, 1, 1, 3),
    (Op::WriteZeroes, 2, 2, 2),
    (Op::WriteZeroes, 3, 3, 3),
    (Op::Discard, 0, 0, 2),
    (Op::Discard, 1, 1, 3),
    (Op::Discard, 2, 2, 2),
    (Op::Discard, 3, 3, 3),
    (Op::Flush, 1, 1, 2),
    (Op::Flush, 3, 3, 2),
];

/// Submits a case, to page 2 if it writes.
fn submit(disk: &RecordedDisk, op: Op, flags: Flags) -> Result {
    match op {
        Op::Write => write(disk, flags, (16, 8), 2)?,
        Op::WriteZeroes | Op::Discard => {
            disk.write_zeroes(&mut Write::new(op, flags, 16, 8), true)?;
        }
        _ => {
            flush_with(disk, flags)?;
        }
    }
    Ok(())
}

/// Pages 1 and 2 hold 1, then the record begins and 5 is written to page 1, then comes
/// the case: whether log, disk and crash states are right.
pub(super) fn check_case(&(op, bits, logged, nr_events): &Case) -> Result<bool> {
    let disk = disk_with(4096, 0)?;
    put(&disk, (8, 16), 1)?;
    disk.start_record()?;
    put(&disk, (8, 8), 5)?;
    submit(&disk, op, flags(bits)?)?;

    let new = if op == Op::Write { 2 } else { 0 };
    let new = if op.is_write() { new } else { 1 };
    let start = if nr_events == 3 { 4 } else { 3 };
    let end = 2 + nr_events;
    let entry = entry(&disk, 1)?;
    let range = if op.is_write() { (16, 8) } else { (0, 0) };
    let is_logged = entry.entry.op == op
        && entry.flags == flags(logged)?
        && (entry.entry.sector, entry.entry.nr_sectors) == range
        && events(&disk, 1)? == (3, start, end)
        && disk.record_status().last_event == end;
    let is_live = look(&disk, 1)? == [5; 8] && look(&disk, 2)? == [new; 8];

    // With nothing kept that may be lost, there is what must have survived.
    let view = view_of(&disk)?;
    let state = CString::try_from_fmt(fmt!("cut={} keep=none", end))?;
    let flushed = if bits & 1 != 0 { 5 } else { 1 };
    let stable = if bits & 2 != 0 { new } else { 1 };
    let is_stable = look_after(&view, state.to_bytes(), 1)? == [flushed; 8]
        && look_after(&view, state.to_bytes(), 2)? == [stable; 8];
    let state = CString::try_from_fmt(fmt!("cut={} keep=all", end))?;
    let is_pending = look_after(&view, state.to_bytes(), 1)? == [5; 8]
        && look_after(&view, state.to_bytes(), 2)? == [new; 8];

    // Before it, at its submit, and when its own data started.
    let submitted = if nr_events == 3 { 1 } else { new };
    let is_before = look_after(&view, b"cut=2 keep=all", 2)? == [1; 8]
        && look_after(&view, b"cut=3 keep=none", 1)? == [1; 8]
        && look_after(&view, b"cut=3 keep=all", 2)? == [submitted; 8]
        && look_after(&view, b"cut=4 keep=all", 2)? == [new; 8]
        && look_after(&view, b"cut=4 keep=none", 1)? == [flushed; 8];

    let is_right = is_logged && is_live && is_stable && is_pending && is_before;
    if !is_right {
        pr_err!(
            "op {} flags {}: log {} live {} stable {} pending {} before {}\n",
            op as u8,
            bits,
            is_logged,
            is_live,
            is_stable,
            is_pending,
            is_before
        );
    }
    Ok(is_right)
}
