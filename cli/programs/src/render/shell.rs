// SPDX-License-Identifier: GPL-2.0

//! Operations as commands of a shell.

use crate::data;
use crate::op::{FallocateMode, Op, RenameHow, WriteHow, ROOT};

/// Unmounts the filesystem that this is in, and mounts it as it was.
pub const REMOUNT: &str = "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; d=$PWD s=$(findmnt -no SOURCE .) t=$(findmnt -no FSTYPE .) o=$(findmnt -no OPTIONS .) && cd / && umount \"$d\" && mount -t \"$t\" -o \"$o\" \"$s\" \"$d\" && cd \"$d\"";

/// The command that does operation number `nr`.
pub fn command(nr: usize, op: &Op) -> String {
    match op {
        Op::Creat(path) => format!(": >{path}"),
        Op::Tmpfile(path) => {
            let dir = crate::namespace::parent(path);
            format!(
                "xfs_io -T -c 'pwrite -q -S {} 0 4096' -c 'flink {path}' {}",
                byte(nr, 0),
                name(dir)
            )
        }
        // A shell has single digits for files.
        Op::Open(path) => format!("if test -d {path}; then exec {0}<{path}; else exec {0}<>{path}; fi", 3 + nr % 7),
        Op::Mkdir(path) => format!("mkdir {path}"),
        Op::Mkfifo(path) => format!("mkfifo {path}"),
        Op::Symlink { target, path } => format!("ln -s {target} {path}"),
        Op::Link { from, to } => format!("ln {from} {to}"),
        Op::Rename { from, to, how } => match how {
            RenameHow::Plain => format!("mv -T {from} {to}"),
            RenameHow::NoReplace => format!("mv -T --update=none-fail {from} {to}"),
            RenameHow::Exchange => format!("mv -T --exchange {from} {to}"),
            RenameHow::Whiteout => format!(
                "python3 -c 'import ctypes; exit(ctypes.CDLL(None).renameat2(-100, b\"{from}\", -100, b\"{to}\", 4))'"
            ),
        },
        Op::Unlink(path) => format!("unlink {path}"),
        Op::Rmdir(path) => format!("rmdir {path}"),
        Op::Write { path, at, len, how } => write(nr, path, *at, *len, *how),
        Op::Truncate { path, size } => format!("truncate -s {size} {path}"),
        Op::Fallocate { path, mode, at, len } => {
            let command = match mode {
                FallocateMode::Allocate => "falloc",
                FallocateMode::KeepSize => "falloc -k",
                FallocateMode::Punch => "fpunch",
                FallocateMode::Zero => "fzero",
                FallocateMode::ZeroKeepSize => "fzero -k",
                FallocateMode::Collapse => "fcollapse",
                FallocateMode::Insert => "finsert",
                FallocateMode::Unshare => "funshare",
            };
            format!("xfs_io -c '{command} {at} {len}' {path}")
        }
        Op::Copy { from, to } => format!("xfs_io -c 'copy_range {from}' {to}"),
        Op::CopyRange { from, to, from_at, to_at, len } => {
            format!("xfs_io -c 'copy_range -s {from_at} -d {to_at} -l {len} {from}' {to}")
        }
        Op::Reflink { from, to } => format!("xfs_io -c 'reflink -q {from}' {to}"),
        Op::SetXattr { path, name, value } => {
            format!("setfattr -n {name} -v {} {path}", data::value(value))
        },
        Op::RemoveXattr { path, name } => format!("setfattr -x {name} {path}"),
        Op::Chmod { path, mode } => format!("chmod {mode:o} {path}"),
        Op::Utimens { path, seconds } => format!("touch -h -d @{seconds} {path}"),
        Op::Fsync(path) => format!("xfs_io -c fsync {}", name(path)),
        Op::Fdatasync(path) => format!("xfs_io -c fdatasync {}", name(path)),
        Op::FsyncOpen => "for n in 3 4 5 6 7 8 9; do if test -e /dev/fd/$n; then xfs_io -c fsync /dev/fd/$n; fi; done".into(),
        Op::DropCaches => "echo 3 >/proc/sys/vm/drop_caches".into(),
        Op::Remount => REMOUNT.into(),
        Op::SyncFileRange(path) => format!("xfs_io -c 'sync_range -a 0 0' {path}"),
        Op::Syncfs => "xfs_io -c syncfs .".into(),
        Op::Sync => "sync".into(),
    }
}

fn name(path: &str) -> &str {
    if path == ROOT {
        "."
    } else {
        path
    }
}

/// The first byte that is written.
fn byte(nr: usize, at: u64) -> String {
    let bytes = data::bytes(nr, at, 1);
    format!("{:#04x}", bytes.first().copied().unwrap_or(0))
}

/// xfs_io has no io_uring.
fn fio(path: &str, byte: &str, at: u64, len: u64, more: &str) -> String {
    format!(
        "fio --name=w --filename={path} --ioengine=io_uring --rw=write --offset={at} --size={len} --bs={len} \
         --buffer_pattern={byte} --fallocate=none --allow_file_create=0{more} >/dev/null"
    )
}

fn write(nr: usize, path: &str, at: u64, len: u64, how: WriteHow) -> String {
    let byte = byte(nr, at);
    let pwrite = |flags: &str, more: &str| {
        format!("xfs_io {flags}-c 'pwrite -q {more}-S {byte} {at} {len}' {path}")
    };
    match how {
        WriteHow::Plain => pwrite("", ""),
        WriteHow::Append => {
            format!("xfs_io -a -c \"pwrite -q -S {byte} $(stat -c %s {path}) {len}\" {path}")
        }
        WriteHow::Sync => pwrite("-s ", ""),
        WriteHow::Dsync => format!(
            "head -c {len} /dev/zero | tr '\\0' '\\{:03o}' | dd of={path} bs={len} seek={at} \
             oflag=dsync,seek_bytes iflag=fullblock conv=notrunc status=none",
            data::bytes(nr, at, 1)[0]
        ),
        WriteHow::Direct => pwrite("-d ", ""),
        WriteHow::RwfDsync => pwrite("", "-D -V 1 "),
        WriteHow::Uring => fio(path, &byte, at, len, ""),
        WriteHow::UringDsync => fio(path, &byte, at, len, " --direct=1 --sync=dsync"),
        WriteHow::Atomic => pwrite("-d ", "-A -V 1 "),
        WriteHow::Mmap | WriteHow::Msync => {
            let sync = if how == WriteHow::Msync {
                " -c 'msync -s'"
            } else {
                ""
            };
            let end = at + len;
            format!("xfs_io -c 'mmap -rw 0 {end}' -c 'mwrite -S {byte} {at} {len}'{sync} {path}")
        }
    }
}
