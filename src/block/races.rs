// SPDX-License-Identifier: GPL-2.0

//! Races on purpose, for KCSAN: it must report them, or that it reports nothing else means
//! nothing. The log's readers know them by their names (`MEANT` in `scripts/qemu.sh`). Beside them
//! the same done well, and [`Lending`], which must not be reported.

use super::{
    workqueue,
    Lending, //
};
use core::cell::UnsafeCell;
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        Arc,
        Completion, //
    },
    time::{
        Instant,
        Monotonic, //
    }, //
};

/// What two threads get at.
#[pin_data]
struct Shared {
    value: UnsafeCell<u64>,
    /// The newest value that may be read.
    published: Atomic<u64>,
    /// The newest that was.
    taken: Atomic<u64>,
    is_over: Atomic<bool>,
    /// The same number twice.
    #[pin]
    lent: Lending<[u64; 2]>,
}

// SAFETY: Its fields are numbers, which belong to no thread.
unsafe impl Send for Shared {}
// SAFETY: It is not safe, which is the point: what is raced for is a number that nothing
// depends on.
unsafe impl Sync for Shared {}

impl Shared {
    fn get(&self) -> u64 {
        // SAFETY: It is valid; that it may change meanwhile is the point.
        unsafe { *self.value.get() }
    }

    fn set(&self, value: u64) {
        // SAFETY: It is valid; that it is used meanwhile is the point.
        unsafe { *self.value.get() = value };
    }
}

/// What is done in a round, whose number is given.
type Race = extern "C" fn(&Shared, u64);

/// On a busy host rounds take long: then they are fewer.
const SECONDS_MAX: i64 = 40;

/// Runs one function here and one elsewhere, over and over, for so long and so often.
fn race(seconds: i64, rounds: u64, one: Race, other: Race) -> Result<Arc<Shared>> {
    let shared = Arc::pin_init(
        pin_init!(Shared {
            value: UnsafeCell::new(0),
            published: Atomic::new(0),
            taken: Atomic::new(0),
            is_over: Atomic::new(false),
            lent <- Lending::new([0; 2]),
        }),
        GFP_KERNEL,
    )?;
    let theirs = shared.clone();
    let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
    let theirs_done = done.clone();
    workqueue::spawn(move || {
        let mut round = 0;
        while !theirs.is_over.load(Relaxed) {
            round += 1;
            other(&theirs, round);
        }
        theirs_done.complete_all();
    })?;
    let began = Instant::<Monotonic>::now();
    let mut round = 0;
    let is_enough = |round| {
        let seconds_now = began.elapsed().as_millis() / 1000;
        seconds_now >= seconds && round >= rounds || seconds_now >= SECONDS_MAX
    };
    while !is_enough(round) {
        round += 1;
        one(&shared, round);
    }
    shared.is_over.store(true, Relaxed);
    done.wait_for_completion();
    Ok(shared)
}

/// Two threads count in one place.
#[no_mangle]
#[inline(never)]
extern "C" fn powercut_race_counter(shared: &Shared, _round: u64) {
    shared.set(shared.get() + 1);
}

/// Publishes a value without saying so: its flag may be seen before it.
#[no_mangle]
#[inline(never)]
extern "C" fn powercut_race_publish(shared: &Shared, round: u64) {
    shared.set(round);
    shared.published.store(round, Relaxed);
    await_value(&shared.taken, round, &shared.is_over);
}

/// As [`SetOnce`](kernel::sync::SetOnce) does it.
#[inline(never)]
extern "C" fn publish(shared: &Shared, round: u64) {
    shared.set(round);
    shared.published.store(round, Release);
    await_value(&shared.taken, round, &shared.is_over);
}

/// Takes a value once it is published.
#[no_mangle]
#[inline(never)]
extern "C" fn powercut_race_take(shared: &Shared, round: u64) {
    if await_value(&shared.published, round, &shared.is_over) {
        let _value = core::hint::black_box(shared.get());
        shared.taken.store(round, Release);
    }
}

fn await_value(of: &Atomic<u64>, value: u64, is_over: &Atomic<bool>) -> bool {
    while of.load(Acquire) < value {
        if is_over.load(Relaxed) {
            return false;
        }
        core::hint::spin_loop();
    }
    true
}

/// Reads what it has lent to it, and does other things then.
extern "C" fn borrow(shared: &Shared, _round: u64) {
    if let Some(lent) = shared.lent.lock().lend(|pair| Some(pair)) {
        let [one, other] = *core::hint::black_box(&*lent);
        assert!(one == other);
        drop(lent);
        for _ in 0..20 {
            let _any = shared.taken.load(Relaxed);
        }
    }
}

/// Changes what others have lent to them.
extern "C" fn change(shared: &Shared, round: u64) {
    let mut pair = shared.lent.lock_mut();
    for number in pair.iter_mut() {
        *core::hint::black_box(number) = round;
    }
    drop(pair);
    shared.taken.store(round, Relaxed);
}

#[kunit_tests(powercut_races)]
mod suite {
    use super::*;

    #[test]
    fn a_counter_without_a_lock_is_a_race() -> Result {
        race(1, 0, powercut_race_counter, powercut_race_counter)?;
        Ok(())
    }

    #[test]
    fn a_value_published_without_release_is_a_race() -> Result {
        let shared = race(4, 100_000, powercut_race_publish, powercut_race_take)?;
        assert!(shared.taken.load(Acquire) > 10);
        Ok(())
    }

    #[test]
    fn what_is_lent_does_not_change() -> Result {
        let shared = race(4, 0, borrow, change)?;
        assert!(shared.taken.load(Acquire) > 10);
        Ok(())
    }

    #[test]
    fn a_value_published_with_release_is_none() -> Result {
        let shared = race(4, 0, publish, powercut_race_take)?;
        assert!(shared.taken.load(Acquire) > 10);
        Ok(())
    }
}
