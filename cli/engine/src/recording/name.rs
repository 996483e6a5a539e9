// SPDX-License-Identifier: GPL-2.0

//! The hash that names a log up to a cut.

use std::sync::OnceLock;

use powercut_model::{Event, History as _};
use xxhash_rust::xxh3::{xxh3_64, Xxh3};

use super::{Recorded, Recording};
use crate::abi::{EntryOp, Flags, IN_FLIGHT};
use crate::tear::Tear;

/// Entries between two checkpoints.
const APART: usize = 256;

/// The hashes of the beginnings of a log, once they are needed.
#[derive(Default)]
pub struct Names(OnceLock<Vec<Checkpoint>>);

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

/// A hash of all entries before one, as they were at last.
struct Checkpoint {
    /// From this event on that is how they were.
    settled: Event,
    before: usize,
    hash: Xxh3,
}

impl Recording {
    /// Names the log up to a cut: equal for two records only if everything
    /// that a state at that cut depends on is equal. Grows of the log don't
    /// change it.
    pub fn hash_at(&self, cut: Event) -> u32 {
        let checkpoints = self.names.0.get_or_init(|| checkpoints(self));
        let end = checkpoints.partition_point(|checkpoint| checkpoint.settled <= cut);
        // The first is of no entry.
        let newest = &checkpoints[end.max(1) - 1];
        let mut h = newest.hash.clone();
        let entries = &self.entries[newest.before..self.submitted_by(cut).max(newest.before)];
        let entries = entries.iter();
        entries.for_each(|recorded| add(&mut h, self, recorded, cut));
        h.digest() as u32
    }
}

fn checkpoints(recording: &Recording) -> Vec<Checkpoint> {
    let mut checkpoints = Vec::new();
    let mut settled = 0;
    let mut hash = of_disk(recording);
    for (before, recorded) in recording.entries.iter().enumerate() {
        if before % APART == 0 {
            let hash = hash.clone();
            checkpoints.push(Checkpoint {
                settled,
                before,
                hash,
            });
        }
        add(&mut hash, recording, recorded, IN_FLIGHT);
        let events = [recorded.submit(), recorded.start(), recorded.complete()];
        let events = events.into_iter().filter(|event| *event != IN_FLIGHT);
        settled = events.fold(settled, Event::max);
    }
    if checkpoints.is_empty() {
        checkpoints.push(Checkpoint {
            settled,
            before: 0,
            hash,
        });
    }
    checkpoints
}

fn put(h: &mut Xxh3, value: u64) {
    h.update(&value.to_le_bytes());
}

/// What no entry says.
fn of_disk(recording: &Recording) -> Xxh3 {
    let mut h = Xxh3::new();
    let header = &recording.header;
    put(&mut h, header.capacity_sectors);
    put(&mut h, u64::from(header.block_size));
    put(&mut h, u64::from(header.atomic_unit));
    let tear = match header.tear {
        Tear::Any => 0,
        Tear::Prefix => 1,
        Tear::Rmw => 2,
    };
    let cache = u64::from(header.write_cache) | (u64::from(header.fua) << 1) | (tear << 2);
    put(&mut h, cache);
    for member in header.members.iter() {
        put(&mut h, member.sectors);
        put(&mut h, xxh3_64(member.name.as_bytes()));
    }
    put(&mut h, recording.base_hash as u64);
    put(&mut h, (recording.base_hash >> 64) as u64);
    h
}

/// Adds an entry as it was after an event.
fn add(h: &mut Xxh3, recording: &Recording, recorded: &Recorded, event: Event) {
    let seen = |at: Event| if at > event { IN_FLIGHT } else { at };
    let flags = recorded.flags();
    let op = u64::from(recorded.op().code()) | (u64::from(flags.bits()) << 32);
    put(h, op);
    put(h, recorded.sector());
    put(h, u64::from(recorded.nr_sectors()));
    if flags.contains(Flags::MISDIRECTED) {
        put(h, recording.asked(recorded));
    }
    let garbage = recording.garbage_of(recorded);
    if let Some(pages) = garbage {
        put(h, recording.asked(recorded));
        put(h, pages.len() as u64);
    }
    put(h, recorded.submit());
    put(h, seen(recorded.start()));
    put(h, seen(recorded.complete()));
    match recorded.op() {
        EntryOp::Write => {
            let blocks = recording.blocks_of(recorded).iter();
            blocks.for_each(|block| put(h, *block as u64));
        }
        EntryOp::Mark => {
            let text = recording.text(recorded).unwrap_or_default();
            put(h, xxh3_64(text.as_bytes()));
        }
        EntryOp::WriteZeroes | EntryOp::Discard => put(h, 1),
        EntryOp::Flush | EntryOp::Base => put(h, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::testing::History;

    #[test]
    fn a_name_is_the_hash_of_all_entries_as_they_were() {
        // In flight for long: no checkpoint is good until it completes.
        let mut log = History::new().submit(0, "a");
        for nr in 0..3 * APART as u64 {
            log = log.write(1 + nr % 7, "b");
        }
        let log = log.complete().submit(9, "never").write(3, "c").done();
        for cut in (0..=log.last_event()).step_by(613) {
            let mut h = of_disk(&log);
            let entries = &log.entries[..log.submitted_by(cut)];
            let entries = entries.iter();
            entries.for_each(|recorded| add(&mut h, &log, recorded, cut));
            assert_eq!(log.hash_at(cut), h.digest() as u32, "{cut}");
        }
    }
}
