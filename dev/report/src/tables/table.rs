//! A table, and the marks of its best values.

use std::ops::Range;

/// Which value of a column is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Best {
    Least,
    Greatest,
}

/// A table with its title and notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The text above the table.
    pub title: String,
    /// Names of the columns, with their units.
    pub head: Vec<String>,
    /// Number of leading columns that hold text. The others hold numbers.
    pub words: usize,
    /// The rows, each as long as the head.
    pub rows: Vec<Vec<Cell>>,
    /// What a marked value is the best of; `None` if nothing is marked.
    pub legend: Option<&'static str>,
    /// Lines below the table.
    pub notes: Vec<String>,
}

/// A cell of a [`Table`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The text: a word or a number, without a unit.
    pub text: String,
    /// Whether the value is the best of those it competes with.
    pub is_best: bool,
}

impl Table {
    pub(super) fn new(title: impl Into<String>, head: &[&str], words: usize) -> Self {
        Self {
            title: title.into(),
            head: head.iter().copied().map(str::to_owned).collect(),
            words,
            rows: Vec::new(),
            legend: None,
            notes: Vec::new(),
        }
    }

    pub(super) fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let cells = cells.into_iter().map(|text| Cell {
            text: text.into(),
            is_best: false,
        });
        self.rows.push(cells.collect());
    }

    /// Marks the best value of each column among the rows that compete: those that have the same
    /// text in the columns `group`, and for which `competes` is true. Ties are all marked, but not
    /// if every row has the same value.
    pub(super) fn mark_best(
        &mut self,
        columns: Range<usize>,
        best: Best,
        group: &[usize],
        legend: &'static str,
        competes: impl Fn(&[Cell]) -> bool,
    ) {
        let key = |row: &[Cell]| -> Vec<String> {
            group
                .iter()
                .map(|column| row[*column].text.clone())
                .collect()
        };
        let keys: Vec<_> = self.rows.iter().map(|row| key(row)).collect();
        let competing: Vec<_> = self.rows.iter().map(|row| competes(row)).collect();
        for column in columns {
            let values: Vec<Option<f64>> = self
                .rows
                .iter()
                .zip(&competing)
                .map(|(row, competes)| competes.then(|| row[column].text.parse().ok())?)
                .collect();
            for (index, row) in self.rows.iter_mut().enumerate() {
                let Some(value) = values[index] else { continue };
                let others = || {
                    let others = values
                        .iter()
                        .zip(&keys)
                        .filter(|(_, key)| **key == keys[index]);
                    others.filter_map(|(other, _)| *other)
                };
                let beats = |one: f64, other: f64| match best {
                    Best::Least => one < other,
                    Best::Greatest => one > other,
                };
                let is_best = others().any(|other| beats(value, other))
                    && !others().any(|other| beats(other, value));
                if is_best {
                    row[column].is_best = true;
                    self.legend = Some(legend);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(rows: &[[&str; 3]], best: Best) -> Vec<bool> {
        let mut table = Table::new("", &["group", "store", "ns"], 2);
        for row in rows {
            table.row(*row);
        }
        table.mark_best(2..3, best, &[0], "legend", |row| row[1].text != "in-hand");
        let marks: Vec<_> = table.rows.iter().map(|row| row[2].is_best).collect();
        assert_eq!(table.legend.is_some(), marks.contains(&true));
        marks
    }

    #[test]
    fn the_best_value_of_each_group_is_marked() {
        let rows = [
            ["1", "a", "10"],
            ["1", "b", "9.5"],
            ["1", "in-hand", "0"],
            ["2", "a", "-"],
            ["2", "b", "7"],
            ["2", "c", "-3"],
        ];
        let least = [false, true, false, false, false, true];
        assert_eq!(marked(&rows, Best::Least), least);
        let greatest = [true, false, false, false, true, false];
        assert_eq!(marked(&rows, Best::Greatest), greatest);
    }

    #[test]
    fn ties_are_marked_unless_all_values_are_equal() {
        let tie = [["1", "a", "5"], ["1", "b", "5"], ["1", "c", "6"]];
        assert_eq!(marked(&tie, Best::Least), [true, true, false]);
        let equal = [["1", "a", "5"], ["1", "b", "5"]];
        assert_eq!(marked(&equal, Best::Least), [false, false]);
        assert_eq!(marked(&equal[..1], Best::Least), [false]);
        assert_eq!(
            marked(&[["1", "a", "NaN"], ["1", "b", "1"]], Best::Least),
            [false, false]
        );
    }
}
