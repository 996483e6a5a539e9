// SPDX-License-Identifier: GPL-2.0

//! Takes the marks of a workload by a Unix socket: who writes to $POWERCUT_MARK waits in another process.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use rustix::io::Errno;

use crate::crash_disk::CrashDisk;

/// No write to the file of marks is longer.
const MAX_LEN: u64 = 1 << 20;

/// A socket at a path, and the thread that answers there.
#[derive(Debug)]
pub struct MarkSocket {
    path: PathBuf,
    is_ended: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl MarkSocket {
    pub fn new(path: PathBuf, disk: Arc<Mutex<CrashDisk>>) -> Result<Self> {
        let listener = UnixListener::bind(&path)
            .with_context(|| format!("cannot make the socket {}", path.display()))?;
        let is_ended = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&is_ended);
        let server = thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    break;
                }
                // Who asked gets no answer then, which is an error there.
                let _ = stream.and_then(|stream| answer(&stream, &disk));
            }
        });
        Ok(Self {
            path,
            is_ended,
            server: Some(server),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for MarkSocket {
    fn drop(&mut self) {
        self.is_ended.store(true, Ordering::SeqCst);
        let woken = UnixStream::connect(&self.path);
        if let (Ok(_), Some(server)) = (woken, self.server.take()) {
            let _ = server.join();
        }
    }
}

/// Puts marks into the record, one after the other with nothing in between, and says how that went.
fn answer(mut stream: &UnixStream, disk: &Mutex<CrashDisk>) -> io::Result<()> {
    let mut text = String::new();
    stream.take(MAX_LEN).read_to_string(&mut text)?;
    let mut disk = disk.lock().unwrap_or_else(PoisonError::into_inner);
    // Not lines(), which takes a carriage return for a part of the end.
    let mut marks = text.split_terminator('\n');
    let put = marks.try_for_each(|mark| disk.mark(mark));
    drop(disk);
    let code = put.err().map_or(0, Errno::raw_os_error);
    stream.write_all(&code.to_ne_bytes())
}

/// Has marks put into a record by the socket at that path; what their writer is told.
pub fn put(path: &Path, marks: &[String]) -> Result<Result<(), Errno>> {
    let failed = "the disk that is recorded takes no marks";
    let mut stream = UnixStream::connect(path).context(failed)?;
    let mut ask = || {
        for mark in marks {
            writeln!(stream, "{mark}")?;
        }
        stream.shutdown(Shutdown::Write)?;
        let mut code = [0; 4];
        stream.read_exact(&mut code)?;
        Ok::<_, io::Error>(i32::from_ne_bytes(code))
    };
    Ok(match ask().context(failed)? {
        0 => Ok(()),
        code => Err(Errno::from_raw_os_error(code)),
    })
}

#[cfg(test)]
mod tests {
    use powercut_engine::recording::testing::History;
    use powercut_engine::recording::{CrashState, Recording};

    use super::*;
    use crate::crash_disk::{Contents, Image};

    fn disk(limit_bytes: u64) -> Arc<Mutex<CrashDisk>> {
        let log = History::new();
        let recording = Arc::new(log.done());
        let contents = Arc::new(Contents::spill(&log.stream()[..]).unwrap());
        let state = CrashState::new(&recording, 0, []).unwrap();
        let mut disk = CrashDisk::new(Image::new(Arc::clone(&recording), contents, state));
        let begun = disk.begin_workload(recording.header(), limit_bytes);
        begun.unwrap();
        Arc::new(Mutex::new(disk))
    }

    fn marks_of(disk: &Mutex<CrashDisk>) -> Vec<String> {
        let mut bytes = Vec::new();
        let file = disk.lock().unwrap().export().unwrap();
        crate::crash_disk::FromStart::new(file)
            .read_to_end(&mut bytes)
            .unwrap();
        let recording = Recording::read(&bytes[..]).unwrap();
        let marks = recording.marks().iter();
        marks.map(|mark| mark.text.to_string()).collect()
    }

    #[test]
    fn marks_come_into_the_record_and_who_wrote_them_is_answered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("marks");
        let disk = disk(u64::MAX);
        let socket = MarkSocket::new(path.clone(), Arc::clone(&disk)).unwrap();
        let some = |texts: &[&str]| texts.iter().map(|t| t.to_string()).collect::<Vec<_>>();
        for marks in [&["a"][..], &[" b ", "c\r"], &[]] {
            assert_eq!(put(&path, &some(marks)).unwrap(), Ok(()));
        }
        drop(socket);
        assert!(put(&path, &some(&["late"])).is_err());
        assert_eq!(marks_of(&disk), ["a", " b ", "c\r"]);
    }

    #[test]
    fn who_writes_a_mark_that_has_no_room_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("marks");
        let _socket = MarkSocket::new(path.clone(), disk(100)).unwrap();
        assert_eq!(put(&path, &["x".repeat(90)]).unwrap(), Err(Errno::NOSPC));
    }
}
