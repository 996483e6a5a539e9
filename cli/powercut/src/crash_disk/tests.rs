// SPDX-License-Identifier: GPL-2.0

//! What the disk shows is what the engine says of a state, and what a replay of all that survived leaves.

mod part;
mod record;

use std::sync::Arc;

use powercut_engine::choices::Choices;
use powercut_engine::keep::Keep;
use powercut_engine::reads::Reads;
use powercut_engine::recording::testing::History;
use powercut_engine::recording::{bytes_by_replay, weight, CrashState, Recording};
use powercut_model::{Cut, Piece};
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use xxhash_rust::xxh3::xxh3_128;

use super::{Contents, Image};
use crate::device::Selection;

/// States of each history.
const STATES: usize = 12;

fn image(log: &History) -> (Arc<Recording>, Image) {
    let recording = Arc::new(log.done());
    let contents = Arc::new(Contents::spill(&log.stream()[..]).unwrap());
    let state = CrashState::new(&recording, 0, []).unwrap();
    let image = Image::new(Arc::clone(&recording), contents, state);
    (recording, image)
}

fn point(image: &mut Image, recording: &Recording, selection: &Selection) {
    let state = CrashState::new(recording, selection.cut(), selection.runs()).unwrap();
    image.show(state);
}

fn all(image: &mut Image) -> Vec<u8> {
    let mut bytes = vec![0xee; image.size() as usize];
    image.read(0, &mut bytes).unwrap();
    bytes
}

/// How an image's hash differs from the base's, as the engine counts it.
fn hash(recording: &Recording, bytes: &[u8]) -> u128 {
    let blocks = bytes.chunks_exact(recording.header().block_size as usize);
    let differs = |(block, bytes)| {
        let (content, base) = (xxh3_128(bytes), recording.base_content(block));
        if content == base {
            0
        } else {
            weight(block, content).wrapping_sub(weight(block, base))
        }
    };
    (0..).zip(blocks).map(differs).fold(0, u128::wrapping_add)
}

/// Some legal states of a cut, among them the two ends.
fn keeps(choices: &Choices<'_>, random: &mut ChaCha8Rng) -> Vec<Keep> {
    let mut keeps = vec![choices.none(), choices.all()];
    let is_prefix = choices.cut().geometry().tear == powercut_model::Tear::Prefix;
    for _ in 0..2 {
        let mut keep = Keep::that(choices.len(), |_| random.next_u32() % 2 == 0);
        if is_prefix {
            for (_, pieces) in choices.writes() {
                let first_lost = pieces.clone().find(|piece| !keep.contains(*piece));
                let lost = first_lost.map_or(pieces.end..pieces.end, |lost| lost..pieces.end);
                lost.for_each(|piece| keep.remove(piece));
            }
        }
        keeps.push(keep);
    }
    keeps
}

#[test]
fn a_state_has_the_bytes_that_the_engine_and_a_replay_say() {
    let mut states = 0;
    for seed in 0..120 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for log in [
            History::random(seed).base(2, "old").base(9, "older"),
            History::long(seed),
            History::random_prefixes(seed).base(1, "old"),
            History::random_rmw(seed).base(3, "old"),
            History::random_prefixes(seed)
                .garbage(0, 3, seed)
                .write(1, "new"),
            History::new()
                .write_run(0, &["a", "b"])
                .garbage(0, 3, seed)
                .submit(1, "new"),
        ] {
            let (recording, mut image) = image(&log);
            let stream = log.stream();
            for _ in 0..STATES / 4 {
                let event = random.next_u64() % (recording.header().newest_event + 1);
                let choices = Choices::new(&recording, Cut::new(&*recording, event).unwrap());
                for keep in keeps(&choices, &mut random) {
                    point(&mut image, &recording, &Selection::of(&choices, &keep));
                    let bytes = all(&mut image);
                    let name = format!("seed {seed}, cut {event}, {keep:?}");
                    assert_eq!(hash(&recording, &bytes), choices.image(&keep), "{name}");
                    let pieces: Vec<Piece> = keep.iter().map(|at| choices.pieces()[at]).collect();
                    let replayed = bytes_by_replay(&stream, &recording, event, &pieces);
                    assert!(bytes == replayed, "{name}");
                    states += 1;
                }
            }
        }
    }
    assert!(states > 5000, "{states}");
}

#[test]
fn what_is_written_lies_above_the_state_until_another_is_shown() {
    let log = History::new().write(3, "a").write(5, "b");
    let (recording, mut image) = image(&log);
    let newest = recording.header().newest_event;
    let choices = Choices::new(&recording, Cut::new(&*recording, newest).unwrap());
    let kept = Selection::of(&choices, &choices.all());
    point(&mut image, &recording, &kept);
    let before = all(&mut image);
    assert_eq!(&before[3 * 4096..3 * 4096 + 2], b"aa");

    // A write over a border of pages, zeroes, and zeroes where nothing is.
    image.write(3 * 4096, &[7; 8192]);
    image.zero(5 * 4096, 4096);
    image.zero(100 * 4096, 4096 * 100);
    let mut expected = before.clone();
    expected[3 * 4096..5 * 4096].fill(7);
    expected[5 * 4096..6 * 4096].fill(0);
    assert!(all(&mut image) == expected);

    point(&mut image, &recording, &kept);
    assert!(all(&mut image) == before);
}

#[test]
fn only_what_is_read_of_the_state_counts() {
    let log = History::new().write(3, "a").write(4, "b").write(5, "c");
    let (recording, mut image) = image(&log);
    let mut block = [0; 4096];
    assert_eq!(image.reads(), Reads::default());
    image.write(4 * 4096, &block);
    for nr in [5, 3, 4, 9] {
        image.read(nr * 4096, &mut block).unwrap();
    }
    // Block 4 is the check's own, and of block 9 there is nothing that could differ.
    let expected = Reads::from_ranges(vec![(24, 8), (40, 8)]);
    assert_eq!(image.reads(), expected);
    point(&mut image, &recording, &Selection::base());
    assert_eq!(image.reads(), Reads::default());
}
