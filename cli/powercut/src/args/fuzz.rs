// SPDX-License-Identifier: GPL-2.0

//! The arguments of `fuzz`.

use std::path::PathBuf;

use clap::Args;
use powercut_engine::explore::Shard;

use super::DiskArgs;
use crate::fs::Fs;

#[derive(Debug, Args)]
#[command(next_help_heading = "Filesystem")]
#[command(after_long_help = crate::exit::help())]
pub struct FuzzArgs {
    /// The filesystem to try, as the kernel calls it
    #[arg(
        long,
        value_name = "FS",
        hide_possible_values = true,
        required_unless_present = "list"
    )]
    pub fs: Option<Fs>,
    /// Mount options
    #[arg(
        long,
        value_name = "OPTS",
        default_value = "",
        hide_default_value = true
    )]
    pub mount_opts: String,
    /// More arguments for mkfs
    #[arg(
        long,
        value_name = "OPTS",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    pub mkfs_opts: String,
    /// Make the filesystem with this command, on POWERCUT_DEV, instead of mkfs.FS
    #[arg(
        long,
        value_name = "CMD",
        conflicts_with = "mkfs_opts",
        hide_short_help = true
    )]
    pub mkfs: Option<String>,
    #[command(flatten)]
    pub disk: DiskArgs,
    /// What it is held to: posix, linux or ordered [default: what is known of the filesystem]
    #[arg(long, value_name = "LEVEL", help_heading = "Check")]
    pub level: Option<String>,
    /// Run this before each state is mounted, on the device in POWERCUT_DEV; none: nothing
    ///
    /// Without it, what a mount does not recover is repaired by its checker: vfat, exfat, jfs, hfsplus.
    #[arg(long, value_name = "CMD", help_heading = "Check")]
    pub fsck: Option<String>,
    /// In one of N states, mount once more, run a checker and try everything out; in as many others cut the
    /// recovery, too; 0: in none; 1: both in all
    #[arg(long, value_name = "N", default_value_t = 32, help_heading = "Check")]
    pub thorough: u64,
    /// The longest a mount, an unmount or a program may take
    #[arg(
        long,
        value_name = "TIME",
        default_value = "60s",
        help_heading = "Check",
        hide_short_help = true
    )]
    pub mount_timeout: String,
    /// The operations that programs are made of: names, data, attributes or all [default: all]
    #[arg(long, value_name = "SET", help_heading = "Programs")]
    pub set: Option<String>,
    /// Operations of a program, beside those that make something durable: this many, or up to it at random
    /// [default: 2, or 4 at random]
    #[arg(long, value_name = "N", help_heading = "Programs")]
    pub ops: Option<u32>,
    /// All programs of this many operations, in the order of their numbers, instead of random ones
    #[arg(long, help_heading = "Programs")]
    pub exhaustive: bool,
    /// End after this many programs, such as 1000, or this much time, such as 1h [default: 500; exhaustive: none]
    #[arg(
        long,
        value_name = "N|TIME",
        allow_hyphen_values = true,
        help_heading = "Programs"
    )]
    pub programs: Option<String>,
    /// The number of the first program to try
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 0,
        help_heading = "Programs"
    )]
    pub from: u64,
    /// Try the program in this file alone: an operation a line
    #[arg(long, value_name = "FILE", help_heading = "Programs",
        conflicts_with_all = ["exhaustive", "programs", "from", "shard", "ops", "set"])]
    pub program: Option<PathBuf>,
    /// Only tell how many programs each bound has; with --set or --ops, that bound
    #[arg(long, help_heading = "Programs")]
    pub list: bool,
    /// The seed of the random programs
    #[arg(long, value_name = "S", default_value_t = 0, help_heading = "Programs")]
    pub seed: u64,
    /// Try each N-th program only, from the I-th on
    #[arg(long, value_name = "I/N", help_heading = "Programs")]
    pub shard: Option<Shard>,
    /// States to look at for each program, or none
    #[arg(
        long,
        value_name = "N",
        default_value = "8",
        allow_hyphen_values = true,
        help_heading = "Limits"
    )]
    pub budget: String,
    /// Try this many programs in parallel [default: two for each processor]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub jobs: Option<usize>,
    /// End after this many different findings
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Limits")]
    pub max_violations: u64,
    /// End this long after the start
    #[arg(long, value_name = "TIME", help_heading = "Limits")]
    pub deadline: Option<String>,
    /// A report of earlier findings, which are told and are no violations; may be given again; none: nothing is known
    ///
    /// What docs/findings has of Linux 7.3 is known without it, unless one program is tried.
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub known: Vec<PathBuf>,
    /// Where the findings go [default: ./powercut-fuzz, if there are any]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub report: Option<PathBuf>,
    /// Write the findings as JUnit XML, too
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub junit: Option<PathBuf>,
    /// Print as JSON
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}
