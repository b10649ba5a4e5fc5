//! Tables without lines: a bold head, figures to the right.

use std::iter;

use super::{BOLD, paint};

/// Spaces between columns.
const GAP: usize = 2;

/// Rows below a head. Columns whose name begins with `>` are figures.
#[derive(Debug, Clone)]
pub struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    #[must_use]
    pub fn new<const COLUMNS: usize>(
        head: [&'static str; COLUMNS],
        rows: impl IntoIterator<Item = [String; COLUMNS]>,
    ) -> Self {
        Self { head: head.into(), rows: rows.into_iter().map(Vec::from).collect() }
    }

    /// The table as text that ends with a newline.
    #[must_use]
    pub fn render(&self, colored: bool) -> String {
        let names: Vec<_> = self.head.iter().map(|name| name.trim_start_matches('>')).collect();
        let mut widths: Vec<_> = names.iter().map(|name| name.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = paint(BOLD, &self.line(&names, &widths), colored) + "\n";
        for row in &self.rows {
            text += &self.line(row, &widths);
            text.push('\n');
        }
        text
    }

    /// One row, as wide as its last cell needs.
    fn line(&self, cells: &[impl AsRef<str>], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, width), name) in cells.iter().zip(widths).zip(&self.head) {
            let cell = cell.as_ref();
            let padding = width.saturating_sub(cell.chars().count());
            let is_figure = name.starts_with('>');
            let (before, after) = if is_figure { (padding, 0) } else { (0, padding) };
            line.extend(iter::repeat_n(' ', before));
            line += cell;
            line.extend(iter::repeat_n(' ', after + GAP));
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::new(["NAME", ">COUNT"], [["a".into(), "1".into()], ["bb".into(), "22".into()]])
    }

    #[test]
    fn figures_are_to_the_right() {
        let text = table().render(false);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].trim_start().starts_with("NAME") && lines[0].ends_with("COUNT"));
        assert_eq!(lines[1].len(), lines[2].len());
        assert!(lines[1].ends_with(" 1") && lines[2].ends_with("22"));
    }

    #[test]
    fn only_the_head_is_coloured_and_only_on_demand() {
        assert!(!table().render(false).contains('\x1b'));
        let colored = table().render(true);
        assert!(colored.starts_with(BOLD));
        assert_eq!(colored.matches(BOLD).count(), 1);
    }
}
