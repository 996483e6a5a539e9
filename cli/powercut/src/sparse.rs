// SPDX-License-Identifier: GPL-2.0

//! Files with holes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// What is read and, if it is all zeroes, left out at a time.
const PIECE: usize = 64 << 10;

/// Makes a file of that size, all of it a hole.
pub fn hole(path: &Path, bytes: u64) -> io::Result<()> {
    File::create_new(path)?.set_len(bytes)
}

/// Copies a device or a file to a file, with holes where it is zeroes.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let (mut from, mut to) = (File::open(from)?, File::create(to)?);
    let mut piece = vec![0; PIECE];
    let mut len_bytes = 0;
    loop {
        let n = from.read(&mut piece)?;
        if n == 0 {
            break;
        }
        if piece[..n].iter().any(|byte| *byte != 0) {
            to.seek(SeekFrom::Start(len_bytes))?;
            to.write_all(&piece[..n])?;
        }
        len_bytes += n as u64;
    }
    to.set_len(len_bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_copy_is_whole_and_has_holes() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        for written in [None, Some(0), Some(3 * PIECE + 7), Some(40 * PIECE + 511)] {
            let mut bytes = vec![0; 40 * PIECE + 512];
            if let Some(at) = written {
                bytes[at] = 1;
            }
            fs::write(&from, &bytes).unwrap();
            copy(&from, &to).unwrap();
            assert!(fs::read(&to).unwrap() == bytes, "{written:?}");
            let meta = fs::metadata(&to).unwrap();
            assert!(meta.blocks() * 512 <= 4 * PIECE as u64, "{}", meta.blocks());
        }
    }

    #[test]
    fn a_hole_is_all_zeroes_and_in_the_place_of_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hole");
        hole(&path, 1 << 20).unwrap();
        assert!(fs::read(&path).unwrap() == vec![0; 1 << 20]);
        assert_eq!(fs::metadata(&path).unwrap().blocks(), 0);
        assert!(hole(&path, 1).is_err());
    }
}
