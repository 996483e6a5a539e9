// SPDX-License-Identifier: GPL-2.0

//! What /proc of a PID namespace says of its processes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{openat, Dir, Mode, OFlags};

/// What is read of a file at most.
const MOST: usize = 4096;

#[derive(Debug)]
pub struct Proc(OwnedFd);

/// A line of /proc/PID/stat, or of that of a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    pub name: String,
    state: char,
    pub parent: i32,
    /// When it began, in ticks of a clock.
    pub began: u64,
}

impl Proc {
    /// Of the PID namespace whose /proc is mounted.
    pub fn open() -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open("/proc", flags, Mode::empty())?))
    }

    /// The numbers of all processes.
    pub fn processes(&self) -> io::Result<Vec<i32>> {
        numbers(&self.0)
    }

    /// What it says of a process; none if that is not there.
    pub fn stat(&self, pid: i32) -> Option<Stat> {
        Stat::parse(&self.read(&format!("{pid}/stat"))?)
    }

    /// The threads of a process, as far as they are there.
    pub fn threads(&self, pid: i32) -> Vec<(i32, Stat)> {
        let dir = self.directory(&format!("{pid}/task"));
        let threads = dir.and_then(numbers).unwrap_or_default().into_iter();
        let stat = |thread| {
            let text = self.read(&format!("{pid}/task/{thread}/stat"))?;
            Some((thread, Stat::parse(&text)?))
        };
        threads.filter_map(stat).collect()
    }

    /// The process that a thread is of.
    pub fn process_of(&self, thread: i32) -> Option<i32> {
        let text = self.read(&format!("{thread}/status"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
        line.trim().parse().ok()
    }

    pub fn directory(&self, path: &str) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(openat(&self.0, path, flags, Mode::empty())?)
    }

    fn read(&self, path: &str) -> Option<String> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat(&self.0, path, flags, Mode::empty()).ok()?;
        let mut text = [0; MOST];
        let length = rustix::io::read(&file, &mut text).ok()?;
        Some(String::from_utf8_lossy(&text[..length]).into_owned())
    }
}

impl AsFd for Proc {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The entries of a directory that are numbers.
fn numbers(dir: impl AsFd) -> io::Result<Vec<i32>> {
    let mut numbers = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        numbers.extend(name.parse::<i32>());
    }
    Ok(numbers)
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name may have anything in it.
        let (before, after) = text.rsplit_once(") ")?;
        let mut words = after.split_ascii_whitespace();
        Some(Self {
            name: before.split_once('(')?.1.into(),
            state: words.next()?.chars().next()?,
            parent: words.next()?.parse().ok()?,
            began: words.nth(17)?.parse().ok()?,
        })
    }

    /// Whether it was stopped by a signal, or by a debugger.
    pub fn is_stopped(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }

    /// Whether it has ended, and its parent has not noticed.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_anything_in_it_is_read_as_a_name() {
        let text = "77 (a) b (c) T 5 77 77 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4242 1 2";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((&*stat.name, stat.parent, stat.began), ("a) b (c", 5, 4242));
        assert!(stat.is_stopped() && !stat.has_ended());
        assert!(Stat::parse(&text.replace(" T ", " Z "))
            .unwrap()
            .has_ended());
        for broken in ["", "77", "77 (a) ", "77 (a) S", "77 (a) S 5 77"] {
            assert_eq!(Stat::parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn this_process_is_there_with_its_threads() {
        let proc = Proc::open().unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(proc.processes().unwrap().contains(&own));
        assert!(proc.stat(own).is_some_and(|stat| !stat.has_ended()));
        let threads = proc.threads(own);
        assert!(threads.iter().any(|(thread, _)| *thread == own));
        assert_eq!(proc.process_of(threads[threads.len() - 1].0), Some(own));
        assert_eq!(proc.stat(0), None);
    }
}
