// SPDX-License-Identifier: GPL-2.0

//! `powercut run` with a file of cases: one after the other, with one table, one JUnit file and one
//! exit status over all.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{bail, Context, Result};
use quick_junit::TestSuite;
use serde::Serialize;

use super::conclude::write;
use super::github::{self, Sort, Told};
use super::run;
use crate::args::RunCommand;
use crate::config::{self, Case, Common, Expect, Outcome};
use crate::exit::Exit;
use crate::options;
use crate::output::{print, print_json, say};
use crate::report::github::Place;
use crate::report::{self, Report, Row, Saved, DEFAULT_DIR};
use crate::signals::{Interrupted, Signals};

/// What came of a case.
struct Done<'c> {
    case: &'c Case,
    outcome: Outcome,
    exit: Exit,
    report: Option<Report>,
    suite: TestSuite,
    /// Why there is no report.
    why: Option<String>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Printed<'p> {
    cases: Vec<PrintedCase<'p>>,
    /// The exit status.
    status: u8,
    errors: Vec<String>,
}

#[derive(Serialize)]
struct PrintedCase<'p> {
    name: &'p str,
    expect: Expect,
    outcome: Outcome,
    /// The exit status that it would have alone.
    status: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<&'p Report>,
}

/// One case, or those of a file.
pub fn command(command: &RunCommand) -> Result<Exit> {
    let default = Path::new(crate::config::FILE);
    match &command.suite.config {
        Some(path) => suite(command, path),
        None if !command.has("workload") && default.is_file() => suite(command, default),
        None => {
            let args = command.one_case();
            if !command.suite.only.is_empty() || command.suite.fail_fast {
                bail!("--only and --fail-fast are for the cases of a file: give --config FILE");
            }
            run::run(&options::Run::new(args)?)
        }
    }
}

/// Runs the cases of a file.
fn suite(command: &RunCommand, path: &Path) -> Result<Exit> {
    let began = Instant::now();
    let session = &command.session;
    for (name, given) in [
        ("html", session.html.is_some()),
        ("case", session.case.is_some()),
        ("record-only", command.has("record-only")),
    ] {
        if given {
            let path = path.display();
            bail!("--{name} is for one case: give --workload and --check for one, as {path} has several");
        }
    }
    // Those given here are of this directory; the cases are run in that of the file.
    let report = session.report.clone().unwrap_or(DEFAULT_DIR.into());
    let report = std::path::absolute(report).context("--report")?;
    let junit = session.junit.as_ref().map(std::path::absolute);
    let junit = junit.transpose().context("--junit")?;
    let given = &command.given;
    let common = Common {
        given,
        report: &report,
        json: session.json,
    };
    let cases = config::select(config::load(path, common)?, &command.suite.only)?;
    let signals = Signals::install_for(options::deadline(session)?)?;
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        std::env::set_current_dir(dir)
            .with_context(|| format!("cannot go to {}", dir.display()))?;
    }
    if session.dry_run {
        return dry_run(&cases, session.json, &signals);
    }
    let mut done = Vec::new();
    for (nr, case) in cases.iter().enumerate() {
        let has_failed = done
            .iter()
            .any(|d: &Done<'_>| d.outcome != Outcome::AsExpected);
        let skip = match signals.check() {
            Err(why) => Some(why.to_string()),
            Ok(()) if command.suite.fail_fast && has_failed => {
                Some("a case before it did not come out as expected (--fail-fast)".into())
            }
            Ok(()) => None,
        };
        done.push(match skip {
            Some(why) => Done::without(case, Exit::Undecided, format!("it was not run: {why}")),
            None => {
                say(format_args!(
                    "case {} of {}: {}",
                    nr + 1,
                    cases.len(),
                    case.name
                ));
                Done::by_running(case, &signals)
            }
        });
    }
    let all = All {
        done,
        path,
        junit,
        signal: signals.check().err(),
        began,
    };
    all.conclude(session.json)
}

impl<'c> Done<'c> {
    fn by_running(case: &'c Case, signals: &Signals) -> Self {
        let dir = case.report();
        let explored = forget(dir).and_then(|()| run::explore(&case.run, signals));
        let explored = match explored {
            Ok(explored) => explored,
            Err(error) => {
                let exit = Exit::of_error(&error);
                return Self::without(case, exit, format!("{error:#}"));
            }
        };
        let report = explored.report;
        let name = dir.display().to_string();
        Self {
            case,
            outcome: Outcome::of(case.expect, explored.exit),
            exit: explored.exit,
            suite: match case.expect {
                Expect::Clean => report::suite(&report, &explored.recording, &name),
                Expect::Violations => report::control(&report),
            },
            report: Some(report),
            why: None,
        }
    }

