// SPDX-License-Identifier: GPL-2.0

//! A test, built step by step.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{bail, Context, Result};

use crate::command::{quoted, Runner};
use crate::disk::{Checked, Recorded};
use crate::report::Report;
use crate::role::{Role, VARIABLE};

type Workload<'t> = Box<dyn FnOnce(&Recorded) -> Result<()> + 't>;
type Check<'t> = Box<dyn FnOnce(&Checked) -> Result<()> + 't>;

/// A crash test. The crate's documentation has an example.
#[must_use = "nothing is tested without assert_crash_safe()"]
pub struct CrashTest<'t> {
    name: String,
    arguments: Vec<(String, String)>,
    report: Option<PathBuf>,
    workload: Option<Workload<'t>>,
    check: Option<Check<'t>>,
}

impl<'t> CrashTest<'t> {
    /// `name` is that of the test function as `cargo test` prints it: `module::function`.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            arguments: Vec::new(),
            report: None,
            workload: None,
            check: None,
        }
    }

    /// The filesystem: ext4 if nothing is said.
    pub fn fs(self, fs: &str) -> Self {
        self.option("fs", fs)
    }

    /// The size of the disk, such as `64M`.
    pub fn size(self, size: &str) -> Self {
        self.option("size", size)
    }

    /// How many states are looked at: 300 if nothing is said.
    pub fn budget(self, states: u64) -> Self {
        self.option("budget", &states.to_string())
    }

    /// Any other option of `powercut run`, without its dashes: `option("strategy", "exhaustive")`.
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.arguments.push((name.into(), value.into()));
        self
    }

    /// Where the report goes, and stays. Without it, it goes to a new temporary directory, and
    /// stays if there are violations.
    pub fn report(mut self, dir: impl Into<PathBuf>) -> Self {
        self.report = Some(dir.into());
        self
    }

    /// What is recorded.
    pub fn workload(mut self, workload: impl FnOnce(&Recorded) -> Result<()> + 't) -> Self {
        self.workload = Some(Box::new(workload));
        self
    }

    /// What looks at a state. A panic, an error and an exit status but 0 are violations.
    pub fn check(mut self, check: impl FnOnce(&Checked) -> Result<()> + 't) -> Self {
        self.check = Some(Box::new(check));
        self
    }

    /// Runs the test.
    ///
    /// # Panics
    ///
    /// If a state violates the check, or it could not be found out whether one does.
    pub fn assert_crash_safe(self) {
        match self.run() {
            Ok(None) => {}
            Ok(Some(told)) => panic!("{told}"),
            Err(e) => panic!("could not be found out: {e:#}"),
        }
    }

    /// Runs the test, which has to fail: a control, which shows that the check would notice.
    ///
    /// # Panics
    ///
    /// If no state violates the check, or it could not be found out.
    pub fn assert_violations(self) {
        match self.run() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("no violation was found"),
            Err(e) => panic!("could not be found out: {e:#}"),
        }
    }

    /// What is told of the violations, if there are any.
    fn run(self) -> Result<Option<String>> {
        let (Some(workload), Some(check)) = (self.workload, self.check) else {
            bail!("a crash test has a workload and a check");
        };
        match Role::in_test(&self.name) {
            Role::Workload => end(workload(&Recorded::of_this_process())),
            Role::Check => end(check(&Checked::of_this_process())),
            Role::Test => explore(&self.name, &self.arguments, self.report.as_deref()),
        }
    }
}

/// Ends a process that plays a part.
fn end(result: Result<()>) -> ! {
    let status = match result {
        Ok(()) => 0,
        Err(e) => {
            // It fails with or without these words.
            let _ = writeln!(std::io::stderr(), "{e:#}");
            1
        }
    };
    process::exit(status)
}

/// How this test is run again in a role.
fn again(name: &str, role: Role) -> Result<String> {
    let program = env::current_exe().context("cannot tell which program this is")?;
    let told = role.told(name).unwrap_or_default();
    let told = quoted(Path::new(&told));
    let program = quoted(&program);
    let name = quoted(Path::new(name));
    // What the test harness says of itself is of no interest.
    Ok(format!(
        "{VARIABLE}={told} exec {program} --exact {name} --include-ignored --nocapture >/dev/null"
    ))
}

fn explore(
    name: &str,
    options: &[(String, String)],
    report: Option<&Path>,
) -> Result<Option<String>> {
    let runner = Runner::find()?;
    let temporary = tempfile::Builder::new().prefix("powercut-test").tempdir()?;
    let dir = match report {
        Some(dir) => {
            std::fs::create_dir_all(dir)?;
            dir.canonicalize()?
        }
        None => temporary.path().into(),
    };
    let mut arguments = vec!["run".to_string()];
    for (option, value) in options {
        arguments.extend([format!("--{option}"), value.clone()]);
    }
    if !options.iter().any(|(option, _)| option == "fs") {
        arguments.extend(["--fs".into(), "ext4".into()]);
    }
    arguments.extend([
        "--workload".into(),
        again(name, Role::Workload)?,
        "--check".into(),
        again(name, Role::Check)?,
        "--report".into(),
        runner.dir(&dir).to_string_lossy().into_owned(),
        "--json".into(),
    ]);
    let done = runner.run(&arguments, &dir)?;
    let said = String::from_utf8_lossy(&done.stderr);
    let read = serde_json::from_slice::<Report>(&done.stdout);
    match done.status.code() {
        Some(0) => {
            let report = read.context("cannot read the report")?;
            let states = report.coverage.checked + report.coverage.skipped;
            if states == 0 {
                bail!("no state was examined");
            }
            Ok(None)
        }
        Some(1) => {
            let told = read
                .context("cannot read the report")?
                .told(&runner.replay(&dir));
            // The report stays, as what was told needs it.
            let _ = temporary.keep();
            Ok(Some(told))
        }
        _ => {
            let errors = read.map(|report| report.errors.join("\n"));
            bail!(
                "powercut: {}\n{}\n{said}",
                done.status,
                errors.unwrap_or_default()
            )
        }
    }
}
