// SPDX-License-Identifier: GPL-2.0

//! A program in C.

use std::fmt::Write;

use crate::data;
use crate::op::{FallocateMode, Op, RenameHow, WriteHow, ROOT};
use crate::program::{before, Program};

const HEAD: &str = "\
/* What `powercut fuzz` found. Run it in the root of the filesystem, and cut the power then. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

/* What not all filesystems have. */
#define TRY(call) do { if ((call) < 0) perror(#call); } while (0)
#define DO(call) do { if ((call) < 0) { perror(#call); exit(1); } } while (0)

static int fd, other, held[16], holds;

static int opened(const char *path, int flags)
{
\tint opened = open(path, flags, 0644);

\tif (opened < 0) {
\t\tperror(path);
\t\texit(1);
\t}
\treturn opened;
}

static void put(const char *path, int flags, int byte, size_t len, off_t at, int rwf)
{
\tstruct iovec iov = { .iov_base = aligned_alloc(4096, (len + 4095) / 4096 * 4096), .iov_len = len };

\tif (!iov.iov_base)
\t\texit(1);
\tmemset(iov.iov_base, byte, len);
\tfd = opened(path, O_WRONLY | flags);
\tDO(pwritev2(fd, &iov, 1, at, rwf));
\tclose(fd);
\tfree(iov.iov_base);
}

