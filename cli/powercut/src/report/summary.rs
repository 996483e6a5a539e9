// SPDX-License-Identifier: GPL-2.0

//! A table of what was found, a row a case.

use num_bigint::BigUint;
use powercut_engine::oracle::Kind;

use super::model::Report;
use crate::table::Table;
use crate::words::about_in_short;

/// A case of several.
#[derive(Debug)]
pub struct Row<'r> {
    pub case: &'r str,
    /// None if it could not be set up.
    pub report: Option<&'r Report>,
    pub outcome: String,
}

/// One row for a report.
pub fn summary(report: &Report) -> String {
    table(&[(&report.case, Some(report), None)])
}

/// A row for each case, with what it came to.
pub fn summary_of(rows: &[Row<'_>]) -> String {
    let rows = rows.iter();
    let rows: Vec<_> = rows
        .map(|row| (row.case, row.report, Some(row.outcome.as_str())))
        .collect();
    table(&rows)
}

fn table(rows: &[(&str, Option<&Report>, Option<&str>)]) -> String {
    let reports = || rows.iter().filter_map(|(_, report, _)| *report);
    let columns = Columns {
        fsck: reports().any(|r| r.of(Kind::Fsck) > 0 || r.examination.fsck.is_some()),
        skipped: reports().any(|r| r.coverage.skipped > 0),
        faults: reports().any(|r| r.faults.is_some()),
    };
    let mut titles = columns.titles();
    if rows.iter().any(|(.., outcome)| outcome.is_some()) {
        titles.push("outcome");
    }
    let mut table = Table::new(titles);
    for (case, report, outcome) in rows {
        let mut cells = vec![case.to_string()];
        match report {
            Some(report) => cells.extend(columns.cells(report)),
            None => cells.extend(columns.titles().iter().skip(1).map(|_| String::new())),
        }
        cells.extend(outcome.map(String::from));
        table.row(cells);
    }
    table.to_string()
}

/// Columns that are only there if there is something in them.
struct Columns {
    fsck: bool,
    skipped: bool,
    faults: bool,
}

impl Columns {
    fn titles(&self) -> Vec<&'static str> {
        let states = if self.faults {
            "states"
        } else {
            "legal states"
        };
        let mut titles = vec!["case", states, "checked", "violations", "failed mounts"];
        titles.extend(self.fsck.then_some("failed fscks"));
        titles.extend(self.skipped.then_some("skipped"));
        titles.extend(self.faults.then_some("not legal"));
        titles.push("seconds");
        titles
    }

    fn cells(&self, report: &Report) -> Vec<String> {
        let coverage = &report.coverage;
        let legal = coverage.legal_states.parse::<BigUint>().ok();
        // Not counted yet.
        let legal = legal.filter(|_| coverage.cuts > 0);
        let violations = report.of_check();
        let mut cells = vec![
            legal.map_or_else(|| "?".into(), |n| about_in_short(&n)),
            if coverage.all {
                format!("{}, all", coverage.checked)
            } else {
                coverage.checked.to_string()
            },
            violations.to_string(),
            report.of(Kind::Mount).to_string(),
        ];
        if self.fsck {
            cells.push(report.of(Kind::Fsck).to_string());
        }
        if self.skipped {
            cells.push(coverage.skipped.to_string());
        }
        if self.faults {
            let outside = report.faults.as_ref().map(|f| f.outside_states.parse());
            let outside: BigUint = outside.and_then(Result::ok).unwrap_or_default();
            cells.push(about_in_short(&outside));
        }
        let seconds = report.seconds.record + report.seconds.explore;
        cells.push(format!("{seconds:.1}"));
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::report;
    use powercut_engine::recording::testing::History;

    #[test]
    fn a_case_without_a_report_has_a_row() {
        let recording = History::new().write(0, "a").done();
        let mut report = report(&recording);
        report.coverage.skipped = 2;
        let row = |case, report, outcome: &str| Row {
            case,
            report,
            outcome: outcome.into(),
        };
        let text = summary_of(&[
            row("wal", Some(&report), "clean, as expected"),
            row("broken", None, "could not be found out"),
        ]);
        assert_eq!(
            text,
            "case    legal states  checked  violations  failed mounts  skipped  seconds  outcome\n\
             wal               12       10           0              0        2      0.0  clean, as expected\n\
             broken                                                                      could not be found out\n"
        );
    }
}
