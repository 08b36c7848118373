//! Counters and gauges for the crate `metrics`, and with it for Prometheus and other systems.
//!
//! The store counts for itself, whether anybody looks or not. [`Connector::record_metrics`] says to
//! the recorder of the application what has been counted so far: before each scrape, or every few
//! seconds. All names begin with `tls_resume_`; docs/observability.md has the list.
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

use ::metrics::{Label, Unit, counter, describe_counter, describe_gauge, gauge};
use store_core::Stats;

use crate::Backend;
use crate::generic::Connector;

impl<B: Backend> Connector<B> {
    /// Sets the counters and gauges of this connector's store, and of what lies beyond memory, to
    /// what they are now, in the application's recorder.
    ///
    /// The label `domain` is the connector's [domain](crate::generic::ConnectorBuilder::domain) by
    /// name: connectors of one process that are to be told apart have different ones. Walks over the
    /// store: for every second at most.
    pub fn record_metrics(&self) {
        let labels = [Label::new("domain", self.settings().domain.clone())];
        record(&self.stats(), &labels);
        #[cfg(feature = "shared")]
        if let Some(stats) = self.beyond().map(crate::sharing::Beyond::stats) {
            record_tier(&stats, &labels);
        }
    }
}

/// The same of a store that is used without a connector, under labels of one's own.
pub fn record(stats: &Stats, labels: &[Label]) {
    for (name, count) in stats.counters() {
        counter!(format!("tls_resume_{name}_total"), labels.iter()).absolute(count);
    }
    for (name, value) in stats.gauges() {
        gauge!(format!("tls_resume_{name}"), labels.iter()).set(real(value));
    }
}

/// The same of what lies beyond memory.
#[cfg(feature = "shared")]
pub fn record_tier(stats: &store_tiers::TierStats, labels: &[Label]) {
    for (name, count) in stats.counters() {
        counter!(format!("tls_resume_tier_{name}_total"), labels.iter()).absolute(count);
    }
    for (name, value) in stats.gauges() {
        gauge!(format!("tls_resume_tier_{name}"), labels.iter()).set(real(value));
    }
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
    ("removed", "Sessions removed by name"),
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
        "1 while the tier is left alone because it failed",
    ),
    (
        "tier_stopped",
        Unit::Count,
        "1 when the tier is left alone for good",
    ),
];
