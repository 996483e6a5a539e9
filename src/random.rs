// SPDX-License-Identifier: GPL-2.0

//! Numbers that look random and are the same every time.

use crate::store::SECTOR_SIZE;

/// One of them for each number (the finaliser of splitmix64, by Sebastiano Vigna).
pub(crate) fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// The `n`-th of those that follow from a seed.
pub(crate) fn draw(seed: u64, n: u64) -> u64 {
    mix(seed ^ mix(n))
}

/// The bytes that a discarded sector holds, if it holds any (docs/abi.md).
pub(crate) fn garbage(seed: u64, sector: u64) -> [u8; SECTOR_SIZE] {
    let mut bytes = [0; SECTOR_SIZE];
    for (n, word) in (0..).zip(bytes.chunks_exact_mut(size_of::<u64>())) {
        word.copy_from_slice(&draw(draw(seed, sector), n).to_le_bytes());
    }
    bytes
}
