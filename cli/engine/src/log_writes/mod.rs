// SPDX-License-Identifier: GPL-2.0

//! The logs that the kernel's dm-log-writes and QEMU's blklogwrites write: docs/import.md.
//!
//! A super block, and entries, each a sector and the data of the write behind it. Numbers are
//! little-endian; a sector is the logical block of the disk that was logged.
//!
//! [`import`] makes a record of such a log, [`export`] such a log of a record.

mod base;
pub mod export;
pub mod import;
mod read;
mod scan;
#[cfg(test)]
mod tests;
mod wire;

pub use read::LogError;
pub use scan::{Options, Scan};

/// The mark that dm-log-writes sets when it is done.
const END_MARK: &[u8] = b"dm-log-writes-end";
