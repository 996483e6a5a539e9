// SPDX-License-Identifier: GPL-2.0

//! Logs of dm-log-writes and blklogwrites that somebody sent: `import --format log-writes`.

use std::io::{Cursor, Read};

use powercut_engine::abi::Reader;
use powercut_engine::log_writes::export::{ExportError, Plan};
use powercut_engine::log_writes::import::import;
use powercut_engine::log_writes::Options;
use powercut_engine::recording::testing::History;
use powercut_engine::recording::Recording;

use super::Target;

/// Larger disks are a matter of patience.
const MAX_SECTORS: u64 = 1 << 19;

/// The first byte of an input says how its log is read.
pub const LOG_WRITES: Target = Target {
    name: "log_writes",
    run: log_writes,
    seeds,
    words: &[
        "rhswfsj\0",
        "\x01\0\0\0\0\0\0\0",
        "\x08\0\0\0\0\0\0\0",
        "\0\x02\0\0",
        "\0\x10\0\0",
        "dm-log-writes-end",
    ],
    inputs: 6000,
};

/// Logs of small records, and one of sectors of 512 bytes.
fn seeds() -> Vec<Vec<u8>> {
    let streams = (0..24).map(|seed| History::random(seed).stream());
    let logs = streams.filter(|stream| stream.len() < 40_000);
    let logs = logs.filter_map(|stream| exported(&stream).ok());
    let mut seeds: Vec<Vec<u8>> = logs.map(|log| [&[0][..], &log].concat()).collect();
    let number = |n: u64| n.to_le_bytes();
    let mut small = vec![1];
    small.extend(b"rhswfsj\0".iter().chain(&number(1)).chain(&number(4)));
    small.extend(number(512));
    small.resize(1 + 512, 0);
    for (entry, data) in [
        ([8, 1, 16, 0], 1),
        ([0, 0, 1, 0], 0),
        ([16, 8, 4, 0], 0),
        ([3, 2, 3, 0], 2),
    ] {
        let end = small.len() + 512 * (1 + data);
        small.extend(entry.map(number).concat());
        small.resize(end, 0);
    }
    seeds.push(small);
    seeds
}

fn exported(stream: &[u8]) -> Result<Vec<u8>, ExportError> {
    let plan = Plan::new(stream)?;
    let mut log = Cursor::new(Vec::new());
    plan.write(stream, &mut log)?;
    Ok(log.into_inner())
}

/// The stream of a log that can be imported.
fn imported(log: &[u8], options: &Options) -> Option<Vec<u8>> {
    let open = || Ok((Cursor::new(log), std::io::empty()));
    let (scan, mut stream) = import(open, options).ok()?;
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    read.expect("a log that was looked at once can be read");
    let entries = scan.entries as usize;
    assert!(
        bytes.len() <= log.len() + (entries + 2) * 200,
        "{} bytes of a log of {}",
        bytes.len(),
        log.len()
    );
    Some(bytes)
}

fn log_writes(input: &[u8]) {
    let Some((how, log)) = input.split_first() else {
        return;
    };
    let options = Options {
        salvage: how & 1 != 0,
        atomic_unit: (how & 2 != 0).then_some(4096),
        bytes: (how & 4 != 0).then_some(1 << 20),
        base_bytes: None,
    };
    let Some(stream) = imported(log, &options) else {
        return;
    };
    let reader = Reader::new(&stream[..]).expect("what was imported has a header");
    let header = reader.header().clone();
    if header.capacity_sectors <= MAX_SECTORS {
        let recording = Recording::read(&stream[..]).expect("what was imported is a record");
        let (nr, newest) = (recording.entries().len(), header.newest_event);
        assert_eq!((nr as u64, newest), (header.entries, newest));
    }
    // It becomes a log again, and that the same record; marks may need larger sectors.
    let Ok(again) = exported(&stream) else {
        return;
    };
    let options = Options {
        bytes: Some(header.capacity_sectors * 512),
        atomic_unit: Some(header.atomic_unit),
        ..Options::default()
    };
    let again = imported(&again, &options).expect("a log that was exported is imported");
    // Device mapper makes two of a flush with data.
    let has_preflush =
        |entry: &powercut_engine::abi::Entry| entry.op.changes_data() && entry.start > entry.submit;
    let (mut reader, mut payload) = (reader, Vec::new());
    while let Some(entry) = reader.next_entry(&mut payload).expect("an entry") {
        if has_preflush(&entry) {
            return;
        }
    }
    assert!(again == stream, "another record comes back");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_is_a_log() {
        let seeds = seeds();
        assert!(seeds.len() > 10, "{}", seeds.len());
        for seed in seeds {
            assert!(imported(&seed[1..], &Options::default()).is_some());
        }
    }
}
