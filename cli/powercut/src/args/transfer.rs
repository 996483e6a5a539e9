// SPDX-License-Identifier: GPL-2.0

//! The arguments of `export` and `import`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The format of a record that is not powercut's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Foreign {
    /// The log of dm-log-writes of the kernel, and of blklogwrites of QEMU: docs/import.md
    LogWrites,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The disk; with --format, also the path of a report or of a file of `export`, which takes no root
    #[arg(value_name = "NAME|PATH")]
    pub record: String,
    /// The file to write; with --format, also a block device
    pub file: PathBuf,
    /// Write a log for other tools; what it can't tell is said, or refused
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Foreign>,
    /// Write what the disk held when the record began to this file: a raw image, with holes
    #[arg(long, value_name = "IMAGE", requires = "format")]
    pub base: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
pub struct ImportArgs {
    /// The disk to make
    #[arg(required_unless_present = "format", conflicts_with = "format")]
    pub name: Option<String>,
    /// The file of `export`; with --format the log, which may be a block device
    pub file: PathBuf,
    /// Make a report of a log that another tool wrote, for explore --recording, log, count and lint
    ///
    /// It makes no disk and takes no root.
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Foreign>,
    /// The directory to write [default: ./powercut-report]
    #[arg(
        long,
        short = 'o',
        visible_alias = "output",
        value_name = "DIR",
        requires = "format",
        conflicts_with = "name"
    )]
    pub report: Option<PathBuf>,
    /// What the disk held before the log began: a raw image [default: zeroes]
    #[arg(
        long,
        value_name = "IMAGE",
        requires = "format",
        conflicts_with = "name"
    )]
    pub base: Option<PathBuf>,
    /// The size of the disk: 64M, 1G [default: that of the image, or up to the last sector written]
    #[arg(
        long,
        value_name = "SIZE",
        requires = "format",
        conflicts_with = "name"
    )]
    pub size: Option<String>,
    /// What never tears, a power of two up to 65536 [default: a sector of the log]
    #[arg(
        long,
        value_name = "BYTES",
        requires = "format",
        conflicts_with = "name"
    )]
    pub atomic_unit: Option<u32>,
    /// Take all entries that are there, whatever the log's super block counts: of a log that was not
    /// closed
    #[arg(long, requires = "format", conflicts_with = "name")]
    pub salvage: bool,
    /// What to call it in reports [default: the file]
    #[arg(
        long,
        value_name = "NAME",
        requires = "format",
        conflicts_with = "name"
    )]
    pub case: Option<String>,
}
