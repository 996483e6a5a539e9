// SPDX-License-Identifier: GPL-2.0

mod hostile;
mod order;
mod round_trip;
mod world;

use std::collections::BTreeSet;
use std::io::{Cursor, Read};

use powercut_model::{Cut, History as _};

use super::import::import;
use super::{LogError, Options, Scan};
use crate::choices::Choices;
use crate::keep::Keep;
use crate::recording::Recording;

/// The stream of a log, read to its end.
fn imported(log: &[u8], base: &[u8], options: &Options) -> Result<(Scan, Vec<u8>), LogError> {
    let (scan, mut stream) = import(|| Ok((Cursor::new(log), base)), options)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok((scan, bytes))
}

/// The record of a log.
fn record_of(log: &[u8]) -> Recording {
    let (_, stream) = imported(log, &[], &Options::default()).unwrap();
    Recording::read(&stream[..]).unwrap()
}

/// All that may be left of a record: marks, and an image.
fn states(recording: &Recording) -> BTreeSet<(usize, u128)> {
    let mut states = BTreeSet::new();
    for event in 0..=recording.header().newest_event {
        let choices = Choices::new(recording, Cut::new(recording, event).unwrap());
        let marks = recording.marks_by(event).len();
        assert!(choices.len() < 16, "too many pieces for a test");
        for bits in 0..1u32 << choices.len() {
            let keep = Keep::that(choices.len(), |piece| (bits >> piece) & 1 == 1);
            states.insert((marks, choices.image(&keep)));
        }
    }
    assert_eq!(recording.last_event(), recording.header().newest_event);
    states
}
