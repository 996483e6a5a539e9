// SPDX-License-Identifier: GPL-2.0

//! What tools print, as extents.

use super::Extent;

/// `filefrag -v -e -b512 FILE..`, the files being below `root`.
pub fn filefrag(text: &str, root: &str, how: &'static str) -> Vec<Extent> {
    let mut extents = Vec::new();
    let mut file = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("File size of ") {
            let name = name.rsplit_once(" is ").map_or(name, |(name, _)| name);
            let name = name.strip_prefix(root).unwrap_or(name);
            file = match name {
                "" => "/".into(),
                name => name.into(),
            };
            continue;
        }
        // NR: LOGICAL..LOGICAL: PHYSICAL..PHYSICAL: LENGTH: [EXPECTED:] FLAGS
        let fields: Vec<&str> = line.split(':').map(str::trim).collect();
        let [nr, logical, physical, ..] = &fields[..] else {
            continue;
        };
        let flags = fields.last().copied().unwrap_or_default();
        let nowhere = ["inline", "not_aligned", "delalloc", "unknown"];
        if nr.parse::<u64>().is_err() || flags.split(',').any(|f| nowhere.contains(&f)) {
            continue;
        }
        let from = range(logical).and_then(|(from, _)| from.checked_mul(512));
        if let (Some(from), Some((first, last))) = (from, range(physical)) {
            extents.push(Extent {
                first,
                last,
                what: format!("{file} at byte {from}"),
                how,
            });
        }
    }
    extents
}

/// `xfs_io -c fsmap`; `named` gives the file of an inode.
pub fn fsmap(text: &str, named: impl Fn(u64) -> Option<String>) -> Vec<Extent> {
    let mut extents = Vec::new();
    for line in text.lines() {
        // NR: MAJOR:MINOR [FIRST..LAST]: OWNER .. LENGTH
        let Some((range_text, owner)) = line
            .split_once('[')
            .and_then(|(_, rest)| rest.split_once("]: "))
        else {
            continue;
        };
        let Some((first, last)) = range(range_text) else {
            continue;
        };
        let words: Vec<&str> = owner.split_whitespace().collect();
        let what = match &words[..] {
            ["inode", inode, rest @ ..] if inode.parse::<u64>().is_ok() => {
                let inode = inode.parse().unwrap_or(0);
                let file = named(inode).unwrap_or_else(|| format!("inode {inode}"));
                match rest.first() {
                    Some(&"data") | None => file,
                    Some(fork) => format!("{file}, {fork}"),
                }
            }
            ["free", ..] | ["unknown", ..] | [] => continue,
            [name @ .., _] => name.join(" "),
        };
        extents.push(Extent {
            first,
            last,
            what,
            how: "GETFSMAP (xfs_io fsmap) in the mounted state",
        });
    }
    extents
}

/// `dumpe2fs`: where groups keep what, in blocks of `sectors` sectors.
pub fn dumpe2fs(text: &str, sectors: u64) -> Vec<Extent> {
    let mut extents = Vec::new();
    let mut group = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("Group ") {
            group = rest.split(':').next().unwrap_or("");
            continue;
        }
        let is_layout = line.contains(" at ") && line.starts_with("  ");
        let parts = line.trim().split(", ").filter(|_| is_layout);
        for part in parts {
            let Some((name, place)) = part.split_once(" at ") else {
                continue;
            };
            let place = place.split_whitespace().next().unwrap_or("");
            let blocks = range(place).or_else(|| place.parse().ok().map(|block| (block, block)));
            if let Some((first, last)) = blocks.and_then(|blocks| sectors_of(blocks, sectors)) {
                extents.push(Extent {
                    first,
                    last,
                    what: format!("{} of group {group}", lower(name)),
                    how: "dumpe2fs on the state",
                });
            }
        }
    }
    extents
}

/// The sectors of some blocks, both ends in; none if no disk has so many.
pub fn sectors_of((first, last): (u64, u64), sectors: u64) -> Option<(u64, u64)> {
    let end = last.checked_add(1)?.checked_mul(sectors)?;
    Some((first.checked_mul(sectors)?, end.checked_sub(1)?))
}

fn lower(name: &str) -> String {
    let mut chars = name.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}

/// Numbers in a row, as ranges: `blocks <8>` of debugfs.
pub fn blocks(text: &str) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for block in text.split_whitespace().filter_map(|w| w.parse().ok()) {
        match ranges.last_mut() {
            Some(last) if last.1.checked_add(1) == Some(block) => last.1 = block,
            _ => ranges.push((block, block)),
        }
    }
    ranges
}

/// A chunk of btrfs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chunk {
    /// DATA, METADATA, SYSTEM, and how it is doubled.
    pub kind: String,
    pub logical: u64,
    pub length: u64,
    /// The devices of its copies, by btrfs's numbers, and where in them they begin, in bytes.
    pub copies: Vec<(u64, u64)>,
}

impl Chunk {
    /// Whether it lies where a device can have bytes.
    fn is_possible(&self) -> bool {
        const MAX_BYTES: u64 = 1 << 62;
        let starts = self.copies.iter().map(|(_, start)| *start);
        starts
            .chain([self.logical, self.length])
            .all(|bytes| bytes <= MAX_BYTES)
    }
}

/// `btrfs inspect-internal dump-tree -t chunk`.
pub fn chunks(text: &str) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once(" CHUNK_ITEM ") {
            let logical = rest.split(')').next().and_then(|n| n.parse().ok());
            chunks.push(Chunk {
                logical: logical.unwrap_or(0),
                ..Chunk::default()
            });
            continue;
        }
        let Some(chunk) = chunks.last_mut() else {
            continue;
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        match &words[..] {
            ["length", length, .., "type", kind] => {
                chunk.length = length.parse().unwrap_or(0);
                chunk.kind = (*kind).into();
            }
            ["stripe", _, "devid", device, "offset", at] => {
                let copy = device.parse().ok().zip(at.parse().ok());
                chunk.copies.extend(copy);
            }
            _ => {}
        }
    }
    chunks.retain(Chunk::is_possible);
    chunks
}

/// FIRST..LAST or FIRST-LAST
fn range(text: &str) -> Option<(u64, u64)> {
    let (first, last) = text.split_once("..").or_else(|| text.split_once('-'))?;
    let range = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (range.0 <= range.1).then_some(range)
}

#[cfg(test)]
mod tests;
