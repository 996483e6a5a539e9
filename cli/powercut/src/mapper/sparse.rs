// SPDX-License-Identifier: GPL-2.0

//! Files with holes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use rustix::fs::{seek, SeekFrom as At};
use rustix::io::Errno;

/// Makes a file of that size, all of it a hole.
pub fn hole(path: &Path, bytes: u64) -> io::Result<()> {
    File::create_new(path)?.set_len(bytes)
}

/// Copies a file; holes stay what they are, where the filesystem tells of them.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let (mut from, mut to) = (File::open(from)?, File::create_new(to)?);
    let size = from.metadata()?.len();
    to.set_len(size)?;
    let mut at = 0;
    while at < size {
        let start = match seek(&from, At::Data(at)) {
            Ok(start) => start,
            // No data from there on.
            Err(Errno::NXIO) => break,
            Err(e) => return Err(e.into()),
        };
        at = seek(&from, At::Hole(start))?;
        from.seek(SeekFrom::Start(start))?;
        to.seek(SeekFrom::Start(start))?;
        io::copy(&mut (&from).take(at - start), &mut to)?;
    }
    to.flush()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_copy_has_the_same_bytes_and_takes_no_more_room() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        for places in [&[][..], &[0], &[3 << 20, 5 << 20], &[(8 << 20) - 6]] {
            hole(&from, 8 << 20).unwrap();
            let mut file = File::options().write(true).open(&from).unwrap();
            for place in places {
                file.seek(SeekFrom::Start(*place)).unwrap();
                file.write_all(b"powers").unwrap();
            }
            file.sync_all().unwrap();
            copy(&from, &to).unwrap();
            assert!(std::fs::read(&from).unwrap() == std::fs::read(&to).unwrap());
            assert!(std::fs::metadata(&to).unwrap().blocks() < 1 << 12, "holes");
            for path in [&from, &to] {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
}
