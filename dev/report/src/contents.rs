//! The contents of `report.json`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use thiserror::Error;

use crate::{
    BurstRow, ContentionRow, Environment, EquivalenceRow, HandshakeRow, HitRateRow, MemoryRow,
    ScaleRow, Section, StoreOpRow, TierRow, file,
};

/// The version of the format; it changes when a field changes its meaning or goes away. A field may
/// be added without.
pub const SCHEMA: u32 = 1;

/// Everything that a run found out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The version of the format.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: u32,
    /// What was measured, where, and how.
    pub environment: Environment,
    /// What a handshake costs.
    pub handshakes: Vec<HandshakeRow>,
    /// What one operation on a store costs.
    pub store_ops: Vec<StoreOpRow>,
    /// What threads get done when they share a store.
    pub contention: Vec<ContentionRow>,
    /// How often a session is there when it is needed.
    pub hit_rate: Vec<HitRateRow>,
    /// How many of the connections that begin together are resumed.
    pub burst: Vec<BurstRow>,
    /// What sessions take in memory.
    pub memory: Vec<MemoryRow>,
    /// A store of a million servers.
    pub scale: Vec<ScaleRow>,
    /// What places beyond the process take.
    pub tiers: Vec<TierRow>,
    /// The rules, and whether each backend follows them.
    pub equivalence: Vec<EquivalenceRow>,
    /// The sections that are missing here, each with the reason.
    pub skipped: BTreeMap<String, String>,
}

impl Report {
    /// A report without results. Every section is skipped until it is filled.
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
            equivalence: Vec::new(),
            skipped: skipped.into(),
        }
    }

    /// Writes the report; a reader sees the old file or the new one, never a part.
    pub fn save(&self, file: &Path) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        file::write(file, &text)
    }

    /// Reads what [`save`](Self::save) wrote.
    pub fn read(file: &Path) -> Result<Self, ReadError> {
        let text = fs::read_to_string(file)?;
        // First: what another number has is another matter.
        let Head { schema } = serde_json::from_str(&text)?;
        if schema != SCHEMA {
            return Err(ReadError::Schema(schema));
        }
        Ok(serde_json::from_str(&text)?)
    }
}

/// What a report of any time has.
#[derive(Deserialize)]
struct Head {
    schema: u32,
}

/// Why a file is no report that can be shown.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It cannot be read.
    #[error("{0}")]
    File(#[from] io::Error),
    /// It holds something else.
    #[error("not a report of this program: {0}")]
    Other(#[from] serde_json::Error),
    /// It is of another time.
    #[error("of schema {0}, and this program reads {SCHEMA}")]
    Schema(u32),
}
