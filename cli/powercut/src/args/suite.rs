// SPDX-License-Identifier: GPL-2.0

//! What `run` is given: one case in its options, or a file of cases and what holds for all.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, Id};

use super::{RunArgs, SessionArgs};

/// Options, by their long names, that hold for all cases of a file, or make no sense there.
pub const NOT_OF_A_CASE: [&str; 8] = [
    "report",
    "junit",
    "html",
    "json",
    "case",
    "record-only",
    "dry-run",
    "deadline",
];

/// Several cases.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Cases of a file")]
pub struct SuiteArgs {
    /// Run the cases of FILE [default, without --workload: powercut.toml]
    ///
    /// Its keys are the options of `run` (docs/ci.md). Other options given here hold for all
    /// cases, over those of the file. Relative paths and commands are those of its directory.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Run these cases alone
    #[arg(long, value_name = "CASE,..", value_delimiter = ',')]
    pub only: Vec<String>,
    /// End with the first case that does not come out as expected
    #[arg(long)]
    pub fail_fast: bool,
}

/// The arguments of `run`.
#[derive(Debug)]
pub struct RunCommand {
    pub suite: SuiteArgs,
    pub session: SessionArgs,
    /// The options of a case that were given, a word each.
    pub given: Vec<OsString>,
}

/// The options of one case, as a command of its own.
pub fn case_command() -> Command {
    let command = Command::new("powercut run").no_binary_name(true);
    RunArgs::augment_args(command.args_override_self(true))
}

impl RunCommand {
    /// Whether an option was given.
    pub fn has(&self, name: &str) -> bool {
        let option = format!("--{name}");
        let named = |word: &OsString| {
            let word = word.to_string_lossy();
            word.split('=').next() == Some(&option)
        };
        self.given.iter().any(named)
    }

    /// The options as those of one case; ends the process if they are not enough.
    pub fn one_case(&self) -> RunArgs {
        let given = case_command().get_matches_from(&self.given);
        RunArgs::from_arg_matches(&given).unwrap_or_else(|e| e.exit())
    }
}

impl FromArgMatches for RunCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self {
            suite: SuiteArgs::from_arg_matches(matches)?,
            session: SessionArgs::from_arg_matches(matches)?,
            given: given(matches),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// What was typed of a case's options.
fn given(matches: &ArgMatches) -> Vec<OsString> {
    let mut words = Vec::new();
    for arg in case_command().get_arguments() {
        let id = arg.get_id().as_str();
        let (Some(long), Some(ValueSource::CommandLine)) =
            (arg.get_long(), matches.value_source(id))
        else {
            continue;
        };
        if matches!(arg.get_action(), ArgAction::SetTrue) {
            words.push(format!("--{long}").into());
            continue;
        }
        for value in matches.get_raw(id).into_iter().flatten() {
            let mut word = OsString::from(format!("--{long}="));
            word.push(value);
            words.push(word);
        }
    }
    words
}

impl Args for RunCommand {
    fn augment_args(command: Command) -> Command {
        // The file may have what is not given.
        let optional = |arg: Arg| {
            arg.required(false)
                .required_unless_present(Resettable::<Id>::Reset)
        };
        let command = RunArgs::augment_args(command).mut_args(optional);
        let command = SuiteArgs::augment_args(command);
        command.after_long_help(crate::exit::help()).override_usage(
            "powercut run --fs <FS> --workload <CMD> --check <CMD> [OPTIONS]\n       \
             powercut run [--config <FILE>] [--only <CASE>] [OPTIONS]",
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
