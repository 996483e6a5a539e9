// SPDX-License-Identifier: GPL-2.0

//! The `powercut` command.

use std::process::ExitCode;

use powercut_cli::args::Cli;
use powercut_cli::{commands, exit, notes};

fn main() -> ExitCode {
    let cli = Cli::of_this_process();
    let result = commands::run(cli);
    notes::close();
    exit::status(result)
}
