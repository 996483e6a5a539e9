// SPDX-License-Identifier: GPL-2.0

//! How much memory there is for a record.

use std::fs;

/// What the driver lets a record take if it is not told otherwise, in MiB.
const DRIVERS_LIMIT_MIB: u64 = 1024;

/// Memory that can be had, in MiB, as the kernel estimates it.
pub fn available_mib() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
}

/// What a record of this machine's own may take, in MiB: as much as always, or half of the memory.
pub fn record_limit_mib() -> u64 {
    let half = available_mib().unwrap_or(0) / 2;
    half.max(DRIVERS_LIMIT_MIB)
}

/// What a record that is read in may take, in MiB: it was made, so it is to fit if it can.
pub fn import_limit_mib() -> u64 {
    let most = available_mib().unwrap_or(0) / 10 * 9;
    most.max(DRIVERS_LIMIT_MIB)
}
