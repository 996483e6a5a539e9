// SPDX-License-Identifier: GPL-2.0

//! Metadata by what the tools of ext4 and btrfs say of the device.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::parse::{blocks, chunks, dumpe2fs, sectors_of, Chunk};
use super::Extent;
use crate::executor::Sandbox;

fn output(program: &str, args: &[&str], node: &Path, sandbox: &mut Sandbox<'_>) -> String {
    let args = args.iter().map(OsStr::new).chain([node.as_os_str()]);
    super::output(program, args, sandbox)
}

/// More of a journal than this is not looked at.
const JOURNAL_BLOCKS: u64 = 1 << 16;

/// Groups, and the journal block by block.
pub fn ext4(node: &Path, sandbox: &mut Sandbox<'_>) -> Vec<Extent> {
    let header = output("dumpe2fs", &["-h"], node, sandbox);
    let size = header
        .lines()
        .find_map(|line| line.strip_prefix("Block size:")?.trim().parse().ok())
        .filter(|size| (1024..=65536).contains(size))
        .unwrap_or(4096u64);
    let sectors = size / 512;
    let mut extents = Vec::new();
    let journal = output("debugfs", &["-R", "blocks <8>"], node, sandbox);
    let device = File::open(node);
    for (first, last) in blocks(&journal) {
        for block in first..=last {
            let mut head = [0; 8];
            let read = device.as_ref().ok().map(|device| {
                let at = block.checked_mul(size);
                at.is_some_and(|at| device.read_exact_at(&mut head, at).is_ok())
            });
            let kind = match read {
                Some(true) => journal_block(head),
                _ => "a block",
            };
            extents.extend(
                sectors_of((block, block), sectors).map(|(first, last)| Extent {
                    first,
                    last,
                    what: format!("journal (inode 8), {kind}"),
                    how: "debugfs `blocks <8>` and the block's own header, on the state",
                }),
            );
        }
    }
    let text = output("dumpe2fs", &[], node, sandbox);
    extents.extend(dumpe2fs(&text, sectors));
    extents
}

/// By the header that all blocks of the journal have but those that hold a
/// block of metadata.
fn journal_block(head: [u8; 8]) -> &'static str {
    let [a, b, c, d, kind @ ..] = head;
    if [a, b, c, d] != [0xc0, 0x3b, 0x39, 0x98] {
        return "a block of metadata";
    }
    match u32::from_be_bytes(kind) {
        1 => "a descriptor block",
        2 => "a commit block",
        3 | 4 => "its superblock",
        5 => "a revoke block",
        _ => "a block",
    }
}

/// A journal that ext4 has on a device of its own, block by block; nothing if this is none.
pub fn ext4_journal(node: &Path) -> Vec<Extent> {
    let mut head = [0; 1024];
    let Ok(device) = File::open(node) else {
        return Vec::new();
    };
    let number = |head: &[u8; 1024], at: usize| {
        u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
    };
    let is_read = device.read_exact_at(&mut head, 1024).is_ok();
    // Its magic number, and the feature that makes it a journal.
    let is_journal = number(&head, 56) & 0xffff == 0xef53 && number(&head, 96) & 8 != 0;
    let size = 1024u64.checked_shl(number(&head, 24)).unwrap_or(0);
    if !is_read || !is_journal || !(1024..=65536).contains(&size) {
        return Vec::new();
    }
    let sectors = size / 512;
    let superblocks = 1024 / size + 1;
    let mut extents = vec![Extent {
        first: 0,
        last: superblocks * sectors - 1,
        what: "superblock of the journal's device".into(),
        how: "ext4's superblock on that device, in the state",
    }];
    for block in superblocks..u64::from(number(&head, 4)).min(JOURNAL_BLOCKS) {
        let mut head = [0; 8];
        if device.read_exact_at(&mut head, block * size).is_err() {
            break;
        }
        extents.push(Extent {
            first: block * sectors,
            last: block * sectors + sectors - 1,
            what: format!("journal, {}", journal_block(head)),
            how: "the block's own header, on the state",
        });
    }
    extents
}

/// The number that btrfs gave a device; none if it is none of its own.
pub fn btrfs_number(node: &Path) -> Option<u64> {
    let mut head = [0; 209];
    let device = File::open(node).ok()?;
    device.read_exact_at(&mut head, 64 << 10).ok()?;
    let mut number = [0; 8];
    number.copy_from_slice(&head[201..]);
    (head[64..72] == *b"_BHRfS_M").then(|| u64::from_le_bytes(number))
}

