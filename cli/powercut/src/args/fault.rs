// SPDX-License-Identifier: GPL-2.0

//! What was typed to have a disk do something wrong.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
#[command(
    after_help = "A RULE is one argument: KIND[ KEY=VALUE]..., such as 'lost lba=0-2047 count=1'.\n\
KIND: flush-lies, fua-ignored, lost, misdirected, corrupt, stale, eio, latency.\n\
KEY: op=read|write|discard|flush (lost, eio, latency), lba=A-B, after=N, every=N, prob=P/Q or P%,\n\
count=N, seed=S, to=LBA (misdirected), bytes=N (corrupt), usec=N (latency). Sectors have 512 bytes.\n\
Bad sectors: 'badblocks [mode=all|read|write|until-rewritten] [once=0|1] [+A-B|-A-B]...'.\n\
docs/faults.md tells what each of them does."
)]
pub struct FaultArgs {
    /// NAME of a disk, or NAME.VIEW
    pub name: String,
    #[command(subcommand)]
    pub command: FaultCommand,
}

#[derive(Debug, Subcommand)]
pub enum FaultCommand {
    /// Add rules; they are in force at once
    Add {
        #[arg(required = true, value_name = "RULE")]
        rules: Vec<String>,
    },
    /// Show the rules, and how often each was applied
    List {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Take all rules back, and make all sectors good
    Clear,
}
