// SPDX-License-Identifier: GPL-2.0

//! When each write becomes stable.

use powercut_model::{Entry, Event, Geometry, IN_FLIGHT};

use super::entry::short;

/// For each entry the first event at which it is stable, as [`powercut_model::Cut::is_stable`] has
/// it: [`IN_FLIGHT`] if there is none; 0 for what is no write. [`short`], each.
pub fn stable_from(geometry: &Geometry, entries: impl Iterator<Item = Entry> + Clone) -> Vec<u32> {
    let mut flushes: Vec<Vec<(Event, Event)>> = vec![Vec::new(); geometry.members.count()];
    for entry in entries.clone() {
        if let Some(complete) = entry.flush_complete().filter(|event| *event != IN_FLIGHT) {
            let member = geometry.members.of(entry.sector);
            flushes[member].push((complete, entry.submit));
        }
    }
    for flushes in &mut flushes {
        flushes.sort_unstable();
        // The watermark from each of these events on.
        let mut watermark = 0;
        for (_, submit) in flushes {
            watermark = watermark.max(*submit);
            *submit = watermark;
        }
    }
    let of = |entry: Entry| {
        let is_promised = entry.fua || !geometry.write_cache;
        if !entry.is_write() {
            0
        } else if is_promised || entry.complete == IN_FLIGHT {
            entry.complete
        } else {
            let flushes = &flushes[geometry.members.of(entry.sector)];
            let at = flushes.partition_point(|(_, watermark)| *watermark < entry.complete);
            flushes.get(at).map_or(IN_FLIGHT, |(event, _)| *event)
        }
    };
    entries.map(of).map(short).collect()
}

#[cfg(test)]
mod tests {
    use powercut_model::{Cut, History as _};

    use crate::recording::testing::History;

    #[test]
    fn a_write_is_stable_from_its_event_on_and_not_before() {
        for seed in 0..400 {
            let log = History::random(seed).done();
            for event in 0..=log.last_event() {
                let cut = Cut::new(&log, event).unwrap();
                for index in 0..log.nr_entries() {
                    let entry = log.entry(index).unwrap();
                    let is_stable = entry.is_write() && log.stable_from(index) <= event;
                    assert_eq!(is_stable, cut.is_stable(&entry), "seed {seed} at {event}");
                }
            }
        }
    }
}
