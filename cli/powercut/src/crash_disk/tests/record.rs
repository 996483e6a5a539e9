// SPDX-License-Identifier: GPL-2.0

//! What is written to a crash disk is recorded, and states of that are shown in turn.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex};

use powercut_engine::abi::{EntryOp, Reader, IN_FLIGHT};
use powercut_engine::choices::Choices;
use powercut_engine::reads::Reads;
use powercut_engine::recording::testing::History;
use powercut_engine::recording::{bytes_by_replay, CrashState, Recording};
use powercut_model::{Cut, Piece};
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::io::Errno;

use super::{all, image, keeps, point};
use crate::crash_disk::{CrashDisk, Image, Op, Request};
use crate::device::Selection;

pub(super) const BLOCK: u64 = 4096;

/// A disk that shows the newest state of a log.
pub(super) fn disk(log: &History) -> (Arc<Recording>, Arc<Mutex<CrashDisk>>) {
    let (recording, mut image) = image(log);
    let newest = recording.header().newest_event;
    let choices = Choices::new(&recording, Cut::new(&*recording, newest).unwrap());
    point(
        &mut image,
        &recording,
        &Selection::of(&choices, &choices.all()),
    );
    let mut disk = CrashDisk::new(image);
    disk.begin().unwrap();
    (recording, Arc::new(Mutex::new(disk)))
}

pub(super) fn request(op: Op, block: u64, blocks: u64) -> Request {
    Request {
        op,
        offset: block * BLOCK,
        len: (blocks * BLOCK) as u32,
        is_fua: false,
    }
}

/// Serves a request and answers it.
fn ask(disk: &Mutex<CrashDisk>, request: &Request, byte: u8) {
    let mut disk = disk.lock().unwrap();
    let served = disk.serve(request, &mut vec![byte; request.len as usize]);
    assert_eq!(served.error, None);
    if let Some(ticket) = served.ticket {
        disk.complete(ticket);
    }
}

pub(super) fn bytes_of(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// The record, as a stream and read, and an image of its states.
pub(super) fn recorded(disk: &Arc<Mutex<CrashDisk>>) -> (Vec<u8>, Arc<Recording>, Image) {
    let stream = bytes_of(&disk.lock().unwrap().export().unwrap());
    let recording = Arc::new(Recording::read(&stream[..]).unwrap());
    let contents = disk.lock().unwrap().recorded(Arc::clone(disk)).unwrap();
    let state = CrashState::new(&recording, 0, []).unwrap();
    let image = Image::new(Arc::clone(&recording), Arc::new(contents), state);
    (stream, recording, image)
}

fn live(disk: &Mutex<CrashDisk>) -> Vec<u8> {
    let mut disk = disk.lock().unwrap();
    let mut bytes = vec![0; disk.size() as usize];
    let len = bytes.len() as u64 / BLOCK;
    assert_eq!(
        disk.serve(&request(Op::Read, 0, len), &mut bytes).error,
        None
    );
    bytes
}

#[test]
fn the_states_of_a_record_are_those_of_its_export() {
    let (mut states, mut groups) = (0, 0);
    for seed in 0..60 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let log = match seed % 3 {
            0 => History::random(seed).base(2, "old").base(9, "older"),
            1 => History::random_prefixes(seed).base(1, "old"),
            _ => History::new().write_run(0, &["a", "b"]).garbage(0, 3, seed),
        };
        let (of, disk) = disk(&log);
        groups += usize::from(!of.members().is_empty());
        let starts: Vec<u64> = of.members().places().map(|place| place.start / 8).collect();
        ask(&disk, &request(Op::Write, 4, 2), 7);
        let before = live(&disk);
        disk.lock().unwrap().begin_record(of.header()).unwrap();
        for step in 0..12u8 {
            let at = random.next_u64() % 12;
            // The kernel sends nothing to two disks at once.
            let border = starts.get(1).filter(|border| at < **border);
            let len =
                (1 + random.next_u64() % 3).min(border.map_or(u64::MAX, |border| border - at));
            let mut next = match random.next_u32() % 8 {
                0 => request(
                    Op::Flush,
                    starts.get(usize::from(step) % 2).map_or(0, |at| *at),
                    0,
                ),
                1 => request(Op::Discard, at, len),
                2 => request(Op::WriteZeroes, at, len),
                _ => request(Op::Write, at, len),
            };
            next.is_fua = random.next_u32() % 4 == 0 && next.op == Op::Write;
            ask(&disk, &next, 100 + step);
        }
        disk.lock().unwrap().end_record();
        ask(&disk, &request(Op::Write, 200, 1), 1);
        let (stream, recording, mut image) = recorded(&disk);
        assert_eq!(recording.entries().len(), 12);
        assert!(all(&mut image) == before, "seed {seed}: the base");
        for event in 0..=recording.header().newest_event {
            let choices = Choices::new(&recording, Cut::new(&*recording, event).unwrap());
            for keep in keeps(&choices, &mut random) {
                point(&mut image, &recording, &Selection::of(&choices, &keep));
                let pieces: Vec<Piece> = keep.iter().map(|at| choices.pieces()[at]).collect();
                let replayed = bytes_by_replay(&stream, &recording, event, &pieces);
                assert!(
                    all(&mut image) == replayed,
                    "seed {seed}, cut {event}, {keep:?}"
                );
                states += 1;
            }
        }
    }
    assert!(states > 3000 && groups > 0, "{states}, {groups} groups");
}

