// SPDX-License-Identifier: GPL-2.0

//! Which entries of a log are shown.

use std::time::Duration;

use anyhow::{bail, Context, Result};
use powercut_engine::abi::{Entry, EntryOp, Flags};
use powercut_engine::members::{Members, SectorRange};
use powercut_model::Event;

use crate::args::LogFilter;

/// Numbers from the first to the last, both in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: u64,
    last: u64,
}

impl Range {
    fn has(self, number: u64) -> bool {
        (self.first..=self.last).contains(&number)
    }

    /// `A-B`, `A-`, `-B` or one number, each read by `number`.
    fn parse(text: &str, number: impl Fn(&str) -> Option<u64>) -> Option<Self> {
        let (first, last) = match text.split_once('-') {
            Some(("", "")) => return None,
            Some((first, last)) => (first, last),
            None => (text, text),
        };
        let or = |text: &str, without| match text {
            "" => Some(without),
            text => number(text),
        };
        let range = Self {
            first: or(first, 0)?,
            last: or(last, u64::MAX)?,
        };
        (range.first <= range.last && !text.is_empty()).then_some(range)
    }
}

/// What an entry must be; all of what was given.
#[derive(Debug, Default)]
pub struct Filter {
    events: Option<Range>,
    /// In nanoseconds.
    time: Option<Range>,
    tasks: Vec<String>,
    stacks: Vec<u32>,
    lba: Option<SectorRange>,
    flags: Flags,
    ops: Vec<EntryOp>,
    /// The mark that what is shown led to.
    pub mark: Option<String>,
}

const OPS: [EntryOp; 5] = [
    EntryOp::Write,
    EntryOp::WriteZeroes,
    EntryOp::Discard,
    EntryOp::Flush,
    EntryOp::Mark,
];

impl Filter {
    pub fn new(args: &LogFilter, members: &Members) -> Result<Self> {
        let event = |text: &str| text.parse().ok();
        let events = args.events.as_deref().map(|text| {
            let range = Range::parse(text, event);
            range.with_context(|| format!("--events {text}: give A-B, A- or -B, such as 1000-2000"))
        });
        let time = args.time.as_deref().map(|text| {
            let range = Range::parse(text, nanoseconds);
            range.with_context(|| {
                format!("--time {text}: give FROM-TO, FROM- or -TO, such as 1500ms-2s")
            })
        });
        let lba = args.lba.as_deref().map(|text| -> Result<SectorRange> {
            let range: SectorRange = text.parse().with_context(|| format!("--lba {text}"))?;
            let whole = members.whole(&range);
            whole.map_err(anyhow::Error::msg).context("--lba")
        });
        Ok(Self {
            events: events.transpose()?,
            time: time.transpose()?,
            tasks: args.task.clone(),
            stacks: args
                .stack
                .iter()
                .map(|text| stack(text))
                .collect::<Result<_>>()?,
            lba: lba.transpose()?,
            flags: flags(&args.flags)?,
            ops: args.op.iter().map(|text| op(text)).collect::<Result<_>>()?,
            mark: args.mark.clone(),
        })
    }

    pub fn has(&self, entry: &Entry) -> bool {
        let task = |part: &String| entry.task.contains(part.as_str());
        self.events.is_none_or(|range| range.has(entry.submit))
            && self.time.is_none_or(|range| range.has(entry.submitted_ns))
            && (self.tasks.is_empty() || self.tasks.iter().any(task))
            && (self.stacks.is_empty() || self.stacks.contains(&entry.stack))
            && self.lba.as_ref().is_none_or(|range| touches(entry, range))
            && entry.flags.contains(self.flags)
            && (self.ops.is_empty() || self.ops.contains(&entry.op))
    }

    /// Whether no entry from one of this event on is in it.
    pub fn ends_before(&self, event: Event) -> bool {
        self.events.is_some_and(|range| range.last < event)
    }
}

fn touches(entry: &Entry, range: &SectorRange) -> bool {
    entry.op.changes_data() && range.touches(entry.sector, entry.nr_sectors.into())
}

/// A time of the log.
fn nanoseconds(text: &str) -> Option<u64> {
    let time = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => humantime::parse_duration(text).ok()?,
    };
    u64::try_from(time.as_nanos()).ok()
}

/// The hash of a stack, as the log shows it.
fn stack(text: &str) -> Result<u32> {
    let is_hash = (1..=8).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_hexdigit());
    let hash = u32::from_str_radix(text, 16).ok().filter(|_| is_hash);
    hash.with_context(|| format!("--stack {text}: give a hash as the log has it, such as 1a2b3c4d"))
}

fn op(text: &str) -> Result<EntryOp> {
    let wanted = text.to_ascii_uppercase().replace('-', "_");
    match OPS.into_iter().find(|op| op.name() == wanted) {
        Some(op) => Ok(op),
        None => {
            let names: Vec<String> = OPS.iter().map(|op| op.name().to_lowercase()).collect();
            bail!("--op {text}: give {}", names.join(", "))
        }
    }
}

