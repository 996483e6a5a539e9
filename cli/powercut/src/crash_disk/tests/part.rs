// SPDX-License-Identifier: GPL-2.0

//! The members of a group: each has its place on the disk, and what is asked of it is of that place.

use powercut_engine::choices::Choices;
use powercut_engine::recording::testing::History;
use powercut_engine::recording::Recording;
use powercut_model::Cut;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::io::Errno;

use super::record::{bytes_of, disk, recorded, request, BLOCK};
use crate::crash_disk::{Op, Part, Request};

/// Two writes, one to each member, and a flush of one of them.
#[test]
fn a_part_has_its_place_and_its_flush_covers_it_alone() {
    for flushed in [0, 1] {
        let (of, disk) = disk(&History::new().group(64));
        let parts = Part::all_of(&disk, of.members());
        let sizes: Vec<u64> = parts.iter().map(Part::size).collect();
        assert_eq!(sizes, [64 * BLOCK, 192 * BLOCK]);
        disk.lock().unwrap().begin_record(of.header()).unwrap();
        let ask = |part: &Part, request: &Request, byte| {
            let mut data = vec![byte; request.len as usize];
            let served = part.serve(request, &mut data);
            if let Some(ticket) = served.ticket {
                part.complete(ticket);
            }
            (served.error, data)
        };
        for (part, byte) in parts.iter().zip([1, 2]) {
            let last = part.size() / BLOCK - 1;
            assert_eq!(ask(part, &request(Op::Write, 3, 1), byte).0, None);
            assert_eq!(ask(part, &request(Op::Read, 3, 1), 0).1, [byte; 4096]);
            assert_eq!(ask(part, &request(Op::Read, last, 1), 9).1, [0; 4096]);
            // Not even where another one's begins.
            assert_eq!(
                ask(part, &request(Op::Read, last + 1, 1), 0).0,
                Some(Errno::INVAL)
            );
            assert_eq!(
                ask(part, &request(Op::Write, last, 2), 0).0,
                Some(Errno::INVAL)
            );
        }
        assert_eq!(ask(&parts[flushed], &request(Op::Flush, 7, 0), 0).0, None);
        disk.lock().unwrap().end_record();
        let (_, recording, _) = recorded(&disk);
        let places = recording
            .entries()
            .iter()
            .map(|e| recording.members().place(e.sector()));
        let places: Vec<String> = places.collect();
        assert_eq!(places, ["data+24", "log+24", ["data+0", "log+0"][flushed]]);
        let cut = Cut::new(&*recording, recording.header().newest_event).unwrap();
        let choices = Choices::new(&recording, cut);
        let writes = choices.writes().iter();
        let pending: Vec<u64> = writes
            .map(|(at, _)| recording.entries()[*at].sector())
            .collect();
        assert_eq!(pending, [[64 * 8 + 24, 24][flushed]]);
    }
}

#[test]
fn a_write_that_is_misdirected_stays_on_its_device() {
    for (first, place) in [(3, 0..64), (70, 64..256)] {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..40 {
            let (of, disk) = disk(&History::new().group(64));
            let rule = format!("misdirected seed={}", random.next_u32());
            let mut disk = disk.lock().unwrap();
            disk.set_faults(&[rule.parse().unwrap()], "a").unwrap();
            disk.begin_record(of.header()).unwrap();
            disk.serve(&request(Op::Write, first, 2), &mut [7; 8192]);
            disk.end_record();
            let file = disk.export().unwrap();
            let recording = Recording::read(&bytes_of(&file)[..]).unwrap();
            let at = recording.entries()[0].sector() / 8;
            assert!(place.contains(&at) && place.contains(&(at + 1)), "{at}");
        }
    }
}
