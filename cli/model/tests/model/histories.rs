// SPDX-License-Identifier: GPL-2.0

//! Random histories, longer than all of those that can be gone through, and the device: at every
//! event the model allows what the device may hold, unit by unit. There may be several disks, flushed
//! one by one.

use std::collections::BTreeSet;

use powercut_model::{Cut, Event, Op, IN_FLIGHT};
use proptest::prelude::*;

use crate::{
    contents::Space,
    device::{Device, Flush},
    log::{Bio, Log},
    reference::is_left_out,
};

pub const UNIT_SECTORS: u32 = 4;
pub const NR_UNITS: u64 = 3;
const SECTORS: u64 = NR_UNITS * UNIT_SECTORS as u64;
const MAX_WRITES: usize = 9;
const MAX_IN_FLIGHT: usize = 3;

/// What is tried next; what can't be is left out.
#[derive(Clone, Debug)]
enum Step {
    Submit(Bio),
    Advance(prop::sample::Index),
}

fn bio() -> impl Strategy<Value = Bio> {
    let sectors = (0..SECTORS, 0..SECTORS).prop_map(|(a, b)| a.min(b)..a.max(b) + 1);
    let whole_unit = (0..NR_UNITS).prop_map(|unit| unit * 4..unit * 4 + 4);
    let op = prop::sample::select(vec![Op::Write, Op::Write, Op::WriteZeroes, Op::Discard]);
    let flags = (prop::bool::weighted(0.3), prop::bool::weighted(0.2));
    let write = (op, prop_oneof![sectors, whole_unit], flags);

    prop_oneof![
        7 => write.prop_map(|(op, sectors, (fua, preflush))| Bio {
            op,
            preflush,
            fua: fua && op != Op::Discard,
            sectors,
        }),
        3 => (0..SECTORS).prop_map(Bio::flush_of),
        1 => Just(Bio::mark()),
    ]
}

fn steps(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => bio().prop_map(Step::Submit),
        4 => any::<prop::sample::Index>().prop_map(Step::Advance),
    ];

    prop::collection::vec(step, length)
}

/// Where each of some disks begins.
fn members() -> impl Strategy<Value = Vec<u64>> {
    prop::sample::select(vec![vec![0], vec![0, 4], vec![0, 8], vec![0, 4, 8]])
}

/// A history of one disk or several.
pub fn log() -> impl Strategy<Value = Log> {
    (any::<bool>(), members(), steps(1..length(45))).prop_map(|(write_cache, members, steps)| {
        let mut log = Log::new(UNIT_SECTORS, write_cache).with_members(&members);

        for step in &steps {
            take(&mut log, step);
        }
        log
    })
}

/// Takes a step if there is room for it.
fn take(log: &mut Log, step: &Step) {
    let is_in_flight = |&index: &usize| log.entries[index].complete == IN_FLIGHT;
    let in_flight: Vec<_> = (0..log.entries.len()).filter(is_in_flight).collect();
    let writes = log.entries.iter().filter(|entry| entry.is_write()).count();

    match step {
        Step::Submit(bio) if bio.op == Op::Mark => {
            log.submit(bio);
        }
        Step::Submit(bio)
            if in_flight.len() < MAX_IN_FLIGHT && (writes < MAX_WRITES || !bio.op.is_write()) =>
        {
            log.submit(&log.cut_to_member(bio));
        }
        Step::Advance(which) if !in_flight.is_empty() => log.advance(*which.get(&in_flight)),
        _ => (),
    }
}

/// The disk that goes through a log, event by event.
struct Replay<'l> {
    log: &'l Log,
    space: &'l Space,
    device: Device,
    /// For each entry submitted: the version, and what the flush in it covers.
    seen: Vec<(u8, Option<Flush>)>,
}

impl Replay<'_> {
    fn event(&mut self, event: Event) {
        for (index, entry) in self.log.entries.iter().enumerate() {
            let flushes = entry.op == Op::Flush || (entry.is_write() && entry.preflush);

            if entry.submit == event {
                let sectors = entry.sector..entry.sector + u64::from(entry.nr_sectors);
                let version = if entry.is_write() {
                    self.device.submit(&self.space.cells_by_unit(&sectors))
                } else {
                    0
                };

                let member = self.log.member(entry).unwrap_or(0);
                let units = self.space.units_of(member);

                self.seen
                    .push((version, flushes.then(|| self.device.flush(&units))));
            }
            if entry.flush_complete() == Some(event) {
                if let Some(flush) = self.seen[index].1 {
                    self.device.flushed(flush);
                }
            }
            if entry.is_write() && entry.start == event {
                self.device.start(self.seen[index].0);
            }
            if entry.is_write() && entry.complete == event {
                self.device.complete(self.seen[index].0, entry.fua);
            }
        }
    }
}

/// What the model allows in one unit, all else being the base.
fn allowed(space: &Space, log: &Log, cut: &Cut, unit: u64) -> BTreeSet<usize> {
    let mut contents = BTreeSet::from([0]);

    for layer in space.layers(log, cut) {
        if layer.unit == unit {
            let with = contents
                .iter()
                .map(|&content| space.write(content, layer.version, layer.cells));
            let mut next: BTreeSet<_> = with.collect();

            if layer.piece.is_some() {
                next.append(&mut contents);
            }
            contents = next;
        }
    }
    contents
}

/// The number of random cases; Miri takes its time.
pub fn cases(number: u32) -> u32 {
    if cfg!(miri) {
        number / 250
    } else {
        number
    }
}

/// The length of random histories; likewise.
pub const fn length(longest: usize) -> usize {
    if cfg!(miri) {
        longest / 3
    } else {
        longest
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(1500),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn as_the_device(log in log()) {
        let sectors: Vec<_> = (0..=SECTORS).collect();
        let space = Space::new(UNIT_SECTORS, &sectors, 15)
            .with_members(log.geometry.members.starts());
        let mut replay = Replay {
            log: &log,
            space: &space,
            device: Device::new(log.geometry.write_cache),
            seen: Vec::new(),
        };

        for event in 0..=log.last {
            let cut = Cut::new(&log, event).unwrap();

            replay.event(event);
            for (unit, media) in replay.device.media() {
                let media: BTreeSet<_> = media.iter().map(|&now| space.of_medium(now)).collect();
                let allowed = allowed(&space, &log, &cut, unit);

                prop_assert!(
                    allowed.is_subset(&media),
                    "{:?} of unit {unit} is not what the device may hold after {event}",
                    allowed.difference(&media).map(|&now| space.found(now)).collect::<Vec<_>>(),
                );
                for &content in &media {
                    prop_assert!(
                        allowed.contains(&content) != is_left_out(&space, &log, &cut, content),
                        "{:?} of unit {unit} after {event}",
                        space.found(content),
                    );
                }
            }
        }
    }
}
