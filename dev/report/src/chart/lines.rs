//! Lines over equidistant steps, each with its label at its end.

use plotters::chart::ChartBuilder;
use plotters::element::{Circle, PathElement};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, TRANSPARENT};

use super::scale::{Axis, LOG_SCALE, Scale, Steps};
use super::{Area, Drawn, LETTER, Paint, label, letters, unit, width, write};
use crate::number::tick;

/// A line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) paint: Paint,
    /// The value at each step; missing ones are skipped.
    pub(crate) values: Vec<Option<f64>>,
    /// The formatted last value; empty for a reference line.
    pub(crate) text: String,
}

/// Lines on a common scale.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    /// Labels of the steps, which differ by a constant factor.
    pub(crate) steps: Vec<String>,
    /// Name of the horizontal axis.
    pub(crate) step: String,
    pub(crate) all: Vec<Line>,
    pub(crate) scale: Scale,
}

const FOOT: u32 = 76;
const HEAD: u32 = 16;
/// Least distance between labels.
const GAP: i32 = 30;
/// Distance from the end of a line to its label.
const LEADER: i32 = 44;

impl Lines {
    pub(super) fn height(&self) -> u32 {
        let names = u32::try_from(self.all.len()).unwrap_or(1) * GAP.unsigned_abs();
        (names + 20).clamp(290, 1_000) + FOOT + self.head()
    }

    pub(super) fn description(&self) -> impl Iterator<Item = String> {
        self.all.iter().map(|line| {
            let values = line.values.iter().zip(&self.steps);
            let values: Vec<_> = values
                .filter_map(|(value, step)| Some(format!("{} at {step}", tick((*value)?))))
                .collect();
            format!("{}: {}", line.label, values.join(", "))
        })
    }

    fn axis(&self) -> Axis {
        let values = self
            .all
            .iter()
            .flat_map(|line| line.values.iter().flatten().copied());
        Axis::of(self.scale, values)
    }

    /// Height above the scale, with the caption of a logarithmic one.
    fn head(&self) -> u32 {
        match self.scale {
            Scale::Log => HEAD + LETTER.0 + 8,
            Scale::Linear | Scale::Percent => HEAD,
        }
    }

    pub(super) fn draw(&self, area: &Area<'_>) -> Drawn {
        let names: Vec<_> = self
            .all
            .iter()
            .map(|line| {
                format!("{}  {}", label(&line.label), line.text)
                    .trim_end()
                    .to_owned()
            })
            .collect();
        let axis = self.axis();
        let ticks: Vec<_> = axis.ticks.iter().map(|value| tick(*value)).collect();
        let left = width(ticks.iter().map(String::as_str)) + LETTER.1;
        let right = width(names.iter().map(String::as_str)) + LEADER + 8;
        let mut chart = ChartBuilder::on(area)
            .margin_top(self.head())
            .margin_right(right)
            .x_label_area_size(FOOT)
            .y_label_area_size(left)
            .build_cartesian_2d(Steps(self.steps.clone()), axis)?;
        let grid = Paint::Grid.color();
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .axis_style(grid)
            .bold_line_style(grid)
            .label_style(letters(Paint::Muted, HPos::Center, VPos::Top))
            .x_desc(self.step.as_str())
            .axis_desc_style(letters(Paint::Muted, HPos::Center, VPos::Bottom))
            .draw()?;

        if self.scale == Scale::Log {
            let place = (0, unit(f64::from(LETTER.0)) / 2 + 2);
            write(area, LOG_SCALE, place, (Paint::Muted, HPos::Left))?;
        }
        let mut ends = Vec::new();
        let mut lines: Vec<_> = self.all.iter().zip(&names).rev().collect();
        lines.sort_by_key(|(line, _)| line.paint == Paint::Ours); // drawn last, over the others
        for (line, name) in lines {
            let points: Vec<_> = line
                .values
                .iter()
                .enumerate()
                .filter_map(|(step, value)| Some((step, (*value)?)))
                .collect();
            let color = line.paint.color();
            let wide = if line.paint == Paint::Ours { 5 } else { 3 };
            let path = PathElement::new(points.clone(), color.stroke_width(wide));
            chart.draw_series([path])?;
            if !line.text.is_empty() {
                chart.draw_series(points.iter().map(|at| Circle::new(*at, 5, color.filled())))?;
            }
            ends.extend(
                points
                    .last()
                    .map(|end| (end.1, chart.backend_coord(end), line.paint, name)),
            );
        }
        ends.sort_by(|one, other| {
            let ours = (one.2 != Paint::Ours).cmp(&(other.2 != Paint::Ours));
            other.0.total_cmp(&one.0).then(ours)
        });
        let bottom = i32::try_from(area.dim_in_pixel().1 - FOOT).unwrap_or(0);
        let places = apart(ends.iter().map(|(_, (_, y), ..)| *y), bottom);
        let edge = i32::try_from(area.dim_in_pixel().0).unwrap_or(0) - right;
        for ((_, (x, y), paint, name), at) in ends.into_iter().zip(places) {
            let path = vec![(x + 8, y), (edge + 8, at), (edge + LEADER - 8, at)];
            area.draw(&PathElement::new(path, paint.color().stroke_width(2)))?;
            write(area, name, (edge + LEADER, at), (Paint::Text, HPos::Left))?;
        }
        Ok(())
    }
}

/// Positions close to the wanted ones, which ascend, and at least [`GAP`] apart. None is below
/// `bottom` as long as there is space above.
fn apart(wanted: impl Iterator<Item = i32>, bottom: i32) -> Vec<i32> {
    let mut places: Vec<i32> = Vec::new();
    for y in wanted {
        let least = places.last().map_or(GAP / 2, |above| above + GAP);
        places.push(y.max(least));
    }
    let mut most = bottom;
    for place in places.iter_mut().rev() {
        *place = (*place).min(most);
        most = *place - GAP;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_do_not_overlap() {
        assert_eq!(apart([100, 110, 115].into_iter(), 400), [100, 130, 160]);
        assert_eq!(apart([380, 390, 395].into_iter(), 400), [340, 370, 400]);
        assert_eq!(apart([10, 200].into_iter(), 400), [15, 200]);
        assert_eq!(apart([].into_iter(), 400), [0; 0]);
    }
}
