//! Plain tables for standard output.

use comfy_table::{CellAlignment, Table, presets};

/// A Markdown table; the columns from `numbers_from` on are aligned to the right.
pub fn markdown(header: &[&str], numbers_from: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    for column in table.column_iter_mut().skip(numbers_from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
