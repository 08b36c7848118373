//! What the connections of one backend come to.

use serde::{Deserialize, Serialize};

use super::client::HandedOver;
use super::connection::ConnectionRow;

/// The answer, for a program and for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "verdict")]
pub struct Verdict {
    /// The backend that connected.
    pub backend: String,
    /// The answer in a word.
    pub code: Code,
    /// The answer in a sentence.
    pub text: String,
}

/// The answer in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// Every connection that could resume did.
    Resumes,
    /// Some did.
    Partly,
    /// The server gives sessions and resumes none.
    NeverResumes,
    /// The server gives no sessions.
    NoTickets,
    /// No connection came after another one that could have given it a session, and the store had
    /// none that the server takes.
    NotTried,
    /// At least one handshake failed.
    HandshakeFailed,
}

impl Verdict {
    /// Judges the connections that one backend made, `concurrency` at a time, and says of a store
    /// beyond memory what was wrong with it.
    pub(super) fn of(
        backend: &str,
        rows: &[ConnectionRow],
        concurrency: usize,
        store: Option<&HandedOver>,
    ) -> Self {
        let (code, mut text) = judge(rows, concurrency);
        for trouble in store.into_iter().flat_map(troubles) {
            text.push_str("; ");
            text.push_str(&trouble);
        }
        Self {
            backend: backend.to_owned(),
            code,
            text,
        }
    }
}

/// What kept the store from being of use.
fn troubles(store: &HandedOver) -> impl Iterator<Item = String> {
    let stats = &store.stats;
    let failed = (stats.failures > 0).then(|| {
        let often = stats.failures;
        format!("the store failed ({often}x): is it up, and may it be written?")
    });
    let incomplete = (!store.complete).then(|| "it does not have all sessions".to_owned());
    let other_keys = (stats.rejected_unknown_key > 0).then(|| {
        let count = stats.rejected_unknown_key;
        format!("{count} of its records are sealed with other keys: see --store-keys")
    });
    let rejected = stats.rejected() - stats.rejected_unknown_key;
    let rejected = (rejected > 0)
        .then(|| format!("{rejected} of its records were rejected as changed, foreign or expired"));
    [failed, incomplete, other_keys, rejected]
        .into_iter()
        .flatten()
}

fn judge(rows: &[ConnectionRow], concurrency: usize) -> (Code, String) {
    let total = rows.len();
    let failed = rows.iter().filter(|row| row.error.is_some()).count();
    if failed > 0 {
        let text = format!("{failed} of {total} handshakes failed");
        return (Code::HandshakeFailed, text);
    }
    let resumed = rows.iter().filter(|row| row.resumed).count();
    let offered = rows.iter().filter(|row| row.offered).count();
    let declined = offered - resumed.min(offered);
    let tickets: usize = rows.iter().map(|row| row.tickets).sum();
    // As many as are made at once may begin before any of them could have given a session; which
    // ones do is up to the threads.
    let could = total.saturating_sub(concurrency);
    // Whoever offers a session nonetheless has it from the store.
    let stored = offered.saturating_sub(could);
    let from_store = match (stored, concurrency) {
        (0, _) => String::new(),
        (_, 1) => ", the first with a session from the store".to_owned(),
        _ => format!(", at least {stored} with a session from the store"),
    };
    if could == 0 && offered == 0 {
        let text = "all connections were made at once: for an answer, make more of them with \
                    --connections";
        (Code::NotTried, text.to_owned())
    } else if could == 0 && resumed == 0 {
        let text = "the server declined what the store had, which it may have forgotten: for an \
                    answer, make more connections with --connections";
        (Code::NotTried, text.to_owned())
    } else if resumed > 0 && resumed >= could && declined == 0 {
        let text = format!(
            "the server resumes sessions: {resumed} of {total} connections did, all that \
             could{from_store}"
        );
        (Code::Resumes, text)
    } else if resumed > 0 {
        let none = (total - offered).saturating_sub(concurrency);
        let text = format!(
            "the server resumes sometimes: {resumed} of {total} connections did, {declined} were \
             declined, {none} later ones had no session to offer{from_store}"
        );
        (Code::Partly, text)
    } else if tickets == 0 {
        let text = "the server gives no sessions: every handshake is a full one";
        (Code::NoTickets, text.to_owned())
    } else if offered == 0 {
        let text = format!(
            "the server gave {tickets} sessions, but none that may be stored and offered again"
        );
        (Code::NeverResumes, text)
    } else {
        let text = format!("the server gives sessions and declined all {offered} it was offered");
        (Code::NeverResumes, text)
    }
}

