// SPDX-License-Identifier: GPL-2.0

//! Reports for tests.

use powercut_engine::choices::Choices;
use powercut_engine::explore;
use powercut_engine::id::StateId;
use powercut_engine::keep::Keep;
use powercut_engine::oracle::{Finding, Kind};
use powercut_engine::recording::Recording;
use powercut_model::Cut;

use crate::examination::Examination;
use crate::report::{
    Coverage, DiskFacts, PlanFacts, Record, Register, Report, Seconds, Source, Violation, SCHEMA,
};

/// A report of a recording, without violations.
pub fn report(recording: &Recording) -> Report {
    Report {
        schema: SCHEMA,
        powercut: "0".into(),
        case: "a case".into(),
        began: Some("2026-11-25T23:59:59Z".into()),
        disk: DiskFacts::of(recording),
        source: Source::default(),
        examination: Examination {
            check: "true".into(),
            resident: false,
            truths: None,
            fsck: None,
            mount: None,
            cleanup: None,
            view_faults: Vec::new(),
            timeout_ms: 1000,
            mount_timeout_ms: 1000,
        },
        plan: PlanFacts {
            strategy: "auto".into(),
            budget: "10 states".into(),
            seed: 0,
            stop_on_first: false,
            max_violations: None,
            shard: None,
            depth: 1,
            recovery_budget: None,
            marks: Default::default(),
        },
        record: Record::of(recording),
        faults: None,
        baseline: None,
        coverage: Coverage {
            legal_states: "12".into(),
            cuts: 3,
            checked: 10,
            ..Coverage::default()
        },
        violations: Vec::new(),
        errors: Vec::new(),
        seconds: Seconds::default(),
    }
}

/// Adds a violation as an exploration does.
pub fn add(report: &mut Report, mut violation: Violation) {
    Register::of(&report.violations).enter(&mut violation);
    report.violations.push(violation);
}

/// A state that failed.
pub fn violation(recording: &Recording, cut: u64, keep: impl Fn(usize) -> bool) -> Violation {
    let cut = Cut::new(recording, cut).unwrap();
    let choices = Choices::new(recording, cut);
    let keep = Keep::that(choices.len(), keep);
    let found = explore::Violation {
        image: choices.image(&keep),
        again: None,
        rank: Default::default(),
        id: StateId::of(&choices, &keep),
        keep,
        finding: Finding::new(Kind::Check, "exit 1", "the thing is gone\n"),
    };
    Violation::of(&choices, &found)
}
