//! Tables without lines: a bold head, figures to the right.

use comfy_table::{CellAlignment, ContentArrangement, presets};

use super::{BOLD, paint};

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
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(self.head.iter().map(|name| name.trim_start_matches('>')));
        table.add_rows(&self.rows);
        for (column, name) in table.column_iter_mut().zip(&self.head) {
            column.set_padding((0, 2));
            if name.starts_with('>') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut text = String::new();
        for (number, line) in table.lines().enumerate() {
            let line = line.trim_end();
            text += &paint(BOLD, line, colored && number == 0);
            text.push('\n');
        }
        text
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
