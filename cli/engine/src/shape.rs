// SPDX-License-Identifier: GPL-2.0

//! What is the same in the outputs of a check that fails in one way.

/// A text with every number as `#`.
pub fn shape(text: &str) -> String {
    let mut shape = String::with_capacity(text.len());
    for c in text.chars() {
        if !c.is_ascii_digit() {
            shape.push(c);
        } else if !shape.ends_with('#') {
            shape.push('#');
        }
    }
    shape
}
