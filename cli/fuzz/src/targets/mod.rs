// SPDX-License-Identifier: GPL-2.0

//! The targets: what is read, from whom, and what has to hold of it.

mod answers;
mod extents;
mod filter;
mod journal;
mod log_writes;
mod module;
mod recording;
mod report;
mod state_id;
mod stream;
mod suite;
mod words;

use std::path::Path;

/// Something that reads bytes.
#[derive(Debug)]
pub struct Target {
    pub name: &'static str,
    /// Panics if what reads these bytes does what it must not.
    pub run: fn(&[u8]),
    /// Inputs to begin with, beside those in its corpus.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// What inputs are made of.
    pub words: &'static [&'static str],
    /// How many inputs `cargo test` makes up.
    pub inputs: u64,
}

pub static TARGETS: [Target; 15] = [
    recording::RECORDING,
    recording::LOG,
    module::IMPORT,
    module::RULES,
    journal::JOURNAL,
    report::REPORT,
    report::VIOLATIONS,
    suite::SUITE,
    state_id::STATE_ID,
    words::WORDS,
    filter::FILTER,
    extents::EXTENTS,
    extents::SUPERBLOCKS,
    answers::ANSWERS,
    log_writes::LOG_WRITES,
];

/// Text seeds.
fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().into()).collect()
}

/// Has `f` use a directory of this thread's own, which other calls have used.
fn with_dir<R>(f: impl FnOnce(&Path) -> R) -> R {
    thread_local! {
        static DIR: tempfile::TempDir = tempfile::tempdir().expect("a directory for files");
    }
    DIR.with(|dir| f(dir.path()))
}
