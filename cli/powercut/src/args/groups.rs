// SPDX-License-Identifier: GPL-2.0

//! The whole command as clap takes it, with its subcommands in groups.

use clap::{Command, CommandFactory};

use super::Cli;

/// What the subcommands are for, in the order a user meets them.
const GROUPS: [(&str, &[&str]); 4] = [
    (
        "Try software",
        &[
            "run", "explore", "replay", "minimize", "fuzz", "rate", "merge",
        ],
    ),
    (
        "Look at records and reports",
        &["report", "log", "count", "lint"],
    ),
    (
        "Disks",
        &[
            "create", "list", "remove", "record", "mark", "cut", "restore", "fault", "state",
            "export", "import",
        ],
    ),
    ("Other", &["judge", "completions", "man", "help"]),
];

/// The definition of the command.
pub fn command() -> Command {
    let mut command = Cli::command();
    command.build();
    let groups = GROUPS.map(|(title, names)| group(&command, title, names));
    command.help_template(format!(
        "{{before-help}}{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}\
         Options:\n{{options}}{{after-help}}",
        groups.concat()
    ))
}

/// A title, and each subcommand with what it does.
fn group(command: &Command, title: &str, names: &[&str]) -> String {
    let mut text = format!("{title}:\n");
    for name in names {
        let about = command.find_subcommand(name).and_then(Command::get_about);
        let about = about.map(ToString::to_string).unwrap_or_default();
        text.push_str(&format!("  {name:<12} {about}\n"));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_subcommand_is_in_one_group() {
        let grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect();
        let set: BTreeSet<&str> = grouped.iter().copied().collect();
        assert_eq!(set.len(), grouped.len(), "{grouped:?}");
        let mut command = Cli::command();
        command.build();
        let shown = command.get_subcommands().filter(|c| !c.is_hide_set());
        let all: BTreeSet<&str> = shown.map(Command::get_name).collect();
        assert_eq!(set, all);
    }
}
