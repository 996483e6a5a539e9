// SPDX-License-Identifier: GPL-2.0

//! What is typed wrong ends with status 2 and a line that says what to do.

use assert_cmd::Command;
use predicates::str::contains;

fn powercut(args: &[&str]) -> assert_cmd::assert::Assert {
    Command::cargo_bin("powercut")
        .expect("the binary")
        .args(args)
        .assert()
}

fn refused(args: &[&str], says: &'static str) {
    powercut(args).code(2).stderr(contains(says));
}

#[test]
fn help_and_version() {
    powercut(&["--help"])
        .success()
        .stdout(contains("Exit status"));
    powercut(&["--version"])
        .success()
        .stdout(contains("powercut"));
    refused(&[], "Usage");
    refused(&["frobnicate"], "unrecognized subcommand");
}

#[test]
fn sizes() {
    for size in ["0", "-1", "x", "1.5G", ""] {
        refused(&["create", "a", "--size", size], "--size");
    }
    refused(&["create", "a", "--size", "17T"], "16 TiB");
    refused(&["create", "a", "--size", "1025K"], "MiB");
}

#[test]
fn names() {
    refused(&["create", ""], "empty");
    refused(&["create", "a/b"], "'/'");
    refused(&["create", "a!b"], "'!'");
    refused(&["create", &"x".repeat(23)], "too long");
    refused(&["remove", "a.b.c"], "'.'");
    refused(&["remove"], "<NAME>");
    refused(&["remove", "a", "--stale"], "cannot be used with");
}

#[test]
fn settings() {
    refused(&["create", "a", "--block-size", "1024"], "512 or 4096");
    refused(&["create", "a", "--atomic-unit", "5000"], "power of two");
    refused(&["create", "a", "--atomic-unit", "512"], "block size");
    let no_cache = ["create", "a", "--write-cache", "off", "--fua", "on"];
    refused(&no_cache, "--write-cache on");
    for completion in [
        "late",
        "delayed",
        "delayed:",
        "delayed:-1",
        "delayed:10000001",
        "delayed:random:5",
        "delayed:random:5-3,1",
        "delayed:random:1-3",
        "delayed:random:1-3,x",
    ] {
        let args = ["create", "a", "--completion", completion];
        refused(&args, "delayed:random:MIN-MAX,SEED");
    }
}

#[test]
fn cuts() {
    refused(&["cut", "a", "--after", "now"], "writes:N");
    refused(&["cut", "a", "--after", "mark:"], "empty");
    refused(&["cut", "a", "--on", "5-6"], "lba:2048-4095");
    refused(&["cut", "a", "--mode", "off"], "eio");
    refused(&["cut", "a", "--disarm", "--wait"], "--wait");
    refused(&["restore", "a", "--keep", "some"], "none, all, seed:S");
    refused(&["restore", "a", "--keep", "seed:x"], "seed:7");
}

#[test]
fn marks() {
    refused(&["mark", "a", ""], "empty");
    refused(&["mark", "a", "two\nlines"], "one line");
    refused(&["mark", "a", &"x".repeat(1025)], "1024");
}

