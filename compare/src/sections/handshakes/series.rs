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

/// The samples of one store in one scenario.
pub(super) struct Series {
    store: Store,
    client: Option<Client>,
    error: Option<HandshakeError>,
    client_times: Durations,
    /// The median of the client's time in each round.
    rounds: Vec<Duration>,
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
            rounds: Vec::new(),
            server_times: Durations::default(),
            bytes_in: Vec::new(),
            bytes_out: Vec::new(),
            cipher: String::new(),
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// The median of the client's time in each round.
    pub(super) fn rounds(&self) -> &[Duration] {
        &self.rounds
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
        let mut run = Vec::with_capacity(RUN);
        for number in 0..=RUN {
            let Some(client) = &self.client else { return };
            match client.handshake() {
                Ok(sample) if counts && number > 0 => {
                    run.push(sample.client);
                    self.add(sample);
                }
                Ok(_) => {}
                Err(error) => self.fail(error),
            }
        }
        self.rounds.extend(median(run));
    }

    fn add(&mut self, sample: Sample) {
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

    /// The report's row. `in_hand` has the medians of the session in hand in the same rounds; `None`
    /// if this is the session in hand.
    pub(super) fn into_row(self, scenario: Scenario, in_hand: Option<&[Duration]>) -> HandshakeRow {
        let above = in_hand
            .filter(|_| self.store.resumes())
            .and_then(|floor| Some((paired(&self.rounds, floor)?, median(floor.to_vec())?)));
        HandshakeRow {
            backend: scenario.client.library().to_string(),
            provider: scenario.client.provider().to_owned(),
            server: scenario.server.to_string(),
            protocol: scenario.protocol.to_string(),
            key: scenario.key.to_string(),
            group: scenario.groups.negotiated().to_string(),
            offered: scenario.groups.offered().to_owned(),
            cipher: self.cipher,
            kind: kind(&self.store).to_owned(),
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
            error: self.error.map(|error| error.to_string()),
        }
    }
}

fn kind(store: &Store) -> &'static str {
    if store.resumes() { "resumed" } else { "full" }
}

fn median<T: Ord + Copy>(mut numbers: Vec<T>) -> Option<T> {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied()
}
