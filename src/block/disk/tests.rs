// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of what the module's exit waits for.

use super::{
    super::workqueue,
    *, //
};
use kernel::{
    sync::{
        atomic::Acquire,
        Arc, //
    },
    time::{
        Instant,
        Monotonic, //
    }, //
};

/// What the module's exit and the last user of a disk share.
struct Exit {
    disks: Count,
    /// Whether that user is back from the module's text.
    is_back: Atomic<bool>,
}

#[kunit_tests(powercut_disks)]
mod suite {
    use super::*;

    #[test]
    fn unloading_waits_for_who_gave_up_the_last_disk() -> Result {
        let exit = Arc::new(
            Exit {
                disks: Count::new(),
                is_back: Atomic::new(false),
            },
            GFP_KERNEL,
        )?;
        let user = exit.clone();
        exit.disks.add();
        workqueue::spawn(move || {
            let since = Instant::<Monotonic>::now();
            let is_over = |ms| since.elapsed().as_millis() >= ms;
            while !is_over(20) {
                core::hint::spin_loop();
            }
            user.disks.remove();
            // As if it had been preempted there: it takes a while to get back, without sleeping.
            while !is_over(100) {
                core::hint::spin_loop();
            }
            user.is_back.store(true, Release);
        })?;
        exit.disks.wait_for_none();
        assert!(exit.is_back.load(Acquire));
        Ok(())
    }
}
