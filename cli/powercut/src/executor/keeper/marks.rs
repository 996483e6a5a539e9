// SPDX-License-Identifier: GPL-2.0

//! Where the marks of a workload go.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::device::MarkText;
use crate::{mapper, served_disk};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum MarksTo {
    /// A disk of the module, by its file of marks.
    File(PathBuf),
    /// A disk that dm-log-writes logs, by the name of the mapped device.
    Mapper(String),
    /// A disk that the command serves, by the socket that takes its marks.
    Served(PathBuf),
}

/// Puts marks there.
#[derive(Debug)]
pub struct Marks {
    to: MarksTo,
    /// Those that were put, of which only the module tells.
    put: u64,
}

impl Marks {
    pub fn new(to: MarksTo) -> Self {
        Self { to, put: 0 }
    }

    /// Puts what was written into the record, a mark each line; what the writer is told.
    pub fn put(&mut self, data: &[u8]) -> Result<Result<(), Errno>> {
        match &self.to {
            MarksTo::File(path) => {
                let file = OpenOptions::new().write(true).open(path);
                let mut file = file.context("cannot open the disk's file of marks")?;
                Ok(file.write_all(data).map_err(|e| errno(&e)))
            }
            MarksTo::Served(socket) => {
                let lines = lines(data);
                let is_whole = lines.iter().all(Option::is_some);
                let marks: Vec<String> = lines.into_iter().flatten().collect();
                let put = served_disk::put_marks(socket, &marks)?;
                if put.is_ok() {
                    self.put += marks.len() as u64;
                }
                Ok(put.and(if is_whole { Ok(()) } else { Err(Errno::INVAL) }))
            }
            MarksTo::Mapper(name) => {
                for line in lines(data) {
                    let Some(text) = line else {
                        return Ok(Err(Errno::INVAL));
                    };
                    mapper::mark(name, &text)?;
                    self.put += 1;
                }
                Ok(Ok(()))
            }
        }
    }

    /// How many there are in the record.
    pub fn count(&self) -> Result<u64> {
        let MarksTo::File(path) = &self.to else {
            return Ok(self.put);
        };
        let text = fs::read_to_string(path).context("cannot read the number of marks")?;
        text.trim()
            .parse()
            .context("cannot read the number of marks")
    }
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// The marks that were written, up to the first one that is none.
fn lines(data: &[u8]) -> Vec<Option<String>> {
    let data = data.strip_suffix(b"\n").unwrap_or(data);
    let mut found = Vec::new();
    for line in data.split(|byte| *byte == b'\n') {
        let text = std::str::from_utf8(line).ok();
        let text = text.filter(|text| text.parse::<MarkText>().is_ok());
        found.push(text.map(String::from));
        if text.is_none() {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_mark_up_to_one_that_is_none() {
        let some = |text: &str| Some(text.to_string());
        let long = [b'x'; 1025];
        for (data, expected) in [
            (&b"a"[..], vec![some("a")]),
            (b"a\n", vec![some("a")]),
            (b"a b\n c\n", vec![some("a b"), some(" c")]),
            (b"", vec![None]),
            (b"\n", vec![None]),
            (b"a\n\nb\n", vec![some("a"), None]),
            (b"a\0b\n", vec![None]),
            (b"\xff\n", vec![None]),
            (&long, vec![None]),
        ] {
            assert_eq!(lines(data), expected, "{data:?}");
        }
    }

    #[test]
    fn a_file_of_marks_has_what_was_written_and_tells_how_many() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "7\n").unwrap();
        let mut marks = Marks::new(MarksTo::File(file.path().into()));
        assert_eq!(marks.count().unwrap(), 7);
        marks.put(b"9\n").unwrap().unwrap();
        assert_eq!(marks.count().unwrap(), 9);
        let mut full = Marks::new(MarksTo::File("/dev/full".into()));
        assert_eq!(full.put(b"a\n").unwrap(), Err(Errno::NOSPC));
        let mut none = Marks::new(MarksTo::File("/nowhere/mark".into()));
        assert!(none.put(b"a\n").is_err());
    }
}
