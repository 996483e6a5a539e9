// SPDX-License-Identifier: GPL-2.0

//! A file that is read from its start, whoever else reads it.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub struct FromStart {
    file: Arc<File>,
    at: u64,
}

impl FromStart {
    pub fn new(file: Arc<File>) -> Self {
        Self { file, at: 0 }
    }
}

impl Read for FromStart {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buf, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