static void put_mapped(const char *path, int byte, size_t len, off_t at, int is_synced)
{
\tchar *map;

\tfd = opened(path, O_RDWR);
\tmap = mmap(NULL, at + len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
\tif (map == MAP_FAILED)
\t\texit(1);
\tmemset(map + at, byte, len);
\tif (is_synced)
\t\tDO(msync(map, at + len, MS_SYNC));
\tmunmap(map, at + len);
\tclose(fd);
}

";

/// What stands before `main` if the program has writes by io_uring.
const RING: &str = r#"#include <liburing.h> /* cc -luring */

static void put_ring(const char *path, int flags, int byte, size_t len, off_t at)
{
	void *data = aligned_alloc(4096, (len + 4095) / 4096 * 4096);
	struct io_uring_cqe *cqe;
	struct io_uring ring;

	if (!data || io_uring_queue_init(1, &ring, 0) < 0)
		exit(1);
	memset(data, byte, len);
	fd = opened(path, O_WRONLY | flags);
	io_uring_prep_write(io_uring_get_sqe(&ring), fd, data, len, at);
	if (io_uring_submit_and_wait(&ring, 1) < 0 || io_uring_wait_cqe(&ring, &cqe) < 0 || cqe->res < 0)
		exit(1);
	io_uring_queue_exit(&ring);
	close(fd);
	free(data);
}

"#;

/// What stands before `main` if files are held open.
const HOLD: &str = "static int hold(const char *path)
{
\tint fd = open(path, O_RDWR);

\treturn fd < 0 ? opened(path, O_RDONLY) : fd;
}

";

/// What stands before `main` if it is mounted anew.
const REMOUNT: &str = r#"static void remount(void)
{
	const char *command = "d=$POWERCUT_REMOUNT; s=$(findmnt -no SOURCE \"$d\") && t=$(findmnt -no FSTYPE \"$d\")"
		" && o=$(findmnt -no OPTIONS \"$d\") && umount \"$d\" && mount -t \"$t\" -o \"$o\" \"$s\" \"$d\"";
	char *dir = getcwd(NULL, 0);

	for (int held = 3; held < 32; held++)
		close(held);
	holds = 0;

	if (!dir || setenv("POWERCUT_REMOUNT", dir, 1) || chdir("/") || system(command) || chdir(dir)) {
		perror("remount");
		exit(1);
	}
	free(dir);
}

"#;

/// The program in C, with what is there before it.
pub fn c(program: &Program) -> String {
    let mut text = String::from(HEAD);
    if program.ops.iter().any(Op::is_uring) {
        text.push_str(RING);
    }
    if program.ops.iter().any(|op| matches!(op, Op::Open(_))) {
        text.push_str(HOLD);
    }
    if program.ops.contains(&Op::Remount) {
        text.push_str(REMOUNT);
    }
    text.push_str("int main(void)\n{\n");
    for op in before() {
        statement(&mut text, 0, &op);
    }
    text.push_str("\n\t/* What is there before ends here. */\n");
    for (nr, op) in (1..).zip(&program.ops) {
        statement(&mut text, nr, op);
    }
    text.push_str("\treturn 0;\n}\n");
    text
}

/// A file opened, something done with it, the file closed.
fn with(path: &str, flags: &str, call: &str) -> String {
    let path = if path == ROOT { "." } else { path };
    format!("fd = opened(\"{path}\", {flags}); DO({call}); close(fd);")
}

fn statement(text: &mut String, nr: usize, op: &Op) {
    let line = match op {
        Op::Creat(path) => format!("close(opened(\"{path}\", O_CREAT | O_EXCL | O_WRONLY));"),
        Op::Tmpfile(path) => {
            let byte = data::bytes(nr, 0, 1)[0];
            let dir = crate::namespace::parent(path);
            let linked = format!(
                "({{ char name[64], data[4096]; memset(data, {byte}, sizeof(data)); \
                 pwrite(fd, data, sizeof(data), 0); sprintf(name, \"/proc/self/fd/%d\", fd); \
                 linkat(AT_FDCWD, name, AT_FDCWD, \"{path}\", AT_SYMLINK_FOLLOW); }})"
            );
            with(dir, "O_TMPFILE | O_WRONLY", &linked)
        }
        Op::Open(path) => format!("held[holds++] = hold(\"{path}\");"),
        Op::Mkdir(path) => format!("DO(mkdir(\"{path}\", 0755));"),
        Op::Mkfifo(path) => format!("DO(mkfifo(\"{path}\", 0644));"),
        Op::Symlink { target, path } => format!("DO(symlink(\"{target}\", \"{path}\"));"),
        Op::Link { from, to } => format!("DO(link(\"{from}\", \"{to}\"));"),
        Op::Rename { from, to, how } => {
            let flags = match how {
                RenameHow::Plain => "0",
                RenameHow::NoReplace => "RENAME_NOREPLACE",
                RenameHow::Exchange => "RENAME_EXCHANGE",
                RenameHow::Whiteout => "RENAME_WHITEOUT",
            };
            format!("DO(renameat2(AT_FDCWD, \"{from}\", AT_FDCWD, \"{to}\", {flags}));")
        }
        Op::Unlink(path) => format!("DO(unlink(\"{path}\"));"),
        Op::Rmdir(path) => format!("DO(rmdir(\"{path}\"));"),
        Op::Write { path, at, len, how } => written(nr, path, *at, *len, *how),
        Op::Truncate { path, size } => format!("DO(truncate(\"{path}\", {size}));"),
        Op::Fallocate { path, mode, at, len } => {
            let mode = match mode {
                FallocateMode::Allocate => "0",
                FallocateMode::KeepSize => "FALLOC_FL_KEEP_SIZE",
                FallocateMode::Punch => "FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE",
                FallocateMode::Zero => "FALLOC_FL_ZERO_RANGE",
                FallocateMode::ZeroKeepSize => "FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE",
                FallocateMode::Collapse => "FALLOC_FL_COLLAPSE_RANGE",
                FallocateMode::Insert => "FALLOC_FL_INSERT_RANGE",
                FallocateMode::Unshare => "FALLOC_FL_UNSHARE_RANGE",
            };
            with(path, "O_RDWR", &format!("fallocate(fd, {mode}, {at}, {len})"))
        }
        Op::Copy { from, to } => format!(
            "other = opened(\"{from}\", O_RDONLY); {} close(other);",
            with(to, "O_WRONLY", "copy_file_range(other, NULL, fd, NULL, 1 << 20, 0)")
        ),
        Op::CopyRange { from, to, from_at, to_at, len } => format!(
            "other = opened(\"{from}\", O_RDONLY); {} close(other);",
            with(
                to,
                "O_WRONLY",
                &format!("copy_file_range(other, &(loff_t){{ {from_at} }}, fd, &(loff_t){{ {to_at} }}, {len}, 0)")
            )
        ),
        Op::Reflink { from, to } => format!(
            "other = opened(\"{from}\", O_RDONLY); {} close(other);",
            with(to, "O_WRONLY", "ioctl(fd, FICLONE, other)")
        ),
        Op::SetXattr { path, name, value } => format!(
            "DO(setxattr(\"{path}\", \"{name}\", \"{}\", {}, 0));",
            data::value(value),
            data::value(value).len()
        ),
        Op::RemoveXattr { path, name } => format!("DO(removexattr(\"{path}\", \"{name}\"));"),
        Op::Chmod { path, mode } => format!("DO(chmod(\"{path}\", 0{mode:o}));"),
        Op::Utimens { path, seconds } => format!(
            "DO(utimensat(AT_FDCWD, \"{path}\", (struct timespec[]){{{{ {seconds} }}, {{ {seconds} }}}}, 0));"
        ),
        Op::Fsync(path) => with(path, "O_RDONLY", "fsync(fd)"),
        Op::Fdatasync(path) => with(path, "O_RDONLY", "fdatasync(fd)"),
        Op::FsyncOpen => "for (int i = 0; i < holds; i++) DO(fsync(held[i]));".into(),
        Op::Remount => "remount();".into(),
        Op::DropCaches => "put(\"/proc/sys/vm/drop_caches\", 0, '3', 1, 0, 0);".into(),
        Op::SyncFileRange(path) => with(
            path,
            "O_RDWR",
            "sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | \
             SYNC_FILE_RANGE_WAIT_AFTER)",
        ),
        Op::Syncfs => with(ROOT, "O_RDONLY", "syncfs(fd)"),
        Op::Sync => "sync();".into(),
    };
    let line = if nr == 0 && op.is_optional() {
        line.replacen("DO(", "TRY(", 1)
    } else {
        line
    };
    // Writing to a String does not fail.
    let _ = writeln!(text, "\t/* {nr}: {op} */\n\t{line}");
}

fn written(nr: usize, path: &str, at: u64, len: u64, how: WriteHow) -> String {
    let byte = data::bytes(nr, at, 1)[0];
    let put =
        |flags: &str, rwf: &str| format!("put(\"{path}\", {flags}, {byte}, {len}, {at}, {rwf});");
    let ring = |flags: &str| format!("put_ring(\"{path}\", {flags}, {byte}, {len}, {at});");
    match how {
        WriteHow::Plain => put("0", "0"),
        // With RWF_APPEND the offset does not count.
        WriteHow::Append => put("O_APPEND", "RWF_APPEND"),
        WriteHow::Sync => put("O_SYNC", "0"),
        WriteHow::Dsync => put("O_DSYNC", "0"),
        WriteHow::Direct => put("O_DIRECT", "0"),
        WriteHow::RwfDsync => put("0", "RWF_DSYNC"),
        WriteHow::Uring => ring("0"),
        WriteHow::UringDsync => ring("O_DIRECT | O_DSYNC"),
        WriteHow::Atomic => put("O_DIRECT", "0x40 /* RWF_ATOMIC */"),
        WriteHow::Mmap => format!("put_mapped(\"{path}\", {byte}, {len}, {at}, 0);"),
        WriteHow::Msync => format!("put_mapped(\"{path}\", {byte}, {len}, {at}, 1);"),
    }
}
