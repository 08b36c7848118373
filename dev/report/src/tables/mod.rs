//! What a report has, as tables: the same ones in a terminal, in Markdown and in HTML.

mod burst;
mod contention;
mod equivalence;
mod handshakes;
mod hit_rate;
mod memory;
mod scale;
mod store_ops;
mod tiers;

pub use self::equivalence::failures;
pub(crate) use self::equivalence::{BACKENDS, word};
use crate::{Report, Section};

/// Rows of cells, with what is to be said about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// What stands above it.
    pub title: String,
    /// The names of the columns.
    pub head: Vec<String>,
    /// So many of them hold words; numbers follow.
    pub words: usize,
    /// The rows. None is longer than the head.
    pub rows: Vec<Vec<String>>,
    /// What stands below it, a line each.
    pub notes: Vec<String>,
}

impl Table {
    fn new(title: impl Into<String>, head: &[&str], words: usize) -> Self {
        Self {
            title: title.into(),
            head: head.iter().copied().map(str::to_owned).collect(),
            words,
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }
}

/// What a report has of one section.
pub fn section(section: Section, report: &Report) -> Vec<Table> {
    match section {
        Section::Handshakes => handshakes::tables(&report.handshakes).into(),
        Section::Store => vec![store_ops::table(&report.store_ops)],
        Section::Contention => {
            vec![contention::table(
                &report.contention,
                report.environment.cores,
            )]
        }
        Section::HitRate => vec![hit_rate::table(&report.hit_rate)],
        Section::Burst => vec![burst::table(&report.burst)],
        Section::Memory => vec![memory::table(&report.memory)],
        Section::Scale => vec![scale::table(&report.scale)],
        Section::Tiers => vec![tiers::table(report)],
        Section::Equivalence => vec![equivalence::table(&report.equivalence)],
    }
}

/// Bytes in millions.
#[allow(clippy::cast_precision_loss, reason = "one digit after the point")]
pub(crate) fn megabytes(bytes: usize) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

/// A number that may be missing.
fn number(value: Option<f64>, digits: usize, unit: &str) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}{unit}"))
}
