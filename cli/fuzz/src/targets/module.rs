// SPDX-License-Identifier: GPL-2.0

//! What the module reads: logs that are imported, rules of faults. Its own source, on the host; and what
//! it takes, the command takes, too.

use powercut_cli::faults::Rule;
use powercut_engine::recording::{Recording, RecordingError};
use powercut_module::{bad_sectors, entry, rules, take_in, Taken};

use super::recording::histories;
use super::stream::{compact, expand, plain_base};
use super::{texts, Target};

const ENTRY: usize = 96;

pub const IMPORT: Target = Target {
    name: "import",
    run: take,
    seeds: || histories().iter().map(|stream| compact(stream)).collect(),
    words: &[],
    inputs: 20_000,
};

pub const RULES: Target = Target {
    name: "module_rules",
    run: set,
    seeds: || {
        texts(&[
            "flush-lies",
            "lost op=write,discard lba=1-2 count=3 after=1 every=2",
            "latency usec=5 prob=1/2 seed=1\neio op=read,flush prob=30%",
            "+misdirected to=8 lba=7\n+corrupt bytes=3 lba=0-2047",
            "stale lba=2\nfua-ignored",
            "badblocks mode=until-rewritten once=0 +1-2 -3-4",
            "+0-7\n-2-3\n+9-9\n+0-2047",
        ])
    },
    words: &[
        "flush-lies",
        "fua-ignored",
        "lost",
        "misdirected",
        "corrupt",
        "stale",
        "eio",
        "latency",
        "badblocks",
        " op=",
        " lba=",
        " to=",
        " bytes=",
        " usec=",
        " after=",
        " every=",
        " count=",
        " prob=",
        " seed=",
        " mode=",
        " once=",
        "read",
        "write",
        "discard",
        "flush",
        ",",
        "-",
        "+",
        "/",
        "%",
        "\n",
        " ",
    ],
    inputs: 40_000,
};

fn take(input: &[u8]) {
    let mut stream = expand(input);
    if stream.len() >= 64 {
        plain_base(&mut stream);
    }
    let at_a_time = match input.first() {
        Some(options) if options & 4 != 0 => 61,
        _ => stream.len(),
    };
    if let Some(bytes) = input.get(input.len().saturating_sub(ENTRY)..) {
        if let Some(written) = entry(bytes) {
            assert_eq!(written, bytes, "an entry is not as it came");
        }
    }
    let Taken::Whole(exported) = take_in(&stream, at_a_time) else {
        return;
    };
    assert_eq!(exported.len(), stream.len());
    let differs = exported
        .iter()
        .zip(&stream)
        .position(|(out, come)| out != come);
    assert_eq!(differs, None, "what is exported is not what was imported");
    match Recording::read(&stream[..]) {
        Ok(_) | Err(RecordingError::Truncated(_)) => {}
        Err(e) => panic!("the module takes what the command does not: {e}"),
    }
}

fn set(input: &[u8]) {
    const DISK: u64 = 2048;
    if let Some(shown) = rules(input, DISK, 8) {
        let shown = shown.trim_end().replace(" hits=0", "");
        let again = rules(shown.as_bytes(), DISK, 8).expect("rules are taken as they are shown");
        assert_eq!(again.trim_end().replace(" hits=0", ""), shown);
        for rule in shown.lines() {
            assert!(rule.parse::<Rule>().is_ok(), "{rule:?} is refused");
        }
    }
    let changes = input.split(|byte| *byte == b'\n');
    if let Some(shown) = bad_sectors(changes, DISK) {
        let mut end = 0;
        for line in shown.lines() {
            let run = line.split_once(' ').expect("a sector and a number");
            let (first, count): (u64, u64) = (run.0.parse().unwrap(), run.1.parse().unwrap());
            assert!(end <= first && count > 0, "runs do not ascend: {shown}");
            end = first + count + 1;
        }
        assert!(end <= DISK + 1, "{shown}");
    }
    command_first(input);
}

/// Bad sectors that the command takes, the module takes, unless they are not on the disk or too many.
fn command_first(input: &[u8]) {
    let rule = std::str::from_utf8(input).map(str::parse::<Rule>);
    let Ok(Ok(Rule::Bad(bad))) = rule else {
        return;
    };
    let most = |change: &String| change.contains(&u64::MAX.to_string());
    if bad.changes.len() < 500 && !bad.changes.iter().any(most) {
        let changes = bad.changes.iter().map(String::as_bytes);
        let taken = bad_sectors(changes, u64::MAX);
        assert!(taken.is_some(), "{:?} are refused", bad.changes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that is changed begins with what is taken.
    #[test]
    fn the_module_takes_the_seeds() {
        let takes = |input: &Vec<u8>| matches!(take_in(&expand(input), 4096), Taken::Whole(_));
        let seeds = (IMPORT.seeds)();
        let taken = seeds.iter().filter(|seed| takes(seed)).count();
        assert!(taken * 3 > seeds.len() * 2, "{taken} of {}", seeds.len());
    }
}
