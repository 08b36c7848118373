//! Horizontal bars, each with its label and value.

use plotters::chart::ChartBuilder;
use plotters::element::Rectangle;
use plotters::style::Color;
use plotters::style::text_anchor::HPos;

use super::scale::Axis;
use super::{Area, Drawn, LABEL, LETTER, Paint, label, truncated, width, write};
use crate::number::short;

/// A bar.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    /// Heading above this bar and those that follow.
    pub(crate) heading: Option<String>,
    pub(crate) label: String,
    pub(crate) value: f64,
    /// The formatted value with its unit.
    pub(crate) text: String,
    pub(crate) paint: Paint,
}

impl Bar {
    pub(crate) fn new(label: impl Into<String>, value: f64, unit: &str, paint: Paint) -> Self {
        Self {
            heading: None,
            label: label.into(),
            value,
            text: format!("{}\u{a0}{unit}", short(value)),
            paint,
        }
    }
}

/// Bars on a common scale that begins at zero.
#[derive(Clone, Debug)]
pub(crate) struct Bars(pub(crate) Vec<Bar>);

const ROW: u32 = 42;
const THICK: u32 = 24;

impl Bars {
    pub(super) fn height(&self) -> u32 {
        let rows = self.0.len() + self.headings();
        ROW * u32::try_from(rows).unwrap_or(1) + 8
    }

    fn headings(&self) -> usize {
        self.0.iter().filter(|bar| bar.heading.is_some()).count()
    }

    pub(super) fn description(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|bar| {
            let heading = bar.heading.iter().map(|heading| format!("{heading}: "));
            format!("{}{}: {}", heading.collect::<String>(), bar.label, bar.text)
        })
    }

    pub(super) fn draw(&self, area: &Area<'_>) -> Drawn {
        let labels: Vec<_> = self.0.iter().map(|bar| label(&bar.label)).collect();
        let left = width(labels.iter().map(String::as_str)) + LETTER.1;
        let right = width(self.0.iter().map(|bar| bar.text.as_str())) + LETTER.1;
        let mut axis = Axis::linear(self.0.iter().map(|bar| bar.value));
        let zero = axis.from.max(0.0);
        let high = self.0.iter().map(|bar| bar.value).fold(zero, f64::max);
        if high > axis.from {
            axis.to = high; // the longest bar has the full width
        }
        let height = self.height();
        let mut chart = ChartBuilder::on(area)
            .margin_left(left)
            .margin_right(right)
            .build_cartesian_2d(axis, height..0)?;
        let mut top = 4;
        let mut rows = Vec::new();
        for (bar, name) in self.0.iter().zip(&labels) {
            if let Some(heading) = &bar.heading {
                let place = (0, middle(top));
                write(
                    area,
                    &truncated(heading, 2 * LABEL),
                    place,
                    (Paint::Text, HPos::Left),
                )?;
                top += ROW;
            }
            rows.push((bar, name, top));
            top += ROW;
        }
        chart.draw_series(rows.iter().map(|(bar, _, top)| {
            let top = top + (ROW - THICK) / 2;
            let corners = [
                (zero.min(bar.value), top),
                (zero.max(bar.value), top + THICK),
            ];
            Rectangle::new(corners, bar.paint.color().filled())
        }))?;
        for (bar, name, top) in rows {
            let (end, _) = chart.backend_coord(&(bar.value.max(zero), top));
            let middle = middle(top);
            write(
                area,
                name,
                (left - LETTER.1, middle),
                (Paint::Muted, HPos::Right),
            )?;
            let place = (end + LETTER.1 / 2, middle);
            write(area, &bar.text, place, (Paint::Text, HPos::Left))?;
        }
        Ok(())
    }
}

fn middle(top: u32) -> i32 {
    i32::try_from(top + ROW / 2).unwrap_or(0)
}
