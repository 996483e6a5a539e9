// SPDX-License-Identifier: GPL-2.0

//! What the kernel and the driver answer: attributes, messages, what was read of a state.

use std::sync::LazyLock;

use powercut_cli::device::{FaultStatus, RecordStatus};
use powercut_cli::kmsg;
use powercut_engine::reads::Reads;
use powercut_engine::recording::testing::History;
use powercut_engine::recording::Recording;

use super::{texts, Target};

static RECORDING: LazyLock<Recording> = LazyLock::new(|| History::random(5).done());

pub const ANSWERS: Target = Target {
    name: "answers",
    run: answers,
    seeds: || {
        let mut seeds = texts(&[
            "3,1234,5678,-;EXT4-fs (x): bad\n SUBSYSTEM=block\n",
            "state=recording entries=3 events=7 marks=1 bytes=8192 truncated=0",
            "lost op=write lba=0-7 hits=3\nstale hits=0\n",
            "0 8\n2040 8\n",
        ]);
        seeds.push([8u64, 16, 1 << 40, 1].map(u64::to_le_bytes).concat());
        seeds
    },
    words: &[";", "\n", " ", " hits=", "entries=", "18446744073709551615"],
    inputs: 20_000,
};

fn answers(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let _ = kmsg::message(input);
    let _ = RecordStatus::parse(&text);
    let _ = FaultStatus::parse_rules(&text);
    for (first, last) in FaultStatus::parse_bad(&text) {
        assert!(first <= last, "{first}-{last}");
    }
    if let Some(reads) = Reads::parse(input) {
        let places = reads.places(&RECORDING);
        assert!(
            places.windows(2).all(|pair| pair[0] < pair[1]),
            "{places:?}"
        );
    }
}
