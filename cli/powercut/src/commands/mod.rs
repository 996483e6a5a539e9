// SPDX-License-Identifier: GPL-2.0

//! The subcommands.

mod backend;
mod conclude;
mod count;
mod culprit;
mod dry_run;
mod explore;
mod explored;
mod fault;
mod findings;
mod finish;
mod fuzz;
mod github;
mod judge;
mod lint;
pub mod log;
mod log_writes;
mod manage;
mod manual;
mod merge;
mod minimize;
mod mkfs;
mod observe;
mod postmortem;
mod power;
mod rate;
mod replay;
mod report;
mod run;
mod session;
mod suite;
mod transfer;

use anyhow::Result;

use crate::args::{Cli, Command};
use crate::exit::Exit;
use crate::options;
use crate::stale;

/// Does what was asked.
pub fn run(cli: Cli) -> Result<Exit> {
    if makes_or_shows_disks(&cli.command) {
        stale::tell();
    }
    match cli.command {
        Command::Create(args) => manage::create(&args),
        Command::List(args) => manage::list(args.json),
        Command::Remove(args) => manage::remove(&args),
        Command::Record(args) => manage::record(&args),
        Command::Mark(args) => manage::mark(&args.name, &args.text),
        Command::Cut(args) => power::cut(&args),
        Command::Restore(args) => power::restore(&args),
        Command::Fault(args) => fault::fault(&args),
        Command::Export(args) => transfer::export(&args),
        Command::Import(args) => transfer::import(&args),
        Command::Log(args) => log::log(&args),
        Command::Count(args) => count::count(&args),
        Command::State(args) => manage::state(&args),
        Command::Explore(args) => match &args.resume {
            Some(dir) => explore::resume(&options::Resume::new(
                dir.clone(),
                args.backend,
                &args.plan,
                &args.session,
            )?),
            None => explore::explore(&options::Explore::new(*args)?),
        },
        Command::Merge(args) => merge::merge(&args),
        Command::Run(args) => suite::command(&args),
        Command::Minimize(args) => minimize::minimize(&options::Minimize::new(args)?),
        Command::Lint(args) => lint::run(&args),
        Command::Fuzz(args) => fuzz::fuzz(&options::Fuzz::new(*args)?),
        Command::Judge { read_only, trace } => judge::judge_here(&trace, read_only),
        Command::Rate(args) => rate::rate(&options::Rate::new(*args)?),
        Command::Report(args) => report::run(&args),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { dir } => manual::man(&dir),
        Command::Replay(args) => replay::replay(&options::ShowState::new(args)?),
    }
}

/// The commands that say so if killed ones left something.
fn makes_or_shows_disks(command: &Command) -> bool {
    matches!(
        command,
        Command::Create(_)
            | Command::List(_)
            | Command::Run(_)
            | Command::Explore(_)
            | Command::Replay(_)
            | Command::Minimize(_)
            | Command::Rate(_)
            | Command::Fuzz(_)
    )
}