#[cfg(test)]
mod tests {
    use tls_resume::TierStats;

    use super::*;

    /// Offered, resumed, tickets.
    type Row = (bool, bool, usize);

    const FULL: Row = (false, false, 2);
    const RESUMED: Row = (true, true, 2);
    const DECLINED: Row = (true, false, 2);

    fn verdict(rows: &[Row], concurrency: usize, store: Option<&HandedOver>) -> Verdict {
        let rows: Vec<_> = (1..)
            .zip(rows)
            .map(|(connection, &(offered, resumed, tickets))| {
                let row = serde_json::json!({
                    "type": "connection", "backend": "rustls", "connection": connection,
                    "protocol": "TLS 1.3", "offered": offered, "resumed": resumed,
                    "tickets": tickets, "bytes_in": 1, "bytes_out": 1,
                });
                serde_json::from_value(row).unwrap()
            })
            .collect();
        Verdict::of("rustls", &rows, concurrency, store)
    }

    fn code(rows: &[Row], concurrency: usize) -> Code {
        verdict(rows, concurrency, None).code
    }

    #[test]
    fn each_answer_has_its_pattern() {
        assert_eq!(code(&[FULL, RESUMED, RESUMED], 1), Code::Resumes);
        assert_eq!(code(&[FULL, RESUMED, DECLINED], 1), Code::Partly);
        assert_eq!(code(&[FULL, DECLINED, DECLINED], 1), Code::NeverResumes);
        assert_eq!(code(&[FULL, FULL], 1), Code::NeverResumes);
        assert_eq!(code(&[(false, false, 0); 3], 1), Code::NoTickets);
        assert_eq!(code(&[FULL], 1), Code::NotTried);
        assert_eq!(code(&[FULL, FULL, RESUMED], 2), Code::Resumes);
    }

    #[test]
    fn the_first_session_can_come_from_the_store() {
        for (rows, concurrency, code, says) in [
            (&[RESUMED][..], 1, Code::Resumes, "the first with a session"),
            (&[RESUMED; 3], 1, Code::Resumes, "the first with a session"),
            (&[RESUMED; 3], 2, Code::Resumes, "at least 2 with a session"),
            (&[DECLINED], 1, Code::NotTried, "declined what the store"),
            (&[DECLINED, RESUMED], 1, Code::Partly, "1 were declined"),
            (&[DECLINED; 2], 1, Code::NeverResumes, "declined all 2"),
        ] {
            let verdict = verdict(rows, concurrency, None);
            assert_eq!(verdict.code, code, "{rows:?}: {verdict:?}");
            assert!(verdict.text.contains(says), "{rows:?}: {verdict:?}");
        }
        let without = verdict(&[FULL, RESUMED], 1, None);
        assert!(!without.text.contains("store"), "{without:?}");
    }

    #[test]
    fn a_store_in_trouble_is_told_of() {
        let stats = |count: &str| -> TierStats {
            let mut json = serde_json::to_value(TierStats::default()).unwrap();
            json[count] = 2.into();
            serde_json::from_value(json).unwrap()
        };
        for (count, complete, says) in [
            ("failures", false, "failed (2x)"),
            ("failures", false, "does not have all"),
            ("rejected_unknown_key", true, "2 of its records are sealed"),
            ("rejected_tampered", true, "2 of its records were rejected"),
        ] {
            let stats = stats(count);
            let store = HandedOver { complete, stats };
            let verdict = verdict(&[FULL], 1, Some(&store));
            assert!(verdict.text.contains(says), "{verdict:?}");
        }
        let (complete, stats) = (true, stats("written"));
        let store = HandedOver { complete, stats };
        let with = verdict(&[FULL], 1, Some(&store));
        assert_eq!(with, verdict(&[FULL], 1, None));
    }

    #[test]
    fn a_failure_is_what_counts() {
        let mut rows: Vec<ConnectionRow> = Vec::new();
        for connection in 1..=2 {
            let row = serde_json::json!({
                "type": "connection", "backend": "rustls", "connection": connection,
                "offered": true, "resumed": true, "tickets": 1, "bytes_in": 1, "bytes_out": 1,
                "error": (connection == 2).then_some("reset"),
            });
            rows.push(serde_json::from_value(row).unwrap());
        }
        let verdict = Verdict::of("rustls", &rows, 1, None);
        assert_eq!(verdict.code, Code::HandshakeFailed);
        assert_eq!(verdict.text, "1 of 2 handshakes failed");
        let json = serde_json::to_value(&verdict).unwrap();
        assert_eq!(json["type"], "verdict");
        assert_eq!(json["code"], "handshake_failed");
    }
}
