// SPDX-License-Identifier: GPL-2.0

//! What a search found out about a violation, as the culprit of a report.

mod sentence;

use powercut_engine::acknowledged::Acknowledged;
use powercut_engine::choices::Choices;
use powercut_engine::id::StateId;
use powercut_engine::keep::Keep;
use powercut_engine::minimize::{Found, Later};
use powercut_engine::recording::Recording;
use powercut_model::{Cut, Event, Piece};

use crate::report::culprit::Sort;
use crate::report::{ranges, Belongs, Culprit, Suspect};
use sentence::sentence;

/// The result of a search, and how many runs it took. `belongs` tells of a
/// write, by its index, and its sectors.
pub fn culprit(
    choices: &Choices<'_>,
    found: &Found,
    runs: u64,
    mut belongs: impl FnMut(&Suspect) -> Option<Belongs>,
) -> Culprit {
    let recording = choices.recording();
    let mut name = |keep: &Keep| {
        let mut suspects = suspects(choices, keep);
        for suspect in &mut suspects {
            suspect.belongs = belongs(suspect);
        }
        suspects
    };
    let mut culprit = Culprit {
        sort: Sort::Unexplained,
        verdict: String::new(),
        must_be_stable: name(&found.lost),
        before: name(&found.kept),
        broken: found.broken.map(|nr| (&recording.marks()[nr]).into()),
        minimal: found.minimal,
        fails: StateId::of(choices, &found.fails).to_string(),
        passes: found
            .passes
            .as_ref()
            .map(|keep| StateId::of(choices, keep).to_string()),
        runs,
    };
    if let Later::MendedBy(event) = found.later {
        mended(&mut culprit, recording, event, &mut belongs);
    }
    culprit.sort = sort_of(&culprit, found.later);
    culprit.verdict = sentence(&culprit, choices, found);
    culprit
}

/// The write whose event makes a later state pass.
fn mended(
    culprit: &mut Culprit,
    recording: &Recording,
    event: Event,
    belongs: &mut impl FnMut(&Suspect) -> Option<Belongs>,
) {
    let entry = recording
        .entries()
        .iter()
        .rposition(|r| r.is_write() && r.start() <= event);
    if let Some(index) = entry {
        let mut suspect = suspect(recording, index, None);
        suspect.belongs = belongs(&suspect);
        culprit.must_be_stable.push(suspect);
    }
    if let Ok(cut) = Cut::new(recording, event) {
        let later = Choices::new(recording, cut);
        culprit.passes = Some(StateId::of(&later, &later.all()).to_string());
    }
}

fn sort_of(culprit: &Culprit, later: Later) -> Sort {
    let costs = culprit.before.iter().any(|suspect| suspect.costs);
    match (culprit.must_be_stable.is_empty(), later) {
        (true, Later::NotAsked) if costs => Sort::Neighbours,
        (true, _) => Sort::Unexplained,
        (false, Later::MendedBy(_)) => Sort::TooLate,
        _ if !culprit.before.is_empty() => Sort::Order,
        _ if culprit.broken.is_some() => Sort::Promise,
        _ => Sort::Stable,
    }
}

/// The writes of some pieces, oldest first; then those that cost some.
fn suspects(choices: &Choices<'_>, keep: &Keep) -> Vec<Suspect> {
    let mut suspects = Vec::new();
    for (entry, pieces) in choices.writes() {
        let units: Vec<u64> = pieces
            .clone()
            .filter(|p| keep.contains(*p))
            .map(|p| choices.pieces()[p].unit)
            .collect();
        if !units.is_empty() {
            let whole = units.len() == pieces.len();
            let units = (!whole).then(|| ranges(units));
            suspects.push(suspect(choices.recording(), *entry, units));
        }
    }
    let lost = choices.losses().filter(|(nr, _)| keep.contains(*nr));
    let lost: Vec<Piece> = lost.map(|(_, piece)| piece).collect();
    for by_write in lost.chunk_by(|one, next| one.entry == next.entry) {
        let units = by_write.iter().map(|piece| piece.unit).collect();
        suspects.push(Suspect {
            costs: true,
            ..suspect(choices.recording(), by_write[0].entry, Some(ranges(units)))
        });
    }
    suspects
}

fn suspect(recording: &Recording, index: usize, units: Option<Vec<(u64, u64)>>) -> Suspect {
    let recorded = &recording.entries()[index];
    let marks = recording.marks();
    let next = marks.partition_point(|m| m.event < recorded.submit());
    Suspect {
        write: recorded.submit(),
        op: recorded.op().name().into(),
        sector: recorded.sector(),
        place: recording.members().place_in_group(recorded.sector()),
        sectors: recorded.nr_sectors(),
        flags: recorded.flags().names().map(str::to_string).collect(),
        task: recording.task(recorded).into(),
        units,
        costs: false,
        after_mark: next.checked_sub(1).map(|at| (&marks[at]).into()),
        before_mark: marks.get(next).map(Acknowledged::from),
        belongs: None,
    }
}
