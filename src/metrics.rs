//! Counters and gauges for the crate `metrics`, which exports to Prometheus and other systems.
//!
//! The store always counts.
//! [`Connector::record_metrics`](crate::generic::Connector::record_metrics) reports to the
//! application's recorder what was counted since the last call: call it before each scrape, or
//! every few seconds. All names begin with `tls_resume_`; docs/observability.md lists them.
//!
//! ```no_run
//! # #[cfg(feature = "rustls")]
//! # fn main() -> Result<(), tls_resume::Error> {
//! # use std::{thread, time::Duration};
//! tls_resume::metrics::describe();
//! let connector = tls_resume::rustls::Connector::builder().domain("crawler").build()?;
//! let counted = connector.clone();
//! thread::spawn(move || loop {
//!     counted.record_metrics(); // with the label domain="crawler"
//!     thread::sleep(Duration::from_secs(5));
//! });
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "rustls"))]
//! # fn main() {}
//! ```

use std::collections::BTreeMap;
use std::{fmt, mem};

use ::metrics::{Label, Unit, counter, describe_counter, describe_gauge, gauge};
use store_core::{ServerStats, SessionKey, Stats};
#[cfg(feature = "shared")]
use store_tiers::TierStats;

/// The metrics of one store: remembers the values recorded last, and records the differences.
///
/// Each connector has one; make your own for a store without a connector. Meters with the same
/// labels add up. Dropping a meter subtracts its store's last values from the gauges.
pub struct Meter {
    labels: Vec<Label>,
    stats: Stats,
    /// By the label `server`.
    servers: BTreeMap<String, ServerStats>,
    #[cfg(feature = "shared")]
    tier: TierStats,
}

impl Meter {
    /// A meter that has recorded nothing yet.
    pub fn new(labels: Vec<Label>) -> Self {
        Self {
            labels,
            stats: Stats::default(),
            servers: BTreeMap::new(),
            #[cfg(feature = "shared")]
            tier: TierStats::default(),
        }
    }

    /// Records what the store has counted since the last call, and what it holds now.
    pub fn record(&mut self, now: &Stats) {
        let before = mem::replace(&mut self.stats, *now);
        count("", &self.labels, now.counters(), before.counters());
        gauge("", &self.labels, now.gauges(), before.gauges());
    }

    /// Records what the store has counted for each server that is watched, as
    /// [`SessionStore::watched`](store_core::SessionStore::watched) returns it, with the label `server`:
    /// host and port. Those with the same label add up; one without any number is left out.
    pub fn record_servers(&mut self, now: &[(SessionKey, ServerStats)]) {
        let mut sums = BTreeMap::<String, ServerStats>::new();
        for (key, stats) in now {
            let sum = sums.entry(key.as_key().to_string()).or_default();
            sum.add(stats);
        }
        sums.retain(|_, stats| *stats != ServerStats::default());
        let mut before = mem::take(&mut self.servers);
        for (server, now) in &sums {
            let before = before.remove(server).unwrap_or_default();
            let labels = self.with_server(server);
            count("server_", &labels, now.counters(), before.counters());
            gauge("server_", &labels, now.gauges(), before.gauges());
        }
        self.servers = sums;
        self.subtract_servers(&before);
    }

    /// Records what the tier has counted since the last call, and its state now.
    #[cfg(feature = "shared")]
    pub fn record_tier(&mut self, now: &TierStats) {
        let before = mem::replace(&mut self.tier, *now);
        count("tier_", &self.labels, now.counters(), before.counters());
        gauge("tier_", &self.labels, now.gauges(), before.gauges());
    }

    fn with_server(&self, server: &str) -> Vec<Label> {
        let mut labels = self.labels.clone();
        labels.push(Label::new("server", server.to_owned()));
        labels
    }

    /// Subtracts the last values of servers from the gauges.
    fn subtract_servers(&self, servers: &BTreeMap<String, ServerStats>) {
        for (server, last) in servers {
            let none = ServerStats::default().gauges();
            gauge("server_", &self.with_server(server), none, last.gauges());
        }
    }
}

fn count<const N: usize>(prefix: &str, labels: &[Label], now: [Named; N], before: [Named; N]) {
    for ((name, now), (_, before)) in now.into_iter().zip(before) {
        let name = format!("tls_resume_{prefix}{name}_total");
        counter!(name, labels.iter()).increment(now.saturating_sub(before));
    }
}

fn gauge<const N: usize>(prefix: &str, labels: &[Label], now: [Named; N], before: [Named; N]) {
    for ((name, now), (_, before)) in now.into_iter().zip(before) {
        let name = format!("tls_resume_{prefix}{name}");
        gauge!(name, labels.iter()).increment(real(now) - real(before));
    }
}

