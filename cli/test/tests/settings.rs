// SPDX-License-Identifier: GPL-2.0

//! An example: a file that is saved by rename, as it is sound and as it is not. It needs the module
//! or POWERCUT_TEST_VM, so it is run only if it is asked for: `cargo test -p powercut-test -- --ignored`.

use std::fs::{self, File};
use std::io::Write;

use powercut_test::{Checked, CrashTest, Recorded, Result};

/// Saves the settings; what is durable when it returns is up to `sync`.
fn save(disk: &Recorded, version: u32, sync: bool) -> Result {
    let new = disk.path("new");
    let mut file = File::create(&new)?;
    write!(file, "version {version} {}.", "x".repeat(2000))?;
    if sync {
        file.sync_all()?;
    }
    fs::rename(&new, disk.path("settings"))?;
    if sync {
        File::open(disk.mount())?.sync_all()?;
    }
    disk.promise(version.to_string())
}

fn three_versions(disk: &Recorded, sync: bool) -> Result {
    (1..=3).try_for_each(|version| save(disk, version, sync))
}

fn newest_is_there(disk: &Checked) -> Result {
    let Some(promised) = disk.promises()?.pop() else {
        return Ok(());
    };
    let text = fs::read_to_string(disk.path("settings"))?;
    assert!(text.ends_with('.'), "the settings are torn");
    let version = text.split(' ').nth(1).unwrap_or_default();
    let (version, promised): (u32, u32) = (version.parse()?, promised.parse()?);
    assert!(
        version >= promised,
        "the settings are older than was promised"
    );
    Ok(())
}

#[test]
#[ignore = "needs the powercut module or a virtual machine"]
fn settings_that_are_synced_survive() {
    CrashTest::new("settings_that_are_synced_survive")
        .fs("ext4")
        .size("16M")
        .budget(60)
        .workload(|disk| three_versions(disk, true))
        .check(newest_is_there)
        .assert_crash_safe();
}

#[test]
#[ignore = "needs the powercut module or a virtual machine"]
fn settings_that_are_not_synced_are_lost() {
    CrashTest::new("settings_that_are_not_synced_are_lost")
        .fs("ext4")
        .size("16M")
        .budget(60)
        .workload(|disk| three_versions(disk, false))
        .check(newest_is_there)
        .assert_violations();
}
