// SPDX-License-Identifier: GPL-2.0

//! Crash tests under `cargo test`: what your code writes is recorded on a disk whose power can be
//! cut, and every state that the disk may legally be in afterwards is shown to your check, until a
//! budget is spent.
//!
//! ```no_run
//! use std::fs::{self, File};
//! use powercut_test::CrashTest;
//!
//! // In a test binary, under #[test].
//! fn settings_survive() {
//!     CrashTest::new("settings_survive")
//!         .workload(|disk| {
//!             let path = disk.path("settings");
//!             fs::write(&path, "dark")?;
//!             File::open(&path)?.sync_all()?;
//!             disk.promise("settings")
//!         })
//!         .check(|disk| {
//!             for name in disk.promises()? {
//!                 assert_eq!(fs::read_to_string(disk.path(&name))?, "dark");
//!             }
//!             Ok(())
//!         })
//!         .assert_crash_safe();
//! }
//! ```
//!
//! # How it works
//!
//! `assert_crash_safe` has the `powercut` command run this test binary again, with the same test and
//! a variable that says which part it is to play: once for the workload, on a new filesystem, and
//! once for each state, mounted, for the check. In these processes `assert_crash_safe` calls the
//! closure and ends the process. So whatever the test does *before* it is done in each of them.
//!
//! Where no powercut module is loaded, a virtual machine is started by `scripts/vm --host-root`, whose
//! path is in the variable `POWERCUT_TEST_VM`; the machine sees this one's files, and changes none of them.
//! Without module and variable the test fails and says so.

mod command;
mod disk;
mod report;
mod role;
mod test;

pub use disk::{Checked, Mounted, Recorded};
pub use test::CrashTest;

/// What a workload or a check ends with: an error is shown, and fails it.
pub type Result<T = ()> = anyhow::Result<T>;
