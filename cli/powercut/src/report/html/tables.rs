// SPDX-License-Identifier: GPL-2.0

//! What the pictures show, as tables.

use std::collections::HashMap;

use powercut_engine::abi::{EntryOp, Flags};
use powercut_engine::recording::Recording;
use powercut_model::Event;

use crate::report::register::Group;
use crate::report::Violation;
use crate::size;

/// Rows of epochs; more are joined.
const ROWS: usize = 120;
/// Kinds of entries, and sorts of violations, that have a row.
const KINDS: usize = 40;
const SORTS: usize = 100;
/// Characters of an id, and of what was printed.
const ID: usize = 60;
const SAYS: usize = 90;

/// What happened between two flushes.
#[derive(Debug, Default)]
pub struct Epoch {
    pub from: Event,
    pub to: Event,
    pub writes: u64,
    pub bytes: String,
    pub fua: u64,
    pub marks: u64,
    /// Flushes that end it: more than one where epochs are joined.
    pub flushes: u64,
    size: u64,
}

pub fn epochs(recording: &Recording) -> Vec<Epoch> {
    let flushes = recording.entries().iter();
    let flushes = flushes.filter(|r| r.flush_complete().is_some()).count();
    let join = (flushes / ROWS + 1) as u64;
    let mut epochs = Vec::new();
    let mut epoch = Epoch::default();
    for recorded in recording.entries() {
        // A flush ends an epoch before the data that it comes with.
        if let Some(done) = recorded.flush_complete() {
            epoch.flushes += 1;
            epoch.to = done.min(recording.header().newest_event);
            if epoch.flushes == join {
                let next = epoch.to;
                epochs.push(std::mem::take(&mut epoch));
                epoch.from = next;
            }
        }
        if recorded.is_write() {
            epoch.writes += 1;
            epoch.size += recorded.bytes();
            epoch.fua += u64::from(recorded.flags().contains(Flags::FUA));
        } else if recorded.flush_complete().is_none() {
            epoch.marks += 1;
        }
    }
    epoch.to = recording.header().newest_event;
    epochs.push(epoch);
    for epoch in &mut epochs {
        epoch.bytes = size::human(epoch.size);
    }
    epochs
}

/// A row of what was written, by whom and how.
pub struct Kind {
    pub task: String,
    pub op: &'static str,
    pub flags: String,
    pub count: u64,
    pub bytes: String,
    /// The first and the last of them.
    pub from: Event,
    pub to: Event,
    size: u64,
}

/// The most frequent kinds of what is in the log, and how many entries are of others.
pub fn kinds(recording: &Recording) -> (Vec<Kind>, u64) {
    let mut known: HashMap<(&str, EntryOp, u32), Kind> = HashMap::new();
    for recorded in recording.entries() {
        if recorded.op() == EntryOp::Mark {
            continue;
        }
        let task = recording.task(recorded);
        let task = task.split('/').next().unwrap_or(task);
        let kind = known
            .entry((task, recorded.op(), recorded.flags().bits()))
            .or_insert_with(|| Kind {
                task: task.into(),
                op: recorded.op().name(),
                flags: recorded.flags().names().collect::<Vec<_>>().join(" "),
                count: 0,
                bytes: String::new(),
                from: recorded.submit(),
                to: recorded.submit(),
                size: 0,
            });
        kind.count += 1;
        kind.size += recorded.bytes();
        kind.to = recorded.submit();
    }
    let mut kinds: Vec<Kind> = known.into_values().collect();
    kinds.sort_by(|a, b| (b.count, a.from).cmp(&(a.count, b.from)));
    let others = kinds.iter().skip(KINDS).map(|kind| kind.count).sum();
    kinds.truncate(KINDS);
    for kind in &mut kinds {
        kind.bytes = size::human(kind.size);
    }
    (kinds, others)
}

/// A row of the table of sorts.
pub struct SortRow<'v> {
    /// The section that describes it, if one does.
    pub section: Option<usize>,
    pub first: &'v Violation,
    pub count: usize,
    pub says: String,
    /// The cuts of the first and of the last.
    pub from: Event,
    pub to: Event,
}

/// The sorts of violations; the first `described` of them have sections.
pub fn sorts<'v>(groups: &[Group<'v>], described: usize) -> Vec<SortRow<'v>> {
    let rows = groups.iter().take(SORTS).enumerate();
    let row = |(nr, group): (usize, &Group<'v>)| {
        let cuts = || group.all().map(|v| v.cut);
        SortRow {
            section: (nr < described).then_some(nr + 1),
            first: group.first,
            count: group.count(),
            says: short(group.first.says().unwrap_or_default(), SAYS),
            from: cuts().min().unwrap_or(0),
            to: cuts().max().unwrap_or(0),
        }
    };
    rows.map(row).collect()
}

/// A row of the table of violations.
pub struct Found<'v> {
    pub violation: &'v Violation,
    pub id: String,
    pub says: String,
}

/// The first violations of each sort, in the order they were found.
pub fn examples<'v>(groups: &[Group<'v>], limit: usize) -> Vec<Found<'v>> {
    let of_each = (limit / groups.len().max(1)).max(1);
    let mut found: Vec<&Violation> = groups
        .iter()
        .flat_map(|group| group.all().take(of_each))
        .take(limit)
        .collect();
    found.sort_by_key(|violation| violation.number);
    let row = |violation: &'v Violation| Found {
        violation,
        id: short(&violation.id, ID),
        says: short(violation.says().unwrap_or_default(), SAYS),
    };
    found.into_iter().map(row).collect()
}

/// No more than so many characters of a text.
pub fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.into(),
    }
}
