// SPDX-License-Identifier: GPL-2.0

//! Numbers in a row, in which the next that is larger than a bound is found in logarithmic time.

/// So many numbers share a leaf of the tree.
const LEAF: usize = 16;

/// The numbers, and a binary tree over their leaves: each node holds the largest number below it.
#[derive(Debug, Default)]
pub struct MaxTree {
    numbers: Vec<u32>,
    /// The root is at 1, the children of a node at twice its index and after that.
    nodes: Vec<u32>,
}

impl MaxTree {
    pub fn new(numbers: Vec<u32>) -> Self {
        let leaves = numbers.chunks(LEAF);
        let width = leaves.len().next_power_of_two();
        let mut nodes = vec![0; 2 * width];
        for (node, leaf) in nodes[width..].iter_mut().zip(leaves) {
            *node = leaf.iter().copied().max().unwrap_or(0);
        }
        for at in (1..width).rev() {
            nodes[at] = nodes[2 * at].max(nodes[2 * at + 1]);
        }
        Self { numbers, nodes }
    }

    pub fn get(&self, index: usize) -> u32 {
        self.numbers[index]
    }

    /// The index, from `first` on, of the next number above `bound`; that after the last if there
    /// is none.
    pub fn next_above(&self, first: usize, bound: u32) -> usize {
        let len = self.numbers.len();
        if first >= len {
            return len;
        }
        let next_leaf = (first / LEAF + 1) * LEAF;
        self.in_leaf(first..next_leaf.min(len), bound)
            .or_else(|| {
                let leaf = self.next_leaf(first / LEAF + 1, bound)? * LEAF;
                self.in_leaf(leaf..(leaf + LEAF).min(len), bound)
            })
            .unwrap_or(len)
    }

    fn in_leaf(&self, range: std::ops::Range<usize>, bound: u32) -> Option<usize> {
        let start = range.start;
        let at = self.numbers[range].iter().position(|n| *n > bound);
        at.map(|at| start + at)
    }

    /// The next leaf, from `first` on, with a number above the bound.
    fn next_leaf(&self, first: usize, bound: u32) -> Option<usize> {
        let width = self.nodes.len() / 2;
        if first >= width {
            return None;
        }
        let mut at = width + first;
        // Up and to the right, until something below is large enough.
        while self.nodes[at] <= bound {
            while at % 2 == 1 {
                at /= 2;
            }
            if at == 0 {
                return None;
            }
            at += 1;
        }
        while at < width {
            at *= 2;
            at += usize::from(self.nodes[at] <= bound);
        }
        Some(at - width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_next_above_a_bound_is_that_of_a_search(
            numbers in prop::collection::vec(0u32..60, 0..200),
            bound in 0u32..60,
        ) {
            let tree = MaxTree::new(numbers.clone());
            for first in 0..numbers.len() + 2 {
                let searched = (first..numbers.len()).find(|at| numbers[*at] > bound);
                prop_assert_eq!(tree.next_above(first, bound), searched.unwrap_or(numbers.len()));
            }
        }
    }
}
