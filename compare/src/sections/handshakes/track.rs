//! One store in one corner, and what was measured of it.

use std::time::Duration;

use super::paired;
use crate::harness::{Corner, HandshakeError, Lane, Stage, Store, Take};
use crate::sample::Sample;
use report::HandshakeRow;

/// Handshakes in a row that count.
///
/// One of another client comes before them, and leaves the processor's caches full of what it
/// needed; the first handshake after it pays for that, and does not count. An application makes one
/// connection after the other with the same client.
const RUN: usize = 7;

/// One store and what was measured of it.
pub(super) struct Track {
    store: Store,
    lane: Option<Lane>,
    error: Option<HandshakeError>,
    client: Sample,
    // The median of each round.
    rounds: Vec<Duration>,
    server: Sample,
    bytes_in: Vec<u64>,
    bytes_out: Vec<u64>,
    cipher: String,
}

impl Track {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            lane: None,
            error: None,
            client: Sample::default(),
            rounds: Vec::new(),
            server: Sample::default(),
            bytes_in: Vec::new(),
            bytes_out: Vec::new(),
            cipher: String::new(),
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// The client's time in each round, median.
    pub(super) fn rounds(&self) -> &[Duration] {
        &self.rounds
    }

    /// Goes on with a new client, unless a handshake has failed: then the row is worth nothing.
    pub(super) fn start_anew(&mut self, stage: &Stage) {
        if self.error.is_none() {
            match stage.lane(self.store.clone()) {
                Ok(lane) => self.lane = Some(lane),
                Err(error) => self.fail(error),
            }
        }
    }

    /// Makes handshakes, one after the other: one that does not count, and [`RUN`] that do unless
    /// this is for warming up.
    pub(super) fn measure(&mut self, counts: bool) {
        let mut run = Vec::with_capacity(RUN);
        for number in 0..=RUN {
            let Some(lane) = &self.lane else { return };
            match lane.measure() {
                Ok(take) if counts && number > 0 => {
                    run.push(take.client);
                    self.add(take);
                }
                Ok(_) => {}
                Err(error) => self.fail(error),
            }
        }
        self.rounds.extend(median_of(run));
    }

    fn add(&mut self, take: Take) {
        self.client.push(take.client);
        self.server.push(take.server);
        self.bytes_in.push(take.bytes_in);
        self.bytes_out.push(take.bytes_out);
        self.cipher = take.cipher;
    }

    fn fail(&mut self, error: HandshakeError) {
        self.lane = None;
        self.error = Some(error);
    }

    /// What was measured. `in_hand` is the floor's time in the same rounds, unless this is the floor.
    pub(super) fn into_row(self, corner: Corner, in_hand: Option<&[Duration]>) -> HandshakeRow {
        let above = in_hand
            .filter(|_| self.store.resumes())
            .and_then(|floor| Some((paired(&self.rounds, floor)?, median_of(floor.to_vec())?)));
        HandshakeRow {
            backend: corner.client.library().to_string(),
            provider: corner.client.provider().to_owned(),
            server: corner.server.to_string(),
            protocol: corner.protocol.to_string(),
            key: corner.key.to_string(),
            group: corner.groups.negotiated().to_string(),
            offered: corner.groups.offered().to_owned(),
            cipher: self.cipher,
            kind: kind(&self.store).to_owned(),
            store: self.store.to_string(),
            rounds: self.client.len(),
            client_us: self.client.quantiles(),
            server_us: self.server.quantiles().map(|us| us.median),
            bytes_in: median_of(self.bytes_in).unwrap_or_default(),
            bytes_out: median_of(self.bytes_out).unwrap_or_default(),
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

fn median_of<T: Ord + Copy>(mut numbers: Vec<T>) -> Option<T> {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied()
}
