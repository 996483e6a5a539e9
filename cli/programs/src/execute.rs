// SPDX-License-Identifier: GPL-2.0

//! Runs a program on a mounted filesystem.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use rustix::fs::{
    copy_file_range, fallocate, fdatasync, fremovexattr, fsetxattr, fstat, fsync, ftruncate,
    ioctl_ficlone, linkat, mkdirat, mknodat, open, openat, renameat, renameat_with, symlinkat,
    sync, syncfs, unlinkat, utimensat, AtFlags, FallocateFlags, FileType, Mode, OFlags,
    RenameFlags, Timespec, Timestamps, XattrFlags, CWD,
};
use rustix::io::{pwrite, pwritev2, write, Errno, ReadWriteFlags};
use vmap::{Flush, MapMut};

use crate::data;
use crate::level::Level;
use crate::op::{FallocateMode, Op, RenameHow, WriteHow, ROOT};
use crate::program::Program;
use crate::trace::{mark, Step, Trace};
use crate::uring;
use crate::walk::walk;

/// What RWF_ATOMIC is; include/uapi/linux/fs.h.
const RWF_ATOMIC: u32 = 0x40;
/// The file in each directory that fills free space near it, where files are put first, and its length.
const FILL: &str = ".fill";
const FILL_LEN: usize = 512 << 10;
/// What buffers and offsets of O_DIRECT are multiples of.
const DIRECT_ALIGN: usize = 4096;

/// Runs a program below a directory. After each operation `mark_with` is given its mark, and what the
/// filesystem holds is taken down. `remount` unmounts what is mounted there, and mounts it again. An operation that fails is
/// no error.
pub fn execute(
    dir: &Path,
    program: &Program,
    level: Level,
    has_fat: bool,
    mut mark_with: impl FnMut(&str) -> Result<()>,
    mut remount: impl FnMut() -> Result<()>,
) -> Result<Trace> {
    let mut runner = Runner::new(dir)?;
    let mut trace = Trace {
        level,
        has_fat,
        before: walk(&runner.root)?,
        steps: Vec::new(),
    };
    for (nr, op) in (1..).zip(&program.ops) {
        let done = match op {
            // The files have other inode numbers then, and could not be told apart.
            Op::Remount if has_fat => Err(Errno::OPNOTSUPP),
            Op::Remount => {
                drop(runner);
                remount()?;
                runner = Runner::new(dir)?;
                Ok(())
            }
            _ => runner.run(nr, op),
        };
        mark_with(&mark(nr, op))?;
        trace.steps.push(Step {
            op: op.clone(),
            errno: done.err().map(Errno::raw_os_error),
            after: walk(&runner.root).with_context(|| format!("after operation {nr}, {op}"))?,
        });
    }
    Ok(trace)
}

/// Makes what every program finds; with `fill` free space is filled with [`data::STALE`] once, so that bytes that a file never held show.
pub fn prepare(dir: &Path, ops: &[Op], fill: bool) -> Result<()> {
    let mut runner = Runner::new(dir)?;
    for op in ops {
        let done = runner.run(0, op);
        if op.is_optional() && matches!(done, Err(Errno::OPNOTSUPP | Errno::PERM | Errno::NOSYS)) {
            continue;
        }
        done.with_context(|| format!("cannot prepare the filesystem: {op}"))?;
    }
    if fill {
        runner.fill().context("cannot fill the filesystem")?;
    }
    Ok(())
}

struct Runner<'d> {
    dir: &'d Path,
    root: OwnedFd,
    /// Files that stay open.
    held: Vec<OwnedFd>,
}

