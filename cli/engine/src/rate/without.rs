// SPDX-License-Identifier: GPL-2.0

//! A record in which no flush and no FUA made anything stable.

use std::io::{self, Read};

use crate::abi::{write_entry, AbiError, Entry, EntryOp, Flags, Reader};
use crate::faults::Faults;

/// Reads a record with other flags. Its flushes have lied and its FUAs were ignored, as those of a disk with
/// such faults: then any write may be lost.
#[derive(Debug)]
pub struct WithoutGuarantees<R> {
    reader: Reader<R>,
    payload: Vec<u8>,
    /// What is to be read next.
    bytes: Vec<u8>,
    at: usize,
}

impl<R: Read> WithoutGuarantees<R> {
    /// `input` is what `export` of the control device gives.
    pub fn new(input: R) -> Result<Self, AbiError> {
        let reader = Reader::new(input)?;
        let mut header = reader.header().clone();
        header.faults |= Faults::LIED | Faults::FUA_IGNORED;
        Ok(Self {
            reader,
            payload: Vec::new(),
            bytes: header.to_bytes(),
            at: 0,
        })
    }
}

fn without_guarantee(entry: &mut Entry) {
    if entry.op == EntryOp::Flush || entry.flags.contains(Flags::PREFLUSH) {
        entry.flags |= Flags::LIED;
    }
    if entry.op.changes_data() && entry.flags.contains(Flags::FUA) {
        entry.flags |= Flags::FUA_IGNORED;
    }
}

impl<R: Read> Read for WithoutGuarantees<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == self.bytes.len() {
            let next = self.reader.next_entry(&mut self.payload);
            let Some(mut entry) = next.map_err(io::Error::other)? else {
                return Ok(0);
            };
            without_guarantee(&mut entry);
            self.bytes.clear();
            self.at = 0;
            write_entry(&mut self.bytes, &entry, &self.payload)?;
        }
        let read = (&self.bytes[self.at..]).read(buf)?;
        self.at += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use powercut_model::{Cut, History as _};

    use super::*;
    use crate::choices::Choices;
    use crate::recording::testing::History;
    use crate::recording::Recording;

    #[test]
    fn nothing_is_stable_and_all_else_is_as_it_was() {
        for seed in 0..200 {
            let history = History::random(seed);
            let log = history.done();
            if !log.header().write_cache {
                continue;
            }
            let stream = history.stream();
            let without = WithoutGuarantees::new(&stream[..]).unwrap();
            let without = Recording::read(without).unwrap();
            let writes = log.entries().iter().filter(|entry| entry.is_write());
            let stable = (0..).zip(without.entries()).filter(|(_, e)| e.is_write());
            assert!(
                stable
                    .clone()
                    .all(|(index, _)| without.stable_from(index) == crate::abi::IN_FLIGHT),
                "seed {seed}"
            );
            assert_eq!(stable.count(), writes.count(), "seed {seed}");
            assert_eq!(without.marks(), log.marks(), "seed {seed}");
            // The newest content of every sector is the same.
            let all = |log: &Recording| {
                let choices = Choices::new(log, Cut::new(log, log.last_event()).unwrap());
                choices.image(&choices.all())
            };
            let pairs = || log.entries().iter().zip(log.entries().iter().skip(1));
            let is_one_by_one = pairs().all(|(one, next)| one.complete() < next.submit());
            assert!(!is_one_by_one || all(&without) == all(&log), "seed {seed}");
        }
    }
}
