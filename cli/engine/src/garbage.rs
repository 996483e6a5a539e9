// SPDX-License-Identifier: GPL-2.0

//! What discards leave on a disk whose `discard_content` is `garbage:SEED` (docs/abi.md).

/// Bytes in a page of the driver: what was never written to keeps its zeroes, by pages.
pub const PAGE: u64 = 4096;

/// The finaliser of splitmix64, by Sebastiano Vigna.
fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

fn draw(seed: u64, n: u64) -> u64 {
    mix(seed ^ mix(n))
}

/// What the sectors from `first` on hold.
pub fn garbage(seed: u64, first: u64, sectors: u64) -> Vec<u8> {
    let words = (first..first + sectors).flat_map(|sector| {
        let seed = draw(seed, sector);
        (0..64).map(move |n| draw(seed, n))
    });
    words.flat_map(u64::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The driver's tests have the same words.
    #[test]
    fn garbage_is_the_drivers() {
        let bytes = garbage(7, 8, 2);
        assert_eq!(bytes.len(), 1024);
        assert_eq!(bytes[..8], 0x39ab_ef4c_ca87_315c_u64.to_le_bytes());
        assert_eq!(bytes[8..16], 0x9ba6_3830_f6c4_e308_u64.to_le_bytes());
        assert_eq!(bytes[512..], garbage(7, 9, 1));
    }
}
