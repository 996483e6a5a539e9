// SPDX-License-Identifier: GPL-2.0

//! What the server shows is what the engine says of a state, and what a replay of all that survived leaves.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use powercut_engine::choices::Choices;
use powercut_engine::keep::Keep;
use powercut_engine::reads::Reads;
use powercut_engine::recording::testing::History;
use powercut_engine::recording::{bytes_by_replay, weight, CrashState, Recording};
use powercut_model::{Cut, Piece};
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use xxhash_rust::xxh3::xxh3_128;

use super::protocol::serve;
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

/// A request, as the kernel sends it.
fn request(kind: u16, cookie: u8, offset: u64, len: u32) -> Vec<u8> {
    let mut bytes = 0x2560_9513u32.to_be_bytes().to_vec();
    bytes.extend([0, 0]);
    bytes.extend(kind.to_be_bytes());
    bytes.extend([cookie; 8]);
    bytes.extend(offset.to_be_bytes());
    bytes.extend(len.to_be_bytes());
    bytes
}

/// The error and the data of the answer.
fn answer(client: &mut UnixStream, cookie: u8, len: usize) -> (u32, Vec<u8>) {
    let mut head = [0; 16];
    client.read_exact(&mut head).unwrap();
    assert_eq!(head[..4], 0x6744_6698u32.to_be_bytes());
    assert_eq!(head[8..], [cookie; 8]);
    let error = u32::from_be_bytes(head[4..8].try_into().unwrap());
    let mut data = vec![0; if error == 0 { len } else { 0 }];
    client.read_exact(&mut data).unwrap();
    (error, data)
}

#[test]
fn the_protocol_is_that_of_the_kernels_client() {
    let (_, image) = image(&History::new().base(1, "x").write(3, "a"));
    let image = Mutex::new(image);
    let (ours, mut client) = UnixStream::pair().unwrap();
    std::thread::scope(|scope| {
        let server = scope.spawn(|| serve(ours, &image));
        let mut ask = |kind, cookie, offset, len: u32, data: &[u8], answered| {
            client
                .write_all(&request(kind, cookie, offset, len))
                .unwrap();
            client.write_all(data).unwrap();
            answer(&mut client, cookie, answered)
        };
        let read = ask(0, 1, 4096, 4096, &[], 4096);
        assert_eq!(read, (0, vec![b'x'; 4096]));
        // Write, flush, read again, trim.
        assert_eq!(ask(1, 2, 8192, 4096, &[9; 4096], 0).0, 0);
        assert_eq!(ask(3, 3, 0, 0, &[], 0).0, 0);
        assert_eq!(ask(0, 4, 8192, 4096, &[], 4096), (0, vec![9; 4096]));
        assert_eq!(ask(4, 5, 8192, 4096, &[], 0).0, 0);
        assert_eq!(ask(0, 6, 8192, 4096, &[], 4096), (0, vec![0; 4096]));
        // Beyond its end, not whole blocks, not known.
        assert_eq!(ask(0, 7, 1 << 20, 4096, &[], 0).0, 22);
        assert_eq!(ask(0, 8, 100, 4096, &[], 0).0, 22);
        assert_eq!(ask(0, 9, u64::MAX - 4095, 4096, &[], 0).0, 22);
        assert_eq!(ask(77, 10, 0, 4096, &[], 0).0, 22);
        client.write_all(&request(2, 11, 0, 0)).unwrap();
        assert!(server.join().unwrap().is_ok());
    });
}

#[test]
fn what_is_no_request_ends_the_server() {
    let (_, image) = image(&History::new());
    let image = Mutex::new(image);
    for bytes in [
        vec![0; 28],
        request(1, 1, 0, u32::MAX),
        request(0, 1, 0, 4096)[..9].to_vec(),
    ] {
        let (ours, mut client) = UnixStream::pair().unwrap();
        client.write_all(&bytes).unwrap();
        drop(client);
        let is_short = bytes.len() < 28;
        // A client that goes away in the middle of a request has ended it.
        assert_eq!(serve(ours, &image).is_ok(), is_short, "{bytes:?}");
    }
}
