// SPDX-License-Identifier: GPL-2.0

//! The arguments of `log`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct LogArgs {
    /// The disk whose log to print
    pub name: Option<String>,
    /// The report, or the file of `export`, whose recording to print instead [default: ./powercut-report]
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    pub report: Option<PathBuf>,
    #[command(flatten)]
    pub filter: LogFilter,
    /// Print at most this many entries
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Skip this many entries first
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub offset: u64,
    /// Print JSON, an object a line
    #[arg(long)]
    pub json: bool,
}

/// Filters of entries; an entry has to pass all that are given.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Filters")]
pub struct LogFilter {
    /// Submitted at these events: A-B, A- or -B
    #[arg(long, value_name = "A-B", allow_hyphen_values = true)]
    pub events: Option<String>,
    /// Submitted at these times of the record, such as 1500ms-2s
    #[arg(long, value_name = "FROM-TO", allow_hyphen_values = true)]
    pub time: Option<String>,
    /// By a task with this in its name; may be given again
    #[arg(long, value_name = "TEXT")]
    pub task: Vec<String>,
    /// From this kernel stack, as a disk made with --stacks has it; may be given again
    #[arg(long, value_name = "HASH")]
    pub stack: Vec<String>,
    /// Writes and discards that touch these sectors of 512 bytes: A-B, or DISK+A-B of a group
    #[arg(long, value_name = "A-B")]
    pub lba: Option<String>,
    /// With all of these flags, such as FUA,META
    #[arg(long, value_name = "FLAG,..", value_delimiter = ',')]
    pub flags: Vec<String>,
    /// Any of these: write, write_zeroes, discard, flush, mark
    #[arg(long, value_name = "OP,..", value_delimiter = ',')]
    pub op: Vec<String>,
    /// What led to the first mark with this text: from the mark before it on
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub mark: Option<String>,
}
