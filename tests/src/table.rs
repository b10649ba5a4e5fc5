//! Plain tables for standard output.

use comfy_table::{CellAlignment, Table, presets};

use crate::bars::Reading;
use crate::traffic::scaled;

/// A Markdown table; the columns from `numbers_from` on are aligned to the right.
pub fn markdown(header: &[&str], numbers_from: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    for column in table.column_iter_mut().skip(numbers_from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Measurements with their bars and whether they hold.
pub fn readings<'a>(readings: impl IntoIterator<Item = &'a Reading>) -> Table {
    let header = ["what", "limit", "measured", "of the limit", "bar", "", "note"];
    let mut table = markdown(&header, 1);
    for reading in readings {
        table.add_row([
            reading.what.clone(),
            scaled(reading.limit, reading.unit),
            scaled(reading.measured, reading.unit),
            format!("{:.2} %", reading.percent()),
            reading.bar.to_string(),
            if reading.holds() { "ok" } else { "MISS" }.into(),
            reading.note.clone(),
        ]);
    }
    table
}
