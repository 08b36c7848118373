//! Charts as SVG: text is text, colours follow the page, and a screen reader hears the numbers.
//!
//! A chart is drawn for a phone, half a pixel a unit, and put side by side with others where there
//! is room: so what is written in it can be read everywhere.

mod bars;
mod dots;
mod ink;
mod lines;
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
pub(crate) use self::ink::{Ink, style};
pub(crate) use self::lines::{Line, Lines};
pub(crate) use self::scale::{Scale, count, short};

/// The width of a chart in its own units.
const WIDTH: u32 = 720;
/// The height of letters, and what one takes in width where the font is wide.
const LETTER: (u32, i32) = (24, 15);
/// The most letters of a label.
const LABEL: usize = 24;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<T = ()> = Result<T, DrawingAreaErrorKind<io::Error>>;

/// A chart with what is written above it.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// What it is about.
    pub(crate) title: String,
    /// The unit, and from how many measurements.
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
    /// Nothing to see.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.body {
            Body::Bars(bars) => bars.0.is_empty(),
            Body::Dots(dots) => dots.rows.is_empty(),
            Body::Lines(lines) => lines.all.is_empty(),
        }
    }

    /// As a part of a page. `id` is unique in it.
    pub(crate) fn svg(&self, id: &str) -> io::Result<String> {
        let (height, drawn) = self.draw(WIDTH)?;
        Ok(self.wrap(id, "class=\"chart\"", (WIDTH, height), &drawn))
    }

    /// As a file of its own, with its title and note in it, and with its colours.
    pub(crate) fn file(&self) -> io::Result<String> {
        let width = 2 * WIDTH;
        let (height, drawn) = self.draw(width)?;
        let head = 100;
        let mut style = style("svg");
        style.push_str("text { font-family: system-ui, sans-serif }\n");
        let mut inner = format!("<style>\n{style}</style>\n");
        for (y, size, ink, text) in [
            (40, 32, Ink::Text, &self.title),
            (78, 24, Ink::Muted, &self.note),
        ] {
            let plotters::style::RGBColor(red, green, blue) = ink.color();
            let _ = writeln!(
                inner,
                "<text x=\"0\" y=\"{y}\" font-size=\"{size}\" \
                 fill=\"#{red:02X}{green:02X}{blue:02X}\">{}</text>",
                escaped(&printable(text, usize::MAX))
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
        let [title, said] = [
            self.title.clone(),
            format!("{}. {}", self.note, self.said()),
        ]
        .map(|text| escaped(&printable(&text, usize::MAX)));
        format!(
            "<svg {attributes} viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-labelledby=\"{id}-title {id}-desc\">\n<title id=\"{id}-title\">{title}</title>\n\
             <desc id=\"{id}-desc\">{said}</desc>\n{inner}</svg>"
        )
    }

    /// The elements, and how high they are.
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
        // The library's own frame has neither a name nor a role.
        let inner = svg
            .split_once(">\n")
            .and_then(|(_, inner)| inner.rsplit_once("</svg>"))
            .map_or("", |(inner, _)| inner);
        Ok((height, inner.to_owned()))
    }

    /// The numbers in words.
    fn said(&self) -> String {
        let said: Vec<_> = match &self.body {
            Body::Bars(bars) => bars.said().collect(),
            Body::Dots(dots) => dots.said().collect(),
            Body::Lines(lines) => lines.said().collect(),
        };
        said.join("; ")
    }
}

/// Writes a line of text at a place.
fn write(
    area: &Area<'_>,
    text: &str,
    place: (i32, i32),
    (ink, left_to_right): (Ink, HPos),
) -> Drawn {
    area.draw(&Text::new(
        text.to_owned(),
        place,
        letters(ink, left_to_right, VPos::Center),
    ))
}

fn letters(ink: Ink, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    // The library takes letters for 1.24 times as high as they are.
    let size = f64::from(LETTER.0) * 1.24;
    let font = FontDesc::new(FontFamily::SansSerif, size, FontStyle::Normal);
    let mut style = font.into_text_style(&(WIDTH, WIDTH));
    style.color = ink.color().to_backend_color();
    style.pos = Pos::new(horizontal, vertical);
    style
}

/// The width of the longest of some texts, in the widest of the usual fonts.
fn width<'a>(texts: impl Iterator<Item = &'a str>) -> i32 {
    let longest = texts.map(|text| text.chars().count()).max().unwrap_or(0);
    i32::try_from(longest).unwrap_or(0).saturating_mul(LETTER.1)
}

/// A label: one line, of things that can be seen, and not too long.
fn label(text: &str) -> String {
    printable(text, LABEL)
}

fn printable(text: &str, most: usize) -> String {
    use crate::plain::seen;
    if text.chars().count() <= most {
        return text.chars().map(seen).collect();
    }
    let start = text.chars().map(seen).take(most.saturating_sub(1));
    start.chain(['\u{2026}']).collect()
}

fn escaped(text: &str) -> String {
    let text = askama::filters::escape(text, askama::filters::Html);
    text.map_or_else(|_| String::new(), |text| text.to_string())
}

/// A coordinate of the library.
#[allow(clippy::cast_possible_truncation, reason = "charts are small")]
fn unit(value: f64) -> i32 {
    value.round() as i32
}
