// SPDX-License-Identifier: GPL-2.0

//! Plain tables: columns as wide as they need to be.

/// A table of text; numbers go to the right.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new<S: Into<String>>(titles: impl IntoIterator<Item = S>) -> Self {
        let mut table = Self::default();
        table.row(titles);
        table
    }

    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }
}

fn is_number(cell: &str) -> bool {
    cell.starts_with(|c: char| c.is_ascii_digit() || c == '~')
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cells = |at: usize| self.rows.iter().filter_map(move |row| row.get(at));
        let width = |at: usize| cells(at).map(|c| c.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        // A column of numbers has its title to the right, too.
        let numeric = |at: usize| cells(at).skip(1).all(|c| c.is_empty() || is_number(c));
        let right: Vec<bool> = (0..columns).map(|at| at > 0 && numeric(at)).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (at, cell) in row.iter().enumerate() {
                let pad = " ".repeat(widths[at] - cell.chars().count());
                if right[at] {
                    line.extend([&pad, cell.as_str()])
                } else {
                    line.extend([cell.as_str(), &pad])
                }
                line.push_str("  ");
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align() {
        let mut table = Table::new(["case", "checked", "note"]);
        table.row(["ext4", "7", "ok"]);
        table.row(["a long one", "1234", ""]);
        assert_eq!(
            table.to_string(),
            "case        checked  note\next4              7  ok\na long one     1234\n"
        );
    }
}