fn flags(names: &[String]) -> Result<Flags> {
    let mut all = Flags::empty();
    for name in names {
        let flag = Flags::from_name(&name.to_ascii_uppercase().replace('-', "_"));
        let known = || Flags::all().names().collect::<Vec<_>>().join(", ");
        all |= flag.with_context(|| format!("--flags {name}: give some of {}", known()))?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use powercut_engine::abi::Reader;
    use powercut_engine::recording::testing::History;

    fn entries() -> Vec<Entry> {
        let log = History::new()
            .write(0, "a")
            .meta(10, "b")
            .fua(4, "c")
            .flush()
            .mark("done")
            .discard(100, 2);
        let stream = log.stream();
        let mut reader = Reader::new(&stream[..]).unwrap();
        let mut payload = Vec::new();
        let mut entries: Vec<Entry> =
            std::iter::from_fn(|| reader.next_entry(&mut payload).unwrap()).collect();
        (entries[1].stack, entries[2].stack) = (0x00ab_cdef, 0x1234_5678);
        entries
    }

    fn given(change: impl FnOnce(&mut LogFilter)) -> LogFilter {
        let mut args = LogFilter::default();
        change(&mut args);
        args
    }

    fn shown(change: impl FnOnce(&mut LogFilter)) -> Vec<u64> {
        let filter = Filter::new(&given(change), &Members::default()).unwrap();
        let shown = entries().into_iter().filter(|e| filter.has(e));
        shown.map(|e| e.submit).collect()
    }

    #[test]
    fn each_filter_takes_its_own() {
        assert_eq!(shown(|_| ()), [1, 3, 5, 7, 9, 10]);
        assert_eq!(shown(|f| f.events = Some("3-7".into())), [3, 5, 7]);
        assert_eq!(shown(|f| f.events = Some("-3".into())), [1, 3]);
        assert_eq!(shown(|f| f.events = Some("9-".into())), [9, 10]);
        assert_eq!(shown(|f| f.events = Some("5".into())), [5]);
        assert_eq!(shown(|f| f.time = Some("1ms-".into())), [0; 0]);
        assert_eq!(shown(|f| f.time = Some("0-1ms".into())).len(), 6);
        assert_eq!(shown(|f| f.time = Some("3us-5us".into())), [3, 5]);
        assert_eq!(shown(|f| f.task = vec!["x".into(), "es".into()]).len(), 6);
        assert_eq!(shown(|f| f.task = vec!["x".into()]).len(), 0);
        let stacks = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect();
        assert_eq!(shown(|f| f.stack = stacks(&["12345678"])), [5]);
        assert_eq!(shown(|f| f.stack = stacks(&["00ABCDEF"])), [3]);
        assert_eq!(shown(|f| f.stack = stacks(&["abcdef", "12345678"])), [3, 5]);
        assert_eq!(shown(|f| f.stack = stacks(&["12345679"])), [0; 0]);
        assert_eq!(shown(|f| f.lba = Some("39-80".into())), [3, 5]);
        assert_eq!(shown(|f| f.lba = Some("815".into())), [10]);
        assert_eq!(shown(|f| f.flags = vec!["fua".into()]), [5]);
        assert_eq!(
            shown(|f| f.flags = vec!["FUA".into(), "META".into()]),
            [0; 0]
        );
        assert_eq!(
            shown(|f| f.op = vec!["mark".into(), "Discard".into()]),
            [9, 10]
        );
        // All that is given must hold.
        let both = |f: &mut LogFilter| {
            f.op = vec!["write".into()];
            f.events = Some("2-".into());
        };
        assert_eq!(shown(both), [3, 5]);
    }

    type Change = fn(&mut LogFilter);

    #[test]
    fn what_is_no_filter_is_refused_with_what_is() {
        let refused: [(Change, &str); 11] = [
            (|f| f.events = Some("7-3".into()), "--events 7-3: give A-B"),
            (|f| f.events = Some("-".into()), "such as 1000-2000"),
            (|f| f.events = Some("".into()), "such as 1000-2000"),
            (|f| f.time = Some("5x".into()), "such as 1500ms-2s"),
            (|f| f.lba = Some("x".into()), "--lba x"),
            (|f| f.lba = Some("log+1".into()), "no disk log"),
            (|f| f.stack = vec!["x".into()], "--stack x: give a hash"),
            (|f| f.stack = vec!["+1".into()], "such as 1a2b3c4d"),
            (|f| f.stack = vec!["123456789".into()], "--stack 123456789"),
            (|f| f.op = vec!["read".into()], "give write, write_zeroes"),
            (|f| f.flags = vec!["sink".into()], "PREFLUSH, FUA, META"),
        ];
        for (change, says) in refused {
            let refused = Filter::new(&given(change), &Members::default());
            let told = format!("{:#}", refused.unwrap_err());
            assert!(told.contains(says), "{told}");
        }
    }
}
