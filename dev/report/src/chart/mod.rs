//! Charts as SVG with selectable text, colours from the page's style sheet, and a description for
//! screen readers.
//!
//! A unit of a chart is half a pixel, so that a chart fits a phone's screen; wider pages show
//! charts side by side.

mod bars;
mod dots;
mod lines;
mod paint;
mod scale;

use std::fmt::Write;
use std::io;

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::Text;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, IntoTextStyle, TextStyle};

pub(crate) use self::bars::{Bar, Bars};
pub(crate) use self::dots::{Dot, Dots};
pub(crate) use self::lines::{Line, Lines};
pub(crate) use self::paint::{Paint, style};
pub(crate) use self::scale::Scale;

/// The width of a chart in its own units.
const WIDTH: u32 = 720;
/// Height of the letters, and the width of one in a wide font.
const LETTER: (u32, i32) = (24, 15);
/// Maximum number of letters of a label.
const LABEL: usize = 24;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<T = ()> = Result<T, DrawingAreaErrorKind<io::Error>>;

/// A chart with its title and note.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// Title above the chart.
    pub(crate) title: String,
    /// Unit, and number of measurements.
    pub(crate) note: String,
    pub(crate) body: Body,
}

/// The kinds of charts.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Bars(Bars),
    Dots(Dots),
    Lines(Lines),
}

impl Chart {
    /// Whether there is nothing to draw.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.body {
            Body::Bars(bars) => bars.0.is_empty(),
            Body::Dots(dots) => dots.rows.is_empty(),
            Body::Lines(lines) => lines.all.is_empty(),
        }
    }

    /// The chart as part of a page. `id` must be unique in it.
    pub(crate) fn svg(&self, id: &str) -> io::Result<String> {
        let (height, drawn) = self.draw(WIDTH)?;
        Ok(self.wrap(id, "class=\"chart\"", (WIDTH, height), &drawn))
    }

    /// The chart as a separate file, which contains its title, note and colours.
    pub(crate) fn file(&self) -> io::Result<String> {
        let width = 2 * WIDTH;
        let (height, drawn) = self.draw(width)?;
        let head = 100;
        let mut style = style("svg");
        style.push_str("text { font-family: system-ui, sans-serif }\n");
        let mut inner = format!("<style>\n{style}</style>\n");
        for (y, size, paint, text) in [
            (40, 32, Paint::Text, &self.title),
            (78, 24, Paint::Muted, &self.note),
        ] {
            let plotters::style::RGBColor(red, green, blue) = paint.color();
            let _ = writeln!(
                inner,
                "<text x=\"0\" y=\"{y}\" font-size=\"{size}\" \
                 fill=\"#{red:02X}{green:02X}{blue:02X}\">{}</text>",
                escaped(&truncated(text, usize::MAX))
            );
        }
        let _ = write!(
            inner,
            "<g transform=\"translate(0 {head})\">\n{drawn}</g>\n"
        );
        let size = (width, height + head);
        let attributes = format!(
            "xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\"",
            size.0 / 2,
            size.1 / 2
        );
        Ok(self.wrap("chart", &attributes, size, &inner) + "\n")
    }

    fn wrap(&self, id: &str, attributes: &str, (width, height): (u32, u32), inner: &str) -> String {
        let [title, description] = [
            self.title.clone(),
            format!("{}. {}", self.note, self.description()),
        ]
        .map(|text| escaped(&truncated(&text, usize::MAX)));
        format!(
            "<svg {attributes} viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-labelledby=\"{id}-title {id}-desc\">\n<title id=\"{id}-title\">{title}</title>\n\
             <desc id=\"{id}-desc\">{description}</desc>\n{inner}</svg>"
        )
    }

    /// Draws the elements; also returns their height.
    fn draw(&self, width: u32) -> io::Result<(u32, String)> {
        let height = match &self.body {
            Body::Bars(bars) => bars.height(),
            Body::Dots(dots) => dots.height(),
            Body::Lines(lines) => lines.height(),
        };
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
            let drawn = match &self.body {
                Body::Bars(bars) => bars.draw(&area),
                Body::Dots(dots) => dots.draw(&area),
                Body::Lines(lines) => lines.draw(&area),
            };
            drawn
                .and_then(|()| area.present())
                .map_err(io::Error::other)?;
        }
        // Strips the frame of plotters, which has neither a name nor a role.
        let inner = svg
            .split_once(">\n")
            .and_then(|(_, inner)| inner.rsplit_once("</svg>"))
            .map_or("", |(inner, _)| inner);
        Ok((height, inner.to_owned()))
    }

    /// The values as text, for screen readers.
    fn description(&self) -> String {
        let parts: Vec<_> = match &self.body {
            Body::Bars(bars) => bars.description().collect(),
            Body::Dots(dots) => dots.description().collect(),
            Body::Lines(lines) => lines.description().collect(),
        };
        parts.join("; ")
    }
}

/// Draws a line of text.
fn write(
    area: &Area<'_>,
    text: &str,
    place: (i32, i32),
    (paint, horizontal): (Paint, HPos),
) -> Drawn {
    area.draw(&Text::new(
        text.to_owned(),
        place,
        letters(paint, horizontal, VPos::Center),
    ))
}

fn letters(paint: Paint, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    // plotters divides the font size by 1.24.
    let size = f64::from(LETTER.0) * 1.24;
    let font = FontDesc::new(FontFamily::SansSerif, size, FontStyle::Normal);
    let mut style = font.into_text_style(&(WIDTH, WIDTH));
    style.color = paint.color().to_backend_color();
    style.pos = Pos::new(horizontal, vertical);
    style
}

/// Width of the longest text in a wide font.
fn width<'a>(texts: impl Iterator<Item = &'a str>) -> i32 {
    let longest = texts.map(|text| text.chars().count()).max().unwrap_or(0);
    i32::try_from(longest).unwrap_or(0).saturating_mul(LETTER.1)
}

/// A label: one sanitized line of at most [`LABEL`] letters.
fn label(text: &str) -> String {
    truncated(text, LABEL)
}

/// Sanitizes a text, and truncates it to `limit` letters.
fn truncated(text: &str, limit: usize) -> String {
    use crate::sanitize::printable;
    if text.chars().count() <= limit {
        return text.chars().map(printable).collect();
    }
    let start = text.chars().map(printable).take(limit.saturating_sub(1));
    start.chain(['\u{2026}']).collect()
}

fn escaped(text: &str) -> String {
    let text = askama::filters::escape(text, askama::filters::Html);
    text.map_or_else(|_| String::new(), |text| text.to_string())
}

/// Rounds to a coordinate.
#[allow(clippy::cast_possible_truncation, reason = "charts are small")]
fn unit(value: f64) -> i32 {
    value.round() as i32
}
