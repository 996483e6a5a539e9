// SPDX-License-Identifier: GPL-2.0

//! Recordings that somebody sent: `export`, recording.pcut.

use powercut_cli::device::Selection;
use powercut_engine::abi::{write_entry, Entry, Header, Reader};
use powercut_engine::choices::Choices;
use powercut_engine::count;
use powercut_engine::id::StateId;
use powercut_engine::keep::Keep;
use powercut_engine::lint::lint;
use powercut_engine::marks::Marks;
use powercut_engine::recording::testing::History;
use powercut_engine::recording::Recording;
use powercut_engine::strategy::Space;
use powercut_model::Cut;

use super::stream::{compact, expand};
use super::Target;

/// Larger disks, and more pieces at a cut, are a matter of patience.
const MAX_UNITS: u64 = 1 << 16;
const MAX_PIECES: usize = 2000;
const MAX_CUTS: usize = 12;

/// As a whole: what it holds, its states and their names.
pub const RECORDING: Target = Target {
    name: "recording",
    run: recording,
    seeds: || histories().iter().map(|stream| compact(stream)).collect(),
    words: &[],
    inputs: 4000,
};

/// Entry by entry, as `powercut log` does.
pub const LOG: Target = Target {
    name: "log",
    run: log,
    seeds: || {
        let mut streams = histories();
        streams.retain(|stream| stream.len() < 30_000);
        streams
    },
    words: &["powercut"],
    inputs: 15_000,
};

/// Streams of small histories of all sorts.
pub fn histories() -> Vec<Vec<u8>> {
    let mut histories: Vec<History> = (0..12).map(History::random).collect();
    histories.extend((0..4).map(History::random_prefixes));
    let garbage = History::new().write(0, "a").write(9, "b");
    histories.push(garbage.garbage(0, 10, 7).flush().write(0, "c").mark("x"));
    let based = History::new()
        .base(0, "z")
        .base(8, "y")
        .write(0, "a")
        .flush();
    histories.push(based.write_run(7, &["b", "c"]).mark("promise"));
    histories.iter().map(History::stream).collect()
}

fn recording(input: &[u8]) {
    let stream = expand(input);
    let Ok(reader) = Reader::new(&stream[..]) else {
        return;
    };
    let header = reader.header();
    if header.capacity_sectors * 512 / u64::from(header.atomic_unit) > MAX_UNITS {
        return;
    }
    let log = Recording::read_log(&stream[..]);
    let Ok(recording) = Recording::read(&stream[..]) else {
        return;
    };
    let log = log.expect("a log is there if its data is, too");
    assert_eq!(log.entries().len(), recording.entries().len());
    let space = Space::new(&recording, Marks::Any);
    let _ = (space.legal(), lint(&recording));
    let last = recording.header().newest_event;
    for event in space.cuts().iter().copied().take(MAX_CUTS).chain([0, last]) {
        let cut = Cut::new(&recording, event).expect("a cut within the log");
        let choices = Choices::new(&recording, cut);
        if choices.len() <= MAX_PIECES {
            states(&recording, &choices);
        }
    }
}

/// A few states of a cut: each has one name, which leads to the same image.
fn states(recording: &Recording, choices: &Choices<'_>) {
    let _ = count::states(choices);
    let some = [1usize, 2, 3].map(|n| Keep::that(choices.len(), |piece| (piece / n) % 2 == 0));
    for keep in some.iter().chain([&choices.none(), &choices.all()]) {
        let keep = choices.legal(keep);
        let id = StateId::of(choices, &keep);
        let again: StateId = id.to_string().parse().expect("an id is read");
        assert_eq!(again, id);
        let (there, kept) = again.resolve(recording).expect("an id is found");
        assert_eq!(StateId::of(&there, &kept), id);
        assert_eq!(there.image(&kept), choices.image(&keep));
        let _ = Selection::of(choices, &keep).to_string();
    }
}

/// Entries, each with its payload.
type Entries = Vec<(Entry, Vec<u8>)>;

/// The header and the entries of a stream, up to where it is damaged; and whether it is whole.
fn entries(stream: &[u8]) -> Option<(Header, Entries, bool)> {
    let mut reader = Reader::new(stream).ok()?;
    let (mut entries, mut payload) = (Vec::new(), Vec::new());
    let is_whole = loop {
        match reader.next_entry(&mut payload) {
            Ok(Some(entry)) => entries.push((entry, payload.clone())),
            Ok(None) => break true,
            Err(_) => break false,
        }
        assert!(
            payload.capacity() <= 2 * stream.len() + (4 << 20),
            "memory for {} bytes of a stream of {}",
            payload.capacity(),
            stream.len()
        );
    };
    Some((reader.header().clone(), entries, is_whole))
}

fn log(stream: &[u8]) {
    let Some((mut header, read, is_whole)) = entries(stream) else {
        return;
    };
    if !is_whole {
        // What was read is a stream by itself.
        (header.base_entries, header.entries) = (0, read.len() as u64);
    }
    let mut written = header.to_bytes();
    for (entry, payload) in &read {
        write_entry(&mut written, entry, payload).expect("room in memory");
    }
    // A name that is no text is shown as one.
    let is_text = |(entry, _): &(Entry, Vec<u8>)| !entry.task.contains(char::REPLACEMENT_CHARACTER);
    if read.iter().all(is_text) {
        let again = entries(&written).expect("what was written is read");
        assert_eq!(again, (header, read, true));
    }
}
