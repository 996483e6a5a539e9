// SPDX-License-Identifier: GPL-2.0

//! What the kernel has to say about a mount that failed.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

/// No more lines than this are of use.
const MAX_LINES: usize = 20;

/// The kernel's log from now on; silent where it can't be read.
#[derive(Debug)]
pub struct Kmsg {
    file: Option<File>,
    /// Names of other disks, whose messages are left out.
    others: Vec<String>,
}

impl Kmsg {
    pub fn open() -> Self {
        let nonblock = rustix::fs::OFlags::NONBLOCK.bits();
        let flags = i32::try_from(nonblock).unwrap_or(0);
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open("/dev/kmsg");
        let mut kmsg = Self {
            file: opened.ok(),
            others: Vec::new(),
        };
        kmsg.skip();
        kmsg
    }

    /// Leaves out what is said of other disks.
    pub fn leave_out(&mut self, others: Vec<String>) {
        self.others = others;
    }

    /// Forgets what was said so far.
    pub fn skip(&mut self) {
        if let Some(file) = &mut self.file {
            if file.seek(SeekFrom::End(0)).is_err() {
                self.file = None;
            }
        }
    }

    /// What was said since.
    pub fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let Some(file) = &mut self.file else {
            return lines;
        };
        // One record a read.
        let mut buf = [0; 8192];
        while lines.len() < MAX_LINES {
            match file.read(&mut buf) {
                Ok(0) => break,
                Ok(n) => {
                    let is_ours = |line: &String| !self.others.iter().any(|o| names(line, o));
                    lines.extend(message(&buf[..n]).filter(is_ours));
                }
                // Records were overwritten before they were read.
                Err(e) if e.kind() == ErrorKind::BrokenPipe => {}
                Err(_) => break,
            }
        }
        lines
    }
}

/// Whether a disk's name is in a line, as a whole.
fn names(line: &str, disk: &str) -> bool {
    let mut found = line.match_indices(disk);
    found.any(|(at, _)| !line[at + disk.len()..].starts_with(|c: char| c.is_alphanumeric()))
}

/// The text of a record: after the prefix, before the key-value lines.
pub fn message(record: &[u8]) -> Option<String> {
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

    #[test]
    fn a_disk_is_named_as_a_whole() {
        assert!(names("EXT4-fs (a.x1): bad", "a.x1"));
        assert!(!names("EXT4-fs (a.x10): bad", "a.x1"));
        assert!(names("a.x10 and a.x1", "a.x1"));
    }
}
