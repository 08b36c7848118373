//! The fuzz target `limits`: its input is a configuration of limits.

use std::time::Duration;

use store_core::{Entry, KeyRef, Limits, SecurityDomain, SessionStore, Storable, Want};
use store_core::{Timestamp, Usage};

/// A session of size zero.
struct Session;

impl Storable for Session {
    fn duplicate(&self) -> Option<Self> {
        Some(Self)
    }
}

/// Reads limits and uses a store with them. Input that begins with 0xff is a list of numbers for the
/// fields, with 0xfe a list of numbers with units; any other input is JSON.
///
/// # Panics
/// If written limits are read as others, if `validate` and `SessionStore::new` disagree, or if a
/// store exceeds its limits.
pub fn limits(data: &[u8]) {
    let text = match data.split_first() {
        Some((0xff, numbers)) => as_json(numbers, |_, number| number.to_string()).into_bytes(),
        Some((0xfe, numbers)) => as_json(numbers, with_unit).into_bytes(),
        _ => data.to_vec(),
    };
    let Ok(limits) = serde_json::from_slice::<Limits>(&text) else {
        return;
    };
    let written = serde_json::to_string(&limits).expect("limits can be written");
    let read: Limits = serde_json::from_str(&written).expect("and read");
    assert_eq!(read, limits, "{written}");
    let valid = limits.validate();
    match SessionStore::new(limits.clone()) {
        Ok(store) => {
            assert_eq!(valid, Ok(()), "{written}");
            assert_eq!(store.limits(), &limits);
            use_store(&store);
        }
        Err(error) => {
            assert_eq!(valid, Err(error.clone()), "{written}");
            assert!(!error.to_string().is_empty());
        }
    }
}

/// Stores and looks up sessions of some servers, and checks the limits.
fn use_store(store: &SessionStore<Session>) {
    let limits = store.limits().clone();
    let domain = SecurityDomain::from([1; 32]);
    let mut now = Timestamp::from_unix(Duration::from_secs(1_700_000_000));
    let weights = [0, 1, limits.session_bytes, usize::MAX];
    for server in ["a", "b", "c", "b"] {
        let key = KeyRef::new(&domain, server);
        store.set_hint(key, 29);
        for weight in weights {
            for usage in [Usage::SingleUse, Usage::Reusable] {
                let entry = Entry::new(Session, usage, None, weight, now);
                // Stored or refused: the limits decide.
                let _ = store.put(key, entry, store.generation(), now);
            }
        }
        let offer = store.offer(key, Want::Any, now, |_| true);
        if let Some(offer) = offer {
            assert!(now < offer.entry.expires);
            assert!(
                offer.entry.expires
                    <= now.after(limits.single_use_lifetime.max(limits.reusable_lifetime))
            );
            assert!(offer.entry.expires <= now.after(limits.total_age));
            assert!(offer.entry.weight <= limits.session_bytes);
        }
        let stats = store.stats();
        assert!(stats.servers <= limits.servers as u64);
        assert!(stats.bytes <= limits.total_bytes as u64);
        let per_server = (limits.sessions_per_server as u64).saturating_add(1);
        assert!(stats.sessions <= stats.servers.saturating_mul(per_server));
        let removed = stats.taken + stats.expired + stats.evicted + stats.replaced + stats.removed;
        assert_eq!(stats.stored, removed + stats.sessions);
        now = now.after(Duration::from_secs(1));
        store.sweep(now);
    }
    store.clear();
    assert_eq!(store.stats().sessions, 0);
}

const FIELDS: [&str; 10] = [
    "servers",
    "sessions_per_server",
    "session_bytes",
    "server_bytes",
    "total_bytes",
    "single_use_lifetime",
    "reusable_lifetime",
    "total_age",
    "unpacked_sessions",
    "ticket_bytes",
];

/// JSON with one number per field. Each number has a byte before it with its length.
fn as_json(mut numbers: &[u8], value: fn(&str, u64) -> String) -> String {
    let mut fields = Vec::new();
    for field in FIELDS {
        let Some(len) = numbers.split_off_first() else {
            break;
        };
        let len = usize::from(len % 9).min(numbers.len());
        let bytes = numbers.split_off(..len).unwrap_or_default();
        if !bytes.is_empty() {
            let number = bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            fields.push(format!("\"{field}\":{}", value(field, number)));
        }
    }
    format!("{{{}}}", fields.join(","))
}

/// A value with a unit, which the lowest three bits choose.
fn with_unit(field: &str, number: u64) -> String {
    const SIZES: [&str; 8] = ["", "B", "kB", "KiB", " MiB", "MB", "GiB", "EiB"];
    const TIMES: [&str; 8] = ["s", "ms", "m", "h", " d", "h 5m", "y", ""];
    let unit = (number & 7) as usize;
    let number = number >> 3;
    if field.ends_with("bytes") {
        format!("\"{number}{}\"", SIZES[unit])
    } else if field.ends_with("lifetime") || field.ends_with("age") {
        format!("\"{number}{}\"", TIMES[unit])
    } else {
        number.to_string()
    }
}