/// For each of the devices: files through the chunks that hold their logical addresses,
/// trees by the header of their blocks.
pub fn btrfs(nodes: &[&Path], sandbox: &mut Sandbox<'_>, files: &[Extent]) -> Vec<Vec<Extent>> {
    let args = ["inspect-internal", "dump-tree", "-t", "chunk"];
    let text = nodes
        .first()
        .map(|node| output("btrfs", &args, node, sandbox));
    let chunks = chunks(&text.unwrap_or_default());
    let of = |node: &&Path| {
        let number = btrfs_number(node);
        number.map_or(Vec::new(), |number| {
            btrfs_device(node, number, &chunks, files)
        })
    };
    nodes.iter().map(of).collect()
}

pub fn btrfs_device(node: &Path, number: u64, chunks: &[Chunk], files: &[Extent]) -> Vec<Extent> {
    let mut extents = Vec::new();
    for copy in [64 << 10, 64 << 20] {
        extents.push(Extent {
            first: copy / 512,
            last: copy / 512 + 7,
            what: "superblock".into(),
            how: "the places that btrfs keeps it at",
        });
    }
    for chunk in chunks {
        let copies = chunk.copies.iter().enumerate();
        for (nr, (_, start)) in copies.filter(|(_, (device, _))| *device == number) {
            extents.extend(files_in(chunk, *start, files));
            if !chunk.kind.starts_with("DATA") {
                extents.extend(tree_blocks(node, chunk, *start, nr));
            }
        }
    }
    extents
}

fn files_in(chunk: &Chunk, start: u64, files: &[Extent]) -> Vec<Extent> {
    let (first, end) = (chunk.logical / 512, (chunk.logical + chunk.length) / 512);
    let inside = files.iter().filter(|f| f.first < end && first <= f.last);
    let moved = inside.map(|file| Extent {
        first: start / 512 + file.first.max(first) - first,
        last: start / 512 + file.last.min(end - 1) - first,
        what: file.what.clone(),
        how: "FIEMAP (filefrag) in the mounted state, through btrfs's chunks",
    });
    moved.collect()
}

/// The size of a tree block, unless mkfs was told otherwise.
const NODE: u64 = 16 << 10;

fn tree_blocks(node: &Path, chunk: &Chunk, start: u64, copy: usize) -> Vec<Extent> {
    let Ok(device) = File::open(node) else {
        return Vec::new();
    };
    let mut extents = Vec::new();
    for at in (0..chunk.length).step_by(NODE as usize) {
        let mut head = [0; 101];
        if device.read_exact_at(&mut head, start + at).is_err() {
            break;
        }
        let number = |from: usize| {
            let mut raw = [0; 8];
            raw.copy_from_slice(&head[from..from + 8]);
            u64::from_le_bytes(raw)
        };
        // Its own logical address is in its header.
        let known = number(48) == chunk.logical + at;
        let what = if known {
            format!("{}, level {}, copy {copy}", tree(number(88)), head[100])
        } else {
            format!("{} chunk, copy {copy}", chunk.kind)
        };
        extents.push(Extent {
            first: (start + at) / 512,
            last: (start + at + NODE) / 512 - 1,
            what,
            how: if known {
                "the tree block's own header, on the state"
            } else {
                "btrfs inspect-internal dump-tree -t chunk, on the state"
            },
        });
    }
    extents
}

fn tree(owner: u64) -> String {
    let name = match owner {
        1 => "root tree",
        2 => "extent tree",
        3 => "chunk tree",
        4 => "device tree",
        5 => "filesystem tree",
        7 => "checksum tree",
        9 => "UUID tree",
        10 => "free space tree",
        11 => "block group tree",
        u64::MAX => "relocation tree",
        // -6: the log tree, there for fsync.
        0xffff_ffff_ffff_fffa => "log tree",
        other => return format!("tree {other}"),
    };
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::slice;

    #[test]
    fn each_device_of_btrfs_has_its_own_copies() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(btrfs_number(file.path()), None);
        let mut superblock = [0; 209];
        superblock[64..72].copy_from_slice(b"_BHRfS_M");
        superblock[201] = 2;
        file.as_file().set_len(2 << 20).unwrap();
        file.as_file().write_all_at(&superblock, 64 << 10).unwrap();
        assert_eq!(btrfs_number(file.path()), Some(2));

        let chunk = Chunk {
            kind: "DATA|RAID1".into(),
            logical: 1 << 20,
            length: 64 << 10,
            copies: vec![(1, 512 << 10), (2, 1536 << 10)],
        };
        let of_file = Extent {
            first: 2048 + 8,
            last: 2048 + 15,
            what: "/a at byte 0".into(),
            how: "",
        };
        for (number, first) in [(1, 1024 + 8), (2, 3072 + 8)] {
            let found = btrfs_device(
                file.path(),
                number,
                slice::from_ref(&chunk),
                slice::from_ref(&of_file),
            );
            let of_file: Vec<_> = found.iter().filter(|e| e.what == of_file.what).collect();
            assert_eq!(of_file.len(), 1);
            assert_eq!((of_file[0].first, of_file[0].last), (first, first + 7));
        }
    }
}