/// How many pieces are pending at the end.
fn pending(disk: &Arc<Mutex<CrashDisk>>) -> usize {
    disk.lock().unwrap().end_record();
    let (_, recording, _) = recorded(disk);
    let newest = recording.header().newest_event;
    Choices::new(&recording, Cut::new(&*recording, newest).unwrap()).len()
}

#[test]
fn a_flush_covers_what_was_answered_before_it_came_and_nothing_else() {
    for (is_answered, left) in [(true, 0), (false, 1)] {
        let (of, disk) = disk(&History::new());
        disk.lock().unwrap().begin_record(of.header()).unwrap();
        let write = request(Op::Write, 3, 1);
        let served = disk.lock().unwrap().serve(&write, &mut [7; 4096]);
        let mut late = served.ticket;
        if is_answered {
            disk.lock().unwrap().complete(late.take().unwrap());
        }
        ask(&disk, &request(Op::Flush, 0, 0), 0);
        if let Some(ticket) = late {
            disk.lock().unwrap().complete(ticket);
        }
        assert_eq!(pending(&disk), left);
    }
}

#[test]
fn fua_and_faults_are_in_the_record() {
    let flush = request(Op::Flush, 0, 0);
    let write = request(Op::Write, 3, 1);
    let fua = Request {
        is_fua: true,
        ..write
    };
    for (rule, requests, left, names) in [
        ("lost lba=800", &[fua][..], 0, ""),
        ("fua-ignored", &[fua], 1, "fua-ignored"),
        ("flush-lies", &[write, flush], 1, "flush-lies"),
        ("lost", &[write], 0, "lost"),
        ("misdirected to=80", &[write], 1, "misdirected"),
        ("corrupt", &[write], 1, "corrupt"),
        ("stale", &[write, request(Op::Read, 3, 1)], 1, "stale"),
    ] {
        let (of, disk) = disk(&History::new());
        disk.lock()
            .unwrap()
            .set_faults(&[rule.parse().unwrap()], "a")
            .unwrap();
        disk.lock().unwrap().begin_record(of.header()).unwrap();
        requests.iter().for_each(|request| ask(&disk, request, 7));
        assert_eq!(pending(&disk), left, "{rule}");
        let (stream, recording, mut image) = recorded(&disk);
        assert_eq!(recording.header().faults.to_string(), names, "{rule}");
        let choices = Choices::new(
            &recording,
            Cut::new(&*recording, recording.header().newest_event).unwrap(),
        );
        point(
            &mut image,
            &recording,
            &Selection::of(&choices, &choices.all()),
        );
        let bytes = all(&mut image);
        assert!(
            bytes == live_without_faults(&disk),
            "{rule}: what is on the disk"
        );
        let pieces: Vec<Piece> = choices.pieces().to_vec();
        let newest = recording.header().newest_event;
        assert!(
            bytes == bytes_by_replay(&stream, &recording, newest, &pieces),
            "{rule}"
        );
    }
}

