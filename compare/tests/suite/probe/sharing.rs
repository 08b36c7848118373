//! `compare probe --store`: processes that share sessions in a tier.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use lab::redis::RedisServer;
use lab::server::Library;
use serde_json::Value;
use store_core::{Clock, SystemClock};
use store_tiers::Tier;
use store_tiers::lmdb::{LmdbSettings, LmdbTier};

use super::server::{Lab, NAME, connections, verdicts};
use crate::program::{Ran, compare};

const BACKENDS: [&str; 2] = ["openssl", "rustls-preview"];
const VERSIONS: [&str; 2] = ["1.2", "1.3"];

/// A tier that processes share, and the directory with its keys.
struct SharedTier {
    dir: tempfile::TempDir,
    redis: Option<RedisServer>,
}

impl SharedTier {
    fn lmdb() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir, redis: None }
    }

    fn redis() -> Self {
        let server = RedisServer::start().unwrap_or_else(|error| panic!("{error}"));
        Self {
            redis: Some(server),
            ..Self::lmdb()
        }
    }

    fn both() -> [Self; 2] {
        [Self::lmdb(), Self::redis()]
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("sessions")
    }

    fn url(&self) -> String {
        match &self.redis {
            Some(server) => server.url(),
            None => format!("lmdb:{}", self.folder().display()),
        }
    }

    /// Runs a process that makes one connection.
    fn probe(&self, lab: &Lab, args: &[&str]) -> Ran {
        let keys = self.dir.path().join("keys");
        let store = ["--store", &self.url(), "--store-keys", text(&keys)];
        let ran = lab.probe(&[&["--json", "--connections", "1"], &store[..], args].concat());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
        ran
    }

    /// All bytes in the tier.
    fn contents(&self) -> Vec<u8> {
        match &self.redis {
            Some(server) => server.dump().unwrap(),
            None => all_files(&self.folder()),
        }
    }

    /// Changes the byte at `tenths` of the length of every record. Returns the number of records.
    fn damage(&self, tenths: usize) -> usize {
        match &self.redis {
            Some(server) => damage_redis(server, tenths),
            None => damage_lmdb(&self.folder(), tenths),
        }
    }
}

fn all_files(folder: &Path) -> Vec<u8> {
    let inside = fs::read_dir(folder).unwrap();
    let paths = inside.map(|entry| entry.unwrap().path());
    let contents = paths.map(|path| {
        if path.is_dir() {
            all_files(&path)
        } else {
            fs::read(&path).unwrap()
        }
    });
    contents.collect::<Vec<_>>().concat()
}

fn damage_lmdb(folder: &Path, tenths: usize) -> usize {
    let mut tier = LmdbTier::open(folder, LmdbSettings::default()).unwrap();
    let now = SystemClock.now();
    let mut records = tier.load(1_000, now).unwrap();
    for record in &mut records {
        let at = (record.bytes.len() - 1) * tenths / 10;
        record.bytes[at] ^= 1;
    }
    tier.put(&records, now).unwrap();
    records.len()
}

