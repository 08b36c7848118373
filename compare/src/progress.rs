//! The progress of a run, on standard error: on a terminal a bar for each section, elsewhere a line
//! when a section begins.

use std::fmt;
use std::io::{self, IsTerminal};

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use crate::error::print_message;
use crate::interrupt;

const TEMPLATE: &str = "{prefix:17} {bar:14} {percent:>3}% {left:17} {wide_msg}";
/// Columns of the template before the message.
const BEFORE_MESSAGE: usize = 17 + 1 + 14 + 1 + 4 + 1 + 17 + 1;
/// The longest message, for lines of 100 columns. indicatif shortens it on a narrower terminal.
const MAX_MESSAGE: usize = 100 - BEFORE_MESSAGE;

/// The progress of a run.
#[derive(Default)]
pub(crate) struct Progress {
    /// Steps of the current section that have begun.
    step: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins a section, for example `[2/9] store`.
    pub(crate) fn begin(&mut self, title: &str, description: &str) {
        self.step = 0;
        if io::stderr().is_terminal() {
            let bar = ProgressBar::new(1);
            if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
                bar.set_style(style.with_key("left", time_left));
            }
            bar.set_prefix(title.to_owned());
            self.bar = Some(bar);
        } else {
            print_message(format_args!("{title}: {description}"));
        }
    }

    /// Sets the number of steps of the current section.
    pub(crate) fn expect(&mut self, steps: usize) {
        if let Some(bar) = &self.bar {
            bar.set_length(steps.max(1) as u64);
        }
    }

    /// Begins a step. Unwinds if an interruption was requested.
    pub(crate) fn step(&mut self, what: &str) {
        interrupt::check();
        self.step += 1;
        if let Some(bar) = &self.bar {
            bar.set_message(what.chars().take(MAX_MESSAGE).collect::<String>());
            bar.set_position(self.step - 1);
        }
    }

    /// Removes the bar of the current section.
    pub(crate) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// The time left in the section. indicatif's estimate is 0 before the first step is done.
fn time_left(state: &ProgressState, out: &mut dyn fmt::Write) {
    if state.pos() > 0 {
        let _ = write!(out, "{} left", HumanDuration(state.eta()));
    }
}
