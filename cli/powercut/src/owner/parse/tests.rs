// SPDX-License-Identifier: GPL-2.0

use super::*;

fn short(extents: &[Extent]) -> Vec<(u64, u64, &str)> {
    let short = |e: &'_ Extent| (e.first, e.last);
    extents
        .iter()
        .map(|e| (short(e).0, short(e).1, e.what.as_str()))
        .collect()
}

#[test]
fn files_by_their_extents() {
    let text = "/m/dir: FIBMAP/FIEMAP unsupported
Filesystem type is: f2f52010
File size of /m/dir/a is b is 20000 (40 blocks of 512 bytes)
 ext:     logical_offset:        physical_offset: length:   expected: flags:
   0:        0..      39:      45072..     45111:     40:             merged
   1:       40..      47:      90000..     90007:      8:      45112: last,eof
/m/dir/a: 2 extents found
File size of /m/b is 2 (8 block of 512 bytes)
 ext:     logical_offset:        physical_offset: length:   expected: flags:
   0:        0..       1:   18878828..  18878829:      2:             last,not_aligned,inline,eof
File size of /m is 4096 (8 block of 512 bytes)
   0:        0..       7:      45064..     45071:      8:             last,merged,eof
";
    let extents = filefrag(text, "/m", "FIEMAP");
    let wanted = [
        (45072, 45111, "/dir/a is b at byte 0"),
        (90000, 90007, "/dir/a is b at byte 20480"),
        (45064, 45071, "/ at byte 0"),
    ];
    assert_eq!(short(&extents), wanted);
}

#[test]
fn the_map_of_xfs() {
    let text = "\t0: 259:0 [0..31]: static fs metadata 32
\t2: 259:0 [48..63]: inode btree 16
\t7: 259:0 [192..231]: inode 132 data 0..39 40
\t8: 259:0 [232..239]: inode 133 attr 0..7 8
\t9: 259:0 [240..163839]: free space 163600
\t22: 259:0 [327760..458831]: journalling log 131072
";
    let extents = fsmap(text, |inode| (inode == 132).then(|| "file /a".into()));
    let wanted = [
        (0, 31, "static fs metadata"),
        (48, 63, "inode btree"),
        (192, 231, "file /a"),
        (232, 239, "inode 133, attr"),
        (327760, 458831, "journalling log"),
    ];
    assert_eq!(short(&extents), wanted);
}

#[test]
fn groups_of_ext4() {
    let text = "Free blocks: 5\nGroup 0: (Blocks 0-16383) csum 0x344e [ITABLE_ZEROED]
  Primary superblock at 0, Group descriptors at 1-1
  Reserved GDT blocks at 2-8
  Block bitmap at 9 (+9), csum 0xab0b92c8
  Inode table at 41-1064 (+41)
  14280 free blocks, 16369 free inodes, 3 directories, 16369 unused inodes
  Free blocks: 2104-16383
";
    let extents = dumpe2fs(text, 8);
    let wanted = [
        (0, 7, "primary superblock of group 0"),
        (8, 15, "group descriptors of group 0"),
        (16, 71, "reserved GDT blocks of group 0"),
        (72, 79, "block bitmap of group 0"),
        (328, 8519, "inode table of group 0"),
    ];
    assert_eq!(short(&extents), wanted);
    assert_eq!(blocks("15 16 17 18 26 27 \n"), [(15, 18), (26, 27)]);
}

#[test]
fn chunks_of_btrfs() {
    let text = "\titem 0 key (DEV_ITEMS DEV_ITEM 1) itemoff 16185 itemsize 98
\t\tdevid 1 total_bytes 134217728 bytes_used 92274688
\titem 1 key (FIRST_CHUNK_TREE CHUNK_ITEM 13631488) itemoff 16105 itemsize 80
\t\tlength 8388608 owner 2 stripe_len 65536 type DATA|single
\t\t\tstripe 0 devid 1 offset 13631488
\titem 3 key (FIRST_CHUNK_TREE CHUNK_ITEM 30408704) itemoff 15881 itemsize 112
\t\tlength 33554432 owner 2 stripe_len 65536 type METADATA|DUP
\t\t\tstripe 0 devid 1 offset 38797312
\t\t\tstripe 1 devid 2 offset 72351744
";
    let chunks = chunks(text);
    assert_eq!(chunks.len(), 2);
    assert_eq!(chunks[0].kind, "DATA|single");
    assert_eq!(chunks[1].logical, 30_408_704);
    assert_eq!(chunks[1].length, 33_554_432);
    assert_eq!(chunks[1].copies, [(1, 38_797_312), (2, 72_351_744)]);
}

/// Numbers that no disk has, and areas that end before they begin: of those nothing is told.
#[test]
fn what_cannot_be_is_left_out() {
    let most = u64::MAX;
    let group = format!(
        "Group 1:\n  Bitmap at 510, Descriptors at 256-2, Table at {most}, Inodes at 0-{most}\n"
    );
    assert_eq!(
        short(&dumpe2fs(&group, 8)),
        [(4080, 4087, "bitmap of group 1")]
    );
    for physical in ["9..3".to_string(), format!("0..{most}0")] {
        let line = format!("0: 0..7: {physical}: 8: last");
        assert!(filefrag(&line, "/mnt", "").is_empty(), "{line}");
    }
    let far = format!("0: {most}..{most}: 0..7: 8: last");
    assert!(filefrag(&far, "/mnt", "").is_empty());
    assert!(fsmap("0: 254:0 [7..0]: inode 131 data 0..7 8", |_| None).is_empty());
    assert_eq!(blocks(&format!("{most} 0")), [(most, most), (0, 0)]);
    for (logical, length, start) in [(most, 1, 0), (0, most, 0), (0, 1, most)] {
        let item = format!(
            " CHUNK_ITEM {logical})\n length {length} type DATA\n stripe 0 devid 1 offset {start}"
        );
        assert!(chunks(&item).is_empty(), "{item}");
    }
}
