// SPDX-License-Identifier: GPL-2.0

//! Shell completions and man pages, from the definition of the arguments.

use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::exit::Exit;

/// Prints the completions for a shell.
pub fn completions(shell: Shell) -> Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "powercut", &mut text);
    let text = String::from_utf8(text)?;
    crate::output::print(format_args!("{text}"))?;
    Ok(Exit::NoViolation)
}

/// Writes powercut.1 and a page for every subcommand.
pub fn man(dir: &Path) -> Result<Exit> {
    let failed = || format!("cannot write man pages to {}", dir.display());
    std::fs::create_dir_all(dir).with_context(failed)?;
    clap_mangen::generate_to(Cli::command(), dir).with_context(failed)?;
    Ok(Exit::NoViolation)
}
