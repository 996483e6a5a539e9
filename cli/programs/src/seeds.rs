// SPDX-License-Identifier: GPL-2.0

//! Programs of the kinds by which bugs were found, in our own words: what is tried first, and what other
//! programs are made of.

use crate::program::Program;

/// One a line, the operations with semicolons between.
const SEEDS: &str = "\
rename foo bar; creat foo; fsync foo
rename foo bar; creat foo; write foo 0 4096; fsync foo
rename foo A/bar; creat foo; fsync foo
rename A C; mkdir A; fsync A
rename A C; mkdir A; creat A/bar; fsync A/bar
rename A B/C; creat A; fsync A
unlink baz; creat baz; fsync baz
unlink A/baz; creat A/baz; fsync A/baz
unlink A/baz; link foo A/baz; fsync foo
unlink baz; fsync A/baz
unlink baz; drop_caches; fsync A/baz
unlink A/baz; write baz 0 4096; fsync baz
unlink baz; rename A/foo B/bar; creat bar; fsync bar
rename A/baz B/bar; fsync baz
rename A/baz A/bar; creat A/baz; fsync A/baz
rename baz bar; link bar A/bar; creat baz; fsync baz
link foo bar; sync; unlink bar; fsync foo
link foo bar; sync; unlink bar; drop_caches; fsync foo
link foo bar; fsync foo; unlink bar; write foo 0 4096; fsync foo
link foo A/bar; unlink foo; fsync A/bar
rename A/foo B/bar; fsync A
rename A/foo bar; fsync A
rename A/foo B/bar; fsync B/bar
rename A/foo B/bar; creat A/bar; fsync A
rename A/foo B/bar; creat A/foo; fsync A/foo
rename foo A/bar; write A/foo 0 4096; fsync A/foo
rename A/foo B/bar; rename B C; mkdir B; fsync C/bar
mkdir A/C; sync; rename A/C B/C; fsync A
mkdir A/C; sync; rename A/C B/C; creat A/C; fsync A/C
mkdir A/C; sync; rename A/C B/C; creat A/C; fsync A/C; rename A/C C; fsync C
mkdir A/C; sync; rmdir A/C; mkdir A/C; creat A/C/foo; fsync A/C/foo
mkdir A/C; creat A/C/foo; sync; rename A/C/foo A/bar; rmdir A/C; fsync A
mkdir A/C; rename foo A/C/foo; fsync A/C/foo
mkdir A/C; creat A/C/foo; fsync A
mkdir A/C; creat A/C/foo; fsync A/C/foo
mkdir A/C; sync; creat A/C/foo; link foo A/bar; fsync A
mkdir A/C; link foo A/C/foo; fsync A
mkdir C; link foo C/bar; fsync foo
mkdir C; link foo bar; link foo C/foo; fsync bar
mkdir C; creat C/bar; fsync C/bar; rename C A/C; fsync A/C
mkdir C; fsync C; rename foo C/foo; creat C/bar; fsync C
creat A/bar; rename A C; fsync C
rename A C; fsync C/foo
rename A C; write C/foo 0 4096; fsync C/foo
rmdir B; mkdir B; creat B/bar; fsync B/bar
rename B A/C; creat A/C/foo; fsync A/C
creat bar; fsync bar; rename bar A/bar; creat bar; fsync A/bar
creat bar; fsync bar; unlink bar; creat bar; fsync bar
creat bar; fsync /; write bar 0 4096; fsync bar
creat A/bar; fsync A; unlink A/bar; fsync A
creat A/bar; fsync A; rename A/foo B/bar; fsync B/bar
creat A/bar; fsync A; rename A/bar B/bar; fsync B
creat A/bar; fsync A; link foo A/x; fsync A
write A/foo 0 4096; fsync A/foo; rename A/foo A/bar; fsync A
write A/foo 0 4096; fsync A/foo; rename A/foo B/bar; fsync B/bar
write foo 0 4096; fsync foo; rename foo bar; fsync bar
write foo 0 4096; fsync foo; rename foo bar; creat foo; fsync foo
write foo 0 4096; fsync foo; link foo bar; fsync foo
write foo 0 4096; fsync foo; link foo bar; unlink foo; fsync bar
write foo 0 4096; fsync foo; unlink foo; creat foo; fsync foo
write foo 0 4096; fsync foo; write foo 12288 4096; link foo bar; creat A/bar; fsync A/bar
write foo 0 4096; fsync foo; write foo 12288 4096; fsync foo
write foo 12288 4096; sync_file_range foo; drop_caches; link foo bar; fsync foo
write foo 0 4096; sync; drop_caches; rename foo bar; fsync bar
write foo 0 4096; sync; unlink foo; fsync /
unlink A/foo; fsync A
open foo; unlink foo; fsync /
open foo; unlink foo; sync; write A/foo 0 4096; fsync A/foo
open A/foo; rename foo A/foo; fsync A
open foo; unlink foo; creat foo; write foo 0 4096; fsync foo
open foo; write foo 0 4096; unlink foo; fsync_open
open foo; unlink foo; fsync_open; creat foo; fsync foo
open A/foo; write A/foo 0 4096; fsync_open; unlink A/foo; fsync_open
open foo; write foo 0 4096; rename foo A/bar; fsync_open
open foo; link foo A/bar; unlink foo; fsync_open
tmpfile bar; open bar; unlink bar; fsync_open
open B; rmdir B; fsync_open
mkdir A/C; sync; open A/C; rmdir A/C; fsync_open; creat A/bar; fsync A/bar
open A/foo; unlink A/foo; fsync A; remount; creat A/bar; fsync A/bar
creat bar; open bar; unlink bar; sync
write foo 0 4096; remount; sync
write foo 0 4096; fsync foo; remount; write foo 4096 4096; fsync foo
rename foo A/bar; fsync A/bar; remount; creat foo; fsync foo
creat bar; fsync bar; remount; unlink bar; fsync /
mkdir C; creat C/bar; sync; remount; rename C/bar bar; rmdir C; fsync /
unlink foo; remount; creat foo; write foo 0 4096; fsync foo
setxattr foo user.b 1; fsync foo; remount; removexattr foo user.b; fsync foo
mkdir C; creat C/bar; fsync C; unlink C/bar; rmdir C; write A/foo 0 4096; write A/foo 4096 8192; fsync A/foo
mkdir A/C; creat A/C/foo; fsync A/C; unlink A/C/foo; rmdir A/C; sync; creat bar; write bar 0 4096; fsync bar
mkdir A/C; symlink foo A/C/foo; sync; unlink A/C/foo; rmdir A/C; fsync A; copy foo A/foo; fsync A/foo
write foo 0 12288; fsync foo; write foo 12288 12288; copy foo foo 16384 0 4096; fsync foo
write foo 0 12288; copy foo foo 4096 12288 8192; fsync foo
copy foo foo 8192 0 4096; fsync foo
copy foo A/foo 4096 8192 8192; fsync A/foo; write foo 4096 4096; fsync foo
unlink A/foo; symlink foo A/foo; fsync A
symlink foo A/bar; rename A/bar B/bar; fsync B
symlink foo bar; fsync /
mkfifo bar; sync; rename bar A/bar; creat bar; fsync bar
unlink A/foo; mkfifo A/foo; fsync A
tmpfile bar; fsync bar
tmpfile A/bar; fsync A
creat bar; write bar 0 4096; fsync bar; rename bar foo; fsync /
creat bar; write bar 0 4096; rename bar foo; fsync foo
creat bar; write bar 0 4096; fsync bar; rename bar A/foo; fsync A
rename foo A/foo exchange; fsync foo
rename foo A/foo exchange; fsync A
rename A B exchange; fsync B
rename foo bar; rename A/foo foo; fsync foo
rename foo bar; rename baz foo; rename bar baz; fsync foo
fallocate foo keep-size 16384 4096; fsync foo
fallocate foo keep-size 12288 8192; write foo 0 4096; fsync foo
fallocate foo keep-size 16384 4096; fsync foo; fallocate foo keep-size 20480 4096; fsync foo
fallocate foo keep-size 16384 4096; fsync foo; write foo 12288 4096; fsync foo
symlink foo A/bar; fsync A
fallocate foo keep-size 16384 4096; sync; write foo 0 4096; fsync foo
fallocate foo keep-size 16384 4096; sync; drop_caches; write foo 12288 4096; fsync foo
fallocate foo allocate 12288 8192; fsync foo
fallocate foo allocate 12288 8192; write foo 12288 4096; fdatasync foo
fallocate foo punch 4096 4096; fsync foo
fallocate foo punch 8192 8192; fdatasync foo
fallocate foo punch 4096 4096; sync; fallocate foo allocate 4096 4096; fsync foo
write foo 0 8192; fsync foo; fallocate foo punch 4096 4096; fsync foo
write foo 0 8192; sync; fallocate foo punch 4096 4096; fsync foo
write foo 0 4096; fsync foo; fallocate foo zero 0 8192; fsync foo
truncate foo 4096; truncate foo 16384; fsync foo
truncate foo 0; write foo 8192 4096; fsync foo
truncate foo 6000; fsync foo; truncate foo 12288; fsync foo
truncate foo 16384; fdatasync foo
write foo 20480 4096; fsync foo
write foo 0 4096; fsync foo; truncate foo 4096; fsync foo
write foo 12288 4096; truncate foo 6000; fsync foo
write foo 0 4096; fallocate foo collapse 4096 4096; fsync foo
fallocate foo insert 4096 4096; fsync foo
write foo 12000 1000 append; fdatasync foo
write foo 12288 4096 dsync; rename foo bar; fsync bar
write foo 0 8192 direct; fdatasync foo
write foo 0 4096 io_uring; fsync foo
write foo 12288 4096 io_uring; fdatasync foo
write foo 0 4096 io_uring-dsync
write foo 12288 4096 io_uring-dsync; rename foo bar; fsync bar
write foo 0 4096; fdatasync foo
write foo 0 4096 direct; fdatasync foo
write foo 100 1000 mmap; fsync foo
write foo 0 4096 mmap; write foo 4096 4096 msync
write foo 12288 4096 sync; write foo 0 4096 rwf-dsync
write foo 0 8192; reflink foo A/foo; fsync A/foo; fsync foo
reflink foo A/foo; write A/foo 0 4096; fsync A/foo
reflink foo A/foo; sync; write foo 0 4096; fsync foo
copy foo A/foo; fsync A/foo
removexattr foo user.a; fsync foo
removexattr foo user.a; write foo 0 4096; fsync foo
write foo 0 4096; fsync foo; removexattr foo user.a; fsync foo
removexattr A user.a; fsync A
setxattr foo user.b 1; sync; removexattr foo user.b; fsync foo
setxattr foo user.b 1; fsync foo; removexattr foo user.b; fsync foo
setxattr foo user.b 1; fsync foo; rename foo bar; fsync bar
setxattr foo user.c 3*600; fsync foo
setxattr foo user.c 3*600; fsync foo; setxattr foo user.c 4*600; fsync foo
setxattr A user.c 3*600; fsync A
setxattr foo user.c 3*600; sync; removexattr foo user.c; fsync foo
setxattr foo user.c 3*600; fsync foo; removexattr foo user.c; sync; creat bar; write bar 0 1024; fsync bar
setxattr foo user.c 3*600; fsync foo; unlink foo; sync; creat bar; write bar 0 4096; fsync bar; creat foo; write foo 0 4096; fsync foo
setxattr foo user.c 3*600; fsync foo; link foo bar; fsync bar
setxattr foo user.b 1; sync; write foo 0 4096; fsync foo
creat bar; setxattr bar user.a 1; fsync bar; link bar A/bar; fsync bar
rename A/foo B/bar; creat A/bar; fsync A/bar
mkdir A/C; sync; rename A/foo A/C/foo; creat A/bar; fsync A/bar
write foo 12288 4096; sync_file_range foo; drop_caches; fsync foo
truncate foo 4096; truncate foo 16384; drop_caches; fsync foo
reflink foo A/foo; drop_caches; fsync A/foo
reflink foo A/foo; drop_caches; write A/foo 0 4096; fsync A/foo
reflink A/foo foo; fsync foo; write A/foo 0 4096; fsync A/foo
write foo 0 8192; reflink foo A/foo; fallocate A/foo punch 4096 4096; fsync A/foo; fsync foo
fallocate foo keep-size 12288 8192; fsync foo; fallocate foo punch 16384 4096; fsync foo
creat bar; fsync bar; unlink bar; sync
creat bar; fsync bar; rename bar A/bar; sync
creat bar; fsync bar; sync; creat A/bar; fsync A/bar
write foo 12288 4096; fsync foo; truncate foo 4096; sync
write foo 0 4096; fsync foo; fallocate foo punch 0 4096; fsync foo
chmod foo 600; fsync foo; sync; chmod foo 644; fsync foo
chmod foo 600; fsync foo; write foo 0 4096; fsync foo
chmod A 700; fsync A
utimens foo 1000000000; fsync foo
";

/// All of them.
pub fn seeds() -> Vec<Program> {
    SEEDS
        .lines()
        .filter_map(|line| line.replace("; ", "\n").parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::namespace::Namespace;
    use crate::program::before;

    #[test]
    fn each_can_succeed_makes_something_durable_and_is_there_once() {
        assert_eq!(seeds().len(), SEEDS.lines().count());
        assert_eq!(seeds().iter().collect::<HashSet<_>>().len(), seeds().len());
        for program in seeds() {
            assert!(program.ops.last().unwrap().is_persistence(), "{program}");
            let mut namespace = Namespace::after(&before());
            for op in &program.ops {
                assert!(namespace.allows(op), "{op} in\n{program}");
                namespace.apply(op);
            }
        }
    }
}
