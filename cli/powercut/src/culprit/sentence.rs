// SPDX-License-Identifier: GPL-2.0

//! A culprit in words that claim no more than was tried.

use num_bigint::BigUint;
use powercut_engine::choices::Choices;
use powercut_engine::count;
use powercut_engine::minimize::{Found, Later};

use crate::report::culprit::{Culprit, Sort, Suspect};
use crate::words::states_of;

/// Writes named in a sentence; the others are counted.
const NAMED: usize = 3;

pub fn sentence(culprit: &Culprit, choices: &Choices<'_>, found: &Found) -> String {
    let mut text = match culprit.sort {
        Sort::Order | Sort::Promise | Sort::Stable => pending(culprit, choices),
        Sort::Neighbours => neighbours(culprit),
        Sort::TooLate => too_late(culprit, choices, found),
        Sort::Unexplained => unexplained(culprit, choices, found),
    };
    let named = !matches!(culprit.sort, Sort::TooLate | Sort::Unexplained);
    if named && !culprit.minimal {
        text.push_str("; the trials ran out: fewer writes may do");
    }
    text
}

/// What was lost had to be stable before something.
fn pending(culprit: &Culprit, choices: &Choices<'_>) -> String {
    let lost = names(&culprit.must_be_stable);
    let mut before = match (culprit.before.is_empty(), culprit.sort) {
        (false, _) => names(&culprit.before),
        (true, Sort::Promise) => acknowledgement(culprit),
        (true, _) => stable(choices),
    };
    if culprit.sort == Sort::Order && culprit.broken.is_some() {
        before.push_str(&format!(", for {} to hold", acknowledgement(culprit)));
    }
    format!("{lost} must be stable before {before}")
}

/// Nothing had to be stable: something that may have been was lost.
fn neighbours(culprit: &Culprit) -> String {
    let (verb, it) = match culprit.before.len() {
        1 => ("covers", "it"),
        _ => ("cover", "they"),
    };
    format!(
        "{} {verb} a physical block in part, so that {it} may cost the rest of it, stable or not \
         (tear=rmw): what is there must not matter, or be written along",
        names(&culprit.before)
    )
}

/// Nothing pending at the cut would have helped.
fn too_late(culprit: &Culprit, choices: &Choices<'_>, found: &Found) -> String {
    let mender = names(&culprit.must_be_stable);
    match (&culprit.broken, culprit.before.is_empty()) {
        (Some(_), _) => format!(
            "{} was given though what it needs was not written yet: {}; {mender}, which came after \
             the cut, is the first to mend it, and must be stable before it",
            acknowledgement(culprit),
            every_state(choices, found),
        ),
        (None, false) => format!(
            "{mender} must be stable before {}: it came only after the cut, and is the \
             first to mend it",
            names(&culprit.before)
        ),
        (None, true) => format!(
            "{}, whatever was acknowledged; {mender}, which came after the cut, is the first to \
             mend it: it must be stable before {}",
            every_state(choices, found),
            stable(choices)
        ),
    }
}

fn unexplained(culprit: &Culprit, choices: &Choices<'_>, found: &Found) -> String {
    let later = match found.later {
        Later::NotFound => "; nor was a later state found that passes, held to the same promises",
        _ => "",
    };
    let so = every_state(choices, found);
    match (&culprit.broken, culprit.before.is_empty()) {
        (Some(_), true) => format!(
            "{} was given though nothing that it needs was flushed: {so}{later}",
            acknowledgement(culprit)
        ),
        (_, false) => format!(
            "{} reached the disk though what it refers to was not written yet: without it cut {} \
             passes, and no pending write that is lost matters{later}",
            names(&culprit.before),
            choices.event()
        ),
        (None, true) => format!("{so}{later}"),
    }
}

/// How many states of the cut were seen to fail.
fn every_state(choices: &Choices<'_>, found: &Found) -> String {
    let legal = count::states(choices);
    let cut = choices.event();
    match (found.passes.is_some(), found.all_fail) {
        (true, _) => format!("at cut {cut} no pending write that is lost matters"),
        (false, true) if legal == BigUint::from(1u8) => {
            format!("the one legal state of cut {cut} fails")
        }
        (false, true) => format!("all {} legal states of cut {cut} fail", states_of(choices)),
        (false, false) => format!(
            "all {} states tried of {} legal ones of cut {cut} fail",
            found.tried,
            states_of(choices)
        ),
    }
}

fn acknowledgement(culprit: &Culprit) -> String {
    match &culprit.broken {
        Some(mark) => format!("mark {:?} (event {})", mark.text, mark.event),
        None => "the acknowledgement".into(),
    }
}

/// The newest thing that is stable at the cut.
fn stable(choices: &Choices<'_>) -> String {
    let cut = choices.cut();
    let mut newest_first = choices.recording().entries().iter().rev();
    let newest = newest_first.find(|r| r.submit() <= cut.event && cut.is_stable(&r.entry()));
    match newest {
        Some(recorded) => format!(
            "what is stable already at cut {}, up to W{} at lba {}",
            cut.event,
            recorded.submit(),
            choices.recording().members().place(recorded.sector())
        ),
        None => "the record began".into(),
    }
}

fn names(suspects: &[Suspect]) -> String {
    let mut names: Vec<String> = suspects.iter().take(NAMED).map(Suspect::name).collect();
    if suspects.len() > NAMED {
        names.push(format!("{} more", suspects.len() - NAMED));
    }
    match names.pop() {
        None => String::new(),
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} and {last}", names.join(", ")),
    }
}
