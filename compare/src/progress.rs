//! How far a run is, and about how long it still takes: on standard error. A terminal has a bar for
//! the whole run; elsewhere each section begins with a line.

mod estimate;

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use report::Section;

use self::estimate::Estimate;
use crate::error::complain;
use crate::interrupt;
use crate::sections::name;

/// A line is never longer, whatever the terminal has.
const WIDTH: usize = 100;
const TEMPLATE: &str = "{prefix:17} {bar:14} {msg}";
/// Columns of the prefix and the bar, and of the blanks after each.
const BEFORE_MESSAGE: usize = 17 + 1 + 14 + 1;
/// Thousandths of the run make up the bar.
const WHOLE: f64 = 1_000.0;

/// The progress of a run.
pub(crate) struct Progress {
    sections: Vec<Section>,
    estimate: Estimate,
    begun: Instant,
    current: usize,
    /// Steps of the current section, and how many have begun.
    steps: usize,
    step: usize,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Of a run of these sections, in this order.
    pub(crate) fn new(sections: &[Section], quick: bool) -> Self {
        Self {
            sections: sections.to_vec(),
            estimate: Estimate::new(sections, quick),
            begun: Instant::now(),
            current: 0,
            steps: 1,
            step: 0,
            bar: None,
        }
    }

    /// The section of this index begins.
    pub(crate) fn begin(&mut self, index: usize) {
        (self.current, self.steps, self.step) = (index, 1, 0);
        let section = self.sections[index];
        let (number, of) = (index + 1, self.sections.len());
        let prefix = format!("[{number}/{of}] {}", name(section));
        if io::stderr().is_terminal() {
            let bar = ProgressBar::new(1_000);
            if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
                bar.set_style(style);
            }
            bar.set_prefix(prefix);
            self.bar = Some(bar);
            self.show("");
        } else {
            let (this, all) = (self.estimate.of(index, self.elapsed()), self.left());
            let this = estimate::text(this);
            let all = if number < of {
                format!(" of the {} left", estimate::text(all))
            } else {
                String::new()
            };
            let does = help(section);
            complain(format_args!("{prefix}, about {this}{all}: {does}"));
        }
    }

    /// The current section will have so many steps.
    pub(crate) fn expect(&mut self, steps: usize) {
        self.steps = steps.max(1);
    }

    /// The next step begins. Unwinds if the program was asked to end.
    pub(crate) fn step(&mut self, what: &str) {
        interrupt::check();
        self.step += 1;
        self.show(what);
    }

    /// The current section has ended, or was given up: its bar makes room.
    pub(crate) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// How much of the current section is done.
    #[expect(clippy::cast_precision_loss, reason = "some thousand steps")]
    fn fraction(&self) -> f64 {
        // The step that has begun has yet to be made.
        (self.step.saturating_sub(1) as f64 / self.steps as f64).min(1.0)
    }

    fn left(&self) -> Duration {
        let done = (self.current, self.fraction());
        self.estimate.left(done, self.elapsed())
    }

    fn show(&self, what: &str) {
        let Some(bar) = &self.bar else { return };
        let done = self.estimate.done((self.current, self.fraction()));
        let percent = (done * 100.0).floor();
        let left = format!("about {} left", estimate::text(self.left()));
        let message = format!("{percent:>3}%  {left:18}  {what}");
        let room = columns().min(WIDTH).saturating_sub(BEFORE_MESSAGE);
        bar.set_message(message.chars().take(room).collect::<String>());
        bar.set_position(thousandths(done));
    }
}

/// What a section is about, as `--help` says it, within a sentence.
fn help(section: Section) -> String {
    let value = section.to_possible_value();
    let text = value.and_then(|value| Some(value.get_help()?.to_string()));
    let text = text.unwrap_or_default();
    let mut rest = text.chars();
    let first = rest.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(rest).collect()
}

/// Columns of the terminal.
fn columns() -> usize {
    let size = terminal_size::terminal_size_of(io::stderr());
    size.map_or(WIDTH, |(width, _)| usize::from(width.0))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to 1,000"
)]
fn thousandths(done: f64) -> u64 {
    (done * WHOLE) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_says_what_it_is_about() {
        for section in Section::ALL {
            let text = help(section);
            assert!(text.starts_with(|first: char| first.is_ascii_lowercase()));
            assert!(text.len() < 80, "{text}");
        }
    }

    #[test]
    fn steps_fill_a_section_and_no_more() {
        let mut progress = Progress::new(&[Section::Burst, Section::Store], true);
        progress.expect(4);
        let mut at = Vec::new();
        for _ in 0..6 {
            progress.step("");
            at.push(progress.fraction());
        }
        assert_eq!(at, [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]);
    }
}
