// SPDX-License-Identifier: GPL-2.0

//! A write by io_uring.

use std::fs::File;
use std::io;

use rustix::io::Errno;
use tokio_uring::buf::BoundedBuf;

/// Writes bytes at an offset, from a buffer that is aligned to so many bytes; how many were written.
pub fn write(file: File, bytes: &[u8], at: u64, align: usize) -> rustix::io::Result<usize> {
    let mut buffer = vec![0; bytes.len() + align];
    let start = buffer.as_ptr().align_offset(align);
    let end = start + bytes.len();
    buffer
        .get_mut(start..end)
        .ok_or(Errno::NOMEM)?
        .copy_from_slice(bytes);
    let written = || -> io::Result<usize> {
        let runtime = tokio_uring::Runtime::new(&tokio_uring::builder())?;
        runtime.block_on(async {
            let file = tokio_uring::fs::File::from_std(file);
            let part = buffer.slice(start..end);
            let (written, _) = file.write_at(part, at).submit().await;
            file.close().await?;
            written
        })
    };
    written().map_err(|e| e.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_where_they_were_to_be() {
        let (dir, path) = (tempfile::tempdir().unwrap(), "file");
        let path = dir.path().join(path);
        let file = File::create(&path).unwrap();
        match write(file, &[7; 5000], 100, 4096) {
            Ok(written) => assert_eq!(written, 5000),
            // Not every machine allows it.
            Err(Errno::PERM | Errno::NOSYS) => return,
            Err(e) => panic!("{e}"),
        }
        let found = std::fs::read(&path).unwrap();
        assert_eq!(found, [vec![0; 100], vec![7; 5000]].concat());
        let closed = File::open(&path).unwrap();
        assert_eq!(write(closed, &[7], 0, 1), Err(Errno::BADF));
    }
}
