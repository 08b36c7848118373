//! The environment of a run: what a reader needs to repeat it.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use openssl::asn1::Asn1Time;
use report::Environment;

/// The lock file of this build.
const LOCK_FILE: &str = include_str!("../../Cargo.lock");

/// Crates whose version influences the results.
const CRATES: [&str; 16] = [
    "rustls",
    "aws-lc-rs",
    "aws-lc-sys",
    "ring",
    "graviola",
    "rustls-graviola",
    "rustls-webpki",
    "openssl",
    "openssl-sys",
    "lru",
    "quick_cache",
    "moka",
    "store-core",
    "store-tiers",
    "heed",
    "redis",
];

/// Detects the environment. `full` and `seed` are the run's.
pub fn detect(seed: u64, full: bool) -> Environment {
    let unix_time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| age.as_secs());
    Environment {
        machine: machine(),
        cores: thread::available_parallelism().map_or(1, usize::from),
        system: format!("{} {}", env::consts::OS, env::consts::ARCH),
        rustc: env!("COMPARE_RUSTC").to_owned(),
        profile: env!("COMPARE_PROFILE").to_owned(),
        openssl: openssl::version::version().to_owned(),
        versions: versions(LOCK_FILE),
        allocator: "the system's malloc".to_owned(),
        pinned: pinned(full),
        date: date(unix_time),
        unix_time,
        seed,
        command: command(env::args_os()),
    }
}

/// The command line as text; paths in it need not be valid UTF-8.
fn command(args: impl Iterator<Item = OsString>) -> String {
    let words: Vec<_> = args
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    words.join(" ")
}

fn pinned(full: bool) -> BTreeMap<String, String> {
    let run = if full {
        "full"
    } else {
        "short, with few rounds; `compare run --full` has many"
    };
    [
        (
            "group",
            "the only one of client and server, checked, unless a row says `default`",
        ),
        (
            "tickets",
            "1 after each handshake, full or resumed; in a burst as the row says",
        ),
        ("transport", "memory, one thread"),
        (
            "timer",
            "client: connection requested to tickets stored, without the server",
        ),
        ("run", run),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn machine() -> String {
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    model.unwrap_or_else(|| env::consts::ARCH.to_owned())
}

fn date(unix_time: u64) -> String {
    i64::try_from(unix_time)
        .ok()
        .and_then(|seconds| Asn1Time::from_unix(seconds).ok())
        .map_or_else(|| unix_time.to_string(), |time| time.to_string())
}

/// The versions of the crates in a lock file; a crate may have several.
fn versions(lock_file: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::<String, String>::new();
    let value = |line: &str, key: &str| {
        let quoted = line.strip_prefix(key)?.strip_prefix(" = \"")?;
        Some(quoted.strip_suffix('"')?.to_owned())
    };
    let mut name = None;
    for line in lock_file.lines() {
        if let Some(found) = value(line, "name") {
            name = Some(found);
        } else if let Some(version) = value(line, "version")
            && let Some(name) = name.take_if(|name| CRATES.contains(&name.as_str()))
        {
            found
                .entry(name)
                .and_modify(|versions| {
                    versions.push_str(", ");
                    versions.push_str(&version);
                })
                .or_insert(version);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_is_in_the_lock_file() {
        let found = versions(LOCK_FILE);
        assert_eq!(found.len(), CRATES.len(), "{found:?}");
        assert!(found["rustls"].starts_with("0.23."), "{found:?}");
    }

    #[test]
    fn dates_are_utc() {
        assert_eq!(date(0), "Jan  1 00:00:00 1970 GMT");
    }
}
