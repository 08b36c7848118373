//! The scrapes of the last minute.

use std::collections::VecDeque;
use std::time::Duration;

use super::scrape::{Scrape, Subject};

/// How far back changes are shown.
const WINDOW: Duration = Duration::from_secs(60);

/// The counters of which each connection increases one.
pub(super) const CONNECTIONS: [&str; 5] = ["resumed", "declined", "failed", "missed", "avoided"];

/// The scrapes of the last minute, the oldest first.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<Scrape>);

impl History {
    pub(super) fn push(&mut self, scrape: Scrape) {
        let now = scrape.at;
        self.0.push_back(scrape);
        // The last scrape before the window stays: changes are since then.
        while self.0.get(1).is_some_and(|next| now - next.at >= WINDOW) {
            self.0.pop_front();
        }
    }

    pub(super) fn last(&self) -> Option<&Scrape> {
        self.0.back()
    }

    /// How long a time the scrapes span.
    pub(super) fn span(&self) -> Duration {
        match (self.0.front(), self.0.back()) {
            (Some(first), Some(last)) => last.at - first.at,
            _ => Duration::ZERO,
        }
    }

    /// How much a counter grew within the window.
    pub(super) fn growth(&self, subject: &Subject, counter: &str) -> f64 {
        self.steps(subject, counter).sum()
    }

    /// How much a counter grew from each scrape to the next. One that fell began anew: the program was
    /// restarted.
    fn steps(&self, subject: &Subject, counter: &str) -> impl Iterator<Item = f64> {
        let value = |scrape: &Scrape| scrape.value(subject, counter);
        let values: Vec<f64> = self.0.iter().map(value).collect();
        let step = |(before, now)| if now < before { now } else { now - before };
        let pairs = values.clone().into_iter().zip(values.into_iter().skip(1));
        pairs.map(step)
    }

    /// The share of the connections that resumed, from each scrape to the next; `None` without any.
    pub(super) fn rates(&self, subject: &Subject) -> Vec<Option<f64>> {
        let resumed = self.steps(subject, "resumed");
        let mut all = vec![0.0; self.0.len().saturating_sub(1)];
        for counter in CONNECTIONS {
            for (sum, step) in all.iter_mut().zip(self.steps(subject, counter)) {
                *sum += step;
            }
        }
        let rate = |(resumed, all)| (all > 0.0).then(|| resumed / all);
        resumed.zip(all).map(rate).collect()
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "small whole numbers are exact")]
mod tests {
    use super::*;

    #[test]
    fn changes_are_those_of_a_minute_and_survive_a_restart() {
        let mut history = History::default();
        let mut begin = None;
        for (second, resumed, missed) in [(0, 100, 1), (10, 110, 1), (65, 120, 11), (70, 5, 0)] {
            let text =
                format!("tls_resume_resumed_total {resumed}\ntls_resume_missed_total {missed}\n");
            let mut scrape = Scrape::parse(&text);
            let begin = *begin.get_or_insert(scrape.at);
            scrape.at = begin + Duration::from_secs(second);
            history.push(scrape);
        }
        let last = history.last().expect("a scrape");
        let store = last.stores().next().expect("a store").clone();
        assert_eq!(history.span(), Duration::from_secs(60));
        assert_eq!(history.growth(&store, "resumed"), 10.0 + 5.0);
        assert_eq!(history.rates(&store), [Some(0.5), Some(1.0)]);
    }
}
