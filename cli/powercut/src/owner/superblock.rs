// SPDX-License-Identifier: GPL-2.0

//! Metadata by where the superblocks of f2fs and FAT say that it lies.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::Extent;

/// An area; none if it has no sectors.
fn extent(first: u64, sectors: u64, what: &str, how: &'static str) -> Option<Extent> {
    let more = sectors.checked_sub(1)?;
    Some(Extent {
        first,
        last: first + more,
        what: what.into(),
        how,
    })
}

fn head<const N: usize>(node: &Path, at: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let device = File::open(node).ok()?;
    device.read_exact_at(&mut bytes, at).ok()?;
    Some(bytes)
}

pub fn f2fs(node: &Path) -> Vec<Extent> {
    head::<96>(node, 1024).map_or(Vec::new(), |b| f2fs_areas(&b))
}

fn f2fs_areas(b: &[u8; 96]) -> Vec<Extent> {
    const HOW: &str = "the areas that f2fs's superblock names";
    let number =
        |at: usize| u64::from(u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]]));
    if number(0) != 0xf2f5_2010 {
        return Vec::new();
    }
    // Blocks of 4 KiB: 8 sectors. The segments of an area are told last.
    let starts = [76, 80, 84, 88, 92].map(|at| number(at) * 8);
    let main_end = starts[4] + number(68) * 512 * 8;
    let names = [
        "checkpoint",
        "segment information table",
        "node address table",
        "segment summary",
        "main area (nodes, directories or a file)",
    ];
    let ends = starts[1..].iter().copied().chain([main_end]);
    let areas = names.iter().zip(starts).zip(ends);
    let areas =
        areas.map(|((name, start), end)| extent(start, end.saturating_sub(start), name, HOW));
    [extent(0, 16, "superblock", HOW)]
        .into_iter()
        .chain(areas)
        .flatten()
        .collect()
}

pub fn vfat(node: &Path) -> Vec<Extent> {
    head::<64>(node, 0).map_or(Vec::new(), |b| fat_areas(&b))
}

fn fat_areas(b: &[u8; 64]) -> Vec<Extent> {
    const HOW: &str = "the areas that FAT's boot sector names";
    let small = |at: usize| u64::from(u16::from_le_bytes([b[at], b[at + 1]]));
    let large = |at: usize| small(at) | (small(at + 2) << 16);
    // In units of 512 bytes.
    let scale = small(11) / 512;
    let (reserved, fats) = (small(14) * scale, u64::from(b[16]));
    let roots = small(17) * 32 / 512;
    let fat = match small(22) {
        0 => large(36),
        fat => fat,
    } * scale;
    if scale == 0 || fat == 0 {
        return Vec::new();
    }
    let all = match small(19) {
        0 => large(32),
        all => all,
    } * scale;
    let mut extents = Vec::new();
    extents.extend(extent(0, reserved, "boot sector and its neighbours", HOW));
    for nr in 0..fats {
        let what = format!("file allocation table {}", nr + 1);
        extents.extend(extent(reserved + nr * fat, fat, &what, HOW));
    }
    let data = reserved + fats * fat;
    extents.extend(extent(data, roots, "root directory", HOW));
    let files = data + roots;
    let what = "data area (directories or a file)";
    extents.extend(extent(files, all.saturating_sub(files), what, HOW));
    extents
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_of_f2fs() {
        let mut b = [0; 96];
        let mut put = |at: usize, n: u32| b[at..at + 4].copy_from_slice(&n.to_le_bytes());
        put(0, 0xf2f5_2010);
        let starts = [(76, 512), (80, 1536), (84, 2560), (88, 3584), (92, 4096)];
        starts.iter().for_each(|(at, n)| put(*at, *n));
        put(68, 24);
        let extents = f2fs_areas(&b);
        assert_eq!((extents[1].first, extents[1].last), (4096, 12287));
        assert_eq!(extents[1].what, "checkpoint");
        assert_eq!(extents[5].last, (4096 + 24 * 512) * 8 - 1);
        assert!(f2fs_areas(&[0; 96]).is_empty());
    }

    #[test]
    fn areas_of_fat() {
        let mut b = [0; 64];
        b[11..13].copy_from_slice(&512u16.to_le_bytes());
        (b[14], b[16], b[18], b[22]) = (4, 2, 2, 128);
        b[32..36].copy_from_slice(&131_072u32.to_le_bytes());
        let extents = fat_areas(&b);
        let short: Vec<_> = extents.iter().map(|e| (e.first, e.last)).collect();
        assert_eq!(
            short,
            [(0, 3), (4, 131), (132, 259), (260, 291), (292, 131_071)]
        );
        assert!(fat_areas(&[0; 64]).is_empty());
    }

    /// An area of no sectors would end before it begins, and be taken for its neighbour's owner.
    #[test]
    fn empty_areas_are_left_out() {
        let mut b = [0; 64];
        b[11..13].copy_from_slice(&512u16.to_le_bytes());
        (b[16], b[22]) = (1, 128);
        let extents = fat_areas(&b);
        let short: Vec<_> = extents.iter().map(|e| (e.first, e.last)).collect();
        assert_eq!(short, [(0, 127)]);
    }
}
