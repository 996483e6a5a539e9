// SPDX-License-Identifier: GPL-2.0

//! What was found, each sort once: which finding a program belongs to, and the files of one.

use std::fs::{self, File};
use std::io::{self, Seek};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use powercut_programs::alike::contains;
use powercut_programs::level::Level;
use powercut_programs::op::Op;
use powercut_programs::program::Program;
use powercut_programs::render::{c, comment, script, xfstest};
use powercut_programs::trace::Trace;

use crate::options::Known;
use crate::report::{FuzzFinding, Fuzzing, FUZZING_FILE};

/// What `docs/findings` has of Linux 7.3. Each is the report of a filesystem held to a level.
const OF_LINUX: [&str; 7] = [
    include_str!("../../../../../docs/findings/btrfs/fuzz.json"),
    include_str!("../../../../../docs/findings/exfat/fuzz.json"),
    include_str!("../../../../../docs/findings/ext4-fast-commit/fuzz.json"),
    include_str!("../../../../../docs/findings/f2fs/fuzz.json"),
    include_str!("../../../../../docs/findings/nilfs2/fuzz.json"),
    include_str!("../../../../../docs/findings/vfat/fuzz.json"),
    include_str!("../../../../../docs/findings/xfs/fuzz.json"),
];

/// The findings so far, those of earlier reports included.
#[derive(Default)]
pub struct Findings {
    all: Vec<FuzzFinding>,
}

impl Findings {
    /// With those that are known of a filesystem which is held to a level: of Linux, if they are wanted, and of earlier
    /// reports.
    pub fn known(known: &Known, filesystem: &str, level: Level) -> Result<Self> {
        let mut findings = Self::default();
        for text in OF_LINUX.iter().filter(|_| known.of_linux) {
            let fuzzing: Fuzzing = serde_json::from_str(text).context("docs/findings")?;
            if fuzzing.fs == filesystem && fuzzing.level == level.to_string() {
                findings.add_known(fuzzing);
            }
        }
        for dir in &known.dirs {
            let path = dir.join(FUZZING_FILE);
            let failed = || {
                format!(
                    "cannot read {}: --known takes the directory of a report of `powercut fuzz`, or none",
                    path.display()
                )
            };
            let text = fs::read_to_string(&path).with_context(failed)?;
            findings.add_known(serde_json::from_str(&text).with_context(failed)?);
        }
        Ok(findings)
    }

    fn add_known(&mut self, fuzzing: Fuzzing) {
        let known = fuzzing.findings.into_iter().map(|finding| FuzzFinding {
            is_known: true,
            duplicates: 0,
            ..finding
        });
        self.all.extend(known);
    }

    /// Counts a program as one more of a finding, if it breaks the same rule and has its operations in
    /// it, in their order, on paths that have to do with each other as its own do.
    pub fn count(&mut self, rule: &str, program: &Program) -> bool {
        let found = self.all.iter_mut().find(|finding| {
            finding.rule == rule && of(finding).is_some_and(|least| contains(&program.ops, &least))
        });
        if let Some(finding) = found {
            finding.duplicates += 1;
            return true;
        }
        false
    }

    /// Adds a new one; its number.
    pub fn add(&mut self, finding: FuzzFinding) -> usize {
        let number = self.new_ones() + 1;
        self.all.push(FuzzFinding { number, ..finding });
        number
    }

    /// How many are not known.
    pub fn new_ones(&self) -> usize {
        self.all.iter().filter(|finding| !finding.is_known).count()
    }

    /// Those of this run: the new ones, and the known ones that were met.
    pub fn met(&self) -> Vec<FuzzFinding> {
        let met = self.all.iter().filter(|f| !f.is_known || f.duplicates > 0);
        met.cloned().collect()
    }
}

/// The name of the record in a finding's directory.
pub const RECORD_FILE: &str = "recording.pcut";

