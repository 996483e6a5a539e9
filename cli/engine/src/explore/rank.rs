// SPDX-License-Identifier: GPL-2.0

//! A state's place in an exploration, over all shards.

use serde::{Deserialize, Serialize};

/// Orders states as one run comes upon them. In reports it is three numbers: of streams 0 and
/// the position, of cuts 1, the number of the cut and of the leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "[u64; 3]", into = "[u64; 3]")]
pub enum Rank {
    /// In a strategy's stream, at that position among the distinct ones.
    Stream { at: u64 },
    /// As the first state of a part of a cut.
    Leaf {
        /// The number of the cut.
        cut: u64,
        /// The leaves of the cut before it.
        leaf: u64,
    },
}

impl Default for Rank {
    fn default() -> Self {
        Self::Stream { at: 0 }
    }
}

impl From<Rank> for [u64; 3] {
    fn from(rank: Rank) -> Self {
        match rank {
            Rank::Stream { at } => [0, at, 0],
            Rank::Leaf { cut, leaf } => [1, cut, leaf],
        }
    }
}

impl From<[u64; 3]> for Rank {
    fn from(numbers: [u64; 3]) -> Self {
        match numbers {
            [0, at, _] => Self::Stream { at },
            [_, cut, leaf] => Self::Leaf { cut, leaf },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_numbers_in_the_same_order() {
        let numbers = [[0, 0, 0], [0, 7, 0], [1, 0, 0], [1, 0, 9], [1, 2, 3]];
        let ranks: Vec<Rank> = numbers.map(Rank::from).into();
        assert!(ranks.is_sorted());
        assert_eq!(ranks[4], Rank::Leaf { cut: 2, leaf: 3 });
        let text = serde_json::to_string(&ranks).unwrap();
        assert_eq!(text, "[[0,0,0],[0,7,0],[1,0,0],[1,0,9],[1,2,3]]");
        assert_eq!(serde_json::from_str::<Vec<Rank>>(&text).unwrap(), ranks);
    }
}
