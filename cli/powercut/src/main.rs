// SPDX-License-Identifier: GPL-2.0

//! The `powercut` command.

use std::process::ExitCode;

use powercut_cli::args::Cli;
use powercut_cli::exit::Exit;
use powercut_cli::{commands, executor, exit, notes};

fn main() -> ExitCode {
    if let Some(done) = executor::part(std::env::args_os()) {
        return exit::status(done.map(|()| Exit::NoViolation));
    }
    let cli = Cli::of_this_process();
    let result = commands::run(cli);
    notes::close();
    exit::status(result)
}