/// A name with its value.
type Named = (&'static str, u64);

impl Drop for Meter {
    fn drop(&mut self) {
        // Otherwise no gauge was recorded.
        if self.stats != Stats::default() {
            let none = Stats::default().gauges();
            gauge("", &self.labels, none, self.stats.gauges());
        }
        self.subtract_servers(&self.servers);
        #[cfg(feature = "shared")]
        if self.tier != TierStats::default() {
            let none = TierStats::default().gauges();
            gauge("tier_", &self.labels, none, self.tier.gauges());
        }
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").finish_non_exhaustive()
    }
}

#[allow(clippy::cast_precision_loss, reason = "exact up to 2^53 bytes")]
fn real(value: u64) -> f64 {
    value as f64
}

/// Gives the application's recorder the unit and help text of each metric. Call it once, after the
/// recorder is installed.
pub fn describe() {
    for (name, meaning) in COUNTERS {
        describe_counter!(format!("tls_resume_{name}_total"), Unit::Count, *meaning);
    }
    for (name, unit, meaning) in GAUGES {
        describe_gauge!(format!("tls_resume_{name}"), *unit, *meaning);
    }
}

const COUNTERS: &[(&str, &str)] = &[
    ("stored", "Sessions stored"),
    ("offered", "Sessions offered by a connection"),
    ("taken", "Tickets taken out of the store"),
    ("copied", "Copies of TLS 1.2 sessions"),
    ("missed", "Connections for which the store had no session"),
    (
        "avoided",
        "Connections that offered no session because handshakes with one had failed, or were often declined",
    ),
    ("resumed", "Offered sessions that the server resumed"),
    (
        "declined",
        "Offered sessions that the server declined for a full handshake",
    ),
    ("failed", "Offered sessions whose handshake failed"),
    (
        "retried",
        "Handshakes made again without a session, after they had failed with one",
    ),
    (
        "cancelled",
        "Offered sessions whose handshake was cancelled by its caller",
    ),
    ("expired", "Sessions dropped because they had expired"),
    ("evicted", "Sessions dropped to keep to the limits"),
    ("replaced", "TLS 1.2 sessions replaced by a newer one"),
    (
        "removed",
        "Sessions removed: revoked, cleared, or older than one that the server rejected",
    ),
    ("left", "Tickets moved from memory to the tier"),
    ("returned", "Sessions moved from the tier to memory"),
    (
        "refused_too_large",
        "Sessions refused because they were too large",
    ),
    (
        "refused_ticket_too_large",
        "Sessions refused because their ticket was too large",
    ),
    (
        "refused_expired",
        "Sessions refused because they had expired",
    ),
    (
        "refused_cleared",
        "Sessions refused because their server was cleared meanwhile",
    ),
    ("server_stored", "Sessions of a watched server stored"),
    (
        "server_refused",
        "Sessions of a watched server not stored, for any reason",
    ),
    ("server_offered", "Sessions offered to a watched server"),
    (
        "server_taken",
        "Tickets of a watched server taken out of the store",
    ),
    (
        "server_missed",
        "Connections to a watched server for which the store had no session",
    ),
    (
        "server_avoided",
        "Connections to a watched server that offered no session because of earlier handshakes",
    ),
    (
        "server_resumed",
        "Offered sessions that a watched server resumed",
    ),
    (
        "server_declined",
        "Offered sessions that a watched server declined for a full handshake",
    ),
    (
        "server_failed",
        "Offered sessions whose handshake with a watched server failed",
    ),
    (
        "server_cancelled",
        "Offered sessions whose handshake with a watched server was cancelled by its caller",
    ),
    (
        "server_retried",
        "Handshakes with a watched server made again without a session",
    ),
    ("tier_written", "Records written to the tier"),
    ("tier_fetched", "Sessions fetched from the tier"),
    ("tier_missed", "Fetches for which the tier had no session"),
    (
        "tier_dropped",
        "Writes and fetches dropped because a queue was full",
    ),
    (
        "tier_lost",
        "Sessions lost on their way to or from the tier",
    ),
    (
        "tier_rejected_foreign",
        "Records of another version or format",
    ),
    (
        "tier_rejected_unknown_key",
        "Records sealed under an unknown key",
    ),
    (
        "tier_rejected_tampered",
        "Records that were changed, or moved to another server",
    ),
    (
        "tier_rejected_expired",
        "Records that had expired or were revoked",
    ),
    (
        "tier_from_future",
        "Records from more than 5 seconds in the future: clocks differ",
    ),
    ("tier_failures", "Calls of the tier that failed"),
];

const GAUGES: &[(&str, Unit, &str)] = &[
    ("servers", Unit::Count, "Servers that hold a session now"),
    ("sessions", Unit::Count, "Sessions held now"),
    ("bytes", Unit::Bytes, "Bytes held now, bookkeeping included"),
    (
        "server_held",
        Unit::Count,
        "Sessions of a watched server held now",
    ),
    (
        "tier_resting",
        Unit::Count,
        "Connectors that do not call their tier now because it failed",
    ),
    (
        "tier_stopped",
        Unit::Count,
        "Connectors that will not call their tier again",
    ),
];
