//! The samples of one store in one scenario.

use std::time::Duration;

use report::HandshakeRow;

use super::paired::paired;
use crate::durations::Durations;
use crate::harness::{Client, Fixture, HandshakeError, Sample, Scenario, Store};

/// Handshakes in a row that count, in each round.
///
/// One that does not count comes before them: the processor's caches are still full of what another
/// client needed. An application makes one connection after the other with the same client.
const RUN: usize = 7;

/// The medians of each round.
#[derive(Clone, Debug, Default)]
pub(super) struct Rounds {
    /// The client's time until the tickets are stored.
    client: Vec<Duration>,
    /// The client's time until the connection is gone.
    whole: Vec<Duration>,
    /// Whether every handshake was resumed.
    all_resumed: bool,
}

/// The samples of one store in one scenario.
pub(super) struct Series {
    store: Store,
    client: Option<Client>,
    error: Option<HandshakeError>,
    client_times: Durations,
    rounds: Rounds,
    resumed: usize,
    server_times: Durations,
    bytes_in: Vec<u64>,
    bytes_out: Vec<u64>,
    cipher: String,
}

impl Series {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            client: None,
            error: None,
            client_times: Durations::default(),
            rounds: Rounds::default(),
            resumed: 0,
            server_times: Durations::default(),
            bytes_in: Vec::new(),
            bytes_out: Vec::new(),
            cipher: String::new(),
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// The medians of each round.
    pub(super) fn rounds(&self) -> Rounds {
        Rounds {
            all_resumed: self.all_resumed(),
            ..self.rounds.clone()
        }
    }

    fn all_resumed(&self) -> bool {
        self.resumed == self.client_times.len()
    }

    /// Continues with a new client, unless a handshake has failed, which makes the row invalid.
    pub(super) fn replace_client(&mut self, fixture: &Fixture) {
        if self.error.is_none() {
            match fixture.client(self.store.clone()) {
                Ok(client) => self.client = Some(client),
                Err(error) => self.fail(error),
            }
        }
    }

    /// Makes one handshake that does not count and [`RUN`] that do, if `counts`.
    pub(super) fn measure(&mut self, counts: bool) {
        let (mut client_run, mut whole_run) = (Vec::with_capacity(RUN), Vec::with_capacity(RUN));
        for number in 0..=RUN {
            let Some(client) = &self.client else { return };
            match client.handshake() {
                Ok(sample) if counts && number > 0 => {
                    client_run.push(sample.client);
                    whole_run.push(sample.whole);
                    self.add(sample);
                }
                Ok(_) => {}
                Err(error) => self.fail(error),
            }
        }
        self.rounds.client.extend(median(client_run));
        self.rounds.whole.extend(median(whole_run));
    }

    fn add(&mut self, sample: Sample) {
        self.resumed += usize::from(sample.resumed);
        self.client_times.push(sample.client);
        self.server_times.push(sample.server);
        self.bytes_in.push(sample.bytes_in);
        self.bytes_out.push(sample.bytes_out);
        self.cipher = sample.cipher;
    }

    fn fail(&mut self, error: HandshakeError) {
        self.client = None;
        self.error = Some(error);
    }

    /// The report's row. `in_hand` has the rounds of the session in hand; `None` if this is the
    /// session in hand. A full handshake is not compared with a resumed one.
    pub(super) fn into_row(self, scenario: Scenario, in_hand: Option<&Rounds>) -> HandshakeRow {
        let (resumed, all) = (self.resumed, self.client_times.len());
        let in_hand = in_hand.filter(|in_hand| in_hand.all_resumed && self.all_resumed());
        let above = in_hand.and_then(|in_hand| {
            let floor = median(in_hand.client.clone())?;
            Some((paired(&self.rounds.client, &in_hand.client)?, floor))
        });
        let whole = in_hand.and_then(|in_hand| paired(&self.rounds.whole, &in_hand.whole));
        HandshakeRow {
            backend: scenario.client.library().to_string(),
            provider: scenario.client.provider().to_owned(),
            server: scenario.server.to_string(),
            protocol: scenario.protocol.to_string(),
            key: scenario.key.to_string(),
            group: scenario.groups.negotiated().to_string(),
            offered: scenario.groups.offered().to_owned(),
            cipher: self.cipher,
            end: Some(scenario.end.as_str().to_owned()),
            kind: kind(if all > 0 {
                2 * resumed >= all
            } else {
                self.store.resumes()
            })
            .to_owned(),
            resumed_rate: (all > 0).then(|| fraction(resumed, all)),
            store: self.store.to_string(),
            rounds: self.client_times.len(),
            client_us: self.client_times.quantiles(),
            server_us: self.server_times.quantiles().map(|us| us.median),
            bytes_in: median(self.bytes_in).unwrap_or_default(),
            bytes_out: median(self.bytes_out).unwrap_or_default(),
            ratio_to_in_hand: above.map(|(above, floor)| {
                let ratio = 1.0 + above.median / 1e9 / floor.as_secs_f64();
                (ratio * 1_000.0).round() / 1_000.0
            }),
            store_ns: above.map(|(above, _)| above.median.round()),
            store_ns_low: above.map(|(above, _)| above.low.round()),
            store_ns_high: above.map(|(above, _)| above.high.round()),
            whole_ns: whole.map(|whole| whole.median.round()),
            whole_ns_low: whole.map(|whole| whole.low.round()),
            whole_ns_high: whole.map(|whole| whole.high.round()),
            error: self.error.map(|error| error.to_string()),
        }
    }
}

fn kind(resumed: bool) -> &'static str {
    if resumed { "resumed" } else { "full" }
}

#[allow(clippy::cast_precision_loss)] // some ten thousand
fn fraction(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

fn median<T: Ord + Copy>(mut numbers: Vec<T>) -> Option<T> {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied()
}