impl<'d> Runner<'d> {
    fn new(dir: &'d Path) -> Result<Self> {
        let root = open(dir, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        Ok(Self {
            dir,
            root: root.with_context(|| format!("cannot open {}", dir.display()))?,
            held: Vec::new(),
        })
    }

    fn open(&self, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let path = if path == ROOT { "." } else { path };
        let mode = Mode::from_raw_mode(0o644);
        openat(
            &self.root,
            path,
            flags | OFlags::CLOEXEC | OFlags::NONBLOCK,
            mode,
        )
    }

    /// Of a file or directory.
    fn open_any(&self, path: &str) -> rustix::io::Result<OwnedFd> {
        self.open(path, OFlags::RDONLY | OFlags::NOFOLLOW)
    }

    fn run(&mut self, nr: usize, op: &Op) -> rustix::io::Result<()> {
        if let Op::Open(path) = op {
            let opened = match self.open(path, OFlags::RDWR) {
                Err(Errno::ISDIR) => self.open(path, OFlags::RDONLY),
                other => other,
            };
            self.held.push(opened?);
            return Ok(());
        }
        let root = &self.root;
        match op {
            Op::Creat(path) => {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
                self.open(path, flags).map(drop)
            }
            Op::Tmpfile(path) => self.tmpfile(nr, path),
            Op::Mkdir(path) => mkdirat(root, path, Mode::from_raw_mode(0o755)),
            Op::Mkfifo(path) => mknodat(root, path, FileType::Fifo, Mode::from_raw_mode(0o644), 0),
            Op::Symlink { target, path } => symlinkat(target, root, path),
            Op::Link { from, to } => linkat(root, from, root, to, AtFlags::empty()),
            Op::Rename { from, to, how } => {
                let flags = match how {
                    RenameHow::Plain => return renameat(root, from, root, to),
                    RenameHow::NoReplace => RenameFlags::NOREPLACE,
                    RenameHow::Exchange => RenameFlags::EXCHANGE,
                    RenameHow::Whiteout => RenameFlags::WHITEOUT,
                };
                renameat_with(root, from, root, to, flags)
            }
            Op::Unlink(path) => unlinkat(root, path, AtFlags::empty()),
            Op::Rmdir(path) => unlinkat(root, path, AtFlags::REMOVEDIR),
            Op::Write { path, at, len, how } => self.write(nr, path, *at, *len, *how),
            Op::Truncate { path, size } => ftruncate(self.open(path, OFlags::WRONLY)?, *size),
            Op::Fallocate {
                path,
                mode,
                at,
                len,
            } => fallocate(self.open(path, OFlags::RDWR)?, flags_of(*mode), *at, *len),
            Op::Copy { from, to } => self.copy(from, to),
            Op::CopyRange {
                from,
                to,
                from_at,
                to_at,
                len,
            } => self.copy_range((from, *from_at), (to, *to_at), *len),
            Op::Reflink { from, to } => {
                let source = self.open(from, OFlags::RDONLY)?;
                ioctl_ficlone(self.open(to, OFlags::WRONLY)?, source)
            }
            Op::SetXattr { path, name, value } => {
                let fd = self.open_any(path)?;
                fsetxattr(fd, name, data::value(value).as_bytes(), XattrFlags::empty())
            }
            Op::RemoveXattr { path, name } => fremovexattr(self.open_any(path)?, name),
            Op::Chmod { path, mode } => {
                rustix::fs::fchmod(self.open_any(path)?, Mode::from_raw_mode(*mode))
            }
            Op::Utimens { path, seconds } => {
                let time = Timespec {
                    tv_sec: (*seconds).into(),
                    tv_nsec: 0,
                };
                let times = Timestamps {
                    last_access: time,
                    last_modification: time,
                };
                utimensat(root, path, &times, AtFlags::SYMLINK_NOFOLLOW)
            }
            Op::Fsync(path) => fsync(self.open_any(path)?),
            Op::Fdatasync(path) => fdatasync(self.open_any(path)?),
            Op::FsyncOpen => self.held.iter().try_for_each(fsync),
            Op::DropCaches => drop_caches(),
            Op::Open(_) => Ok(()),
            // That is for who mounted it.
            Op::Remount => Err(Errno::OPNOTSUPP),
            Op::SyncFileRange(path) => self.sync_file_range(path),
            Op::Syncfs => syncfs(root),
            Op::Sync => {
                sync();
                Ok(())
            }
        }
    }

    fn tmpfile(&self, nr: usize, path: &str) -> rustix::io::Result<()> {
        let dir = path.rsplit_once('/').map_or(ROOT, |(dir, _)| dir);
        let fd = self.open(dir, OFlags::TMPFILE | OFlags::WRONLY)?;
        pwrite(&fd, &data::bytes(nr, 0, 4096), 0)?;
        // In a sandbox /proc shows other processes. Without privileges it is the way that works.
        match linkat(&fd, "", &self.root, path, AtFlags::EMPTY_PATH) {
            Err(Errno::NOENT) => {
                let name = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&fd));
                linkat(CWD, name, &self.root, path, AtFlags::SYMLINK_FOLLOW)
            }
            done => done,
        }
    }

    fn write(
        &self,
        nr: usize,
        path: &str,
        at: u64,
        len: u64,
        how: WriteHow,
    ) -> rustix::io::Result<()> {
        let flags = match how {
            WriteHow::Mmap | WriteHow::Msync => return self.map(nr, path, at, len, how),
            WriteHow::Plain | WriteHow::RwfDsync | WriteHow::Uring => OFlags::empty(),
            WriteHow::Append => OFlags::APPEND,
            WriteHow::Sync => OFlags::SYNC,
            WriteHow::Dsync => OFlags::DSYNC,
            WriteHow::Direct | WriteHow::Atomic => OFlags::DIRECT,
            WriteHow::UringDsync => OFlags::DIRECT | OFlags::DSYNC,
        };
        let fd = self.open(path, OFlags::WRONLY | flags)?;
        let written = match how {
            WriteHow::Append => {
                let end = u64::try_from(fstat(&fd)?.st_size).unwrap_or(0);
                write(&fd, &data::bytes(nr, end, len))?
            }
            WriteHow::RwfDsync => {
                let bytes = data::bytes(nr, at, len);
                write_at(&fd, &bytes, at, ReadWriteFlags::DSYNC)?
            }
            WriteHow::Uring | WriteHow::UringDsync => {
                let file = File::from(fd);
                uring::write(file, &data::bytes(nr, at, len), at, DIRECT_ALIGN)?
            }
            WriteHow::Direct | WriteHow::Atomic => {
                let mut buffer = vec![0; len as usize + DIRECT_ALIGN];
                let start = buffer.as_ptr().align_offset(DIRECT_ALIGN);
                let bytes = buffer
                    .get_mut(start..start + len as usize)
                    .ok_or(Errno::NOMEM)?;
                bytes.copy_from_slice(&data::bytes(nr, at, len));
                let flags = match how {
                    WriteHow::Atomic => ReadWriteFlags::from_bits_retain(RWF_ATOMIC),
                    _ => ReadWriteFlags::empty(),
                };
                write_at(&fd, bytes, at, flags)?
            }
            _ => pwrite(&fd, &data::bytes(nr, at, len), at)?,
        };
        if written as u64 == len {
            Ok(())
        } else {
            Err(Errno::NOSPC)
        }
    }

    fn map(
        &self,
        nr: usize,
        path: &str,
        at: u64,
        len: u64,
        how: WriteHow,
    ) -> rustix::io::Result<()> {
        let file = File::from(self.open(path, OFlags::RDWR)?);
        let size = u64::try_from(fstat(&file)?.st_size).unwrap_or(0);
        if at + len > size || len == 0 {
            // Beyond the end there is no page to write to.
            return Err(Errno::INVAL);
        }
        let failed = |e: vmap::Error| e.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error);
        let page = vmap::page_size() as u64;
        let start = at / page * page;
        let mut options = MapMut::with_options();
        options
            .write()
            .offset(start as usize)
            .len((at + len - start) as usize);
        let mut map: MapMut = options.map(&file).map_err(failed)?;
        let within = (at - start) as usize;
        map[within..within + len as usize].copy_from_slice(&data::bytes(nr, at, len));
        if how == WriteHow::Msync {
            map.flush(&file, Flush::Sync).map_err(failed)?;
        }
        Ok(())
    }

    fn copy(&self, from: &str, to: &str) -> rustix::io::Result<()> {
        let size = fstat(self.open(from, OFlags::RDONLY)?)?.st_size;
        self.copy_range((from, 0), (to, 0), u64::try_from(size).unwrap_or(0))
    }

    /// From a place of a file on to a place of another, or of the same.
    fn copy_range(&self, from: (&str, u64), to: (&str, u64), len: u64) -> rustix::io::Result<()> {
        let source = self.open(from.0, OFlags::RDONLY)?;
        let target = self.open(to.0, OFlags::WRONLY)?;
        let (mut from_at, mut to_at) = (from.1, to.1);
        let end = from_at.saturating_add(len);
        while from_at < end {
            let left = (end - from_at) as usize;
            let copied =
                copy_file_range(&source, Some(&mut from_at), &target, Some(&mut to_at), left)?;
            if copied == 0 {
                break;
            }
        }
        Ok(())
    }

    /// By xfs_io: no safe binding offers the system call.
    fn sync_file_range(&self, path: &str) -> rustix::io::Result<()> {
        let mut command = Command::new("xfs_io");
        command
            .args(["-c", "sync_range -a 0 0"])
            .arg(self.dir.join(path));
        let quiet = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        match quiet.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err(Errno::IO),
            Err(_) => Err(Errno::NOSYS),
        }
    }

    /// Writes a file in each directory, as large as is of use, and removes them.
    fn fill(&self) -> rustix::io::Result<()> {
        let mut files = Vec::new();
        for dir in [ROOT, "A", "B"] {
            let path = match dir {
                ROOT => FILL.to_string(),
                dir => format!("{dir}/{FILL}"),
            };
            let fd = self.open(&path, OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY)?;
            let bytes = vec![data::STALE; FILL_LEN];
            match write(&fd, &bytes) {
                Ok(_) | Err(Errno::NOSPC) => files.push(path),
                Err(e) => return Err(e),
            }
        }
        syncfs(&self.root)?;
        files
            .iter()
            .try_for_each(|path| unlinkat(&self.root, path, AtFlags::empty()))?;
        syncfs(&self.root)
    }
}

