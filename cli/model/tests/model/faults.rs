// SPDX-License-Identifier: GPL-2.0

//! Flushes that lied: to the model they are none. So a log with some of them has exactly the legal
//! states that it has without their flags.

use powercut_model::{spans, Cut, Entry, Marks, Op};
use proptest::prelude::*;

use crate::{
    histories::cases,
    log::{Bio, Log},
    random::{log, survivors, NR_UNITS},
    rules::{outcome, write},
    selections::{pieces, same_by_other_lookups},
};

/// The log as it is, but that the flushes chosen lied.
fn lied(log: &Log, which: impl Fn(usize) -> bool) -> Log {
    let mut log = log.clone();

    for (index, entry) in log.entries.iter_mut().enumerate() {
        entry.lied = which(index);
    }
    log
}

/// The log without these flushes: an empty one is a note, a write that brings one comes alone.
fn without(log: &Log, which: impl Fn(usize) -> bool) -> Log {
    let mut log = log.clone();

    for (index, entry) in log.entries.iter_mut().enumerate() {
        if which(index) {
            *entry = Entry {
                op: match entry.op {
                    Op::Flush => Op::Mark,
                    op => op,
                },
                preflush: false,
                ..*entry
            };
        }
    }
    log
}

#[test]
fn one_flush_that_lied() {
    let log = Log::of(8, true, [write(0), Bio::flush(), write(1), Bio::flush()]);
    let is = |stable: &str, kept: &str| (stable.to_owned(), kept.to_owned());

    assert_eq!(outcome(&log, 8), is("0 2", ""));
    assert_eq!(outcome(&lied(&log, |index| index == 1), 8), is("0 2", ""));
    assert_eq!(
        outcome(&lied(&log, |index| index == 1), 6),
        is("", "0:0 2:1")
    );
    assert_eq!(outcome(&lied(&log, |index| index == 3), 8), is("0", "2:1"));
    assert_eq!(outcome(&lied(&log, |_| true), 8), is("", "0:0 2:1"));
    // With nothing that becomes stable, there is one span.
    assert!(spans(&lied(&log, |_| true), Marks::Any)
        .map(|cut| cut.event)
        .eq([8]));
}

/// A commit block whose flush lied is a write like any other, stable by its own FUA.
#[test]
fn a_preflush_that_lied() {
    let commit = write(1).preflush().fua();
    let log = lied(&Log::of(8, true, [write(0), commit]), |index| index == 1);

    assert_eq!(outcome(&log, 4), (String::new(), "0:0 1:1".to_owned()));
    assert_eq!(outcome(&log, 5), ("1".to_owned(), "0:0".to_owned()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(1000), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_flush_that_lied_is_none(log in log(), bits: u64) {
        let which = |index: usize| (bits >> (index % 64)) & 1 == 1;
        let lied = lied(&log, which);
        let without = without(&log, which);

        for event in 0..=log.last {
            let (one, other) = (Cut::new(&lied, event).unwrap(), Cut::new(&without, event).unwrap());
            let offered = pieces(&lied, &one, NR_UNITS + 1);

            for &start in log.geometry.members.starts() {
                prop_assert_eq!(one.watermark(start), other.watermark(start));
            }
            prop_assert_eq!(&offered, &pieces(&without, &other, NR_UNITS + 1));
            prop_assert_eq!(survivors(&lied, event), survivors(&without, event));
            same_by_other_lookups(&lied, &one, &offered);
        }
    }
}
