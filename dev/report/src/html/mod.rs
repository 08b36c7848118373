//! A report as one page: a file that needs nothing else, no network and no script.

mod view;

use std::io;
use std::path::Path;

use askama::Template;

use self::view::Page;
use crate::{Report, figures, file};

/// The page. It depends on nothing but the report: the same report gives the same bytes.
pub fn page(report: &Report) -> io::Result<String> {
    Page::of(report)?.render().map_err(io::Error::other)
}

/// Writes the page; a reader sees the old file or the new one, never a part.
pub fn save(report: &Report, file: &Path) -> io::Result<()> {
    file::write(file, &page(report)?)
}

/// One chart as an SVG file: what handshakes take, full and resumed, on each library.
///
/// It has its own colours for light and dark pages, for a place where it is an image.
pub fn save_chart(report: &Report, file: &Path) -> io::Result<()> {
    file::write(file, &chart(report)?)
}

/// What [`save_chart`] writes.
pub fn chart(report: &Report) -> io::Result<String> {
    let chart = figures::overview(&report.handshakes);
    if chart.is_empty() {
        return Err(io::Error::other("the report has no handshakes to draw"));
    }
    chart.file()
}
