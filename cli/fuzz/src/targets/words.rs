// SPDX-License-Identifier: GPL-2.0

//! What is typed as one word of a command line.

use std::fmt::Display;
use std::str::FromStr;

use powercut_cli::device::{Completion, DiscardContent, MarkText, Name, Trigger};
use powercut_cli::fs::{Fs, MountSpec};
use powercut_cli::{options, size};
use powercut_engine::budget::Budget;
use powercut_engine::explore::Shard;
use powercut_engine::faults::Faults;
use powercut_engine::members::{Members, SectorRange};
use powercut_engine::strategy::Strategy;

use super::{texts, Target};

pub const WORDS: Target = Target {
    name: "words",
    run: words,
    seeds: || {
        texts(&[
            "64MiB",
            "1025K",
            "90s",
            "1h 30m",
            "1m 500ms",
            "none",
            "300",
            "2.5 s",
            "300 states",
            "seed:7",
            "ext4,noatime,barrier=0",
            "inline",
            "delayed:10000000",
            "delayed:random:0-500,7",
            "garbage:7",
            "zeroes",
            "data:48 log:16",
            "log+7-9",
            "2048-4095",
            "3/8",
            "drop-one",
            "writes:3",
            "mark:x",
            "lba:log+7-9",
            "ms:1",
            "flush-lies,lost",
            "a.b",
            "5f0c2a19:k=812:keep=0-3,7",
        ])
    },
    words: &[
        "K", "M", "G", "T", "iB", "s", "ms", "h", "m", ":", "-", "+", ",", "/", ".", " ",
        "delayed:", "random:", "garbage:", "seed:", "writes:", "mark:", "lba:", "states", "e99",
        "inf", "NaN",
    ],
    inputs: 20_000,
};

/// What is read is shown as it is read.
fn same<T: FromStr + Display + PartialEq + std::fmt::Debug>(text: &str)
where
    T::Err: std::fmt::Debug,
{
    if let Ok(value) = text.parse::<T>() {
        let again = value.to_string().parse::<T>();
        assert_eq!(again.as_ref().ok(), Some(&value), "shown as {value}");
    }
}

fn words(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    same::<Name>(text);
    same::<MarkText>(text);
    same::<Completion>(text);
    same::<DiscardContent>(text);
    same::<SectorRange>(text);
    same::<Faults>(text);
    same::<Strategy>(text);
    if let Ok(shard) = text.parse::<Shard>() {
        assert!((1..=shard.of).contains(&shard.nr));
        assert_eq!(shard.to_string().parse(), Ok(shard));
    }
    if let Ok(trigger) = text.parse::<Trigger>() {
        let _ = trigger.to_string();
    }
    if let Ok(members) = Members::read(text) {
        assert_eq!(Members::read(&members.to_string()), Ok(members));
    }
    let _ = options::name_and_view(text);
    let _ = options::survivors(text);
    sizes(text);
    mounts(text);
}

fn sizes(text: &str) {
    if let Ok(mib) = size::disk_mib(text) {
        assert!((1..=1 << 24).contains(&mib), "{mib} MiB");
        assert_eq!(size::disk_mib(&mib.to_string()), Ok(mib));
        let _ = size::human(mib << 20);
    }
    if let Ok(time) = size::time(text) {
        assert!(time.as_millis() > 0);
    }
    if let Ok(budget) = size::budget(text) {
        // A report has it as text.
        let again = size::read_budget(&budget.to_string());
        assert!(
            again.is_ok_and(|again| is_alike(again, budget)),
            "shown as {budget}"
        );
    }
    let _ = size::read_budget(text);
}

/// Times are shown in seconds, as floating-point numbers.
fn is_alike(one: Budget, other: Budget) -> bool {
    match (one, other) {
        (Budget::Time(one), Budget::Time(other)) => {
            one.abs_diff(other).as_secs_f64() <= 1e-6 + other.as_secs_f64() / 1e12
        }
        (one, other) => one == other,
    }
}

fn mounts(text: &str) {
    let _ = text.parse::<Fs>();
    let Ok(Some(mount)) = MountSpec::parse(text) else {
        return;
    };
    let shown = match mount.options.as_str() {
        "" => mount.fs.clone(),
        options => format!("{},{options}", mount.fs),
    };
    assert_eq!(MountSpec::parse(&shown).ok(), Some(Some(mount.clone())));
    let read_only = mount.read_only();
    assert!(read_only.options.split(',').any(|option| option == "ro"));
    let _ = mount.with("x").recovered_by();
}
