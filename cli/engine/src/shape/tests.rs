// SPDX-License-Identifier: GPL-2.0

use super::*;

#[test]
fn every_pattern_compiles() {
    for (pattern, _) in rules().into_iter().chain(rules_after()) {
        assert!(Regex::new(&pattern).is_ok(), "{pattern}");
    }
}

/// What programs print of one bug in two runs.
const SAME: &[(&str, &str, &str)] = &[
    ("git fsck", "missing blob 4b825dc642cb6eb9a060e54bf8d69288fbee4904", "missing blob ba9c6c1d2f8c1e4e1a4bb18e1f3a77ff0bd05eb3"),
    ("git fsck, abbreviated", "error: 4b825dc: object corrupt or missing", "error: 1234567: object corrupt or missing"),
    ("git fsck, a loose object",
     "error: object file .git/objects/4b/825dc642cb6eb9a060e54bf8d69288fbee4904 is empty",
     "error: object file .git/objects/ee/cbd93e59a7d8e7b8f0f3a1d52b0cba8a4f0e6a is empty"),
    ("git fsck, by path",
     "fatal: loose object 9daeafb9864cf43055ae93beb0afd6c7d144bfa4 (stored in /tmp/powercut-aXb1/mnt/r/.git/objects/9d/aeafb9864cf43055ae93beb0afd6c7d144bfa4) is corrupt",
     "fatal: loose object 08cf6101416f0ce0dda3c80e627f333854c4085c (stored in /tmp/powercut-QqZzz/mnt/r/.git/objects/08/cf6101416f0ce0dda3c80e627f333854c4085c) is corrupt"),
    ("git fsck, several of a kind",
     "broken link from    tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n              to    blob 9daeafb9864cf43055ae93beb0afd6c7d144bfa4\nmissing blob 9daeafb9864cf43055ae93beb0afd6c7d144bfa4\n",
     "broken link from    tree 08cf6101416f0ce0dda3c80e627f333854c4085c\n              to    blob 1f7391f92b6a3792204e07e99f71f643cc35e7e1\nbroken link from    tree 08cf6101416f0ce0dda3c80e627f333854c4085c\n              to    blob 257cc5642cb1a054f08cc83f2d943e56fd3ebe99\nmissing blob 1f7391f92b6a3792204e07e99f71f643cc35e7e1\nmissing blob 257cc5642cb1a054f08cc83f2d943e56fd3ebe99\n"),
    ("git log", "Date:   Wed Nov 25 23:24:07 2026 +0100", "Date:   Thu Jan 7 01:02:03 2027 +0000"),
    ("sqlite3", "Tree 5 page 5 cell 12: Rowid 18 out of order", "Tree 2 page 112 cell 0: Rowid 7 out of order"),
    ("sqlite3, several", "Page 7: never used\nPage 8: never used", "Page 19: never used"),
    ("sqlite3, a file", "Error: unable to open database \"/tmp/powercut-a1/mnt/my data.db\": unable to open database file",
     "Error: unable to open database \"/tmp/powercut-bb/mnt/x.db\": unable to open database file"),
    ("PostgreSQL, time and process",
     "2026-11-25 23:24:07.123 UTC [2145] PANIC:  could not locate a valid checkpoint record",
     "2027-01-02 03:04:05.9 UTC [77] PANIC:  could not locate a valid checkpoint record"),
    ("PostgreSQL, a position in the log", "invalid record length at 0/16B3748: wanted 24, got 0", "invalid record length at 1/ABCDEF: wanted 24, got 11"),
    ("PostgreSQL, a file of the log", "could not open file \"pg_wal/000000010000000000000001\"", "could not open file \"pg_wal/00000001000000000000000A\""),
    ("PostgreSQL, a block", "could not read block 3 in file \"base/16384/2619\": read only 0 of 8192 bytes", "could not read block 12 in file \"base/5/1249\": read only 4096 of 8192 bytes"),
    ("a traceback of Python",
     "Traceback (most recent call last):\n  File \"/tmp/powercut-x1y2/mnt/check.py\", line 12, in <module>\n    main()\nAssertionError: key 17 is lost",
     "Traceback (most recent call last):\n  File \"/tmp/powercut-zz/mnt/check.py\", line 9, in <module>\n    main()\nAssertionError: key 3 is lost"),
    ("an object of Python", "KeyError: <__main__.Row object at 0x7f1c2d3e4f50>", "KeyError: <__main__.Row object at 0x7fabcdefabcd>"),
    ("a list of Python", "AssertionError: lost [3, 4, 17]", "AssertionError: lost [5]"),
    ("btrfs check", "parent transid verify failed on 30408704 wanted 7 found 5", "parent transid verify failed on 5242880 wanted 12 found 11"),
    ("btrfs check, sums", "checksum verify failed on 30408704 wanted 0x5e1c7c6a found 0xbeefface", "checksum verify failed on 30408704 wanted 0x00000000 found 0x12"),
    ("btrfs check, device",
     "Checking filesystem on /dev/powercut/run-12.x0\nUUID: 4f7c1a52-dead-beef-a5b4-8d2c1f0e9b7a\nref mismatch on [1103101952 4096] extent item 1, found 0",
     "Checking filesystem on /dev/powercut/run-7.x3\nUUID: 0e2b3c4d-1a2b-4c5d-8e9f-abcdefabcdef\nref mismatch on [30408704 16384] extent item 0, found 1"),
    ("a panic of Go",
     "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\nmain.(*DB).get(0xc000012345, {0xc0000b2000, 0x5})\n\t/home/me/db/main.go:8 +0x1d",
     "panic: runtime error: index out of range [12] with length 12\n\ngoroutine 34 [running]:\nmain.(*DB).get(0xc0000abcde, {0xc000fade00, 0xc})\n\t/home/you/src/main.go:108 +0xfed"),
    ("a wait of Go", "goroutine 17 [chan receive, 2 minutes]:", "goroutine 5 [chan receive, 11 minutes]:"),
    ("a signal of Go", "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x45f2a1]", "[signal SIGSEGV: segmentation violation code=0x2 addr=0x8 pc=0xabcdef]"),
    ("a panic of Rust",
     "thread 'main' (3512) panicked at /home/me/src/main.rs:10:5:\ncalled `Result::unwrap()` on an `Err` value: Os { code: 2, kind: NotFound }",
     "thread 'main' (77) panicked at /tmp/b/src/main.rs:123:17:\ncalled `Result::unwrap()` on an `Err` value: Os { code: 17, kind: NotFound }"),
    ("a relative name with numbers", "src/main.rs:10:5: lost", "src/main.rs:7:41: lost"),
    ("bare hexadecimal", "page a0b1c2 has sum DEADBEE5", "page 9 has sum 00000001"),
    ("hexadecimal behind an underscore", "index_4f3a2b1c is gone", "index_aa1 is gone"),
    ("negative numbers", "expected 3, got -5", "expected -17, got 4"),
    ("fractions", "balance is 12.50 of 1e-05", "balance is 7 of 0.25"),
    ("groups of digits", "1,234 rows", "7 rows"),
    ("ISO dates", "written 2026-11-25T23:24:07.123456Z", "written 1999-01-02T03:04:05Z"),
    ("dates of mail", "Wed, 25 Nov 2026 23:24:07 +0000", "Sat, 5 May 2027 01:02:03 +0000"),
    ("dates of ls", "-rw-r--r-- 1 root root 12 Nov 25 23:24 a.txt", "-rw-r--r-- 1 root root 4096 Jan  5 01:02 a.txt"),
    ("dates of web servers", "[25/Nov/2026:23:24:07 +0000] failed", "[01/Jan/2027:00:00:00 +0000] failed"),
    ("durations of other units", "gave up after 950ms", "gave up after 1.2 s"),
    ("durations of several units", "up 1h 30m, then silence", "up 2 minutes, 3 seconds, then silence"),
    ("paths, plain", "cannot open /tmp/powercut-abc/mnt/a.txt: No such file", "cannot open /tmp/powercut-xyz/mnt/d/b.log: No such file"),
    ("paths that end a sentence", "there is nothing in /mnt/a.", "there is nothing in /srv/b/c."),
    ("paths in the quotes of coreutils", "cat: ‘/mnt/a b’: No such file", "cat: ‘/mnt/a c’: No such file"),
    ("paths in brackets and assignments", "(/mnt/a) file=/mnt/b", "(/x) file=/y"),
    ("the mount point by its name", "$POWERCUT_MNT/a is gone", "${POWERCUT_MNT}/b/c is gone"),
];

