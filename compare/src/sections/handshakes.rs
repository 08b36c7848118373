//! What a handshake costs the client: full, resumed with the session in hand, and resumed from the
//! store, on every pair of libraries.

use lab::certificate::{Authority, KeyKind};
use lab::server::Library;

use super::Shown;
use crate::cli::RunOptions;
use crate::harness::{Corner, GROUP, HandshakeError, Lane, Stage, Store, Take};
use crate::progress;
use crate::report::{HandshakeRow, Report};
use crate::sample::Sample;
use crate::table::table;

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Measured handshakes of each kind.
    pub rounds: usize,
    /// Kinds of server keys.
    pub keys: Vec<KeyKind>,
    /// Decides which kind of handshake comes first in a round.
    pub seed: u64,
}

impl Plan {
    /// Ends within seconds.
    pub fn quick(seed: u64) -> Self {
        Self {
            rounds: 1_200,
            keys: vec![KeyKind::EcdsaP256],
            seed,
        }
    }

    /// Ends within two minutes.
    pub fn full(seed: u64) -> Self {
        Self {
            rounds: 3_000,
            keys: KeyKind::ALL.to_vec(),
            seed,
        }
    }

    /// How often [`measure`] reports progress.
    pub fn steps(&self) -> usize {
        self.keys.len() * Corner::all(KeyKind::EcdsaP256).count() * STEPS_A_CORNER
    }
}

/// Times at which a corner reports progress.
const STEPS_A_CORNER: usize = 10;
const STORES: usize = Store::ALL.len();

/// Measures all that was asked for, and puts it into the report.
pub fn run(options: &RunOptions, report: &mut Report) -> Shown {
    let plan = if options.quick {
        Plan::quick(options.seed)
    } else {
        Plan::full(options.seed)
    };
    let bar = progress::bar(plan.steps(), "handshakes");
    report.handshakes = measure(&plan, &mut progress::each(&bar));
    bar.finish_and_clear();
    let title = "A handshake's client time, median. Saves: full over resumed from the store.\n\
                 Store: what the store costs above a session in hand.";
    Shown {
        text: format!("{title}\n{}", show(&report.handshakes)),
        mistakes: errors(&report.handshakes).collect(),
    }
}

/// Measures every corner. `progress` is called [`Plan::steps`] times, with what is being measured.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Vec<HandshakeRow> {
    let mut rows = Vec::new();
    for &key in &plan.keys {
        let authority = Authority::new(key);
        for corner in Corner::all(key) {
            let what = corner.to_string();
            rows.extend(measure_corner(corner, &authority, plan, &mut || {
                progress(&what);
            }));
        }
    }
    rows
}

fn measure_corner(
    corner: Corner,
    authority: &Authority,
    plan: &Plan,
    progress: &mut dyn FnMut(),
) -> Vec<HandshakeRow> {
    let stage = Stage::new(corner, authority);
    let mut tracks = Store::ALL.map(|store| Track::new(&stage, store));
    let steps: Vec<_> = (1..=STEPS_A_CORNER)
        .map(|step| plan.rounds * step / STEPS_A_CORNER)
        .collect();
    let first = usize::try_from(plan.seed % STORES as u64).unwrap_or_default();
    // One round to warm up, then A B C A B C: what disturbs the machine disturbs all alike.
    for round in 0..=plan.rounds {
        for turn in 0..tracks.len() {
            tracks[(first + turn) % STORES].measure(round > 0);
        }
        for _ in steps.iter().filter(|step| **step == round) {
            progress();
        }
    }

    let mut rows = tracks.map(|track| track.into_row(corner));
    compare_with_in_hand(&mut rows);
    rows.into()
}

/// Fills the columns that put the store next to the session in hand.
fn compare_with_in_hand(rows: &mut [HandshakeRow]) {
    let median = |row: &HandshakeRow| row.client_us.map(|us| us.median);
    let floor = rows
        .iter()
        .find(|row| row.store == Store::InHand.as_str())
        .and_then(median);
    for row in rows
        .iter_mut()
        .filter(|row| row.store == Store::TlsResume.as_str())
    {
        if let Some((floor, us)) = floor.zip(median(row)) {
            row.ratio_to_in_hand = Some((us / floor * 1_000.0).round() / 1_000.0);
            row.store_ns = Some(((us - floor) * 1_000.0).round());
        }
    }
}

