//! Markdown tables whose columns line up.

/// A table; the columns from `numbers_from` on are aligned to the right.
pub(crate) fn table(header: &[&str], numbers_from: usize, rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([header[column].chars().count(), 3]).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..header.len()).map(width).collect();
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let aligned = |(column, cell): (usize, &str)| {
        let width = widths[column];
        if column < numbers_from { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
    };
    let rule = |column: usize| {
        let dashes = "-".repeat(widths[column] - 1);
        if column < numbers_from { format!("{dashes}-") } else { format!("{dashes}:") }
    };
    let mut text = line(header.iter().copied().enumerate().map(aligned).collect());
    text += &line((0..header.len()).map(rule).collect());
    for row in rows {
        text += &line(row.iter().map(String::as_str).enumerate().map(aligned).collect());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".into(), "1000".into()], vec!["bär".into(), "7".into()]];
        let expected = "| name |    n |\n| ---- | ---: |\n| a    | 1000 |\n| bär  |    7 |\n";
        assert_eq!(table(&["name", "n"], 1, &rows), expected);
    }
}
