//! `compare tier`: looks at a Redis in which sessions are shared.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use pki_types::CertificateDer;
use pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use store_core::{Clock, SystemClock};
use store_tiers::key_file;
use store_tiers::redis::{RedisSettings, RedisTier, Survey};

use crate::error::{Error, Outcome};

/// Timeouts: an operator waits longer than a connection.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Arguments of `compare tier`.
#[derive(Clone, Debug, Args)]
pub struct TierOptions {
    /// Its address
    #[arg(value_name = "URL")]
    #[arg(
        help = "Its address: redis://HOST[:PORT], rediss://HOST, redis+unix:///PATH, \
                  redis-sentinel://HOST,HOST/NAME or redis-cluster://HOST,HOST"
    )]
    pub url: Address,
    /// The key file of those who share sessions there
    #[arg(long, value_name = "FILE")]
    pub store_keys: PathBuf,
    /// PEM file of root certificates for an address with TLS
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// An address, which may have a password: `Debug` and errors hide it.
#[derive(Clone)]
pub struct Address(String);

impl From<String> for Address {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Address")
    }
}

/// Prints what each primary has, and what is wrong with it.
pub fn run(options: &TierOptions, out: &mut impl Write) -> Result<Outcome, Error> {
    let bad_input = |error: &dyn std::fmt::Display| Error::BadInput(error.to_string());
    let keys = key_file::read(&options.store_keys).map_err(|error| bad_input(&error))?;
    let mut settings = RedisSettings::default()
        .with_namespace(format!("tls-resume:{}", keys.tag()))
        .with_timeouts(TIMEOUT, TIMEOUT);
    if let Some(file) = &options.ca {
        let config = tls(file)
            .map_err(|error| Error::BadInput(format!("--ca {}: {error}", file.display())))?;
        settings = settings.with_tls(config);
    }
    let tier = RedisTier::new(&options.url.0, &settings);
    let mut tier = tier.map_err(|error| bad_input(&error))?;
    let surveys = tier.survey(&keys, SystemClock.now());
    let surveys = surveys.map_err(|error| Error::Tier(error.to_string()))?;
    let mut is_good = true;
    for survey in &surveys {
        print(survey, out)?;
        for finding in findings(survey) {
            writeln!(out, "  wrong: {finding}")?;
            is_good = false;
        }
    }
    Ok(if is_good {
        Outcome::Passed
    } else {
        Outcome::Failed
    })
}

fn tls(file: &std::path::Path) -> io::Result<Arc<ClientConfig>> {
    let pem = std::fs::read(file)?;
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(&pem) {
        let root = root.map_err(io::Error::other)?;
        roots.add(root).map_err(io::Error::other)?;
    }
    if roots.is_empty() {
        return Err(io::Error::other("no certificate in it"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(config))
}

fn print(survey: &Survey, out: &mut impl Write) -> io::Result<()> {
    let limit = match survey.max_bytes {
        0 => String::from("no limit (maxmemory)"),
        bytes => format!("{} kB, {}", bytes / 1000, survey.policy),
    };
    let used = survey.used_bytes / 1000;
    writeln!(
        out,
        "{}: version {}, {used} kB used of {limit}",
        survey.endpoint, survey.version
    )?;
    let [hour, day, week, older] = survey.younger_than;
    let all: usize = survey.younger_than.iter().sum();
    writeln!(
        out,
        "  {all} records in {} keys, by the time since their full handshake: {hour} less than an \
         hour, {day} less than a day, {week} less than a week, {older} more",
        survey.keys
    )?;
    writeln!(
        out,
        "  {} keys of earlier runs, which expire; {} keys of others",
        survey.keys_of_earlier_runs, survey.keys_of_others
    )
}

/// What an operator should change.
fn findings(survey: &Survey) -> Vec<String> {
    let mut findings = Vec::new();
    if survey.unknown_key > 0 {
        findings.push(format!(
            "{} records are sealed with a key that is not in the file: add it on every machine",
            survey.unknown_key
        ));
    }
    if survey.damaged > 0 {
        findings.push(format!(
            "{} records were changed, or are of another version: look for who writes there",
            survey.damaged
        ));
    }
    if survey.max_bytes > 0 && survey.used_bytes > survey.max_bytes / 10 * 9 {
        findings.push(match survey.policy.as_str() {
            "noeviction" => String::from(
                "it is full, and refuses new records: raise maxmemory, or set maxmemory-policy \
                 volatile-ttl",
            ),
            _ => String::from("it is full, and evicts records: raise maxmemory"),
        });
    }
    findings
}
