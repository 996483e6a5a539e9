// SPDX-License-Identifier: GPL-2.0

//! What the kernel has to say about a mount that failed.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

/// No more lines than this are of use.
const MAX_LINES: usize = 20;

/// The kernel's log from now on; silent where it can't be read.
#[derive(Debug)]
pub struct Kmsg(Option<File>);

impl Kmsg {
    pub fn open() -> Self {
        let nonblock = rustix::fs::OFlags::NONBLOCK.bits();
        let flags = i32::try_from(nonblock).unwrap_or(0);
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open("/dev/kmsg");
        let mut kmsg = Self(opened.ok());
        kmsg.skip();
        kmsg
    }

    /// Forgets what was said so far.
    pub fn skip(&mut self) {
        if let Some(file) = &mut self.0 {
            if file.seek(SeekFrom::End(0)).is_err() {
                self.0 = None;
            }
        }
    }

    /// What was said since.
    pub fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let Some(file) = &mut self.0 else {
            return lines;
        };
        // One record a read.
        let mut buf = [0; 8192];
        while lines.len() < MAX_LINES {
            match file.read(&mut buf) {
                Ok(0) => break,
                Ok(n) => lines.extend(message(&buf[..n])),
                // Records were overwritten before they were read.
                Err(e) if e.kind() == ErrorKind::BrokenPipe => {}
                Err(_) => break,
            }
        }
        lines
    }
}

/// The text of a record: after the prefix, before the key-value lines.
fn message(record: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(record);
    let (_, text) = text.split_once(';')?;
    text.lines().next().map(str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_its_first_line() {
        let record = b"3,1234,5678,-;EXT4-fs (x): bad\n SUBSYSTEM=block\n";
        assert_eq!(message(record).as_deref(), Some("EXT4-fs (x): bad"));
        assert_eq!(message(b"nothing"), None);
    }
}
