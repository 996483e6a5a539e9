// SPDX-License-Identifier: GPL-2.0

//! The subcommands.

mod explore;
mod log;
mod manage;
mod replay;
mod run;
mod session;

use anyhow::Result;

use crate::args::{Cli, Command};
use crate::exit::Exit;
use crate::options;

/// Does what was asked.
pub fn run(cli: Cli) -> Result<Exit> {
    match cli.command {
        Command::Create(args) => manage::create(&args),
        Command::List(args) => manage::list(args.json),
        Command::Remove(args) => manage::remove(&args.name),
        Command::Record(args) => manage::record(&args),
        Command::Mark(args) => manage::mark(&args.name, &args.text),
        Command::Log(args) => log::log(&args),
        Command::Count(args) => log::count(&args),
        Command::State(args) => manage::state(&args),
        Command::Explore(args) => explore::explore(&options::Explore::new(args)?),
        Command::Run(args) => run::run(&options::Run::new(args)?),
        Command::Replay(args) => replay::replay(&options::Replay::new(args)?),
    }
}
