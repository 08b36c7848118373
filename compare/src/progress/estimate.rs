//! How long a run takes that is under way.

use std::time::Duration;

use report::Section;

/// What the sections take, and how fast this machine is.
pub(super) struct Estimate {
    /// Seconds that each section took where this was written: two cores of an AMD EPYC.
    seconds: Vec<f64>,
}

/// How much a run has to have done before its own pace counts as much as that of the machine where
/// the seconds were taken: this part of it.
const TRUST: f64 = 0.03;

impl Estimate {
    /// For a run of these sections, in this order.
    pub(super) fn new(sections: &[Section], quick: bool) -> Self {
        let alone = sections.len() == 1;
        let seconds = sections.iter().map(|section| match (section, quick) {
            // By itself it has many more servers.
            (Section::Memory, false) if alone => 900.0,
            _ => seconds(*section, quick),
        });
        Self {
            seconds: seconds.collect(),
        }
    }

    /// The part of the run that is done, from 0 to 1, with so many sections and that part of the next.
    pub(super) fn done(&self, done: (usize, f64)) -> f64 {
        self.seconds_of(done) / self.all()
    }

    /// How long the rest of the run takes if that much took so long.
    pub(super) fn left(&self, done: (usize, f64), took: Duration) -> Duration {
        let done = self.seconds_of(done);
        Duration::from_secs_f64((self.all() - done).max(0.0) * self.pace(done, took))
    }

    /// How long the section of this index takes if all before it took so long.
    pub(super) fn of(&self, index: usize, took: Duration) -> Duration {
        let pace = self.pace(self.seconds_of((index, 0.0)), took);
        Duration::from_secs_f64(self.seconds[index] * pace)
    }

    fn all(&self) -> f64 {
        self.seconds.iter().sum()
    }

    fn seconds_of(&self, (sections, part): (usize, f64)) -> f64 {
        let ended: f64 = self.seconds[..sections].iter().sum();
        ended + part * self.seconds.get(sections).unwrap_or(&0.0)
    }

    /// Seconds that a second takes on this machine.
    fn pace(&self, done: f64, took: Duration) -> f64 {
        let trust = TRUST * self.all();
        (took.as_secs_f64() + trust) / (done + trust)
    }
}

/// Seconds of a section: of a run of all, for the second number.
fn seconds(section: Section, quick: bool) -> f64 {
    let (quickly, fully) = match section {
        Section::Handshakes => (12.3, 250.0),
        Section::Store => (2.2, 35.0),
        Section::Contention => (5.4, 65.0),
        Section::Scale => (0.7, 9.0),
        Section::Tiers => (3.9, 14.0),
        Section::HitRate => (4.2, 106.0),
        Section::Burst => (5.7, 20.0),
        Section::Memory => (5.8, 100.0),
        Section::Equivalence => (15.3, 15.3),
    };
    if quick { quickly } else { fully }
}

/// A duration in a few words, as exact as an estimate may be.
pub(super) fn text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{} s", seconds + 1),
        10..90 => format!("{} s", (seconds + 5) / 5 * 5),
        90..5_400 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{} h", (seconds + 1_800) / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: [Section; 2] = [Section::Burst, Section::Memory];

    fn near(duration: Duration, seconds: f64) -> bool {
        (duration.as_secs_f64() - seconds).abs() < seconds * 0.05
    }

    #[test]
    fn on_a_machine_as_fast_the_seconds_are_those_that_were_measured() {
        let estimate = Estimate::new(&Section::ALL, true);
        let all = estimate.all();
        assert!(near(estimate.left((0, 0.0), Duration::ZERO), all));
        let half = Duration::from_secs_f64(estimate.seconds_of((4, 0.5)));
        let left = estimate.left((4, 0.5), half);
        assert!(near(left, all - half.as_secs_f64()), "{left:?}");
        assert!((estimate.done((9, 0.0)) - 1.0).abs() < 1e-9);
        assert_eq!(estimate.left((9, 0.0), half), Duration::ZERO);
    }

    #[test]
    fn on_a_slower_machine_the_rest_is_slower_too() {
        let estimate = Estimate::new(&TWO, true);
        let [first, second] = [estimate.seconds[0], estimate.seconds[1]];
        let took = Duration::from_secs_f64(first * 3.0);
        let left = estimate.left((1, 0.0), took);
        assert!(
            left.as_secs_f64() > second * 2.7 && left.as_secs_f64() <= second * 3.0,
            "{left:?}"
        );
        assert_eq!(estimate.of(1, took), left);
        // A step that takes longer than it should is noticed while it lasts.
        assert!(estimate.left((1, 0.0), took * 2) > left);
    }

    #[test]
    fn the_first_step_says_little() {
        let estimate = Estimate::new(&Section::ALL, false);
        let late = estimate.left((0, 0.0), Duration::from_secs(2));
        assert!(late.as_secs_f64() < estimate.all() * 1.2, "{late:?}");
    }

    #[test]
    fn memory_alone_has_many_more_servers() {
        let alone = Estimate::new(&[Section::Memory], false);
        let among = Estimate::new(&TWO, false);
        assert!(alone.all() > 5.0 * among.seconds[1]);
    }

    #[test]
    fn a_duration_is_a_few_words() {
        for (seconds, words) in [
            (0, "1 s"),
            (9, "10 s"),
            (12, "15 s"),
            (88, "90 s"),
            (100, "2 min"),
            (605, "10 min"),
            (7_200, "2 h"),
        ] {
            assert_eq!(text(Duration::from_secs(seconds)), words);
        }
    }
}
