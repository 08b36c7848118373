//! A report as a self-contained HTML page, without scripts.

mod view;

use std::io;
use std::path::Path;

use askama::Template;

use self::view::Page;
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