#[test]
fn runs() {
    let run = |more: &[&'static str], says: &'static str| {
        let basic = ["run", "--workload", "true", "--check", "true"];
        refused(&[&basic, more].concat(), says);
    };
    run(&["--fs", "ext4,ro"], "options go to --mount-opts");
    run(&["--fs", "none", "--mount-opts", "ro"], "--fs none");
    run(&["--fs", "ext4", "--budget", "0"], "--budget");
    run(&["--fs", "ext4", "--budget", "-5"], "--budget");
    run(&["--fs", "ext4", "--check-timeout", "0"], "--check-timeout");
    run(&["--fs", "ext4", "--strategy", "luck"], "keep-one");
    refused(
        &["run", "--fs", "ext4", "--workload", " ", "--check", "true"],
        "--workload is empty",
    );
}

#[test]
fn replays() {
    refused(&["replay", "5f0c2a19"], "is not a state id");
    let nowhere = [
        "replay",
        "5f0c2a19:k=1:keep=none",
        "--report",
        "/nonexistent",
    ];
    refused(&nowhere, "--report DIR");
    refused(
        &["replay", "5f0c2a19:k=1:keep=none", "--disk", "a"],
        "--check",
    );
}

#[test]
fn minimizes_and_lints() {
    refused(&["minimize", "5f0c2a19"], "is not a state id");
    let nowhere = ["minimize", "5f0c2a19:k=1:keep=none", "--report", "/none"];
    refused(&nowhere, "--report DIR");
    let few = ["minimize", "5f0c2a19:k=1:keep=none", "--budget", "2"];
    refused(&few, "--budget 2");
    refused(&["lint", "--report", "/none"], "cannot read /none");
    refused(&["lint", "a", "--report", "/none"], "cannot be used with");
}

#[test]
fn rates() {
    refused(&["rate"], "NAME");
    refused(&["rate", "a"], "--check");
    refused(&["rate", "a", "--check", " "], "--check is empty");
    refused(&["rate", "--recording", "/none"], "cannot read /none");
    for limit in ["--budget", "--most"] {
        refused(
            &["rate", "a", "--check", "true", limit, "0"],
            "0 looks at nothing",
        );
    }
}

#[test]
fn completions_and_man_pages() {
    for shell in ["bash", "zsh", "fish"] {
        powercut(&["completions", shell])
            .success()
            .stdout(contains("minimize"));
    }
    refused(&["completions", "tcsh"], "fish");
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("its name");
    powercut(&["man", path]).success();
    let page = std::fs::read_to_string(dir.path().join("powercut-run.1")).expect("a page");
    assert!(page.contains("\\-\\-workload"));
    assert!(dir.path().join("powercut.1").exists());
}

#[test]
fn plans() {
    let explore = |more: &[&'static str], says| {
        let mut args = vec!["explore", "a", "--check", "true"];
        args.extend(more);
        refused(&args, says);
    };
    for shard in ["0/3", "4/3", "1", "1/0", "a/b", ""] {
        explore(&["--shard", shard], "I/N");
    }
    explore(&["--jobs", "0"], "--jobs 0");
    explore(&["--jobs", "65"], "1 to 64");
    explore(&["--budget", "0"], "--budget");
    explore(&["--budget", "soon"], "none");
    explore(&["--strategy", "best"], "possible values");
    explore(&["--resume", "x"], "cannot be used");
    for option in ["--depth", "--seed", "--recovery-budget"] {
        refused(&["explore", "--resume", "x", option, "2"], option);
    }
    refused(&["explore"], "required");
    refused(&["explore", "--resume", "/no/such"], "/no/such");
    refused(&["merge"], "required");
    refused(&["merge", "/no/such"], "/no/such");
    let run = [
        "run",
        "--fs",
        "ext4",
        "--workload",
        "true",
        "--check",
        "true",
    ];
    let run: Vec<&str> = run.into_iter().chain(["--shard", "1/2"]).collect();
    refused(&run, "--record-only");
}

#[test]
fn help_is_in_groups_and_short_help_is_short() {
    for args in [&[][..], &["--help"]] {
        let help = Command::cargo_bin("powercut")
            .expect("the binary")
            .args(args)
            .assert();
        let help = if args.is_empty() {
            help.code(2).stderr(contains("Try software:"))
        } else {
            help.success()
                .stdout(contains("Look at records and reports:"))
        };
        drop(help);
    }
    for command in ["run", "explore"] {
        let lines = |option: &str| {
            let done = powercut(&[command, option]).success();
            String::from_utf8_lossy(&done.get_output().stdout)
                .lines()
                .count()
        };
        assert!(lines("-h") < 50 && lines("--help") > 80, "{command}");
        let mut help = powercut(&[command, "--help"]).success();
        for heading in [
            "Disk:",
            "Filesystem:",
            "Workload:",
            "Record:",
            "Check:",
            "States to look at:",
            "Limits:",
            "Output:",
            "Exit status:",
        ] {
            let is_of = match heading {
                "Disk:" | "Filesystem:" | "Workload:" => command == "run",
                "Record:" => command == "explore",
                _ => true,
            };
            if is_of {
                help = help.stdout(contains(heading));
            }
        }
    }
}

/// `powercut run` in a directory with a file of cases.
fn suite(file: &str, args: &[&str]) -> assert_cmd::assert::Assert {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("powercut.toml"), file).expect("a file");
    Command::cargo_bin("powercut")
        .expect("the binary")
        .current_dir(dir.path())
        .arg("run")
        .args(args)
        .assert()
}

#[test]
fn a_file_of_cases_is_checked_before_anything_is_run() {
    let case = "[[case]]\nname = \"a\"\nfs = \"ext4\"\nworkload = \"true\"\ncheck = \"true\"\n";
    let wrong = format!("{case}bugdet = 3\n");
    for (file, args, says) in [
        (
            wrong.as_str(),
            &[][..],
            "powercut.toml:6:1: unknown key bugdet: did you mean budget?",
        ),
        (
            case,
            &["--only", "b"],
            "--only b: there is no such case, but a",
        ),
        (case, &["--html", "f"], "--html is for one case"),
        (case, &["--case", "f"], "--case is for one case"),
        (case, &["--record-only"], "--record-only is for one case"),
        (case, &["--budget", "soon"], "--budget"),
        (case, &["--deadline", "soon"], "--deadline"),
        (case, &["--config", "other.toml"], "cannot read other.toml"),
        (case, &["--fs", "ext4,ro"], "options go to --mount-opts"),
        (case, &["--workload", "true"], "--fs <FS>"),
        ("", &[], "there is no [[case]]"),
    ] {
        suite(file, args).code(2).stderr(contains(says));
    }
    let one = ["--fs", "ext4", "--workload", "true", "--check", "true"];
    suite(case, &[&one[..], &["--only", "a"]].concat())
        .code(2)
        .stderr(contains("--config FILE"));
    suite(case, &[&one[..], &["--dry-run", "--record-only"]].concat())
        .code(2)
        .stderr(contains("give one of them"));
}

#[test]
fn formats_of_other_tools() {
    refused(&["import", "log"], "<NAME>");
    refused(&["import", "--format", "tar", "log"], "log-writes");
    refused(
        &["import", "a", "log", "--base", "image"],
        "cannot be used with",
    );
    refused(
        &["import", "--format", "log-writes", "a", "log"],
        "cannot be used with",
    );
    let import = ["import", "--format", "log-writes", "/none"];
    refused(&import, "cannot read /none");
    refused(
        &["import", "--format", "log-writes", "/dev/null", "-o", "x"],
        "a file or a block device",
    );
    refused(&[&import[..], &["--size", "x"]].concat(), "--size");
    refused(&["export", "a", "b", "--base", "image"], "--format");
    let export = ["export", "--format", "log-writes", "/none/r", "/none/log"];
    refused(&export, "cannot read /none/r");
}
