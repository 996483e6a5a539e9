// SPDX-License-Identifier: GPL-2.0

use std::path::PathBuf;

use powercut_engine::budget::Budget;

use super::*;

fn load_text(text: &str, given: &[&str]) -> Result<Vec<Case>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cases.toml");
    std::fs::write(&path, text).unwrap();
    let given: Vec<OsString> = given.iter().map(OsString::from).collect();
    let common = Common {
        given: &given,
        report: Path::new("reports"),
        json: false,
    };
    load(&path, common)
}

const TWO: &str = r#"
[defaults]
fs = "ext4"
check = "./check"
budget = 50
jobs = 2

[[case]]
name = "wal"
workload = "./workload wal"
size = "32M"
fault = ["lost lba=0-7", "flush-lies"]

[[case]]
name = "control"
expect = "violations"
workload = "./workload careless"
fs = "xfs"
budget = "90s"
stop-on-first = true
"#;

#[test]
fn a_case_has_its_own_keys_and_the_defaults() {
    let cases = load_text(TWO, &[]).unwrap();
    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names, ["wal", "control"]);
    let (wal, control) = (&cases[0], &cases[1]);
    assert_eq!(
        (wal.expect, control.expect),
        (Expect::Clean, Expect::Violations)
    );
    assert_eq!((wal.run.fs.name(), control.run.fs.name()), ("ext4", "xfs"));
    assert_eq!(wal.run.workload, "./workload wal");
    assert_eq!(control.run.examination.check, "./check");
    assert_eq!(wal.run.settings.size_mib, 32);
    assert_eq!(wal.run.faults.len(), 2);
    assert_eq!(wal.run.plan.budget, Budget::States(50));
    let seconds = std::time::Duration::from_secs(90);
    assert_eq!(control.run.plan.budget, Budget::Time(seconds));
    assert_eq!(
        (wal.run.plan.max_violations, control.run.plan.max_violations),
        (None, Some(1))
    );
    assert_eq!(wal.run.reporting.jobs, Some(2));
    assert_eq!(wal.run.reporting.case, "wal");
    let report = wal.run.reporting.report.clone();
    assert_eq!(report, Some(PathBuf::from("reports/wal")));
    assert_eq!((wal.report(), wal.line), (Path::new("reports/wal"), 8));
    assert_eq!(wal.run.reporting.format, Format::Case);
}

#[test]
fn what_is_given_on_the_command_line_goes_before_the_file() {
    let cases = load_text(TWO, &["--budget=7", "--fs=btrfs"]).unwrap();
    for case in &cases {
        assert_eq!(
            (case.run.fs.name(), case.run.plan.budget),
            ("btrfs", Budget::States(7))
        );
    }
}

#[test]
fn cases_are_selected_by_name() {
    let select_names = |only: &[&str]| {
        let only: Vec<String> = only.iter().map(ToString::to_string).collect();
        let cases = select(load_text(TWO, &[]).unwrap(), &only)?;
        Ok::<_, anyhow::Error>(cases.into_iter().map(|case| case.name).collect::<Vec<_>>())
    };
    assert_eq!(select_names(&[]).unwrap(), ["wal", "control"]);
    assert_eq!(select_names(&["control"]).unwrap(), ["control"]);
    let error = select_names(&["wall"]).unwrap_err().to_string();
    assert_eq!(
        error,
        "--only wall: there is no such case, but wal, control"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let case = "[[case]]\nname = \"a\"\nfs = \"ext4\"\nworkload = \"w\"\ncheck = \"c\"\n";
    for (text, says) in [
        ("", "there is no [[case]]"),
        ("[defaults]\nfs = \"ext4\"\n", "there is no [[case]]"),
        ("[default]\n", "1:2: unknown field `default`"),
        ("case = 3\n", "1:8: invalid type"),
        ("[[case]\n", "1:"),
        ("[[case]]\nfs = \"ext4\"\n", "1:1: a case needs a name"),
        ("[[case]]\nname = 3\n", "2:8: name is an integer"),
        (
            "[[case]]\nname = \"a/b\"\n",
            "2:8: name = \"a/b\": give letters",
        ),
        (
            "[[case]]\nname = \"..\"\n",
            "2:8: name = \"..\": give letters",
        ),
        (
            "[[case]]\nname = \"a\"\n",
            "1:1: case \"a\": fs, workload, check is missing",
        ),
        ("{case}{case}", "7:8: there are two cases \"a\""),
        ("{case}{case}name = \"b\"\n", "11:1: duplicate key"),
        (
            "{case}bugdet = 3\n",
            "6:1: unknown key bugdet: did you mean budget?",
        ),
        (
            "{case}mount_opts = \"ro\"\n",
            "6:1: unknown key mount_opts: did you mean mount-opts?",
        ),
        (
            "{case}xyzzy = 3\n",
            "6:1: unknown key xyzzy: keys are the long options",
        ),
        ("{case}config = \"f\"\n", "6:1: unknown key config"),
        ("{case}report = \"d\"\n", "6:1: report is not a case's own"),
        (
            "{case}expect = \"bugs\"\n",
            "6:10: expect = \"bugs\": give \"clean\" or",
        ),
        ("{case}expect = true\n", "6:10: expect is a boolean"),
        (
            "{case}budget = 1.5\n",
            "6:10: budget is a float: give a string or an integer",
        ),
        ("{case}budget = \"soon\"\n", "6:10: case \"a\": --budget"),
        ("{case}budget = 0\n", "6:10: case \"a\": --budget"),
        ("{case}size = -1\n", "6:8: case \"a\": --size"),
        ("{case}jobs = 65\n", "6:8: case \"a\": --jobs 65"),
        (
            "{case}jobs = \"x\"\n",
            "6:8: case \"a\": invalid value 'x' for '--jobs <N>'",
        ),
        (
            "{case}strategy = \"luck\"\n",
            "6:12: case \"a\": invalid value 'luck' for '--strategy",
        ),
        (
            "{case}setup = 5\n",
            "6:9: setup is an integer: give a command as a string",
        ),
        (
            "{case}stop-on-first = \"yes\"\n",
            "6:17: stop-on-first is a string: give true or false",
        ),
        (
            "{case}write-cache = true\n",
            "6:15: write-cache is a boolean",
        ),
        ("{case}size = [\"1M\"]\n", "6:8: size is an array"),
        ("{case}fault = \"nonsense\"\n", "6:9: case \"a\": --fault"),
        ("{case}fault = [3]\n", "6:9: fault is an integer"),
        (
            "[defaults]\nname = \"a\"\n{case}",
            "2:1: name is for a [[case]]",
        ),
        ("[defaults]\njobs = 0\n{case}", "2:8: case \"a\": --jobs 0"),
    ] {
        let text = text.replace("{case}", case);
        let error = match load_text(&text, &[]) {
            Ok(_) => panic!("accepted: {text}"),
            Err(e) => e.to_string(),
        };
        let place = error
            .split_once("cases.toml:")
            .map(|(_, rest)| rest.trim_start());
        let place = place.unwrap_or_else(|| panic!("{text}\n{error}"));
        assert!(place.starts_with(says), "{text}\n{error}\nand not {says}");
    }
}

#[test]
fn all_that_a_case_may_not_have_are_options() {
    use crate::args::{case_command, NOT_OF_A_CASE};
    let command = case_command();
    for name in NOT_OF_A_CASE {
        assert!(
            command
                .get_arguments()
                .any(|arg| arg.get_long() == Some(name)),
            "{name}"
        );
    }
}
