// SPDX-License-Identifier: GPL-2.0

//! What `powercut fuzz` found, as its report keeps it.

use std::time::Duration;

use anyhow::Result;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde::{Deserialize, Serialize};

use super::junit::document;

/// The version of the format.
pub const FUZZING_SCHEMA: u32 = 1;

/// Its file in the directory of the report.
pub const FUZZING_FILE: &str = "fuzz.json";

/// All of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fuzzing {
    pub schema: u32,
    pub powercut: String,
    /// The release of the kernel.
    pub kernel: String,
    pub fs: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mkfs_opts: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mount_opts: String,
    /// What it was held to.
    pub level: String,
    /// Where the programs came from.
    pub programs: String,
    pub counts: FuzzCounts,
    pub findings: Vec<FuzzFinding>,
    /// What went wrong.
    pub errors: Vec<String>,
    pub seconds: f64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FuzzCounts {
    /// Programs whose states were judged.
    pub judged: u64,
    /// Of these, those of which every legal state has a verdict.
    pub exhausted: u64,
    /// Crash states looked at.
    pub runs: u64,
    /// Operations that were run, and those that failed.
    pub ops: u64,
    pub failed_ops: u64,
    /// The number of the program after the last.
    pub next: u64,
}

/// Programs that break a rule in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FuzzFinding {
    pub number: usize,
    /// The rule of docs/oracles.md, or mount, or fsck.
    pub rule: String,
    /// The fewest operations that still break it.
    pub program: Vec<String>,
    /// The program that was reduced, with its number.
    pub from: Vec<String>,
    pub program_number: u64,
    /// A state that shows it.
    pub state: String,
    /// What is wrong with it.
    pub text: String,
    /// How many more programs did the same, as far as their operations tell.
    pub duplicates: u64,
    /// It is in a report that was given as known.
    pub is_known: bool,
    /// Looked at again, the state was in order.
    pub is_flaky: bool,
    /// The program failed once more when it was run again. If not, it is not reduced.
    #[serde(default = "yes")]
    pub is_repeated: bool,
}

/// Reports that do not say had only those.
fn yes() -> bool {
    true
}

impl Fuzzing {
    /// Findings that are not known.
    pub fn new_findings(&self) -> impl Iterator<Item = &FuzzFinding> {
        self.findings.iter().filter(|finding| !finding.is_known)
    }
}

/// The JUnit XML: a test case for each finding, and one for all programs.
pub fn fuzzing_junit(fuzzing: &Fuzzing) -> Result<String> {
    let name = format!("fuzz {}", fuzzing.fs);
    let mut suite = TestSuite::new(name.as_str());
    let mut all = TestCase::new(
        format!(
            "{} programs, {} states",
            fuzzing.counts.judged, fuzzing.counts.runs
        ),
        TestCaseStatus::success(),
    );
    if !fuzzing.errors.is_empty() {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(fuzzing.errors.join("\n"));
        all.status = status;
    }
    suite.add_test_case(all);
    for finding in &fuzzing.findings {
        let mut status = if finding.is_known {
            TestCaseStatus::skipped()
        } else {
            TestCaseStatus::non_success(NonSuccessKind::Failure)
        };
        status.set_message(finding.text.clone());
        status.set_description(finding.program.join("\n"));
        let name = format!("{}: {}", finding.rule, finding.program.join("; "));
        suite.add_test_case(TestCase::new(name, status));
    }
    document([suite], Duration::from_secs_f64(fuzzing.seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_xml_has_a_case_for_each_finding() {
        let finding = |is_known| FuzzFinding {
            number: 1,
            rule: "names".into(),
            program: vec!["creat bar".into(), "fsync bar".into()],
            from: Vec::new(),
            program_number: 7,
            state: "1:k=2".into(),
            text: "bar: it is gone".into(),
            duplicates: 0,
            is_known,
            is_flaky: false,
            is_repeated: true,
        };
        let fuzzing = Fuzzing {
            schema: FUZZING_SCHEMA,
            powercut: "0".into(),
            kernel: "7.3".into(),
            fs: "ext4".into(),
            mkfs_opts: String::new(),
            mount_opts: String::new(),
            level: "ordered".into(),
            programs: "random".into(),
            counts: FuzzCounts::default(),
            findings: vec![finding(false), finding(true)],
            errors: vec!["it hangs".into()],
            seconds: 1.0,
        };
        let xml = fuzzing_junit(&fuzzing).unwrap();
        for part in [
            "tests=\"3\"",
            "failures=\"1\"",
            "errors=\"1\"",
            "skipped",
            "names: creat bar; fsync bar",
        ] {
            assert!(xml.contains(part), "{part}: {xml}");
        }
        assert_eq!(fuzzing.new_findings().count(), 1);
    }
}
