// SPDX-License-Identifier: GPL-2.0

//! Numbers in a row, in which the next that is larger than a bound is found in logarithmic time.

/// A binary tree over the numbers: each node holds the largest below it.
#[derive(Debug, Default)]
pub struct MaxTree {
    /// The root is at 1, the children of a node at twice its index and after that.
    nodes: Vec<u64>,
    len: usize,
}

impl MaxTree {
    pub fn new(numbers: &[u64]) -> Self {
        let leaves = numbers.len().next_power_of_two();
        let mut nodes = vec![0; 2 * leaves];
        nodes[leaves..leaves + numbers.len()].copy_from_slice(numbers);
        for at in (1..leaves).rev() {
            nodes[at] = nodes[2 * at].max(nodes[2 * at + 1]);
        }
        Self {
            nodes,
            len: numbers.len(),
        }
    }

    pub fn get(&self, index: usize) -> u64 {
        self.nodes[self.nodes.len() / 2 + index]
    }

    /// The index, from `first` on, of the next number above `bound`; that after the last if there
    /// is none.
    pub fn next_above(&self, first: usize, bound: u64) -> usize {
        let leaves = self.nodes.len() / 2;
        if first >= self.len {
            return self.len;
        }
        let mut at = leaves + first;
        // Up and to the right, until something below is large enough.
        while self.nodes[at] <= bound {
            while at % 2 == 1 {
                at /= 2;
            }
            if at == 0 {
                return self.len;
            }
            at += 1;
        }
        while at < leaves {
            at *= 2;
            at += usize::from(self.nodes[at] <= bound);
        }
        at - leaves
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_next_above_a_bound_is_that_of_a_search(
            numbers in prop::collection::vec(0u64..6, 0..40),
            bound in 0u64..6,
        ) {
            let tree = MaxTree::new(&numbers);
            for first in 0..numbers.len() + 2 {
                let searched = (first..numbers.len()).find(|at| numbers[*at] > bound);
                prop_assert_eq!(tree.next_above(first, bound), searched.unwrap_or(numbers.len()));
            }
        }
    }
}
