// SPDX-License-Identifier: GPL-2.0

//! Injected faults in a report, and which of the states they put outside of the contract.

use num_bigint::BigUint;
use powercut_engine::count;
use powercut_engine::marks::Marks;
use powercut_engine::recording::Recording;
use powercut_engine::strategy::Space;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::device::RuleStatus;
use crate::words::{about, many};

/// What made states be outside of the contract.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct FaultFacts {
    /// The sorts that the recorded I/O met, as ids name them.
    pub kinds: Vec<String>,
    /// Entries of the log that met one.
    pub entries: u64,
    /// The rules of the disk, and how often each was applied; empty if that is not known.
    pub rules: Vec<RuleStatus>,
    /// The rules that each view had while its state was examined.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub view_rules: Vec<String>,
    /// Of `coverage.legal_states`, those outside of the contract, in decimal.
    pub outside_states: String,
    /// The cuts at which they are.
    pub outside_cuts: u64,
}

impl FaultFacts {
    /// Of a record; none if nothing was wrong with it, or is to be.
    pub fn of(
        recording: &Recording,
        rules: &[RuleStatus],
        view_rules: &[String],
        marks: Marks,
    ) -> Option<FaultFacts> {
        let met = recording.faults_at(recording.header().newest_event);
        if met.is_empty() && rules.is_empty() && view_rules.is_empty() {
            return None;
        }
        let entries = recording.entries().iter();
        let (outside_states, outside_cuts) = outside(&Space::new(recording, marks));
        Some(Self {
            kinds: met.names().into_iter().map(String::from).collect(),
            entries: entries.filter(|e| !e.flags().faults().is_empty()).count() as u64,
            rules: rules.to_vec(),
            view_rules: view_rules.to_vec(),
            outside_states: outside_states.to_string(),
            outside_cuts,
        })
    }

    /// Whether a state of it may be other than legal.
    pub fn is_outside(&self) -> bool {
        self.outside_states != "0"
    }

    /// In words: what is wrong, a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.is_outside() {
            let states = self.outside_states.parse::<BigUint>().unwrap_or_default();
            lines.push(format!(
                "OUTSIDE OF THE CONTRACT: the disk was told to have faults ({}), which {} of its log met; \
                 {} of the states counted, at {}, are outside of the contract",
                self.kinds.join(", "),
                many(self.entries, "entry", "entries"),
                about(&states),
                many(self.outside_cuts, "cut", "cuts")
            ));
        }
        for rule in &self.rules {
            lines.push(format!(
                "fault rule {:?}: applied {}",
                rule.rule,
                many(rule.hits, "time", "times")
            ));
        }
        for rule in &self.view_rules {
            lines.push(format!(
                "OUTSIDE OF THE CONTRACT: each state was examined on a disk with fault rule {rule:?}"
            ));
        }
        lines
    }
}

/// The states outside of the contract, and the cuts that they are at.
pub fn outside(space: &Space<'_>) -> (BigUint, u64) {
    let mut states = BigUint::ZERO;
    let mut cuts = 0;
    for cut in space.cuts() {
        if space.recording().faults_at(*cut).is_empty() {
            continue;
        }
        if let Some(choices) = space.choices(*cut) {
            states += count::states(&choices);
            cuts += 1;
        }
    }
    (states, cuts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{add, report, violation};
    use crate::report::{details, junit, summary, SCHEMA_FAULTS};
    use powercut_engine::faults::Faults;
    use powercut_engine::recording::testing::History;

    fn recording() -> Recording {
        let log = History::new().write(0, "a").flush().write(1, "b");
        log.flush().met(Faults::LIED).write(2, "c").done()
    }

    #[test]
    fn legal_states_and_others_are_counted_apart() {
        let rules = [RuleStatus {
            rule: "flush-lies after=1".into(),
            hits: 1,
        }];
        let facts = FaultFacts::of(&recording(), &rules, &[], Marks::Any).unwrap();
        assert_eq!(facts.kinds, ["flush-lies"]);
        assert_eq!((facts.entries, facts.outside_cuts), (1, 1));
        assert_eq!(facts.outside_states, "4");
        let legal = History::new().write(0, "a").done();
        assert!(FaultFacts::of(&legal, &[], &[], Marks::Any).is_none());
        let viewed = FaultFacts::of(&legal, &[], &["eio".into()], Marks::Any).unwrap();
        assert!(!viewed.is_outside() && viewed.lines()[0].starts_with("OUTSIDE"));
    }

    #[test]
    fn no_report_calls_them_legal() {
        let recording = recording();
        let mut report = report(&recording);
        report.schema = SCHEMA_FAULTS;
        report.faults = FaultFacts::of(&recording, &[], &[], Marks::Any);
        let last = recording.header().newest_event;
        add(&mut report, violation(&recording, last, |_| false));
        let text = details(&report, None);
        assert!(
            text.contains("12 states, legal and not, examined"),
            "{text}"
        );
        assert!(
            text.contains("OUTSIDE OF THE CONTRACT: faults flush-lies"),
            "{text}"
        );
        assert!(text.contains("4 of the states counted"), "{text}");
        assert!(!text.contains("  legal  "), "{text}");
        let table = summary(&report);
        assert!(
            table.contains("not legal") && !table.contains("legal states"),
            "{table}"
        );
        let xml = junit(&report, &recording, "d").unwrap();
        assert!(xml.contains("states outside of the contract (faults flush-lies)"));
        assert!(xml.contains("<property name=\"faults\""), "{xml}");
        let page = crate::report::html(&report, &recording, "d").unwrap();
        assert!(page.contains("OUTSIDE OF THE CONTRACT") && page.contains("4 not legal, at"));
    }
}