fn damage_redis(server: &RedisServer, tenths: usize) -> usize {
    let script = format!(
        "local count = 0 \
         local function changed(record) \
           local at = 1 + math.floor((#record - 1) * {tenths} / 10) \
           local byte = string.char(bit.bxor(record:byte(at), 1)) \
           count = count + 1 \
           return record:sub(1, at - 1) .. byte .. record:sub(at + 1) \
         end \
         for _, key in ipairs(redis.call('KEYS', '*')) do \
           if redis.call('TYPE', key).ok == 'zset' then \
             local all = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') \
             for i = 1, #all, 2 do \
               redis.call('ZADD', key, all[i + 1], changed(all[i])) \
               redis.call('ZREM', key, all[i]) \
             end \
           else \
             redis.call('SET', key, changed(redis.call('GET', key)), 'KEEPTTL') \
           end \
         end \
         return count"
    );
    let answer = server.ask(&format!("EVAL \"{script}\" 0")).unwrap();
    let answer = String::from_utf8_lossy(&answer);
    let count = answer
        .lines()
        .next()
        .and_then(|line| line.strip_prefix(':'));
    count.unwrap_or_else(|| panic!("{answer}")).parse().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The only connection of a process.
fn connection(ran: &Ran) -> Value {
    let mut rows = connections(ran);
    assert_eq!(rows.len(), 1, "{}", ran.out);
    rows.remove(0)
}

fn assert_full(ran: &Ran) {
    let row = connection(ran);
    assert_eq!(
        (&row["offered"], &row["resumed"]),
        (&false.into(), &false.into()),
        "{row}"
    );
}

#[test]
fn a_second_process_resumes_the_first_ones_session() {
    for tier in SharedTier::both() {
        for backend in BACKENDS {
            let lab = Lab::new(&format!("second-{backend}"), Library::OpenSsl);
            for tls in VERSIONS {
                let process = |domain| {
                    let args = ["--backend", backend, "--tls", tls, "--domain", domain];
                    tier.probe(&lab, &args)
                };
                let first = process("mail");
                assert_full(&first);
                assert_eq!(verdicts(&first)[0]["code"], "not_tried");
                assert_full(&process("web"));

                let second = process("mail");
                let row = connection(&second);
                assert_eq!(row["backend"], backend, "{row}");
                assert_eq!(row["protocol"], format!("TLS {tls}"), "{row}");
                assert_eq!(
                    (&row["offered"], &row["resumed"]),
                    (&true.into(), &true.into()),
                    "{row}"
                );
                assert_eq!(row.as_object().unwrap().len(), 19, "{row}");
                let verdict = &verdicts(&second)[0];
                assert_eq!(verdict["code"], "resumes", "{verdict}");
                let text = verdict["text"].as_str().unwrap();
                assert!(text.contains("from the store"), "{text}");
                assert!(!text.contains("the store failed"), "{text}");
            }
            // By the server: of three processes for each version, the last resumed.
            let handshakes = lab.tcp.handshakes();
            let resumed: Vec<_> = handshakes.iter().map(|seen| seen.resumed).collect();
            assert_eq!(resumed, [false, false, true, false, false, true]);
        }
    }
}

#[test]
fn a_changed_byte_costs_a_full_handshake() {
    for tier in SharedTier::both() {
        for backend in BACKENDS {
            let lab = Lab::new(&format!("changed-{backend}"), Library::OpenSsl);
            for tls in VERSIONS {
                for tenths in [0, 5, 10] {
                    let args = ["--backend", backend, "--tls", tls];
                    tier.probe(&lab, &args);
                    assert!(tier.damage(tenths) > 0);
                    let second = tier.probe(&lab, &args);
                    assert_full(&second);
                    let verdict = &verdicts(&second)[0];
                    let text = verdict["text"].as_str().unwrap();
                    assert!(
                        text.contains("records of the store were rejected"),
                        "{text}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_backend_that_can_share_is_probed_by_default() {
    let lab = Lab::new("default", Library::Rustls);
    let tier = SharedTier::lmdb();
    tier.probe(&lab, &[]);
    let second = tier.probe(&lab, &[]);
    let rows = connections(&second);
    let backends: Vec<_> = rows.iter().map(|row| row["backend"].as_str()).collect();
    assert_eq!(backends, BACKENDS.map(Some));
    assert!(rows.iter().all(|row| row["resumed"] == true), "{rows:?}");
}

#[test]
fn a_tier_holds_no_names() {
    for tier in SharedTier::both() {
        let lab = Lab::new("names", Library::OpenSsl);
        tier.probe(&lab, &["--sni", NAME, "--domain", "a-domain-to-look-for"]);
        let contents = tier.contents();
        assert!(contents.len() > 500, "{}", contents.len());
        for name in [NAME, "127.0.0.1", "a-domain-to-look-for"] {
            let found = contents
                .windows(name.len())
                .any(|part| part == name.as_bytes());
            assert!(!found, "{name} is in {}", tier.url());
        }
        let second = tier.probe(&lab, &["--sni", NAME, "--domain", "a-domain-to-look-for"]);
        assert!(
            connections(&second)
                .iter()
                .all(|row| row["resumed"] == true)
        );
    }
}

#[test]
fn other_keys_find_nothing() {
    let lab = Lab::new("keys", Library::OpenSsl);
    let (mut tier, other) = (SharedTier::redis(), SharedTier::lmdb());
    let args = ["--backend", "openssl"];
    tier.probe(&lab, &args);
    let keys = std::mem::replace(&mut tier.dir, other.dir);
    assert_full(&tier.probe(&lab, &args));
    tier.dir = keys;
    assert_eq!(connection(&tier.probe(&lab, &args))["resumed"], true);
}

#[test]
fn a_tier_that_is_down_costs_full_handshakes() {
    let lab = Lab::new("down", Library::OpenSsl);
    let keys = SharedTier::lmdb();
    let keys = keys.dir.path().join("keys");
    for backend in BACKENDS {
        let store = [
            "--store",
            "redis://127.0.0.1:1",
            "--store-keys",
            text(&keys),
        ];
        let ran = lab.probe(&[&["--json", "--backend", backend], &store[..]].concat());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
        // Within a process, memory suffices.
        let resumed = connections(&ran)
            .iter()
            .filter(|row| row["resumed"] == true)
            .count();
        assert_eq!(resumed, 4, "{}", ran.out);
        let verdict = &verdicts(&ran)[0];
        let text = verdict["text"].as_str().unwrap();
        assert!(
            text.contains("the store failed") && text.contains("not have all"),
            "{text}"
        );
    }
}

#[test]
fn wrong_stores_are_one_line_and_exit_code_2() {
    let dir = tempfile::tempdir().unwrap();
    let lmdb = format!("lmdb:{}", dir.path().join("sessions").display());
    let orphan = format!("lmdb:{}", dir.path().join("missing/sessions").display());
    let open = dir.path().join("keys");
    fs::write(&open, "for all to see").unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    for (args, message) in [
        (&["--store", "bogus"][..], "lmdb:DIR"),
        (&["--store", ""], "lmdb:DIR"),
        (&["--store", "memory:here"], "lmdb:DIR"),
        (&["--store", "lmdb:"], "lmdb:DIR"),
        (&["--store", "lmdb"], "lmdb:DIR"),
        (&["--store", &orphan], "missing"),
        (&["--store", "redis://"], "redis://"),
        (&["--store", "redis://:hunter2@localhost:70000"], "redis://"),
        (&["--store", "https://:hunter2@localhost"], "redis://"),
        (
            &["--store", &lmdb, "--backend", "rustls"],
            "--backend openssl",
        ),
        (
            &["--store", &lmdb, "--store-keys", text(&open)],
            text(&open),
        ),
        (&["--store-keys", text(&open)], "--store lmdb:DIR"),
        (
            &["--backend", "rustls", "--reuse-tickets"],
            "cannot be copied",
        ),
        (&["--store"], "--store"),
    ] {
        let ran = compare(&[&["probe", "127.0.0.1:1"], args].concat());
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (2, ""),
            "{args:?}: {}",
            ran.err
        );
        let line = ran.one_line(message);
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[test]
fn memory_is_a_store() {
    let lab = Lab::new("memory", Library::OpenSsl);
    for store in ["memory", "memory:"] {
        let ran = lab.probe(&["--json", "--connections", "2", "--store", store]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
        assert_eq!(verdicts(&ran).len(), 3, "{}", ran.out);
    }
}