    fn without(case: &'c Case, exit: Exit, why: String) -> Self {
        Self {
            case,
            outcome: Outcome::Undecided,
            exit,
            report: None,
            suite: report::unexplored(&case.name, &why),
            why: Some(why),
        }
    }
}

/// Takes away the report of an earlier run, which could be taken for that of this one.
fn forget(dir: &Path) -> Result<()> {
    let forgotten = Saved::at(dir).forget();
    forgotten.with_context(|| format!("cannot remove the report in {}", dir.display()))
}

/// All cases, run or not.
struct All<'c> {
    done: Vec<Done<'c>>,
    path: &'c Path,
    junit: Option<PathBuf>,
    /// What ended them, if something did.
    signal: Option<Interrupted>,
    began: Instant,
}

impl All<'_> {
    /// Writes and prints what there is; an error on the way is told, and the rest is done.
    fn conclude(self, json: bool) -> Result<Exit> {
        let table = self.table();
        let mut errors = Vec::new();
        if let Some(path) = &self.junit {
            let suites = self.done.iter().map(|done| done.suite.clone());
            let text = report::document(suites, self.began.elapsed());
            errors.extend(text.and_then(|text| write(path, &text)).err());
        }
        errors.extend(github::tell(&self.told(), &table).err());
        let status = |errors: &[anyhow::Error]| {
            let signal = self.signal.filter(|why| *why != Interrupted::Deadline);
            let of_cases = self.done.iter().map(|done| done.outcome);
            let of_errors = errors.iter().map(|_| Outcome::Undecided);
            config::exit(of_cases.chain(of_errors), signal)
        };
        let printed = if json {
            print_json(&Printed {
                cases: self.done.iter().map(Done::printed).collect(),
                status: status(&errors).status(),
                errors: errors.iter().map(|error| format!("{error:#}")).collect(),
            })
        } else {
            print(format_args!("\n{table}"))
        };
        errors.extend(printed.err());
        for error in &errors {
            say(format_args!("{error:#}"));
        }
        Ok(status(&errors))
    }

    fn table(&self) -> String {
        let rows = self.done.iter().map(|done| Row {
            case: &done.case.name,
            report: done.report.as_ref(),
            outcome: match &done.why {
                None => done.outcome.told(done.case.expect).into(),
                Some(why) => {
                    let told = done.outcome.told(done.case.expect);
                    format!("{told}: {}", why.lines().next().unwrap_or_default())
                }
            },
        });
        report::summary_of(&rows.collect::<Vec<_>>())
    }

    fn told(&self) -> Vec<Told<'_>> {
        let file = self.path.display().to_string();
        let told = self.done.iter().map(|done| Told {
            name: &done.case.name,
            place: Some(Place {
                file: file.clone(),
                line: done.case.line,
            }),
            report: done.report.as_ref(),
            dir: done.case.report().display().to_string(),
            sort: match (done.outcome, done.case.expect) {
                (Outcome::AsExpected, _) => Sort::Good,
                (Outcome::Failed, Expect::Clean) => Sort::Violations,
                (Outcome::Failed, Expect::Violations) => Sort::NothingFound,
                (Outcome::Undecided, _) => Sort::Undecided,
            },
            why: done.why.clone(),
        });
        told.collect()
    }
}

impl Done<'_> {
    fn printed(&self) -> PrintedCase<'_> {
        PrintedCase {
            name: &self.case.name,
            expect: self.case.expect,
            outcome: self.outcome,
            status: self.exit.status(),
            why: self.why.as_deref(),
            report: self.report.as_ref(),
        }
    }
}

/// Tells what each case would take.
fn dry_run(cases: &[Case], json: bool, signals: &Signals) -> Result<Exit> {
    let mut estimates = Vec::new();
    let mut exit = Exit::NoViolation;
    for case in cases {
        let began = Instant::now();
        let estimate = run::recorded(&case.run, signals, |session| session.estimate(began));
        match estimate.with_context(|| format!("case {}", case.name)) {
            Ok(estimate) if json => estimates.push(estimate),
            Ok(estimate) => print(format_args!("{}", estimate.text()))?,
            Err(error) => exit = Exit::of_error(&error),
        }
        if let Exit::Interrupted(_) = exit {
            break;
        }
    }
    if json {
        print_json(&estimates)?;
    }
    Ok(exit)
}
