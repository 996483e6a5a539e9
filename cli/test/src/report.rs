// SPDX-License-Identifier: GPL-2.0

//! What a test needs of the command's report; docs/report.md has all of it.

use std::fmt::Write;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub struct Report {
    pub coverage: Coverage,
    pub violations: Vec<Violation>,
    #[serde(default)]
    pub errors: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub struct Coverage {
    pub legal_states: String,
    pub checked: u64,
    pub skipped: u64,
}

#[derive(Debug, Deserialize)]
pub struct Violation {
    pub number: u64,
    pub sort: u64,
    pub kind: String,
    pub how: String,
    pub output: String,
    pub last_mark: Option<String>,
}

impl Report {
    /// The first violation of each sort, and how many there are.
    pub fn told(&self, replay: &str) -> String {
        let mut text = format!(
            "{} violations in {} states examined, of {} legal states\n",
            self.violations.len(),
            self.coverage.checked,
            self.coverage.legal_states
        );
        let mut sort = 0;
        for violation in &self.violations {
            if violation.sort <= sort {
                continue;
            }
            sort = violation.sort;
            let promise = violation.last_mark.as_deref().unwrap_or("none");
            // Writing to a String does not fail.
            let _ = writeln!(
                text,
                "\nviolation {}: {} ({}), last promise: {promise}\n{}\nsee it again: {replay} {}",
                violation.number,
                violation.kind,
                violation.how,
                violation.output.trim_end(),
                violation.number
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_each_sort_is_told() {
        let violation = |number: u64, sort: u64| {
            format!(
                r#"{{"number": {number}, "sort": {sort}, "kind": "check", "how": "exit 1",
                    "output": "gone {sort}\n", "last_mark": "a"}}"#
            )
        };
        let json = format!(
            r#"{{"coverage": {{"legal_states": "9", "checked": 3, "skipped": 0}},
                "violations": [{}, {}, {}]}}"#,
            violation(1, 1),
            violation(2, 1),
            violation(3, 2)
        );
        let report: Report = serde_json::from_str(&json).unwrap();
        let told = report.told("powercut replay");
        assert!(told.starts_with("3 violations in 3 states examined, of 9 legal states\n"));
        assert_eq!(told.matches("gone 1").count(), 1);
        assert!(told.contains("violation 3: check (exit 1), last promise: a\ngone 2\n"));
        assert!(told.ends_with("see it again: powercut replay 3\n"));
    }
}