/// What is not the same bug.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "missing blob 4b825dc642cb6eb9",
        "missing tree 4b825dc642cb6eb9",
    ),
    (
        "row 12 missing from index ix_a",
        "row 12 missing from index ix_b",
    ),
    ("Page 7: never used", "Page 7: is used twice"),
    ("integrity_check: ok", "integrity_check: malformed"),
    ("KeyError: 'a'", "ValueError: 'a'"),
    ("the page is dead", "the page is beef"),
    ("row was added", "row was faced"),
    ("a.txt is gone", "b.txt is gone"),
    ("db/a is gone", "db/b is gone"),
    ("and/or", "and/nor"),
    ("SIGSEGV at 0x10", "SIGBUS at 0x10"),
    ("read 5 of 8 pages", "read 5 of 8 rows"),
    ("lost 5", "lost /mnt/5"),
    ("lost 5", "lost five"),
    ("it may fail", "it can fail"),
    ("May is lost", "June is lost"),
    ("key 5 is lost", "key 5 is lost\nkey 6 is torn"),
    (
        "PANIC:  could not locate a valid checkpoint record",
        "FATAL:  could not locate a valid checkpoint record",
    ),
    ("goroutine 1 [running]:", "goroutine 1 [select]:"),
    (
        "parent transid verify failed on 5",
        "checksum verify failed on 5",
    ),
    ("4 ms late", "4 pages late"),
];

#[test]
fn what_one_bug_prints_in_two_runs_has_one_shape() {
    for (what, one, other) in SAME {
        assert_ne!(one, other, "{what}");
        assert_eq!(shape(one), shape(other), "{what}");
    }
}

#[test]
fn other_words_have_another_shape() {
    for (one, other) in DIFFERENT {
        assert_ne!(shape(one), shape(other));
    }
}

#[test]
fn a_shape_keeps_the_words() {
    for (text, expected) in [
        ("", ""),
        ("no number in it\n", "no number in it"),
        ("W812 lba 0x7f by jbd2/x-8", "W# lba # by jbd#/x-#"),
        ("cat: /mnt/a: gone", "cat: <path>: gone"),
        ("a / b or 1/2 of it", "a / b or # of it"),
        ("Wed Nov 25 23:24:07 2026", "# #:#:# #"),
        ("dead beef added 8ad", "dead beef added #"),
    ] {
        assert_eq!(shape(text), expected, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn a_shape_has_no_digits(text in "(\\PC|[0-9a-f /.:,\n-]){0,60}") {
        let shape = shape(&text);
        proptest::prop_assert!(!shape.contains(|c: char| c.is_ascii_digit()), "{}", shape);
    }
}
