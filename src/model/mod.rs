// SPDX-License-Identifier: GPL-2.0

//! Which disk contents a power cut may legally leave: the contract, as pure functions of a log.
//!
//! Nothing here allocates, locks, does I/O or knows of bios. The recorded disk is handed in as a
//! [`History`]; the answers are a [`Cut`] (what is stable, what is not), the [`pending()`] pieces
//! that may or may not have survived it, and [`check_piece`] for a selection that somebody else
//! made. The same source is compiled into the kernel module and into the `powercut` command, so
//! that what is legal has one definition.
//!
//! # Words
//!
//! - A *write* is one bio that carries data to the disk: WRITE, WRITE_ZEROES or DISCARD.
//! - An *event* is a point in the one order of things that happened: a write's submit, the start
//!   of its own data, its completion. A *cut* after event `k` is a power failure between `k` and
//!   `k + 1`.
//! - A *unit* is what never tears: `unit_sectors` sectors, aligned to that. A *piece* is the part
//!   of one write that lies in one unit.
//! - A *member* is one of the block devices that the disk is cut into: mostly there is one.
//! - The *watermark* `D(k)` of a member is the largest submit event of a flush of it that is
//!   complete at `k`.
//!
//! # Rules
//!
//! From `Documentation/block/writeback_cache_control.rst` and `block/blk-flush.c`:
//!
//! - **R1 flush.** REQ_PREFLUSH makes stable every write of its member that completed before the
//!   flush was submitted, by the time its own data starts, or by its completion when it has none.
//!   Not the writes in flight at its submit, not its own data.
//! - **R2 FUA.** When a FUA write completes, its own data is stable; it says nothing of others.
//! - **R3 pending.** A write that has started and is not stable may survive, be lost, or survive in
//!   part, piece by piece, complete or in flight. On a disk with [`Tear::Prefix`] the pieces that
//!   survive of one write are its first. On one with [`Tear::Rmw`] see R7.
//! - **R4 no other order.** Nothing but R1 and R2 orders two units.
//! - **R5 versions.** A sector holds its stable version or any one newer. A stable version retires
//!   the older ones. Overlapping writes in flight at the same time: either order, so that none of
//!   them is the older one, until both are stable.
//! - **R6 write cache off.** A complete write is stable; only writes in flight vary.
//! - **R7 read-modify-write**, with [`Tear::Rmw`] only. A pending WRITE or WRITE_ZEROES that covers
//!   a physical block in part may cost any other unit of that block, stable or not: it is zeroes.
//!
//! # Model
//!
//! By R1, a write is stable at `k` because of a flush exactly if some flush of its member, complete
//! at `k`, was submitted after the write completed. The flush with the largest submit event is one
//! of those if any is, so `complete <= D(k)` decides it: one number stands for all flushes of a
//! member. R2 and R6 add `complete <= k` for FUA writes, and for all writes when the cache is off
//! ([`Cut::is_stable`]).
//! What has started and is not stable is pending (R3, [`Cut::is_pending`]); by R4 every pending
//! piece is kept or lost by itself; R5 takes out those that nothing could show ([`pending()`]).
//!
//! A crash state is a cut and a set of kept pieces. The content of a sector in it is that of the
//! topmost of the stable writes and the kept pieces that cover it, or else the base. They lie in
//! the order in which each took its place, at some moment from its submit to its completion, as
//! [`Cut::arrival`] has it: a stable write at once, a kept piece as late as it can. Without writes
//! in flight together that is the order of the log. DISCARD and WRITE_ZEROES are writes of zeroes;
//! a piece of a write that covers a unit in part is a version of these sectors alone. When every
//! write covers whole units, a unit with `n` pending pieces has `n + 1` contents, and a cut the
//! product of these over its units.
//!
//! Of the orders that R5 leaves open to writes in flight together, two are not told apart. Two
//! *stable* ones lie as they were submitted, which is how the live disk shows them. And where
//! writes end inside of a unit, and *both* are seen in that unit, they lie in the one order above,
//! not in the other.
//!
//! # Prefixes
//!
//! [`Tear::Prefix`] narrows R3 and nothing else: of the pieces of one write that are [`pending()`],
//! those kept are the first, by unit; none and all are among that. A retired piece does not count:
//! newer data has been put in its place for good, and whether it was there before can't be seen. So
//! a cut has a state for each way to give every write with pending pieces a number of these.
//!
//! With prefixes, one more order is not told apart: two writes that were in flight together lie in
//! the order above in *all* units that they share, not in one order here and in the other there.
//!
//! # Read-modify-write
//!
//! [`Tear::Rmw`] is of a disk that writes [`PHYSICAL_SECTORS`] at a time. A write of less has it
//! read the rest of that block and write it anew, and if the power fails meanwhile, the rest is
//! gone. What is read there then is for the disk to say; here it is zeroes. So a pending write has,
//! beside its pieces, [`losses`]: the units of its first and its last physical block that it does
//! not touch. Each may be lost or not, by itself, whatever else is kept, and whether or not the
//! write is. It is lost when the power fails, so it lies above all else. A stable write costs
//! nothing any more, nor does one whose own pieces in that block are all retired. The write's own
//! units are old or new, as ever.
//!
//! # A trace
//!
//! A journal as jbd2 writes it, with inline completion and one block to a unit: journal block `J`
//! of a transaction, its commit block `C` with PREFLUSH and FUA, then the block `F` in place.
//!
//! | event | | `D` | may survive (pending) | must have survived |
//! |---|---|---|---|---|
//! | 1 | `J` submitted | 0 | J | |
//! | 2 | `J` complete | 0 | J | |
//! | 3 | `C` submitted, its flush begins | 0 | J | |
//! | 4 | flush complete, `C`'s own data starts | 3 | C | J, by R1: 2 <= D |
//! | 5 | `C` complete | 3 | | J, and C by R2: 5 <= k |
//! | 6 | `F` submitted | 3 | F | J, C |
//! | 7 | `F` complete | 3 | F | J, C |
//!
//! At no cut is C kept while J is lost. Without PREFLUSH, `C` would start at 3 with `D` at 0, and
//! both would be pending: {C} alone would be legal, which is the bug that barriers are for. If `J`
//! was still in flight at 3 (its complete event after it), `D = 3` would not cover it: R1.
//!
//! The cuts worth a look are 3 and 4, and 7: see [`spans`].
//!
//! # Several disks
//!
//! Disks whose power fails together are one history: one order of events, one log, one cut. They
//! are its [`Members`], each at sectors of its own, and the reach of a flush is the only thing that
//! tells them apart: it covers the writes of the member that it was sent to (R1), so there is a
//! watermark for each. A state is a set of kept pieces as ever: any combination of states of the
//! members at that cut. A span ends where any member's watermark changes.
//!
//! # Left to others
//!
//! REQ_ATOMIC is not in here: the disk's limits keep such a write within one unit, which never
//! tears. What a discarded unit reads as is its reader's choice, and faults are outside of the
//! contract.

// The module asks for less of this than the tool does, and has no use for `pub` in a private room.
#![allow(dead_code, unreachable_pub, unused_imports)]

mod cut;
mod history;
mod legal;
mod members;
mod pending;
mod rmw;
mod span;
mod unit;

pub use cut::Cut;
pub use history::{
    Entry,
    Event,
    Geometry,
    History,
    Op,
    Tear,
    UnknownOp,
    IN_FLIGHT, //
};
pub use legal::{
    check_piece,
    check_pieces,
    find_write,
    is_shadowed,
    visible,
    Illegal, //
};
pub use members::{
    Members,
    MAX_MEMBERS, //
};
pub use pending::{
    pending,
    Pending, //
};
pub use rmw::{
    is_neighbour,
    losses,
    neighbours,
    PHYSICAL_SECTORS, //
};
pub use span::{
    spans,
    Marks,
    Spans, //
};
pub use unit::{
    coverage,
    units,
    Mask,
    Piece, //
};
