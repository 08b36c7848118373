//! A report as a self-contained HTML page, without scripts.

mod view;

use std::io;
use std::path::Path;

use askama::Template;

use self::view::Page;
use crate::chart::{Body, Chart, Line, Lines, Paint, Scale};
use crate::{Report, figures, file};

/// The page. The same report gives the same bytes.
pub fn page(report: &Report) -> io::Result<String> {
    Page::new(report)?.render().map_err(io::Error::other)
}

/// Writes the page atomically.
pub fn save(report: &Report, file: &Path) -> io::Result<()> {
    file::write(file, &page(report)?)
}

/// Writes the chart of full and resumed handshakes as an SVG file.
///
/// The file contains the colours for light and dark pages, so that it can be used as an image.
pub fn save_chart(report: &Report, file: &Path) -> io::Result<()> {
    file::write(file, &chart(report)?)
}

/// The chart that [`save_chart`] writes.
pub fn chart(report: &Report) -> io::Result<String> {
    let chart = figures::overview(&report.handshakes);
    if chart.is_empty() {
        return Err(io::Error::other("the report has no handshakes to draw"));
    }
    chart.file()
}

/// Percentages over equidistant steps, as lines.
#[derive(Clone, Copy, Debug)]
pub struct Percentages<'a> {
    /// Title above the chart.
    pub title: &'a str,
    /// What was measured.
    pub note: &'a str,
    /// Name of the horizontal axis.
    pub step: &'a str,
    /// Labels of the steps.
    pub steps: &'a [String],
    /// The lines: the name of each, and its value at each step. The first is ours.
    pub lines: &'a [(&'a str, &'a [f64])],
}

/// A chart of percentages as an SVG file, in the style of [`chart`].
pub fn percentages(of: &Percentages<'_>) -> io::Result<String> {
    let paints = [Paint::Ours, Paint::Lru, Paint::Moka];
    let lines = of.lines.iter().zip(paints.into_iter().cycle());
    let lines = lines.map(|((label, values), paint)| Line {
        label: (*label).to_owned(),
        paint,
        values: values.iter().copied().map(Some).collect(),
        text: values
            .last()
            .map_or_else(String::new, |last| format!("{last:.0} %")),
    });
    let chart = Chart {
        title: of.title.to_owned(),
        note: format!("% of all connections; {}", of.note),
        body: Body::Lines(Lines {
            steps: of.steps.to_vec(),
            step: of.step.to_owned(),
            all: lines.collect(),
            scale: Scale::Percent,
        }),
    };
    chart.file()
}
