// SPDX-License-Identifier: GPL-2.0

use clap::Parser;
use powercut_engine::recording::testing::History;

use super::*;
use crate::args::{Cli, Command};
use crate::report::testing::report;
use crate::report::Saved;

/// A report whose check mounts ext4 and runs a fsck.
fn saved() -> tempfile::TempDir {
    let recording = History::new().write(0, "a").done();
    let mut report = report(&recording);
    report.examination = Examination {
        check: "./check".into(),
        resident: false,
        truths: None,
        fsck: Some("./fsck".into()),
        mount: MountSpec::parse("ext4").unwrap(),
        cleanup: None,
        view_faults: Vec::new(),
        timeout_ms: 1000,
        mount_timeout_ms: 1000,
    };
    let dir = tempfile::tempdir().unwrap();
    Saved::at(dir.path())
        .write(&report, std::io::empty())
        .unwrap();
    dir
}

fn examination(more: &[&str]) -> Examination {
    let dir = saved();
    let dir = dir.path().to_str().unwrap();
    let words = ["powercut", "explore", "--recording", dir];
    let cli = Cli::try_parse_from(words.iter().chain(more)).unwrap();
    let Command::Explore(args) = cli.command else {
        panic!("not explore");
    };
    Explore::new(*args).unwrap().examination
}

/// An option, and whether it is there in an examination.
type Applied = (&'static [&'static str], fn(&Examination) -> bool);

#[test]
fn what_is_given_with_a_recording_is_in_place_of_what_its_report_says() {
    let cases: [Applied; 7] = [
        (&["--mount", "none"], |what| what.mount.is_none()),
        (&["--mount", "xfs"], |what| {
            what.mount.as_ref().is_some_and(|mount| mount.fs == "xfs")
        }),
        (&["--fsck", "./other"], |what| {
            what.fsck.as_deref() == Some("./other")
        }),
        (&["--cleanup", "./stop"], |what| {
            what.cleanup.as_deref() == Some("./stop")
        }),
        (&["--check-timeout", "7s"], |what| what.timeout_ms == 7000),
        (&["--mount-timeout", "7s"], |what| {
            what.mount_timeout_ms == 7000
        }),
        (&["--view-fault", "eio"], |what| what.view_faults == ["eio"]),
    ];
    let reported = examination(&[]);
    assert_eq!(reported.fsck.as_deref(), Some("./fsck"));
    for (option, is_applied) in cases {
        assert!(!is_applied(&reported), "{option:?}");
        let what = examination(option);
        assert!(is_applied(&what), "{option:?}");
        assert_eq!(what.check, "./check", "{option:?}");
    }
}

#[test]
fn what_is_mounted_as_a_whole_has_no_partitions() {
    for (options, partscan) in [
        (&["--fs", "ext4"][..], false),
        (&["--fs", "none"], true),
        (&["--fs", "ext4", "--disks", "data:64M,log:16M"], true),
    ] {
        let words = ["powercut", "run", "--workload", "./w", "--check", "./c"];
        let cli = Cli::try_parse_from(words.iter().chain(options)).unwrap();
        let Command::Run(command) = cli.command else {
            panic!("not run");
        };
        let settings = Run::new(command.one_case()).unwrap().settings;
        assert_eq!(settings.partscan, partscan, "{options:?}");
    }
}

#[test]
fn another_check_takes_nothing_from_the_report() {
    let what = examination(&["--check", "./other"]);
    assert_eq!(
        (what.check.as_str(), what.fsck, what.mount),
        ("./other", None, None)
    );
    assert_eq!(what.timeout_ms, 60_000);
}
