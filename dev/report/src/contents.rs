//! The contents of `report.json`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use thiserror::Error;

use crate::{
    BurstRow, ContentionRow, Environment, EquivalenceRow, FleetRow, HandshakeRow, HitRateRow,
    MemoryRow, ScaleRow, Section, StoreOpRow, TierRow, file,
};

/// The version of the format. It changes when a field is removed or changes its meaning, not when
/// one is added.
pub const SCHEMA: u32 = 1;

/// The results of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The version of the format.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: u32,
    /// Machine, software versions and settings of the run.
    pub environment: Environment,
    /// Handshakes, full and resumed.
    pub handshakes: Vec<HandshakeRow>,
    /// Single operations on a store.
    pub store_ops: Vec<StoreOpRow>,
    /// Throughput of threads that share a store.
    pub contention: Vec<ContentionRow>,
    /// Share of resumed connections in traces, for stores of equal size.
    pub hit_rate: Vec<HitRateRow>,
    /// Share of resumed connections when many begin at the same time.
    pub burst: Vec<BurstRow>,
    /// Memory of sessions.
    pub memory: Vec<MemoryRow>,
    /// Latency of a store with a million servers.
    pub scale: Vec<ScaleRow>,
    /// Latency of the tiers.
    pub tiers: Vec<TierRow>,
    /// Processes that share sessions. Not in older reports.
    #[serde(default)]
    #[schemars(skip_serializing_if = "Vec::is_empty")] // the key is not required
    pub fleet: Vec<FleetRow>,
    /// The rules, with each backend's verdict.
    pub equivalence: Vec<EquivalenceRow>,
    /// Missing sections, each with the reason.
    pub skipped: BTreeMap<String, String>,
}

impl Report {
    /// A report without results, in which every section is skipped.
    pub fn new(environment: Environment) -> Self {
        let skipped = Section::ALL.map(|section| {
            let reason = "did not run".to_owned();
            (section.as_str().to_owned(), reason)
        });
        Self {
            schema: SCHEMA,
            environment,
            handshakes: Vec::new(),
            store_ops: Vec::new(),
            contention: Vec::new(),
            hit_rate: Vec::new(),
            burst: Vec::new(),
            memory: Vec::new(),
            scale: Vec::new(),
            tiers: Vec::new(),
            fleet: Vec::new(),
            equivalence: Vec::new(),
            skipped: skipped.into(),
        }
    }

    /// Writes the report atomically: readers see the old file or the new one.
    pub fn save(&self, file: &Path) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        file::write(file, &text)
    }

    /// Reads a report written by [`save`](Self::save).
    pub fn read(file: &Path) -> Result<Self, ReadError> {
        let text = fs::read_to_string(file)?;
        // Checked first: other versions may differ in anything else.
        let Head { schema } = serde_json::from_str(&text)?;
        if schema != SCHEMA {
            return Err(ReadError::Schema(schema));
        }
        Ok(serde_json::from_str(&text)?)
    }
}

/// The part of a report that all versions have.
#[derive(Deserialize)]
struct Head {
    schema: u32,
}

/// Why a report could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("{0}")]
    File(#[from] io::Error),
    /// The file is not a report.
    #[error("not a report of this program: {0}")]
    Other(#[from] serde_json::Error),
    /// The report has another version.
    #[error("of schema {0}, and this program reads {SCHEMA}")]
    Schema(u32),
}
