// SPDX-License-Identifier: GPL-2.0

//! The server, asked as the kernel asks it.

use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use powercut_engine::abi::Header;
use powercut_engine::choices::Choices;
use powercut_engine::recording::testing::History;
use powercut_engine::recording::{CrashState, Recording};
use powercut_model::Cut;

use super::protocol::serve;
use crate::crash_disk::{Contents, CrashDisk, Image, Part};

fn disk(log: &History) -> Arc<Mutex<CrashDisk>> {
    disk_and_header(log).1
}

fn disk_and_header(log: &History) -> (Header, Arc<Mutex<CrashDisk>>) {
    let recording = Arc::new(log.done());
    let header = recording.header().clone();
    let contents = Arc::new(Contents::spill(&log.stream()[..]).unwrap());
    let state = CrashState::new(&recording, 0, []).unwrap();
    let image = Image::new(recording, contents, state);
    (header, Arc::new(Mutex::new(CrashDisk::new(image))))
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
    let disk = disk(&History::new().base(1, "x").write(3, "a"));
    let (ours, mut client) = UnixStream::pair().unwrap();
    std::thread::scope(|scope| {
        let server = scope.spawn(|| serve(&ours, &Part::whole(&disk)));
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
    let disk = disk(&History::new());
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
        assert_eq!(
            serve(&ours, &Part::whole(&disk)).is_ok(),
            is_short,
            "{bytes:?}"
        );
    }
}

#[test]
fn a_late_answer_holds_up_no_other() {
    let disk = disk(&History::new());
    let rules = ["latency op=write usec=100000 count=1".parse().unwrap()];
    disk.lock().unwrap().set_faults(&rules, "a").unwrap();
    disk.lock().unwrap().begin().unwrap();
    let (ours, mut client) = UnixStream::pair().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| serve(&ours, &Part::whole(&disk)));
        let begin = Instant::now();
        let mut bytes = request(1, 1, 0, 4096);
        bytes.extend([9; 4096]);
        bytes.extend(request(0, 2, 0, 4096));
        client.write_all(&bytes).unwrap();
        // It is there for readers at once.
        assert_eq!(answer(&mut client, 2, 4096), (0, vec![9; 4096]));
        assert_eq!(answer(&mut client, 1, 0).0, 0);
        assert!(begin.elapsed() >= Duration::from_millis(100));
        drop(client);
    });
}

#[test]
fn requests_that_are_sent_together_are_in_flight_together() {
    for (is_together, left) in [(true, 1), (false, 0)] {
        let (header, disk) = disk_and_header(&History::new());
        disk.lock().unwrap().begin_record(&header).unwrap();
        let (ours, mut client) = UnixStream::pair().unwrap();
        let served = Part::whole(&disk);
        let server = std::thread::spawn(move || serve(&ours, &served));
        let mut write = request(1, 1, 0, 4096);
        write.extend([9; 4096]);
        let flush = request(3, 2, 0, 0);
        if is_together {
            client.write_all(&[write, flush].concat()).unwrap();
        } else {
            client.write_all(&write).unwrap();
            assert_eq!(answer(&mut client, 1, 0).0, 0);
            client.write_all(&flush).unwrap();
        }
        let mut left_to_answer = if is_together { 2 } else { 1 };
        while left_to_answer > 0 {
            let mut head = [0; 16];
            client.read_exact(&mut head).unwrap();
            left_to_answer -= 1;
        }
        drop(client);
        server.join().unwrap().unwrap();
        disk.lock().unwrap().end_record();
        let file = disk.lock().unwrap().export().unwrap();
        let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        let recording = Recording::read(&bytes[..]).unwrap();
        let cut = Cut::new(&recording, recording.header().newest_event).unwrap();
        assert_eq!(Choices::new(&recording, cut).len(), left);
    }
}