fn live_without_faults(disk: &Mutex<CrashDisk>) -> Vec<u8> {
    disk.lock().unwrap().set_faults(&[], "a").unwrap();
    live(disk)
}

#[test]
fn a_failed_write_is_not_in_the_record_and_its_failure_is() {
    let (of, disk) = disk(&History::new());
    disk.lock()
        .unwrap()
        .set_faults(&["eio".parse().unwrap()], "a")
        .unwrap();
    disk.lock().unwrap().begin_record(of.header()).unwrap();
    let served = disk
        .lock()
        .unwrap()
        .serve(&request(Op::Write, 3, 1), &mut [7; 4096]);
    assert!(served.error.is_some() && served.ticket.is_none());
    assert_eq!(pending(&disk), 0);
    let (_, recording, _) = recorded(&disk);
    assert_eq!(
        (
            recording.entries().len(),
            recording.header().faults.to_string()
        ),
        (0, "eio".into())
    );
}

#[test]
fn a_stale_read_is_of_the_write_before_the_newest_while_there_is_a_record() {
    let (of, disk) = disk(&History::new().write(3, "a"));
    let read = |disk: &Mutex<CrashDisk>| {
        let mut bytes = vec![0; 4096];
        disk.lock()
            .unwrap()
            .serve(&request(Op::Read, 3, 1), &mut bytes);
        bytes[0]
    };
    disk.lock()
        .unwrap()
        .set_faults(&["stale".parse().unwrap()], "a")
        .unwrap();
    ask(&disk, &request(Op::Write, 3, 1), 1);
    assert_eq!(read(&disk), b'a');
    disk.lock().unwrap().begin_record(of.header()).unwrap();
    assert_eq!(read(&disk), b'a');
    ask(&disk, &request(Op::Write, 3, 1), 2);
    assert_eq!(read(&disk), 1);
    ask(&disk, &request(Op::Write, 3, 1), 3);
    assert_eq!(read(&disk), 2);
    disk.lock().unwrap().drop_record();
    assert_eq!(read(&disk), b'a');
}

#[test]
fn what_a_state_of_a_record_reads_of_the_base_is_read_of_the_state_below() {
    let (of, disk) = disk(&History::new().write(3, "a").write(5, "b"));
    disk.lock().unwrap().begin_record(of.header()).unwrap();
    ask(&disk, &request(Op::Write, 5, 1), 7);
    disk.lock().unwrap().end_record();
    let (_, recording, mut image) = recorded(&disk);
    // To export it is not to read it.
    assert_eq!(disk.lock().unwrap().reads(), Reads::default());
    let choices = Choices::new(&recording, Cut::new(&*recording, 2).unwrap());
    point(
        &mut image,
        &recording,
        &Selection::of(&choices, &choices.all()),
    );
    let mut block = [0; 4096];
    image.read(5 * BLOCK, &mut block).unwrap();
    assert_eq!(block[0], 7);
    assert_eq!(disk.lock().unwrap().reads(), Reads::default());
    image.read(3 * BLOCK, &mut block).unwrap();
    assert_eq!(block[0], b'a');
    assert_eq!(
        disk.lock().unwrap().reads(),
        Reads::from_ranges(vec![(24, 8)])
    );
    point(&mut image, &recording, &Selection::base());
    image.read(5 * BLOCK, &mut block).unwrap();
    let both = Reads::from_ranges(vec![(24, 8), (40, 8)]);
    assert_eq!((block[0], disk.lock().unwrap().reads()), (b'b', both));
}

#[test]
fn what_the_command_reads_itself_does_not_count() {
    let (_, disk) = disk(&History::new().write(3, "a"));
    disk.lock().unwrap().prepare();
    assert_eq!(live(&disk)[3 * BLOCK as usize], b'a');
    assert_eq!(disk.lock().unwrap().reads(), Reads::default());
    disk.lock().unwrap().begin().unwrap();
    live(&disk);
    let read = Reads::from_ranges(vec![(24, 8)]);
    assert_eq!(disk.lock().unwrap().reads(), read);
}