/// One lane and what was measured on it.
struct Track {
    store: Store,
    lane: Result<Lane, HandshakeError>,
    client: Sample,
    server: Sample,
    bytes_in: Vec<u64>,
    bytes_out: Vec<u64>,
    cipher: String,
}

impl Track {
    fn new(stage: &Stage, store: Store) -> Self {
        Self {
            store,
            lane: stage.lane(store),
            client: Sample::default(),
            server: Sample::default(),
            bytes_in: Vec::new(),
            bytes_out: Vec::new(),
            cipher: String::new(),
        }
    }

    /// Makes a handshake, unless one has failed: then the row is worth nothing.
    fn measure(&mut self, counts: bool) {
        let Ok(lane) = &self.lane else { return };
        match lane.measure() {
            Ok(take) if counts => self.add(take),
            Ok(_) => {}
            Err(error) => self.lane = Err(error),
        }
    }

    fn add(&mut self, take: Take) {
        self.client.push(take.client);
        self.server.push(take.server);
        self.bytes_in.push(take.bytes_in);
        self.bytes_out.push(take.bytes_out);
        self.cipher = take.cipher;
    }

    fn into_row(self, corner: Corner) -> HandshakeRow {
        HandshakeRow {
            backend: corner.client.to_string(),
            provider: provider(corner.client).to_owned(),
            server: corner.server.to_string(),
            protocol: format!("TLS {}", corner.protocol),
            key: corner.key.to_string(),
            group: GROUP.to_string(),
            cipher: self.cipher,
            kind: kind(self.store).to_owned(),
            store: self.store.as_str().to_owned(),
            rounds: self.client.len(),
            client_us: self.client.quantiles(),
            server_us: self.server.quantiles().map(|us| us.median),
            bytes_in: median(self.bytes_in),
            bytes_out: median(self.bytes_out),
            ratio_to_in_hand: None,
            store_ns: None,
            error: self.lane.err().map(|error| error.to_string()),
        }
    }
}

fn provider(client: Library) -> &'static str {
    match client {
        Library::Rustls => "aws-lc-rs",
        Library::OpenSsl => "openssl",
    }
}

fn kind(store: Store) -> &'static str {
    if store.resumes() { "resumed" } else { "full" }
}

fn median(mut numbers: Vec<u64>) -> u64 {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

/// The rows as a table: a line for each corner, the client's medians.
pub fn show(rows: &[HandshakeRow]) -> String {
    let header = [
        "client",
        "server",
        "version",
        "key",
        "full us",
        "in-hand us",
        "resumed us",
        "saves",
        "store ns",
    ];
    let mut table = table(&header, 4);
    let corner =
        |row: &HandshakeRow| [&row.backend, &row.server, &row.protocol, &row.key].map(Clone::clone);
    for lines in rows.chunk_by(|one, next| corner(one) == corner(next)) {
        let median = |store: Store| {
            let row = lines.iter().find(|row| row.store == store.as_str())?;
            row.client_us
                .filter(|_| row.error.is_none())
                .map(|us| us.median)
        };
        let (full, resumed) = (median(Store::None), median(Store::TlsResume));
        let saves = full.zip(resumed).map(|(full, resumed)| full / resumed);
        let store_ns = lines.iter().find_map(|row| row.store_ns);
        let number = |value: Option<f64>, digits: usize, unit: &str| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}{unit}"))
        };
        let mut cells = corner(&lines[0]).to_vec();
        cells.extend([
            number(full, 1, ""),
            number(median(Store::InHand), 1, ""),
            number(resumed, 1, ""),
            number(saves, 2, "x"),
            number(store_ns, 0, ""),
        ]);
        table.add_row(cells);
    }
    table.to_string()
}

/// What went wrong, a line for each row that is not what it claims to be.
pub fn errors(rows: &[HandshakeRow]) -> impl Iterator<Item = String> {
    rows.iter().filter_map(|row| {
        let error = row.error.as_ref()?;
        let HandshakeRow {
            backend,
            server,
            protocol,
            key,
            kind,
            store,
            ..
        } = row;
        Some(format!(
            "{backend} to {server}, {protocol}, {key}, {kind}, store {store}: {error}"
        ))
    })
}
