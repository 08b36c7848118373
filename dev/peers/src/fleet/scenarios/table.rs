//! Tables and curves.

use std::fmt;

/// A table, shown as Markdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// Names of the columns.
    pub header: Vec<&'static str>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n\n| {} |", self.title, self.header.join(" | "))?;
        writeln!(f, "|{}", "---|".repeat(self.header.len()))?;
        for row in &self.rows {
            writeln!(f, "| {} |", row.join(" | "))?;
        }
        Ok(())
    }
}

/// Lines over steps, for a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// The chart's file name, without its ending.
    pub name: &'static str,
    /// What it shows.
    pub title: String,
    /// The fleet that it is about.
    pub note: String,
    /// Name of the horizontal axis.
    pub step: &'static str,
    /// Labels of the steps.
    pub steps: Vec<String>,
    /// The lines.
    pub lines: Vec<Line>,
}

/// A line: its name, and its value at each step, in percent.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What the line is of.
    pub label: &'static str,
    /// Percentages.
    pub percent: Vec<f64>,
}

/// A share as a percentage.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A number with two digits after the point.
pub(super) fn decimal(number: f64) -> String {
    format!("{number:.2}")
}
