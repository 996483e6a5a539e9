// SPDX-License-Identifier: GPL-2.0

//! What each operation of a trace made durable, and since when something is.

use crate::history::{FileNr, History, Moment, Place, ROOT_NR};
use crate::level::Level;
use crate::op::{Op, WriteHow};
use crate::trace::Trace;
use crate::tree::Kind;

/// Something that became durable as it was after an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// How many operations had returned then.
    pub at: usize,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Everything,
    /// What names a directory holds.
    Entries(FileNr),
    /// The names of a file: these, and no others.
    NamesOf(FileNr),
    /// That a file has a name.
    Existence(FileNr),
    /// Permissions, extended attributes, times.
    Attributes(FileNr),
    /// Bytes of a file, and its size if it reaches so far.
    Data {
        file: FileNr,
        from: u64,
        to: u64,
    },
}

/// All that became durable.
#[derive(Debug)]
pub struct Events(Vec<Event>);

impl Events {
    pub fn of(trace: &Trace, history: &History<'_>) -> Self {
        let mut events = Vec::new();
        for (at, step) in (1..).zip(&trace.steps) {
            if step.errno.is_some() {
                continue;
            }
            let is_whole = matches!(step.op, Op::Sync | Op::Syncfs);
            if is_whole && trace.has_fat {
                continue;
            }
            let after = &history.moments[at];
            let what = match step.op {
                Op::FsyncOpen => held(trace, history, at)
                    .into_iter()
                    .filter(|file| after.files.contains_key(file))
                    .flat_map(|file| fsynced(file, after, trace.level, 0, u64::MAX))
                    .collect(),
                _ => of_op(&step.op, after, trace.level),
            };
            events.extend(what.into_iter().map(|what| Event { at, what }));
        }
        Self(events)
    }

    /// The newest of these up to a moment; 0 if there is none.
    fn newest(&self, last: usize, is_it: impl Fn(&Event) -> bool) -> usize {
        let events = self.0.iter().filter(|event| event.at <= last);
        let found = events.filter(|event| event.what == What::Everything || is_it(event));
        found.map(|event| event.at).max().unwrap_or(0)
    }

    /// Since when it is durable who has a name.
    pub fn of_place(&self, place: &Place, last: usize, history: &History<'_>) -> usize {
        self.newest(last, |event| match event.what {
            What::Entries(dir) => dir == place.0,
            What::NamesOf(file) => history.moments[event.at].names.get(place) == Some(&file),
            _ => false,
        })
    }

    /// Since when it is durable that a file has no other names.
    pub fn of_names(&self, file: FileNr, last: usize) -> usize {
        self.newest(last, |event| event.what == What::NamesOf(file))
    }

    /// Since when it is durable that a file has a name.
    pub fn of_existence(&self, file: FileNr, last: usize, history: &History<'_>) -> usize {
        self.newest(last, |event| match event.what {
            What::Entries(dir) => {
                let names = &mut history.moments[event.at].names_of(file);
                names.any(|place| place.0 == dir)
            }
            What::NamesOf(named) | What::Existence(named) => named == file,
            _ => false,
        })
    }

    pub fn of_attributes(&self, file: FileNr, last: usize) -> usize {
        self.newest(last, |event| event.what == What::Attributes(file))
    }

    /// Since when a byte is durable.
    pub fn of_byte(&self, file: FileNr, offset: u64, last: usize) -> usize {
        self.newest(last, |event| match event.what {
            What::Data { file: of, from, to } => of == file && (from..to).contains(&offset),
            _ => false,
        })
    }

    /// Since when the size is durable: with data that reached to the end of the file.
    pub fn of_size(&self, file: FileNr, last: usize, history: &History<'_>) -> usize {
        self.newest(last, |event| match event.what {
            What::Data { file: of, to, .. } => {
                let moment = &history.moments[event.at];
                let size = moment.files.get(&file).map_or(0, |f| f.content.len());
                of == file && to >= size
            }
            _ => false,
        })
    }

    /// Where what is known of the bytes of a file changes, up to a moment.
    pub fn edges(&self, file: FileNr) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().flat_map(move |event| match event.what {
            What::Data { file: of, from, to } if of == file => vec![from, to],
            _ => Vec::new(),
        })
    }
}

/// Which files are held open with so many operations done.
fn held(trace: &Trace, history: &History<'_>, at: usize) -> Vec<FileNr> {
    let mut held = Vec::new();
    for (nr, step) in (1..=at).zip(&trace.steps) {
        match &step.op {
            Op::Remount => held.clear(),
            Op::Open(path) if step.errno.is_none() => held.extend(history.moments[nr].find(path)),
            _ => {}
        }
    }
    held
}

/// What an operation that succeeded made durable.
fn of_op(op: &Op, after: &Moment<'_>, level: Level) -> Vec<What> {
    match op {
        Op::Sync | Op::Syncfs => vec![What::Everything],
        Op::Fsync(path) => match after.find(path) {
            Some(file) => fsynced(file, after, level, 0, u64::MAX),
            None => Vec::new(),
        },
        Op::Fdatasync(path) => match after.find(path) {
            Some(file) if after.files[&file].kind == Kind::Regular => vec![What::Data {
                file,
                from: 0,
                to: u64::MAX,
            }],
            _ => Vec::new(),
        },
        Op::Write { path, at, len, how } if how.is_durable() => match after.find(path) {
            Some(file) if *how == WriteHow::Sync => fsynced(file, after, level, *at, at + len),
            Some(file) => vec![What::Data {
                file,
                from: *at,
                to: at + len,
            }],
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// What fsync of a file covers, if it is for these bytes.
fn fsynced(file: FileNr, after: &Moment<'_>, level: Level, from: u64, to: u64) -> Vec<What> {
    let mut what = vec![What::Attributes(file)];
    match after.files.get(&file).map(|f| f.kind) {
        Some(Kind::Directory) => what.push(What::Entries(file)),
        Some(Kind::Regular) => what.push(What::Data { file, from, to }),
        _ => {}
    }
    if level.fsync_covers_names() {
        what.push(What::NamesOf(file));
        let mut dirs: Vec<FileNr> = after.names_of(file).map(|place| place.0).collect();
        while let Some(dir) = dirs.pop() {
            if dir != ROOT_NR {
                what.push(What::Existence(dir));
                dirs.extend(after.names_of(dir).map(|place| place.0));
            }
        }
    }
    what
}
