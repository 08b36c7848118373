//! Tables for a terminal and for a page.

use anstyle::Style as Ink;
use comfy_table::presets::{ASCII_MARKDOWN, UTF8_BORDERS_ONLY};
use comfy_table::{Cell, CellAlignment, Color, ContentArrangement};

use crate::tables::Table;

/// Wider output breaks lines where people look at it.
const WIDTH: u16 = 100;

const TITLE: Ink = Ink::new().bold();

/// Cells that are a verdict, with its colour.
const VERDICTS: [(&str, Color); 5] = [
    ("pass", Color::DarkGreen),
    ("yes", Color::DarkGreen),
    ("fail", Color::DarkRed),
    ("FAIL", Color::DarkRed),
    ("NO", Color::DarkRed),
];

/// Who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Somebody at a terminal: at most 100 columns.
    Terminal,
    /// The same with colours, by escape sequences. They are for a terminal only: whoever writes the
    /// text anywhere else takes them out again (`anstream` does).
    Coloured,
    /// A page in Markdown.
    Markdown,
}

impl Style {
    /// A table with its title and its notes.
    pub fn show(self, table: &Table) -> String {
        let Table {
            title,
            head,
            words,
            rows,
            notes,
        } = table;
        let mut drawn = comfy_table::Table::new();
        match self {
            Self::Terminal | Self::Coloured => drawn
                .load_style(UTF8_BORDERS_ONLY)
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(WIDTH),
            Self::Markdown => drawn
                .load_style(ASCII_MARKDOWN)
                .set_content_arrangement(ContentArrangement::Disabled),
        };
        drawn.set_header(head);
        if self == Self::Coloured {
            drawn.enforce_styling();
            drawn.add_rows(rows.iter().map(|row| row.iter().map(coloured)));
        } else {
            drawn.add_rows(rows);
        }
        for column in drawn.column_iter_mut().skip(*words) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let (between, end) = match self {
            Self::Terminal | Self::Coloured => ("\n", ""),
            Self::Markdown => ("\n\n", "\n"),
        };
        let title = match self {
            Self::Coloured => format!("{TITLE}{title}{TITLE:#}"),
            Self::Terminal | Self::Markdown => title.clone(),
        };
        let mut parts = vec![title, drawn.to_string()];
        if !notes.is_empty() {
            parts.push(notes.join("\n"));
        }
        format!("{}{end}", parts.join(between))
    }
}

fn coloured(cell: &String) -> Cell {
    let verdict = VERDICTS.iter().find(|(word, _)| word == cell);
    match verdict {
        Some((_, colour)) => Cell::new(cell).fg(*colour),
        None => Cell::new(cell),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide() -> Table {
        Table {
            title: "a table".to_owned(),
            head: ["name", "value"].map(str::to_owned).into(),
            words: 1,
            rows: vec![["word ".repeat(60), "1".to_owned()].into()],
            notes: vec!["a note".to_owned()],
        }
    }

    #[test]
    fn a_table_fits_into_a_hundred_columns() {
        let text = Style::Terminal.show(&wide());
        assert!(
            text.lines().all(|line| line.chars().count() <= 100),
            "{text}"
        );
        assert!(text.starts_with("a table\n") && text.ends_with("\na note"));
    }

    #[test]
    fn colours_are_of_verdicts_and_titles_and_move_nothing() {
        let mut table = wide();
        table.rows = ["pass", "NO", "may fail", "yes sir"]
            .map(|word| vec![word.to_owned(), "1".to_owned()])
            .into();
        let text = Style::Coloured.show(&table);
        for (piece, there) in [
            ("\u{1b}[1ma table\u{1b}[0m\n", true),
            ("\u{1b}[38;5;2m pass", true),
            ("\u{1b}[38;5;1m NO", true),
            ("m may fail", false),
            ("m yes sir", false),
        ] {
            assert_eq!(text.contains(piece), there, "{piece:?}\n{text:?}");
        }
        let bare = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(bare, Style::Terminal.show(&table));
    }

    #[test]
    fn on_a_page_a_row_is_a_line() {
        let text = Style::Markdown.show(&wide());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 7, "{lines:?}");
        assert!(lines[3].starts_with("|--"), "{lines:?}");
        assert_eq!((lines[1], lines[5], lines[6]), ("", "", "a note"));
    }
}