/// The record of a program that did not fail again.
pub fn save_record(dir: &Path, record: &mut File) -> Result<()> {
    let path = dir.join(RECORD_FILE);
    record
        .rewind()
        .and_then(|()| io::copy(record, &mut File::create(&path)?))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

/// The files of a program: itself, what it did, and itself for people. Where its trace is.
pub fn save(dir: &Path, program: &Program, trace: &Trace, problem: &str) -> Result<PathBuf> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let files = [
        ("program.txt", format!("{}{program}", comment(problem))),
        ("program.sh", script(program)),
        ("program.c", c(program)),
        ("xfstest", xfstest(program, problem)),
        ("trace.json", serde_json::to_string(trace)?),
    ];
    for (name, text) in files {
        let path = dir.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let path = dir.join("trace.json");
    path.canonicalize()
        .with_context(|| format!("cannot find {}", path.display()))
}

/// The operations of a finding; none if there are none, or one is unknown here: it is like no program then.
fn of(finding: &FuzzFinding) -> Option<Vec<Op>> {
    let ops = finding.program.iter().map(|op| op.parse().ok());
    ops.collect::<Option<Vec<Op>>>()
        .filter(|ops| !ops.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{compress, Saved};
    use powercut_engine::recording::testing::History;
    use powercut_engine::recording::Recording;

    fn finding(rule: &str, ops: &[&str]) -> FuzzFinding {
        FuzzFinding {
            number: 0,
            rule: rule.into(),
            program: ops.iter().map(ToString::to_string).collect(),
            from: Vec::new(),
            program_number: 0,
            state: String::new(),
            text: String::new(),
            duplicates: 0,
            is_known: false,
            is_flaky: false,
            is_repeated: true,
        }
    }

    #[test]
    fn a_program_with_the_operations_of_a_finding_is_one_more_of_it() {
        let mut findings = Findings::default();
        assert_eq!(
            findings.add(finding("names", &["rename foo bar plain", "fsync bar"])),
            1
        );
        for (rule, text, is_it) in [
            (
                "names",
                "creat B/bar\nrename A/foo A/bar\nsync\nfsync A/bar",
                true,
            ),
            ("names", "fsync A\nrename A/foo bar", false),
            ("names", "rename A/foo foo exchange\nfsync A", false),
            ("data", "rename foo bar\nfsync bar", false),
        ] {
            assert_eq!(
                findings.count(rule, &text.parse().unwrap()),
                is_it,
                "{rule}: {text}"
            );
        }
        assert_eq!(findings.met()[0].duplicates, 1);
        assert_eq!(findings.add(finding("data", &["sync"])), 2);
    }

    #[test]
    fn what_is_known_of_linux_counts_for_its_filesystem_at_its_level() {
        let known = |of_linux, fs, level| {
            let known = Known {
                of_linux,
                dirs: Vec::new(),
            };
            Findings::known(&known, fs, level).unwrap()
        };
        for (of_linux, fs, level, rule, text, is_it) in [
            (
                true,
                "btrfs",
                Level::Linux,
                "atomic-rename",
                "mkdir C\nrename foo C/foo\nfsync C",
                true,
            ),
            (
                true,
                "btrfs",
                Level::Linux,
                "atomic-rename",
                "rename foo bar\ncreat foo\nfsync foo",
                false,
            ),
            (
                true,
                "btrfs",
                Level::Linux,
                "names",
                "rename A/foo A/bar whiteout\nfsync A/bar",
                true,
            ),
            (
                true,
                "xfs",
                Level::Ordered,
                "atomic-rename",
                "rename foo A/bar\nfsync A",
                false,
            ),
            (
                true,
                "ext4",
                Level::Linux,
                "names",
                "sync\ntmpfile bar\nfsync bar",
                true,
            ),
            (
                true,
                "ext4",
                Level::Ordered,
                "names",
                "sync\ntmpfile bar\nfsync bar",
                false,
            ),
            (
                false,
                "btrfs",
                Level::Linux,
                "atomic-rename",
                "rename foo A/bar\nfsync A",
                false,
            ),
        ] {
            let mut known = known(of_linux, fs, level);
            let is = known.count(rule, &text.parse().unwrap());
            assert_eq!(is, is_it, "{fs} at {level}: {text}");
            assert_eq!(known.new_ones(), 0);
        }
    }

    #[test]
    fn all_operations_of_what_is_known_of_linux_are_known_here() {
        for text in OF_LINUX {
            let fuzzing: Fuzzing = serde_json::from_str(text).unwrap();
            for finding in &fuzzing.findings {
                let program = &finding.program;
                assert!(of(finding).is_some(), "{}: {program:?}", fuzzing.fs);
            }
        }
    }

    #[test]
    fn a_finding_with_an_unknown_operation_is_like_no_program() {
        for program in [vec!["sync".to_owned(), "teleport foo".to_owned()], vec![]] {
            let mut fuzzing: Fuzzing = serde_json::from_str(OF_LINUX[0]).unwrap();
            fuzzing.findings.truncate(1);
            fuzzing.findings[0].program = program;
            let rule = fuzzing.findings[0].rule.clone();
            let mut findings = Findings::default();
            findings.add_known(fuzzing);
            assert!(!findings.count(&rule, &"creat bar\nsync".parse().unwrap()));
        }
    }

    #[test]
    fn what_is_known_can_be_given_as_a_directory() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/findings/btrfs");
        let given = |dirs: &[&str]| {
            let known = Known {
                of_linux: false,
                dirs: dirs.iter().map(PathBuf::from).collect(),
            };
            Findings::known(&known, "xfs", Level::Ordered)
        };
        let program = "rename foo A/bar\nfsync A".parse().unwrap();
        assert!(given(&[dir]).unwrap().count("atomic-rename", &program));
        assert!(given(&[dir, "nowhere"]).is_err());
    }

    #[test]
    fn the_record_of_a_finding_is_read_as_that_of_a_report() {
        let dir = tempfile::tempdir().unwrap();
        let recording = History::new().base(3, "z").write(1, "x").flush().stream();
        let mut file = tempfile::tempfile().unwrap();
        compress(&recording[..], &file).unwrap();
        save_record(dir.path(), &mut file).unwrap();
        let saved = Saved::at(dir.path()).recording().unwrap();
        assert_eq!(
            saved.written(),
            Recording::read(&recording[..]).unwrap().written()
        );
    }

    #[test]
    fn the_files_of_a_finding_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let program: Program = "creat bar\nfsync bar".parse().unwrap();
        let trace = Trace {
            level: powercut_programs::level::Level::Posix,
            has_fat: false,
            before: Default::default(),
            steps: Vec::new(),
        };
        let path = save(dir.path(), &program, &trace, "names: bar: it is gone\n").unwrap();
        let back: Trace = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(back, trace);
        let text = fs::read_to_string(dir.path().join("program.txt")).unwrap();
        assert!(text.starts_with("# names: bar: it is gone\n"), "{text}");
        assert_eq!(text.parse(), Ok(program));
    }
}
