// SPDX-License-Identifier: GPL-2.0

//! Filters of `powercut log`.

use powercut_cli::args::LogFilter;
use powercut_cli::commands::log::filter::Filter;
use powercut_engine::abi::Reader;
use powercut_engine::members::Members;
use powercut_engine::recording::testing::History;

use super::{texts, Target};

pub const FILTER: Target = Target {
    name: "filter",
    run: filter,
    seeds: || {
        texts(&[
            "events=3-9\ntime=1500ms-2s\ntask=x\nlba=0-7",
            "stack=1a2b3c4d\nstack=0",
            "lba=a+0-7\nflags=FUA\nflags=preflush\nop=write\nop=flush\nmark=x",
            "events=-7\ntime=3-",
            "time=0-1h 2m\nlba=8",
        ])
    },
    words: &[
        "events=",
        "time=",
        "task=",
        "stack=",
        "lba=",
        "flags=",
        "op=",
        "mark=",
        "\n",
        "-",
        "+",
        "ms",
        "s",
        "write_zeroes",
        "discard",
        "META",
    ],
    inputs: 20_000,
};

fn filter(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut given = LogFilter::default();
    for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
        let value = value.to_string();
        match key {
            "events" => given.events = Some(value),
            "time" => given.time = Some(value),
            "task" => given.task.push(value),
            "stack" => given.stack.push(value),
            "lba" => given.lba = Some(value),
            "flags" => given.flags.push(value),
            "op" => given.op.push(value),
            "mark" => given.mark = Some(value),
            _ => {}
        }
    }
    let members = Members::read("a:1 b:16777215").expect("two disks");
    for members in [Members::default(), members] {
        let Ok(filter) = Filter::new(&given, &members) else {
            continue;
        };
        let stream = History::random(3).stream();
        let mut reader = Reader::new(&stream[..]).expect("a stream");
        let mut payload = Vec::new();
        while let Some(entry) = reader.next_entry(&mut payload).expect("an entry") {
            let is_late = filter.ends_before(entry.submit);
            assert!(!(is_late && filter.has(&entry)), "shown after the last");
        }
    }
}
