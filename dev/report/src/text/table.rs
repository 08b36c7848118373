//! Tables for a terminal and for a page.

use anstyle::Style as Ink;
use comfy_table::presets::{ASCII_MARKDOWN, UTF8_BORDERS_ONLY};
use comfy_table::{Cell, CellAlignment, Color, ContentArrangement};

use crate::plain;
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
        let cell = |cell: &String| self.cell(cell);
        let head: Vec<_> = table.head.iter().map(cell).collect();
        let rows: Vec<Vec<_>> = table
            .rows
            .iter()
            .map(|row| row.iter().map(cell).collect())
            .collect();
        let title = self.paragraph(&table.title);
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
        for column in drawn.column_iter_mut().skip(table.words) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let (between, end) = match self {
            Self::Terminal | Self::Coloured => ("\n", ""),
            Self::Markdown => ("\n\n", "\n"),
        };
        let title = match self {
            Self::Coloured => format!("{TITLE}{title}{TITLE:#}"),
            Self::Terminal | Self::Markdown => title,
        };
        let mut parts = vec![title, drawn.to_string()];
        if !table.notes.is_empty() {
            let notes: Vec<_> = table.notes.iter().map(|note| self.line(note)).collect();
            parts.push(notes.join("\n"));
        }
        format!("{}{end}", parts.join(between))
    }

    /// A line of text, which may be anybody's: nothing in it moves the cursor, and in a terminal it
    /// is broken where a word ends.
    pub(super) fn line(self, text: &str) -> String {
        self.paragraph(&plain::line(text))
    }

    /// The same for text that has lines already.
    fn paragraph(self, text: &str) -> String {
        let text = plain::lines(text);
        match self {
            Self::Terminal | Self::Coloured => {
                let later = textwrap::Options::new(WIDTH.into())
                    .subsequent_indent("  ")
                    .word_splitter(textwrap::WordSplitter::NoHyphenation);
                let lines: Vec<_> = text
                    .split('\n')
                    .map(|line| textwrap::fill(line, &later))
                    .collect();
                lines.join("\n")
            }
            Self::Markdown => text,
        }
    }

    fn cell(self, text: &str) -> String {
        let text = plain::line(text);
        match self {
            Self::Terminal | Self::Coloured => text,
            Self::Markdown => text.replace('|', "\\|"),
        }
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
            notes: vec!["a note ".repeat(40), "a note".to_owned()],
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
    fn a_name_is_never_more_than_a_name() {
        let mut table = wide();
        table.rows = vec![["a|b\u{1b}[31m\nc".to_owned(), "1".to_owned()].into()];
        table.head[0] = "\u{1b}]0;title\u{7}".to_owned();
        table.notes = vec!["\u{9b}2J\nnote".to_owned()];
        for style in [Style::Terminal, Style::Markdown] {
            let text = style.show(&table);
            let hidden = |letter: char| letter.is_control() && letter != '\n';
            assert!(!text.contains(hidden), "{text:?}");
            assert!(text.contains("2J note"), "{text:?}");
        }
        assert!(Style::Terminal.show(&table).contains("a|b [31m c"));
        assert!(Style::Markdown.show(&table).contains("a\\|b [31m c"));
    }

    #[test]
    fn on_a_page_a_row_is_a_line() {
        let text = Style::Markdown.show(&wide());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 8, "{lines:?}");
        assert!(lines[3].starts_with("|--"), "{lines:?}");
        assert_eq!((lines[1], lines[5], lines[7]), ("", "", "a note"));
    }
}
