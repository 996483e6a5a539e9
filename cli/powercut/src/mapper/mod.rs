// SPDX-License-Identifier: GPL-2.0

//! Records without the module: a disk in a file, whose writes the kernel's device-mapper target dm-log-writes
//! puts into another file.
//!
//! [`MappedDisk`] is that disk, `tools` are the programs that the kernel is told by.

mod disk;
mod tools;

use std::fs;

use anyhow::Result;

pub use disk::MappedDisk;

/// Puts a mark into the log of a device.
pub fn mark(name: &str, text: &str) -> Result<()> {
    let words = [&b"message"[..], name.as_bytes(), b"0", b"mark"];
    let text = tools::word_of(text);
    tools::dmsetup(words.into_iter().chain([text.as_slice()])).map(drop)
}

/// Removes a device, once nobody uses it.
pub fn remove(name: &str) -> Result<()> {
    tools::dmsetup(["remove", "--retry", name]).map(drop)
}

/// Whether there is a device of that name.
pub fn is_there(name: &str) -> bool {
    let disks = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    disks
        .filter_map(|disk| fs::read_to_string(disk.path().join("dm/name")).ok())
        .any(|other| other.trim_end() == name)
}
