//! Measurements at several steps, with and without the tier.

use super::table::{decimal, percent};
use super::{Curve, Line, Results, Table};
use crate::fleet::Measured;

/// The rows of a table and the lines of its curve, one step after the other.
#[derive(Default)]
pub(super) struct Sweep {
    steps: Vec<String>,
    rows: Vec<Vec<String>>,
    sharing: Vec<f64>,
    alone: Vec<f64>,
}

/// The texts of a table and its curve.
pub(super) struct Texts {
    /// The title of the table.
    pub(super) table: String,
    /// The headers of the first column, which has the steps, and of the last.
    pub(super) step: &'static str,
    pub(super) last: &'static str,
    /// The name, the title and the note of the curve.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) note: String,
}

impl Sweep {
    /// Adds a step: the measurements with and without the tier, the share of the time that Redis works,
    /// and the number in the last column.
    pub(super) fn add(
        &mut self,
        step: String,
        [with, without]: &[Measured; 2],
        busy: f64,
        last: u64,
    ) {
        let (all, alone) = (with.all(), without.all());
        self.rows.push(vec![
            step.clone(),
            percent(alone.rate()),
            percent(all.rate()),
            decimal(all.calls_each()),
            percent(busy),
            format!("{:.1} ms", with.wait_ms(0.99)),
            last.to_string(),
        ]);
        self.steps.push(step);
        self.sharing.push(all.rate() * 100.0);
        self.alone.push(alone.rate() * 100.0);
    }

    /// Adds the table and the curve to the results.
    pub(super) fn finish(self, texts: Texts, results: &mut Results) {
        results.tables.push(Table {
            title: texts.table,
            header: vec![
                texts.step,
                "resumed, each alone",
                "resumed, sharing",
                "calls of the tier a connection",
                "Redis busy",
                "99 % wait at most",
                texts.last,
            ],
            rows: self.rows,
        });
        let lines = [("sharing", self.sharing), ("each alone", self.alone)];
        let lines = lines.map(|(label, percent)| Line { label, percent });
        results.curves.push(Curve {
            name: texts.name,
            title: texts.title.to_owned(),
            note: texts.note,
            step: texts.step,
            steps: self.steps,
            lines: lines.into(),
        });
    }
}
