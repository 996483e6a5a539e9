// SPDX-License-Identifier: GPL-2.0

//! What became of every write that was pending at a cut.

use std::collections::BTreeMap;

use powercut_engine::choices::{Choices, Fate};
use powercut_engine::keep::Keep;
use powercut_engine::recording::Recorded;
use powercut_model::Event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A pending write of a state, or some units of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Write {
    /// Its number: the event of its submit.
    pub write: Event,
    pub op: String,
    /// The first sector of the whole write, in units of 512 bytes.
    pub sector: u64,
    /// Of a group, the disk and the sector on it: `log+2048`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub place: Option<String>,
    /// The length of the whole write in such sectors.
    pub sectors: u32,
    pub flags: Vec<String>,
    /// The thread that submitted it.
    pub task: String,
    /// The units concerned, both ends in, if not all of the write's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub units: Option<Vec<(u64, u64)>>,
    /// The rule of docs/ that lets it be lost; R7: the units are not its own, and lost because of it.
    pub rule: String,
    /// That rule applied to this write.
    pub why: String,
}

impl Write {
    /// Where it begins, for people.
    pub fn at(&self) -> String {
        place(&self.place, self.sector)
    }
}

/// A place in a group, or a sector.
pub fn place(place: &Option<String>, sector: u64) -> String {
    place.clone().unwrap_or_else(|| sector.to_string())
}

/// What became of some units of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Became {
    Kept,
    Lost,
    /// They are not its own, and it cost them.
    Costs,
}

/// The kept and the lost writes of a state, oldest first. Pieces that newer
/// content hides are in neither. Among the lost are those that cost their neighbours, with these.
pub fn fates(choices: &Choices<'_>, keep: &Keep) -> (Vec<Write>, Vec<Write>) {
    let mut by_entry: BTreeMap<(usize, Became), Vec<u64>> = BTreeMap::new();
    let mut all: BTreeMap<usize, usize> = BTreeMap::new();
    choices.fates(keep, |index, fate| {
        let piece = choices.pieces()[index];
        let became = match (choices.is_loss(index), fate) {
            (true, Fate::Kept) => Some(Became::Costs),
            (false, Fate::Kept) => Some(Became::Kept),
            (false, Fate::Lost) => Some(Became::Lost),
            (true, Fate::Lost) | (_, Fate::Hidden) => None,
        };
        if !choices.is_loss(index) {
            *all.entry(piece.entry).or_default() += 1;
        }
        if let Some(became) = became {
            let units = by_entry.entry((piece.entry, became));
            units.or_default().push(piece.unit);
        }
    });
    let (mut kept, mut lost) = (Vec::new(), Vec::new());
    for ((entry, became), units) in by_entry {
        let whole = became != Became::Costs && all.get(&entry) == Some(&units.len());
        let units = (!whole).then(|| ranges(units));
        let recorded = &choices.recording().entries()[entry];
        let rule = match became {
            Became::Kept | Became::Lost => rule(choices, recorded),
            Became::Costs => ("R7", "it cost these units of its physical block".into()),
        };
        let write = describe(choices, recorded, units, rule);
        match became {
            Became::Kept => kept.push(write),
            Became::Lost | Became::Costs => lost.push(write),
        }
    }
    (kept, lost)
}

fn describe(
    choices: &Choices<'_>,
    recorded: &Recorded,
    units: Option<Vec<(u64, u64)>>,
    (rule, why): (&str, String),
) -> Write {
    Write {
        write: recorded.submit(),
        op: recorded.op().name().into(),
        sector: recorded.sector(),
        place: choices
            .recording()
            .members()
            .place_in_group(recorded.sector()),
        sectors: recorded.nr_sectors(),
        flags: recorded.flags().names().map(str::to_string).collect(),
        task: choices.recording().task(recorded).into(),
        units,
        rule: rule.into(),
        why,
    }
}

/// Why a pending write may be lost.
fn rule(choices: &Choices<'_>, recorded: &Recorded) -> (&'static str, String) {
    let cut = choices.cut();
    let entry = &recorded.entry();
    if entry.complete > cut.event {
        return if cut.geometry().write_cache {
            ("R3", "in flight at the cut".into())
        } else {
            ("R6", "in flight at the cut".into())
        };
    }
    let why = match cut.watermark(entry.sector) {
        0 => format!("complete at event {}, no flush yet", entry.complete),
        flush => format!(
            "complete at event {}, the newest complete flush was submitted at {flush}",
            entry.complete
        ),
    };
    ("R3", why)
}

pub fn ranges(mut units: Vec<u64>) -> Vec<(u64, u64)> {
    units.sort_unstable();
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for unit in units {
        match ranges.last_mut() {
            Some(last) if last.1 + 1 == unit => last.1 = unit,
            _ => ranges.push((unit, unit)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use powercut_engine::recording::testing::History;
    use powercut_model::Cut;

    #[test]
    fn kept_lost_and_hidden() {
        let recording = History::new()
            .write(0, "old")
            .meta(0, "new")
            .write_run(4, &["a", "b", "c"])
            .submit(9, "late")
            .done();
        let choices = Choices::new(&recording, Cut::new(&recording, 7).unwrap());
        // Pieces: old, new, a, b, c, late.
        let keep = Keep::that(6, |index| [1, 2, 4].contains(&index));
        let (kept, lost) = fates(&choices, &keep);
        let writes = |list: &[Write]| list.iter().map(|w| w.write).collect::<Vec<_>>();
        assert_eq!(writes(&kept), [3, 5]);
        assert_eq!(writes(&lost), [5, 7]);
        assert_eq!(kept[0].flags, ["META"]);
        assert_eq!(kept[0].units, None);
        assert_eq!(kept[1].units, Some(vec![(4, 4), (6, 6)]));
        assert_eq!(lost[0].units, Some(vec![(5, 5)]));
        assert_eq!(lost[0].why, "complete at event 6, no flush yet");
        assert_eq!(lost[1].why, "in flight at the cut");
    }

    #[test]
    fn what_a_write_cost_is_among_the_lost() {
        let recording = History::new().rmw().write(1, "a").write(9, "b").done();
        let choices = Choices::new(&recording, Cut::new(&recording, 4).unwrap());
        let unit = |index: usize| choices.pieces()[index].unit;
        let keep = Keep::that(choices.len(), |index| [1, 2, 4, 5].contains(&unit(index)));
        let (kept, lost) = fates(&choices, &keep);
        let told = |list: &[Write]| {
            let told = list.iter();
            let told = told.map(|w| format!("W{} {:?} {}", w.write, w.units, w.rule));
            told.collect::<Vec<_>>()
        };
        assert_eq!(told(&kept), ["W1 None R3"]);
        assert_eq!(told(&lost), ["W1 Some([(2, 2), (4, 5)]) R7", "W3 None R3"]);
        // Nothing is lost that is not among what is kept.
        let (kept, lost) = fates(&choices, &choices.all());
        assert_eq!((kept.len(), lost.len()), (2, 0));
    }
}
