// SPDX-License-Identifier: GPL-2.0

//! What filesystems' tools print, and superblocks: of a state that is being looked at, which is damaged, or
//! of another version than was known here.

use std::fs;

use powercut_cli::owner::layout::{btrfs_device, btrfs_number, ext4_journal};
use powercut_cli::owner::parse::{blocks, chunks, dumpe2fs, filefrag, fsmap};
use powercut_cli::owner::{superblock, Extent};

use super::{texts, with_dir, Target};

pub const EXTENTS: Target = Target {
    name: "extents",
    run: extents,
    seeds: || {
        texts(&[
            "File size of /mnt/a is 4096 (8 blocks of 512 bytes)\n ext:     logical_offset:        physical_offset: length:   \
             expected: flags:\n   0:        0..       7:    8192..      8199:      8:             last,eof\n/mnt/a: 1 extent found\n",
            "\t0: 254:0 [0..7]: static fs metadata 8\n\t1: 254:0 [8..15]: inode 131 data 0..7 8\n\t2: 254:0 [16..23]: free space 8\n",
            "Group 0: (Blocks 1-8192) csum 0x1 [ITABLE_ZEROED]\n  Primary superblock at 1, Group descriptors at 2-2\n  \
             Block bitmap at 259 (+258), csum 0x1\n",
            "item 0 key (FIRST_CHUNK_TREE CHUNK_ITEM 22020096) itemoff 16105 itemsize 80\n\t\tlength 8388608 owner 2 stripe_len 65536 \
             type SYSTEM|DUP\n\t\t\tstripe 0 devid 1 offset 22020096\n",
            "1 2 3 9 10",
        ])
    },
    words: &[
        "File size of ",
        " is ",
        ":",
        "..",
        "-",
        "[",
        "]: ",
        "inode ",
        "Group ",
        " at ",
        ", ",
        "  ",
        " CHUNK_ITEM ",
        "length ",
        "type ",
        "stripe ",
        "devid ",
        "offset ",
        "\n",
        "18446744073709551615",
        "9223372036854775807",
        "36028797018963968",
    ],
    inputs: 15_000,
};

pub const SUPERBLOCKS: Target = Target {
    name: "superblocks",
    run: superblocks,
    seeds,
    words: &["_BHRfS_M", "\x10\x20\u{5}"],
    inputs: 10_000,
};

/// Heads of filesystems, each cut off behind what is looked at.
fn seeds() -> Vec<Vec<u8>> {
    let put = |bytes: &mut Vec<u8>, at: usize, new: &[u8]| {
        bytes.resize(bytes.len().max(at + new.len()), 0);
        bytes[at..at + new.len()].copy_from_slice(new);
    };
    let mut f2fs = Vec::new();
    put(&mut f2fs, 1024, &0xf2f5_2010u32.to_le_bytes());
    for (at, block) in [
        (68, 24u32),
        (76, 512),
        (80, 1536),
        (84, 2560),
        (88, 3584),
        (92, 4096),
    ] {
        put(&mut f2fs, 1024 + at, &block.to_le_bytes());
    }
    let mut fat = vec![0; 64];
    put(&mut fat, 11, &512u16.to_le_bytes());
    for (at, byte) in [(14, 4), (16, 2), (18, 2), (22, 128), (34, 2)] {
        fat[at] = byte;
    }
    let mut journal = Vec::new();
    for (at, number) in [(4, 3u32), (24, 0), (56, 0xef53), (96, 8)] {
        put(&mut journal, 1024 + at, &number.to_le_bytes());
    }
    put(&mut journal, 2048, &[0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 2]);
    put(&mut journal, 5000, &[0]);
    vec![f2fs, fat, journal]
}

fn check(found: &[Extent]) {
    for extent in found {
        let ends = (extent.first, extent.last);
        assert!(ends.0 <= ends.1, "{}: {ends:?}", extent.what);
    }
}

fn extents(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    check(&filefrag(&text, "/mnt", "filefrag"));
    check(&fsmap(&text, |inode| (inode == 131).then(|| "/a".into())));
    for sectors in [2, 8, 128] {
        check(&dumpe2fs(&text, sectors));
    }
    let files = filefrag(&text, "/mnt", "filefrag");
    let chunks = chunks(&text);
    with_dir(|dir| {
        let node = dir.join("node");
        fs::write(&node, [0; 256]).expect("room for a file");
        check(&btrfs_device(&node, 1, &chunks, &files));
    });
    let runs = blocks(&text);
    assert!(runs.iter().all(|(first, last)| first <= last));
}

fn superblocks(input: &[u8]) {
    with_dir(|dir| {
        let node = dir.join("node");
        fs::write(&node, input).expect("room for a file");
        check(&superblock::f2fs(&node));
        check(&superblock::vfat(&node));
        check(&ext4_journal(&node));
        let _ = btrfs_number(&node);
    });
}
