//! Counters and gauges for the crate `metrics`, and with it for Prometheus and other systems.
//!
//! The store counts for itself, whether anybody looks or not. [`Connector::record_metrics`] tells the
//! recorder of the application what has been counted since the last time: before each scrape, or every
//! few seconds. All names begin with `tls_resume_`; docs/observability.md has the list.
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

use std::fmt;
use std::sync::{Mutex, PoisonError};

use ::metrics::{Label, Unit, counter, describe_counter, describe_gauge, gauge};
use store_core::Stats;
#[cfg(feature = "shared")]
use store_tiers::TierStats;

use crate::Backend;
use crate::generic::{Connector, ConnectorBuilder};

impl<B: Backend> Connector<B> {
    /// Tells the application's recorder what this connector's store, and what lies beyond memory, have
    /// counted since the last time, and what they hold now. Install the recorder first: what
    /// is told before is lost.
    ///
    /// The label `domain` is the connector's [domain](ConnectorBuilder::domain) by name, unless it has
    /// [labels](ConnectorBuilder::metric_labels) of its own. Connectors with the same labels add up: a
    /// connector that takes another's place goes on where that one stopped, and what the other held is
    /// taken off when its last clone is dropped. Walks over the store: for every second at most.
    pub fn record_metrics(&self) {
        let mut meter = self.meter().lock().unwrap_or_else(PoisonError::into_inner);
        meter.record(&self.stats());
        #[cfg(feature = "shared")]
        if let Some(stats) = self.beyond().map(crate::sharing::Beyond::stats) {
            meter.record_tier(&stats);
        }
    }
}

impl<B: Backend> ConnectorBuilder<B> {
    /// Labels of the connector's metrics, in place of `domain`: for domains that are many, or named
    /// after somebody. Connectors with the same labels add up.
    pub fn metric_labels<N, V>(mut self, labels: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<String>,
        V: Into<String>,
    {
        let label = |(name, value): (N, V)| Label::new(name.into(), value.into());
        self.settings.metric_labels = Some(labels.into_iter().map(label).collect());
        self
    }
}

/// The metrics of one store: what a recorder has been told of it so far.
///
/// A [`Connector`] has one; another is for a store without a connector. All that have the same labels
/// add up. When it is dropped, what its store held is taken off.
pub struct Meter {
    labels: Vec<Label>,
    stats: Stats,
    #[cfg(feature = "shared")]
    tier: TierStats,
}

impl Meter {
    /// Nothing told yet.
    pub fn new(labels: Vec<Label>) -> Self {
        Self {
            labels,
            stats: Stats::default(),
            #[cfg(feature = "shared")]
            tier: TierStats::default(),
        }
    }

    /// Tells what the store has counted since the last time, and what it holds now.
    pub fn record(&mut self, now: &Stats) {
        let before = std::mem::replace(&mut self.stats, *now);
        self.tell("", now.counters(), before.counters());
        self.show("", now.gauges(), before.gauges());
    }

    /// The same of what lies beyond memory.
    #[cfg(feature = "shared")]
    pub fn record_tier(&mut self, now: &TierStats) {
        let before = std::mem::replace(&mut self.tier, *now);
        self.tell("tier_", now.counters(), before.counters());
        self.show("tier_", now.gauges(), before.gauges());
    }

    fn tell<const N: usize>(&self, of: &str, now: [Named; N], before: [Named; N]) {
        for ((name, now), (_, before)) in now.into_iter().zip(before) {
            let counter = counter!(format!("tls_resume_{of}{name}_total"), self.labels.iter());
            counter.increment(now.saturating_sub(before));
        }
    }

    fn show<const N: usize>(&self, of: &str, now: [Named; N], before: [Named; N]) {
        for ((name, now), (_, before)) in now.into_iter().zip(before) {
            let gauge = gauge!(format!("tls_resume_{of}{name}"), self.labels.iter());
            gauge.increment(real(now) - real(before));
        }
    }
}

/// A number by its name.
type Named = (&'static str, u64);

impl Drop for Meter {
    fn drop(&mut self) {
        // Who was never told anything has no gauge to take from.
        if self.stats != Stats::default() {
            self.show("", Stats::default().gauges(), self.stats.gauges());
        }
        #[cfg(feature = "shared")]
        if self.tier != TierStats::default() {
            self.show("tier_", TierStats::default().gauges(), self.tier.gauges());
        }
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").finish_non_exhaustive()
    }
}

/// The meter of a connector.
pub(crate) fn meter(settings: &crate::settings::Settings) -> Mutex<Meter> {
    let labels = settings.metric_labels.clone();
    let by_domain = || vec![Label::new("domain", settings.domain.clone())];
    Mutex::new(Meter::new(labels.unwrap_or_else(by_domain)))
}

#[allow(clippy::cast_precision_loss, reason = "exact up to 2^53 bytes")]
fn real(value: u64) -> f64 {
    value as f64
}

/// Tells the application's recorder what each name means, for its help texts: once, after the
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
    ("offered", "Sessions handed to a connection"),
    ("taken", "Single-use sessions handed out, and thereby gone"),
    ("copied", "Copies of reusable sessions handed out"),
    ("missed", "Connections for which there was no session"),
    ("resumed", "Offered sessions that the server resumed"),
    (
        "declined",
        "Offered sessions instead of which the server made a full handshake",
    ),
    ("failed", "Offered sessions whose handshake failed"),
    (
        "cancelled",
        "Offered sessions whose handshake was given up by its caller",
    ),
    ("expired", "Sessions dropped because their time was over"),
    ("evicted", "Sessions dropped because the space was needed"),
    ("replaced", "Reusable sessions replaced by a newer one"),
    (
        "removed",
        "Sessions removed: revoked, cleared, or behind a handshake that failed",
    ),
    ("left", "Single-use sessions that left memory for the tier"),
    ("returned", "Sessions that came back from the tier"),
    (
        "refused_too_large",
        "Sessions not stored because they were too large",
    ),
    (
        "refused_expired",
        "Sessions not stored because they had no time to live",
    ),
    (
        "refused_cleared",
        "Sessions not stored because their server was cleared meanwhile",
    ),
    ("tier_written", "Records written to the tier"),
    ("tier_fetched", "Sessions that came from the tier"),
    (
        "tier_missed",
        "Times that the tier was asked for a server and had nothing",
    ),
    (
        "tier_dropped",
        "Servers not written or not asked for because too much was waiting",
    ),
    (
        "tier_lost",
        "Sessions that were given up on their way to or from the tier",
    ),
    (
        "tier_rejected_foreign",
        "Records of another version or format",
    ),
    (
        "tier_rejected_unknown_key",
        "Records sealed with a key that is not known",
    ),
    (
        "tier_rejected_tampered",
        "Records that were changed, or put under another server",
    ),
    (
        "tier_rejected_expired",
        "Records whose time was over, or that were revoked",
    ),
    (
        "tier_failures",
        "Times that the tier did not do what it was asked to",
    ),
];

const GAUGES: &[(&str, Unit, &str)] = &[
    ("servers", Unit::Count, "Servers that hold a session now"),
    ("sessions", Unit::Count, "Sessions held now"),
    (
        "bytes",
        Unit::Bytes,
        "Bytes held now, the store's own bookkeeping included",
    ),
    (
        "tier_resting",
        Unit::Count,
        "Connectors whose tier is left alone now because it failed",
    ),
    (
        "tier_stopped",
        Unit::Count,
        "Connectors whose tier is left alone for good",
    ),
];
