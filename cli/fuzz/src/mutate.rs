// SPDX-License-Identifier: GPL-2.0

//! Inputs made of others by small changes. Not guided by what the code does, so that it needs no
//! special build; libFuzzer is for that.

use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// No input is longer.
const MAX_BYTES: usize = 64 << 10;
const MAX_CHANGES: u64 = 6;
/// Numbers at the edge of something.
const EDGES: [u64; 16] = [
    0,
    1,
    7,
    8,
    127,
    255,
    256,
    511,
    512,
    4096,
    65535,
    1 << 29,
    u32::MAX as u64,
    1 << 35,
    i64::MAX as u64,
    u64::MAX,
];

#[derive(Debug)]
pub struct Mutator {
    random: ChaCha8Rng,
}

impl Mutator {
    pub fn new(seed: u64) -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    fn below(&mut self, end: usize) -> usize {
        (self.random.next_u64() % end.max(1) as u64) as usize
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> Option<&'t T> {
        from.get(self.below(from.len()))
    }

    /// Another input: one of the corpus with a few changes.
    pub fn next(&mut self, corpus: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
        let mut input = self.pick(corpus).cloned().unwrap_or_default();
        for _ in 0..=self.random.next_u64() % MAX_CHANGES {
            self.change(&mut input, corpus, words);
        }
        input.truncate(MAX_BYTES);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[&str]) {
        let at = self.below(input.len() + 1);
        match self.below(10) {
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << (self.random.next_u64() % 8);
                }
            }
            1 => {
                let byte = self.random.next_u64() as u8;
                if let Some(place) = input.get_mut(at) {
                    *place = byte;
                }
            }
            2 | 3 => self.set_number(input, at),
            4 => {
                let len = self.len_from(input, at);
                input.drain(at..at + len);
            }
            5 => {
                let len = self.len_from(input, at);
                let again = input[at..at + len].to_vec();
                input.splice(at..at, again);
            }
            6 => {
                let word = self.pick(words).map_or(&b""[..], |word| word.as_bytes());
                let over = self.below(2) * word.len().min(input.len() - at);
                input.splice(at..at + over, word.iter().copied());
            }
            7 => {
                let other = self.pick(corpus).cloned().unwrap_or_default();
                let from = self.below(other.len() + 1);
                let len = self.len_from(&other, from);
                let over = self.below(2) * len.min(input.len() - at);
                input.splice(at..at + over, other[from..from + len].iter().copied());
            }
            8 => self.set_decimal(input, at),
            _ => input.truncate(at.max(input.len() / 2)),
        }
    }

    /// A length of what lies behind a place: mostly short, or that of a record of the log.
    fn len_from(&mut self, input: &[u8], at: usize) -> usize {
        let most = [8, 32, 96, input.len()][self.below(4)];
        let len = if self.below(2) == 0 {
            most
        } else {
            self.below(most + 1)
        };
        len.min(input.len() - at)
    }

    fn number(&mut self) -> u64 {
        let edge = EDGES[self.below(EDGES.len())];
        match self.below(4) {
            0 => self.random.next_u64() % 64,
            1 => edge.wrapping_sub(1),
            2 => edge.wrapping_add(1),
            _ => edge,
        }
    }

    /// A number of 1 to 8 bytes, at a multiple of its size.
    fn set_number(&mut self, input: &mut [u8], at: usize) {
        let size = 1 << self.below(4);
        let at = at / size * size;
        let Some(place) = input.get_mut(at..at + size) else {
            return;
        };
        let mut old = [0; 8];
        old[..size].copy_from_slice(place);
        let old = u64::from_le_bytes(old);
        let new = match self.below(3) {
            0 => old.wrapping_add(self.random.next_u64() % 16),
            1 => old.wrapping_sub(self.random.next_u64() % 16),
            _ => self.number(),
        };
        place.copy_from_slice(&new.to_le_bytes()[..size]);
    }

    /// Another number in the place of the next one that is written in digits.
    fn set_decimal(&mut self, input: &mut Vec<u8>, at: usize) {
        let digits = |input: &[u8], from: usize| {
            let rest = input[from..].iter();
            from + rest.take_while(|byte| byte.is_ascii_digit()).count()
        };
        let Some(skip) = input[at..].iter().position(u8::is_ascii_digit) else {
            return;
        };
        let first = at + skip;
        let end = digits(input, first);
        let number = self.number().to_string();
        input.splice(first..end, number.into_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_follow_from_the_seed_and_differ() {
        let corpus = [b"k=812:keep=0-3,7".to_vec(), vec![0; 200]];
        let inputs = |seed| {
            let mut mutator = Mutator::new(seed);
            let next = |_| mutator.next(&corpus, &["keep=", ","]);
            (0..500).map(next).collect::<Vec<_>>()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
        let mut different = inputs(1);
        different.sort();
        different.dedup();
        assert!(different.len() > 400, "{}", different.len());
    }
}
