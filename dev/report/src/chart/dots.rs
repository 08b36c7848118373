//! A dot per row, with an interval, or with a second value as a tail.

use plotters::chart::ChartBuilder;
use plotters::element::{Circle, ErrorBar, PathElement};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, TRANSPARENT};

use super::scale::{Axis, LOG_SCALE, Scale};
use super::{Area, Drawn, LETTER, Paint, label, letters, width, write};
use crate::number::tick;

/// A row.
#[derive(Clone, Debug)]
pub(crate) struct Dot {
    pub(crate) label: String,
    pub(crate) value: f64,
    /// Ends of the interval; equal to the value if there is none.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// The formatted values with their unit.
    pub(crate) text: String,
    pub(crate) paint: Paint,
}

/// Rows on a common scale.
#[derive(Clone, Debug)]
pub(crate) struct Dots {
    pub(crate) rows: Vec<Dot>,
    /// Whether `high` is a second value, drawn as a ring, and not the end of an interval.
    pub(crate) tails: bool,
    pub(crate) unit: String,
    pub(crate) scale: Scale,
}

const ROW: u32 = 42;
const FOOT: u32 = 76;

impl Dots {
    pub(super) fn height(&self) -> u32 {
        ROW * u32::try_from(self.rows.len()).unwrap_or(1) + FOOT
    }

    pub(super) fn description(&self) -> impl Iterator<Item = String> {
        self.rows
            .iter()
            .map(|row| format!("{}: {}", row.label, row.text))
    }

    pub(super) fn draw(&self, area: &Area<'_>) -> Drawn {
        let labels: Vec<_> = self.rows.iter().map(|row| label(&row.label)).collect();
        let left = width(labels.iter().map(String::as_str)) + LETTER.1;
        let right = width(self.rows.iter().map(|row| row.text.as_str())) + LETTER.1;
        let values = self
            .rows
            .iter()
            .flat_map(|row| [row.low, row.value, row.high]);
        let mut axis = Axis::of(self.scale, values);
        let unit = match self.scale {
            Scale::Log => format!("{}, {LOG_SCALE}", self.unit),
            Scale::Linear | Scale::Percent => self.unit.clone(),
        };
        let ticks: Vec<_> = axis.ticks.iter().map(|value| tick(*value)).collect();
        let one = width(ticks.iter().map(String::as_str)) + LETTER.1;
        let available = area
            .dim_in_pixel()
            .0
            .saturating_sub(left.unsigned_abs() + right.unsigned_abs());
        axis.thin(usize::try_from(available / one.unsigned_abs().max(1)).unwrap_or(1));
        let height = ROW * u32::try_from(self.rows.len()).unwrap_or(1);
        let mut chart = ChartBuilder::on(area)
            .margin_left(left)
            .margin_right(right)
            .x_label_area_size(FOOT)
            .build_cartesian_2d(axis, height..0)?;
        let grid = Paint::Grid.color();
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .light_line_style(TRANSPARENT)
            .axis_style(grid)
            .bold_line_style(grid)
            .x_label_style(letters(Paint::Muted, HPos::Center, VPos::Top))
            .x_desc(unit)
            .axis_desc_style(letters(Paint::Muted, HPos::Center, VPos::Bottom))
            .draw()?;
        let mut middle = ROW / 2;
        for (row, name) in self.rows.iter().zip(&labels) {
            let Dot {
                low, value, high, ..
            } = *row;
            let paint = row.paint.color();
            if self.tails {
                let path = vec![(value, middle), (high, middle)];
                chart.draw_series([PathElement::new(path, paint.stroke_width(3))])?;
                let page = [(high, middle)];
                chart
                    .draw_series(page.map(|at| Circle::new(at, 7, Paint::Grid.color().filled())))?;
                chart.draw_series([Circle::new((high, middle), 7, paint.stroke_width(3))])?;
            } else {
                let style = paint.stroke_width(3);
                let bar = ErrorBar::new_horizontal(middle, low, value, high, style, 14);
                chart.draw_series([bar])?;
            }
            chart.draw_series([Circle::new((value, middle), 7, paint.filled())])?;
            let y = i32::try_from(middle).unwrap_or(0);
            write(
                area,
                name,
                (left - LETTER.1, y),
                (Paint::Muted, HPos::Right),
            )?;
            let end = i32::try_from(area.dim_in_pixel().0).unwrap_or(0);
            write(area, &row.text, (end, y), (Paint::Text, HPos::Right))?;
            middle += ROW;
        }
        Ok(())
    }
}
