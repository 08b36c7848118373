//! Styles of text, and how each shows a table.

use comfy_table::presets::{ASCII_MARKDOWN, UTF8_BORDERS_ONLY};
use comfy_table::{
    Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Width as ColumnWidth,
};

use crate::sanitize;
use crate::tables::{self, Table};

/// Columns of a terminal. Wider output would be wrapped.
const WIDTH: u16 = 100;
/// Spaces around the text of a cell.
const PADDING: u16 = 2;
/// Words up to this length are never broken.
const LONGEST_WORD: u16 = 40;

const TITLE: anstyle::Style = anstyle::Style::new().bold();

/// Colours of verdicts.
const VERDICTS: [(&str, Color); 5] = [
    ("pass", Color::DarkGreen),
    ("yes", Color::DarkGreen),
    ("fail", Color::DarkRed),
    ("FAIL", Color::DarkRed),
    ("NO", Color::DarkRed),
];

/// The form of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Plain text of at most 100 columns.
    Terminal,
    /// As [`Terminal`](Self::Terminal), with colours by escape sequences. To be removed if the
    /// output is not a terminal, as `anstream` does.
    Coloured,
    /// Markdown.
    Markdown,
}

impl Style {
    /// A table with its title and notes. The best values have an asterisk, or are bold in Markdown.
    pub fn show(self, table: &Table) -> String {
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
        let head: Vec<_> = table.head.iter().map(|name| self.escaped(name)).collect();
        let rows: Vec<Vec<_>> = table
            .rows
            .iter()
            .map(|row| row.iter().map(|cell| self.cell(cell)).collect())
            .collect();
        let widths = widths(&head, &rows);
        drawn.set_header(head);
        if self == Self::Coloured {
            drawn.enforce_styling();
            drawn.add_rows(rows.iter().map(|row| row.iter().map(coloured)));
        } else {
            drawn.add_rows(rows);
        }
        for (index, (column, width)) in drawn.column_iter_mut().zip(widths).enumerate() {
            if index >= table.words {
                column.set_cell_alignment(CellAlignment::Right);
            }
            if self != Self::Markdown {
                let width = ColumnWidth::Fixed(width + PADDING);
                column.set_constraint(ColumnConstraint::Absolute(width));
            }
        }
        let (between, end) = match self {
            Self::Terminal | Self::Coloured => ("\n", ""),
            Self::Markdown => ("\n\n", "\n"),
        };
        let title = self.paragraph(&table.title);
        let title = match self {
            Self::Coloured => format!("{TITLE}{title}{TITLE:#}"),
            Self::Terminal | Self::Markdown => title,
        };
        let mut parts = vec![title, drawn.to_string()];
        let legend = table.legend.map(|legend| match self {
            Self::Terminal | Self::Coloured => format!("*: {legend}"),
            Self::Markdown => format!("bold: {legend}"),
        });
        let notes: Vec<_> = legend
            .iter()
            .chain(&table.notes)
            .map(|note| self.line(note))
            .collect();
        if !notes.is_empty() {
            parts.push(notes.join(match self {
                Self::Terminal | Self::Coloured => "\n",
                Self::Markdown => "\n\n",
            }));
        }
        format!("{}{end}", parts.join(between))
    }

    /// One line of text, which is sanitized, and in a terminal wrapped between words.
    pub(super) fn line(self, text: &str) -> String {
        self.paragraph(&sanitize::line(text))
    }

    /// As [`line`](Self::line), for text with line breaks.
    fn paragraph(self, text: &str) -> String {
        let text = sanitize::lines(text);
        match self {
            Self::Terminal | Self::Coloured => {
                let options = textwrap::Options::new(WIDTH.into())
                    .subsequent_indent("  ")
                    .word_splitter(textwrap::WordSplitter::NoHyphenation);
                let lines: Vec<_> = text
                    .split('\n')
                    .map(|line| textwrap::fill(line, &options))
                    .collect();
                lines.join("\n")
            }
            Self::Markdown => text,
        }
    }

    fn cell(self, cell: &tables::Cell) -> String {
        let text = self.escaped(&cell.text);
        match (self, cell.is_best) {
            (_, false) => text,
            (Self::Terminal | Self::Coloured, true) => format!("*{text}"),
            (Self::Markdown, true) => format!("**{text}**"),
        }
    }

    fn escaped(self, text: &str) -> String {
        let text = sanitize::line(text);
        match self {
            Self::Terminal | Self::Coloured => text,
            Self::Markdown => text.replace('|', "\\|"),
        }
    }
}

