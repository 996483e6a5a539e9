// SPDX-License-Identifier: GPL-2.0

//! `explore --recording` and `explore --resume` do something about every option.

use std::collections::BTreeSet;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::Cli;

/// Options of `explore`, with a value for those that take one.
const OPTIONS: [(&str, Option<&str>, With); 23] = [
    ("name", Some("a"), With::Neither),
    ("check", Some("true"), With::Recording),
    ("mount", Some("ext4"), With::Recording),
    ("fsck", Some("true"), With::Recording),
    ("view_fault", Some("eio"), With::Recording),
    ("check_timeout", Some("3s"), With::Recording),
    ("mount_timeout", Some("3s"), With::Recording),
    ("no_baseline", None, With::Recording),
    ("cleanup", Some("true"), With::Recording),
    ("strategy", Some("ends"), With::Recording),
    ("seed", Some("7"), With::Recording),
    ("shard", Some("1/2"), With::Recording),
    ("depth", Some("2"), With::Recording),
    ("recovery_budget", Some("9"), With::Recording),
    ("stop_on_first", None, With::Recording),
    ("report", Some("r"), With::Recording),
    ("case", Some("c"), With::Recording),
    ("budget", Some("9"), With::Both),
    ("jobs", Some("2"), With::Both),
    ("minimize", None, With::Both),
    ("html", Some("f"), With::Both),
    ("junit", Some("f"), With::Both),
    ("backend", Some("nbd"), With::Both),
];
const MORE: [(&str, Option<&str>, With); 7] = [
    ("max_violations", Some("3"), With::Recording),
    ("resident", Some("true"), With::Recording),
    ("marks", Some("monotone"), With::Recording),
    ("json", None, With::Both),
    ("keep", None, With::Both),
    ("deadline", Some("9s"), With::Both),
    ("dry_run", None, With::Recording),
];

/// With which of `--recording` and `--resume` an option is applied; with others it is refused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum With {
    Neither,
    Recording,
    Both,
}

fn all() -> impl Iterator<Item = (&'static str, Option<&'static str>, With)> {
    OPTIONS.into_iter().chain(MORE)
}

#[test]
fn every_option_is_applied_or_refused() {
    let cli = Cli::command();
    let explore = cli.find_subcommand("explore").unwrap();
    let known: BTreeSet<&str> = all().map(|(id, ..)| id).collect();
    let arguments = explore.get_arguments().map(|arg| arg.get_id().as_str());
    let others = ["recording", "resume", "help"];
    let arguments: BTreeSet<&str> = arguments.filter(|id| !others.contains(id)).collect();
    assert_eq!(known, arguments, "say here what becomes of an option");
}

#[test]
fn what_would_make_it_another_exploration_is_refused_by_name() {
    for (id, value, with) in all() {
        let option = match id {
            "name" => Vec::new(),
            other => vec![format!("--{}", other.replace('_', "-"))],
        };
        let given: Vec<String> = option
            .into_iter()
            .chain(value.map(str::to_string))
            .collect();
        for (mode, is_applied) in [
            ("--recording", with != With::Neither),
            ("--resume", with == With::Both),
        ] {
            let words = ["powercut", "explore", mode, "d"].map(str::to_string);
            let parsed = Cli::try_parse_from(words.iter().chain(&given));
            match parsed {
                Ok(_) => assert!(is_applied, "{mode} ignores {given:?}"),
                Err(error) => {
                    assert!(!is_applied, "{mode} refuses {given:?}: {error}");
                    assert_eq!(error.kind(), ErrorKind::ArgumentConflict, "{error}");
                    let name = given.first().unwrap();
                    let named = error.to_string();
                    assert!(id == "name" || named.contains(name.as_str()), "{named}");
                }
            }
        }
    }
}
