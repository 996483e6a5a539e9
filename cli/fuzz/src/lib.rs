// SPDX-License-Identifier: GPL-2.0

//! Every parser of what comes from outside, each as a function of bytes that panics if the parser does
//! what it must not: it never panics, what it accepts it writes as it reads it, and where two read the
//! same thing, they agree. Time and memory are looked after by whoever calls these functions: the test
//! of this crate with inputs made by [`mutate`], or libFuzzer (scripts/fuzz).

#[path = "../../powercut/tests/large/made.rs"]
mod made;
pub mod mutate;
mod targets;

pub use targets::{Target, TARGETS};

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The inputs that a target begins with: its seeds, and the files of its corpus.
pub fn corpus(target: &Target) -> io::Result<Vec<Vec<u8>>> {
    let mut inputs = (target.seeds)();
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target.name);
    if dir.is_dir() {
        let mut files = fs::read_dir(dir)?.collect::<Result<Vec<_>, _>>()?;
        files.sort_by_key(fs::DirEntry::file_name);
        for file in files {
            inputs.push(fs::read(file.path())?);
        }
    }
    Ok(inputs)
}

/// Writes these inputs to DIR/NAME/, and the words that they are made of to DIR/NAME.dict, as libFuzzer
/// takes them.
pub fn write_corpus(target: &Target, dir: &Path) -> io::Result<()> {
    let inputs = dir.join(target.name);
    fs::create_dir_all(&inputs)?;
    for (nr, input) in corpus(target)?.iter().enumerate() {
        fs::write(inputs.join(format!("seed-{nr}")), input)?;
    }
    let quoted = |word: &&str| {
        let bytes = word.bytes();
        let bytes: Vec<String> = bytes.map(|byte| format!("\\x{byte:02x}")).collect();
        format!("\"{}\"\n", bytes.concat())
    };
    let words: String = target.words.iter().map(quoted).collect();
    // An empty file is none to libFuzzer.
    let words = format!("# {}\n{words}", target.name);
    fs::write(dir.join(format!("{}.dict", target.name)), words)
}