/// Widths of the columns. A column is at least as wide as its longest word, unless the table would be
/// too wide: then the widest columns are narrowed, and words in them broken. Spare width goes first
/// to columns with wrapped cells, then to those with wrapped headers; the least need is met first.
fn widths(head: &[String], rows: &[Vec<String>]) -> Vec<u16> {
    let length = |text: &str| u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
    let longest_word = |text: &String| text.split_whitespace().map(length).max().unwrap_or(0);
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let longest_cells: Vec<_> = (0..head.len())
        .map(|column| cells(column).map(|cell| length(cell)).max().unwrap_or(0))
        .collect();
    let mut widths: Vec<_> = head
        .iter()
        .enumerate()
        .map(|(column, name)| {
            let words = cells(column).chain([name]).map(longest_word);
            words.max().unwrap_or(0).clamp(1, LONGEST_WORD)
        })
        .collect();
    let used = |widths: &[u16]| 1 + widths.iter().map(|width| width + PADDING + 1).sum::<u16>();
    while used(&widths) > WIDTH
        && let Some(widest) = widths.iter_mut().max().filter(|width| **width > 1)
    {
        *widest -= 1;
    }
    let mut spare = WIDTH.saturating_sub(used(&widths));
    for wanted in [
        longest_cells,
        head.iter().map(|name| length(name)).collect(),
    ] {
        let need = |widths: &[u16], column: usize| wanted[column].saturating_sub(widths[column]);
        let mut columns: Vec<_> = (0..head.len()).collect();
        columns.sort_by_key(|column| need(&widths, *column));
        for column in columns {
            let granted = need(&widths, column).min(spare);
            widths[column] += granted;
            spare -= granted;
        }
    }
    widths
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

    fn cell(text: &str) -> tables::Cell {
        tables::Cell {
            text: text.to_owned(),
            is_best: false,
        }
    }

    fn wide() -> Table {
        Table {
            title: "a table".to_owned(),
            head: ["name", "value"].map(str::to_owned).into(),
            words: 1,
            rows: vec![[cell(&"word ".repeat(60)), cell("1")].into()],
            legend: None,
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
    fn a_table_of_long_words_fits_into_a_hundred_columns() {
        let word = "x".repeat(40);
        let table = Table {
            title: "a table".to_owned(),
            head: ["name", "one", "two", "three"].map(str::to_owned).into(),
            words: 1,
            rows: vec![[cell("name"), cell(&word), cell(&word), cell(&word)].into()],
            legend: None,
            notes: Vec::new(),
        };
        let text = Style::Terminal.show(&table);
        assert!(
            text.lines().all(|line| line.chars().count() <= 100),
            "{text}"
        );
        assert_eq!(text.matches('x').count(), 120, "{text}");
    }

    #[test]
    fn verdicts_and_titles_have_colours() {
        let mut table = wide();
        table.rows = ["pass", "NO", "may fail", "yes sir"]
            .map(|word| vec![cell(word), cell("1")])
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
    fn control_characters_are_removed_and_bars_escaped() {
        let mut table = wide();
        table.rows = vec![[cell("a|b\u{1b}[31m\nc"), cell("1")].into()];
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
    fn a_markdown_row_is_one_line() {
        let text = Style::Markdown.show(&wide());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 9, "{lines:?}");
        assert!(lines[3].starts_with("|--"), "{lines:?}");
        assert_eq!((lines[1], lines[5], lines[8]), ("", "", "a note"));
    }

    #[test]
    fn the_best_value_is_marked_without_colour() {
        let mut table = wide();
        table.rows = vec![
            [cell("a"), cell("10")].into(),
            [cell("b"), cell("9")].into(),
        ];
        table.rows[1][1].is_best = true;
        table.legend = Some("the best store");
        let text = Style::Terminal.show(&table);
        assert!(text.contains(" *9 ") && !text.contains("*10"), "{text}");
        assert!(text.contains("\n*: the best store\n"), "{text}");
        let text = Style::Markdown.show(&table);
        assert!(text.contains(" **9** ") && !text.contains("**10"), "{text}");
        assert!(text.contains("\nbold: the best store\n"), "{text}");
    }

    #[test]
    fn words_are_not_broken_where_space_is_short() {
        let mut table = wide();
        let name = "put_at_capacity_without_a_space";
        table.head = ["name", name].map(str::to_owned).into();
        let text = Style::Terminal.show(&table);
        assert!(text.contains(name), "{text}");
    }
}
