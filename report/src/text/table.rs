//! Tables for a terminal and for a page.

use comfy_table::presets::{ASCII_MARKDOWN, UTF8_BORDERS_ONLY};
use comfy_table::{CellAlignment, ContentArrangement, Table};

/// Wider output breaks lines where people look at it.
const WIDTH: u16 = 100;

/// Who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Somebody at a terminal: at most 100 columns.
    Terminal,
    /// A page in Markdown.
    Markdown,
}

impl Style {
    /// An empty table whose columns, except the first `left`, are aligned to the right.
    pub fn table(self, header: &[&str], left: usize) -> Table {
        let mut table = Table::new();
        match self {
            Self::Terminal => table
                .load_style(UTF8_BORDERS_ONLY)
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(WIDTH),
            Self::Markdown => table
                .load_style(ASCII_MARKDOWN)
                .set_content_arrangement(ContentArrangement::Disabled),
        };
        table.set_header(header.iter().copied());
        for column in table.column_iter_mut().skip(left) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    /// What stands above a table, and the table.
    pub fn titled(self, title: &str, table: impl std::fmt::Display) -> String {
        match self {
            Self::Terminal => format!("{title}\n{table}"),
            Self::Markdown => format!("{title}\n\n{table}\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_into_a_hundred_columns() {
        let mut table = Style::Terminal.table(&["name", "value"], 1);
        table.add_row(["word ".repeat(60), "1".to_owned()]);
        let text = table.to_string();
        assert!(
            text.lines().all(|line| line.chars().count() <= 100),
            "{text}"
        );
    }

    #[test]
    fn on_a_page_a_row_is_a_line() {
        let mut table = Style::Markdown.table(&["name", "value"], 1);
        table.add_row(["word ".repeat(60), "1".to_owned()]);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[1].starts_with("|--"), "{lines:?}");
    }
}