/// A disk full of zeroes that a workload is recorded on.
fn recorded_disk(limit_bytes: u64) -> Arc<Mutex<CrashDisk>> {
    let (of, disk) = disk(&History::new());
    let begun = disk
        .lock()
        .unwrap()
        .begin_workload(of.header(), limit_bytes);
    begun.unwrap();
    disk
}

#[test]
fn a_full_record_fails_what_it_cannot_take_and_tells_where_it_ended() {
    let disk = recorded_disk(64 << 10);
    let mut disk = disk.lock().unwrap();
    let mut data = vec![7; BLOCK as usize];
    let mut written = 0;
    while disk
        .serve(&request(Op::Write, written, 1), &mut data)
        .error
        .is_none()
    {
        written += 1;
    }
    assert!((10..16).contains(&written), "{written}");
    let status = disk.record_status().unwrap();
    assert_eq!(status.truncated, status.events + 1);
    assert!(status.bytes <= 64 << 10, "{}", status.bytes);
    for op in [Op::Write, Op::WriteZeroes, Op::Discard, Op::Flush] {
        let served = disk.serve(&request(op, 0, 1), &mut data);
        assert_eq!(served.error, Some(Errno::NOSPC), "{op:?}");
    }
    assert_eq!(disk.mark("m"), Err(Errno::NOSPC));
    // What failed changed nothing.
    let mut read = vec![0; BLOCK as usize];
    assert_eq!(disk.serve(&request(Op::Read, 0, 1), &mut read).error, None);
    assert_eq!(read, data);
    assert_eq!(disk.record_status().unwrap(), status);
    // Once it is over, they are only not recorded.
    disk.end_record();
    assert_eq!(
        disk.serve(&request(Op::Discard, 0, 1), &mut data).error,
        None
    );
    assert_eq!(disk.mark("m"), Ok(()));
    assert_eq!(disk.record_status().unwrap(), status);
    let read = Recording::read(&bytes_of(&disk.export().unwrap())[..]);
    assert!(read.unwrap_err().to_string().contains("incomplete"));
}

#[test]
fn entries_of_a_workload_have_times_and_no_task_and_marks_take_their_place() {
    let disk = recorded_disk(u64::MAX);
    ask(&disk, &request(Op::Write, 1, 1), 1);
    let in_flight = disk
        .lock()
        .unwrap()
        .serve(&request(Op::Write, 2, 1), &mut [2; BLOCK as usize]);
    assert!(in_flight.ticket.is_some());
    disk.lock().unwrap().mark("m").unwrap();
    ask(&disk, &request(Op::Flush, 0, 0), 0);
    disk.lock().unwrap().end_record();
    let stream = bytes_of(&disk.lock().unwrap().export().unwrap());
    let mut reader = Reader::new(&stream[..]).unwrap();
    let (mut entries, mut payload) = (Vec::new(), Vec::new());
    while let Some(entry) = reader.next_entry(&mut payload).unwrap() {
        assert_eq!(entry.task, "(not told)");
        let is_at_once = entry.op == EntryOp::Mark || entry.complete == IN_FLIGHT;
        let duration = entry.completed_ns.checked_sub(entry.submitted_ns).unwrap();
        assert!(duration > 0 || is_at_once, "{entry:?}");
        assert!(duration == 0 || !is_at_once, "{entry:?}");
        entries.push((entry.op, entry.submit, entry.complete));
    }
    let expected = [
        (EntryOp::Write, 1, 2),
        (EntryOp::Write, 3, IN_FLIGHT),
        (EntryOp::Mark, 4, 4),
        (EntryOp::Flush, 5, 6),
    ];
    assert_eq!(entries, expected);
    let recording = Recording::read(&stream[..]).unwrap();
    let imported = crate::report::Imported::of(&recording).unwrap();
    assert_eq!(imported.format, "ublk");
}
