// SPDX-License-Identifier: GPL-2.0

//! What the log does not tell, and what is made of it all the same: docs/import.md has the proof of
//! which this is the test.

use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::world::{Op, World};
use super::{imported, record_of, states};
use crate::log_writes::import::is_imported;
use crate::log_writes::Options;
use crate::recording::Recording;

/// What is assumed of the disk and of who writes to it.
#[derive(Debug, Clone, Copy)]
struct Assumed {
    /// Flushes are complete in the order in which they were submitted.
    flushes_in_order: bool,
    /// Nothing is written with FUA where a write is neither in flight nor followed by a complete flush.
    no_fua_above: bool,
}

const ALL: Assumed = Assumed {
    flushes_in_order: true,
    no_fua_above: true,
};

/// A step: what is done, by dice.
type Step = (u8, u8, u8);

/// Up to so many bios; nothing is written where something is in flight.
fn world(steps: &[Step], assumed: Assumed) -> World {
    let mut world = World::default();
    let mut marks = 0;
    for &(what, at, dice) in steps {
        let block = u64::from(at % 3);
        let word = ["a", "b", "c", ""][usize::from(dice) % 4];
        let words = &[word, "z"][..1 + usize::from(dice / 4 % 3 == 0 && block < 2)];
        let nr = words.len() as u64;
        let op = match what % 12 {
            0..=2 => Op::Write,
            3 | 4 => Op::Fua,
            5 => Op::Discard,
            6 | 7 => Op::Flush,
            8 => {
                marks += 1;
                world.mark(&format!("m{marks}"));
                continue;
            }
            _ => {
                complete(&mut world, usize::from(dice), assumed);
                continue;
            }
        };
        let is_busy = |bio: &super::world::Bio| bio.is_in_flight() && bio.touches(block, nr);
        let is_above = op == Op::Fua && assumed.no_fua_above && world.is_unlogged(block, nr);
        match op {
            Op::Flush => world.submit(op, 0, &[]),
            _ if is_above || world.bios.iter().any(is_busy) => continue,
            _ => world.submit(op, block, words),
        };
        if dice % 2 == 0 {
            complete(&mut world, usize::MAX, assumed);
        }
    }
    world
}

/// Completes one that may be, the newest for the largest number.
fn complete(world: &mut World, dice: usize, assumed: Assumed) {
    let in_flight = |flushes: bool| {
        let bios = world.bios.iter().enumerate();
        bios.filter(move |(_, bio)| bio.is_in_flight() && (bio.op == Op::Flush) == flushes)
            .map(|(index, _)| index)
    };
    let mut may: Vec<usize> = in_flight(false).collect();
    let flushes = in_flight(true);
    may.extend(flushes.take(if assumed.flushes_in_order {
        1
    } else {
        usize::MAX
    }));
    may.sort_unstable();
    if let Some(last) = may.len().checked_sub(1) {
        let index = may[if dice == usize::MAX {
            last
        } else {
            dice % may.len()
        }];
        world.complete(index);
    }
}

/// A state that the log allows, and what really happened does not.
fn is_false_alarm(log: &Recording, truth: &Recording) -> bool {
    !states(log).is_subset(&states(truth))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(any::<Step>(), 0..14)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn what_a_log_of_the_kernel_allows_may_really_have_been(steps in steps()) {
        let world = world(&steps, ALL);
        prop_assert!(!is_false_alarm(&record_of(&world.kernel_log()), &world.truth()));
    }

    /// Whatever flushes and FUA writes do.
    #[test]
    fn what_a_log_of_qemu_allows_may_really_have_been(steps in steps()) {
        let world = world(&steps, Assumed { flushes_in_order: false, no_fua_above: false });
        prop_assert!(!is_false_alarm(&record_of(&world.qemu_log()), &world.truth()));
    }
}

/// The assumptions are needed: without one, there are worlds that the log tells wrong.
#[test]
fn each_assumption_is_needed() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for assumed in [
        Assumed {
            flushes_in_order: false,
            ..ALL
        },
        Assumed {
            no_fua_above: false,
            ..ALL
        },
    ] {
        let found = (0..20_000).any(|_| {
            let steps = steps().new_tree(&mut runner).unwrap().current();
            let world = world(&steps, assumed);
            is_false_alarm(&record_of(&world.kernel_log()), &world.truth())
        });
        assert!(found, "{assumed:?}");
    }
}

#[test]
fn the_order_of_the_kernels_documentation_comes_out_as_it_says() {
    // W1 W2 W3 C3 C2 Wflush C1 Cflush: the log has W3, W2, flush, W1.
    let mut world = World::default();
    let [one, two, three] = ["a", "b", "c"].map(|word| {
        let block = u64::from(word.as_bytes()[0] - b'a');
        world.submit(Op::Write, block, &[word])
    });
    world.complete(three);
    world.complete(two);
    let flush = world.submit(Op::Flush, 0, &[]);
    world.complete(one);
    world.complete(flush);
    let log = record_of(&world.kernel_log());
    let told: Vec<_> = log
        .entries()
        .iter()
        .map(|e| (e.op().name(), e.sector() / 8))
        .collect();
    assert_eq!(
        told,
        [("WRITE", 2), ("WRITE", 1), ("FLUSH", 0), ("WRITE", 0)]
    );
    assert!(is_imported(&log) && !is_imported(&world.truth()));
}

/// A flush that a later one overtakes: the log has what the later one made durable behind it.
#[test]
fn a_flush_that_is_overtaken_is_told_wrong() {
    let mut world = World::default();
    world.at_once(Op::Write, 0, &["a"]);
    let first = world.submit(Op::Flush, 0, &[]);
    world.at_once(Op::Flush, 0, &[]);
    world.mark("a is safe");
    world.complete(first);
    assert!(is_false_alarm(
        &record_of(&world.kernel_log()),
        &world.truth()
    ));
}

/// The log has a FUA write before an older one of the same block; that it may be so is said.
#[test]
fn a_fua_write_above_another_is_told_wrong_and_it_is_said() {
    for (is_above, block) in [(true, 0), (false, 1)] {
        let mut world = World::default();
        world.at_once(Op::Write, 0, &["old"]);
        world.at_once(Op::Fua, block, &["new"]);
        world.at_once(Op::Flush, 0, &[]);
        world.mark("new is safe");
        let log = world.kernel_log();
        assert_eq!(is_false_alarm(&record_of(&log), &world.truth()), is_above);
        let (scan, _) = imported(&log, &[], &Options::default()).unwrap();
        assert_eq!(scan.after_fua, u64::from(is_above));
    }
}

/// A write that was in flight when a flush was submitted, and survives without what that flush covers.
#[test]
fn what_was_in_flight_at_a_flush_is_a_state_that_the_log_does_not_tell() {
    let mut world = World::default();
    world.at_once(Op::Write, 0, &["a"]);
    let flush = world.submit(Op::Flush, 0, &[]);
    world.at_once(Op::Write, 1, &["b"]);
    world.complete(flush);
    let (log, truth) = (
        states(&record_of(&world.kernel_log())),
        states(&world.truth()),
    );
    assert_eq!((log.len(), truth.len()), (3, 4));
    assert!(log.is_subset(&truth));
}
