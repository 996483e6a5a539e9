// SPDX-License-Identifier: GPL-2.0

//! What operations write, so that it shows where a byte came from.

/// What the free space of the filesystem holds before a program is run.
pub const STALE: u8 = 0xfe;

/// The longest value of an attribute that is written.
pub const MAX_VALUE: usize = 4096;

/// The bytes that operation number `nr` writes at an offset: constant in each 512 bytes, never 0,
/// never [`STALE`].
pub fn bytes(nr: usize, at: u64, len: u64) -> Vec<u8> {
    (at..at + len).map(|offset| byte(nr, offset)).collect()
}

/// The value of an attribute: `V*N` is V so many times, as one that fills a block of its own.
pub fn value(text: &str) -> String {
    let parts = text.split_once('*');
    let repeated = parts.and_then(|(part, times)| Some((part, times.parse::<usize>().ok()?)));
    match repeated {
        Some((part, times)) if part.len() * times <= MAX_VALUE => part.repeat(times),
        _ => text.into(),
    }
}

fn byte(nr: usize, offset: u64) -> u8 {
    // 15 blocks in a row differ; so do 16 operations in a row.
    let block = offset / 512 % 15;
    ((nr as u64 % 16) * 15 + block + 1) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_be_long() {
        for (text, wanted) in [
            ("1", "1"),
            ("ab*3", "ababab"),
            ("1*9999", "1*9999"),
            ("*", "*"),
        ] {
            assert_eq!(value(text), wanted);
        }
    }

    #[test]
    fn operations_and_blocks_are_told_apart() {
        let mut seen = std::collections::BTreeSet::new();
        for nr in 0..16 {
            for block in 0..15 {
                let byte = byte(nr, block * 512);
                assert!(byte != 0 && byte != STALE && seen.insert(byte));
            }
        }
        let written = bytes(3, 510, 4);
        assert_eq!(written[0], written[1]);
        assert_ne!(written[1], written[2]);
    }
}
