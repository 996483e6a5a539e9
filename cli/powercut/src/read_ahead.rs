// SPDX-License-Identifier: GPL-2.0

//! Reads a stream in a thread of its own: what makes the stream and what takes it run side by side.

use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::thread::JoinHandle;

/// Buffers on their way, and the size of each.
const BUFFERS: usize = 4;
const SIZE: usize = 256 << 10;

/// A stream that is read ahead of who reads this.
pub struct ReadAhead {
    full: Receiver<io::Result<Vec<u8>>>,
    /// Where buffers go back to.
    empty: SyncSender<Vec<u8>>,
    buffer: Vec<u8>,
    /// How much of the buffer was taken.
    taken: usize,
    thread: Option<JoinHandle<()>>,
}

impl ReadAhead {
    pub fn new(inner: impl Read + Send + 'static) -> io::Result<Self> {
        let (to_fill, empty) = sync_channel(BUFFERS);
        let (filled, full) = sync_channel(BUFFERS);
        for _ in 0..BUFFERS {
            // There is room for all of them.
            to_fill.send(Vec::new()).map_err(io::Error::other)?;
        }
        let thread = std::thread::Builder::new().name("read-ahead".into());
        let thread = thread.spawn(move || fill(inner, &empty, &filled))?;
        Ok(Self {
            full,
            empty: to_fill,
            buffer: Vec::new(),
            taken: 0,
            thread: Some(thread),
        })
    }

    /// Gets the next buffer; false at the end.
    fn next(&mut self) -> io::Result<bool> {
        if self.thread.is_none() {
            return Ok(false);
        }
        match self.full.recv() {
            Ok(buffer) => {
                let used = std::mem::replace(&mut self.buffer, buffer?);
                self.taken = 0;
                // After the end nobody takes it.
                let _ = self.empty.send(used);
                Ok(true)
            }
            // The thread has ended: well, if it did not panic.
            Err(_) => match self.thread.take().map(JoinHandle::join) {
                Some(Err(_)) => Err(io::Error::other("the thread that read ahead has panicked")),
                _ => Ok(false),
            },
        }
    }
}

fn fill(mut inner: impl Read, empty: &Receiver<Vec<u8>>, filled: &SyncSender<io::Result<Vec<u8>>>) {
    while let Ok(mut buffer) = empty.recv() {
        buffer.clear();
        let read = inner.by_ref().take(SIZE as u64).read_to_end(&mut buffer);
        let is_end = matches!(read, Ok(0));
        let is_error = read.is_err();
        if is_end || filled.send(read.map(|_| buffer)).is_err() || is_error {
            return;
        }
    }
}

impl Read for ReadAhead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.buffer.len() {
            match self.next() {
                Ok(true) => {}
                Ok(false) => return Ok(0),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        let n = (&self.buffer[self.taken..]).read(out)?;
        self.taken += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_stream_is_read_and_its_end_is_one() {
        for len in [0, 1, SIZE - 1, SIZE, SIZE + 1, 9 * SIZE + 7] {
            let bytes: Vec<u8> = (0..len).map(|nr| (nr % 251) as u8).collect();
            let mut ahead = ReadAhead::new(io::Cursor::new(bytes.clone())).unwrap();
            let mut read = Vec::new();
            ahead.read_to_end(&mut read).unwrap();
            assert!(read == bytes, "{len}");
            assert_eq!(ahead.read(&mut [0; 8]).unwrap(), 0);
        }
    }

    struct Bad(bool);

    impl Read for Bad {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            assert!(!self.0, "a panic of the test");
            Err(ErrorKind::InvalidData.into())
        }
    }

    #[test]
    fn neither_an_error_nor_a_panic_is_an_end() {
        for (panics, kind) in [(false, ErrorKind::InvalidData), (true, ErrorKind::Other)] {
            let stream = io::Cursor::new(vec![7; SIZE]).chain(Bad(panics));
            let mut ahead = ReadAhead::new(stream).unwrap();
            let read = std::io::copy(&mut ahead, &mut io::sink());
            assert_eq!(read.unwrap_err().kind(), kind);
        }
    }

    #[test]
    fn who_stops_reading_is_not_waited_for() {
        let mut ahead = ReadAhead::new(io::repeat(1)).unwrap();
        ahead.read_exact(&mut [0; 100]).unwrap();
        let thread = ahead.thread.take().unwrap();
        drop(ahead);
        thread.join().unwrap();
    }
}
