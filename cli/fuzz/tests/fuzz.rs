// SPDX-License-Identifier: GPL-2.0

//! Every target on its corpus, and on as many inputs made of that as it has.
//!
//! FUZZ_SEED (1) is what these follow from, FUZZ_TIMES (1) multiplies their number.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::Duration;

use powercut_fuzz::mutate::Mutator;
use powercut_fuzz::{corpus, Target, TARGETS};
use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
use rustix::time::{clock_gettime, ClockId};

/// What one input may take.
const TIME: Duration = Duration::from_secs(5);
/// What this process may, all of its tests side by side included.
const MEMORY: u64 = 4 << 30;

fn setting(name: &str) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(1, |text| text.parse().expect("a number"))
}

/// Of this thread.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// An input as a literal, to be made a test of.
fn literal(input: &[u8]) -> String {
    format!("b\"{}\"", input.escape_ascii())
}

fn try_one(target: &Target, input: &[u8], which: &str) {
    let before = cpu_time();
    let ended = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let took = cpu_time() - before;
    let name = target.name;
    assert!(ended.is_ok(), "{name} panics, {which}: {}", literal(input));
    assert!(
        took < TIME,
        "{name} takes {took:?}, {which}: {}",
        literal(input)
    );
}

fn fuzz(name: &str) {
    let limit = Rlimit {
        current: Some(MEMORY),
        ..getrlimit(Resource::As)
    };
    setrlimit(Resource::As, limit).unwrap();
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let corpus = corpus(target).unwrap();
    for (nr, input) in corpus.iter().enumerate() {
        try_one(target, input, &format!("input {nr} of the corpus"));
    }
    let seed = setting("FUZZ_SEED");
    let mut mutator = Mutator::new(seed);
    for nr in 0..target.inputs * setting("FUZZ_TIMES") {
        let input = mutator.next(&corpus, target.words);
        try_one(target, &input, &format!("FUZZ_SEED={seed}, input {nr}"));
    }
}

macro_rules! tests {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            fuzz(stringify!($name));
        })*

        #[test]
        fn every_target_has_a_test() {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

tests!(recording log import module_rules journal report violations suite state_id words filter
       extents superblocks answers log_writes);
