//! The progress line on standard error; hidden unless that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::Backend;

const TEMPLATE: &str = "{spinner} {prefix}: {pos} findings, {elapsed}  {msg}";

pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(backend: Backend) -> Self {
        let bar = ProgressBar::new_spinner(); // hides itself where there is no terminal
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        bar.set_prefix(backend.as_str());
        bar.set_message("connections");
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    pub(crate) fn increment(&self) {
        self.0.inc(1);
    }

    pub(crate) fn set_step(&self, step: &'static str) {
        self.0.set_message(step);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