/// Of the whole machine: there is no other way to have an inode leave.
fn drop_caches() -> rustix::io::Result<()> {
    let fd = open(
        "/proc/sys/vm/drop_caches",
        OFlags::WRONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    write(fd, b"3").map(drop)
}

fn write_at(
    fd: impl AsFd,
    bytes: &[u8],
    at: u64,
    flags: ReadWriteFlags,
) -> rustix::io::Result<usize> {
    pwritev2(fd, &[std::io::IoSlice::new(bytes)], at, flags)
}

fn flags_of(mode: FallocateMode) -> FallocateFlags {
    let keep = FallocateFlags::KEEP_SIZE;
    match mode {
        FallocateMode::Allocate => FallocateFlags::empty(),
        FallocateMode::KeepSize => keep,
        FallocateMode::Punch => FallocateFlags::PUNCH_HOLE | keep,
        FallocateMode::Zero => FallocateFlags::ZERO_RANGE,
        FallocateMode::ZeroKeepSize => FallocateFlags::ZERO_RANGE | keep,
        FallocateMode::Collapse => FallocateFlags::COLLAPSE_RANGE,
        FallocateMode::Insert => FallocateFlags::INSERT_RANGE,
        FallocateMode::Unshare => FallocateFlags::UNSHARE_RANGE,
    }
}
