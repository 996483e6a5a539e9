// SPDX-License-Identifier: GPL-2.0

//! powercut.toml of a repository.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use powercut_cli::config::{load, Common, FILE};

use super::{texts, with_dir, Target};

pub const SUITE: Target = Target {
    name: "suite",
    run: suite,
    seeds: || {
        texts(&[
            "[defaults]\nfs = \"ext4\"\ncheck = \"./check\"\nbudget = 50\njobs = 2\n\n[[case]]\nname = \"wal\"\n\
             workload = \"./workload wal\"\nsize = \"32M\"\nfault = [\"lost lba=0-7\", \"flush-lies\"]\n\n[[case]]\n\
             name = \"control\"\nexpect = \"violations\"\nworkload = \"./workload careless\"\nfs = \"xfs\"\n\
             budget = \"90s\"\nstop-on-first = true\n",
            "[[case]]\nname = \"x\"\nfs = \"none\"\nworkload = '''a\nb'''\nresident = \"true\"\ndepth = 2\n\
             completion = \"delayed:random:1-9,7\"\ntear = \"prefix\"\nmount-timeout = \"1m\"\n",
        ])
    },
    words: &[
        "[[case]]\n",
        "[defaults]\n",
        "name = ",
        "expect = ",
        "fs = ",
        "workload = ",
        "check = ",
        "fault = [",
        "]",
        "\"",
        "'''",
        "true",
        "false",
        "1.5",
        "1979-05-27",
        "\\u0000",
        "size",
        "budget",
        "jobs",
        "depth",
        "help",
        "report",
        "case",
        "group",
        "mount-opts",
        "--",
        "=",
        "\n",
        "seed",
        "shard",
        "marks",
    ],
    inputs: 2000,
};

fn suite(input: &[u8]) {
    with_dir(|dir| {
        let path = dir.join(FILE);
        fs::write(&path, input).expect("room for a file");
        let common = Common {
            given: &[],
            report: Path::new("reports"),
            json: false,
        };
        match load(&path, common) {
            Ok(cases) => {
                let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
                assert_eq!(names.len(), cases.len());
                for case in &cases {
                    assert_eq!(case.report().parent(), Some(Path::new("reports")));
                }
            }
            Err(e) => assert!(format!("{e:#}").contains(FILE), "{e:#} names no file"),
        }
    });
}
