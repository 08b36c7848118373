//! Progress bars: on standard error, and only if that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

const TEMPLATE: &str = "{prefix:14} {wide_bar} {percent:>3}% {eta:>4} {msg:40!}";

/// A bar over `length` steps.
pub(crate) fn bar(length: usize, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length as u64); // hides itself where there is no terminal
    if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
        bar.set_style(style);
    }
    bar.set_prefix(what);
    bar.tick(); // shown at once, then at each step: a thread for it could fail to start, and disturb
    bar
}

/// What is to be called at each step, with what is being done.
pub(crate) fn each(bar: &ProgressBar) -> impl FnMut(&str) + '_ {
    |what| {
        bar.set_message(what.to_owned());
        bar.inc(1);
    }
}
