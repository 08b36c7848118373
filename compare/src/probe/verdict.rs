//! What the connections of one backend come to.

use serde::{Deserialize, Serialize};

use super::connection::ConnectionRow;

/// The answer, for a program and for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "verdict")]
pub struct Verdict {
    /// The library that connected.
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
    /// No connection came after another one that could have given it a session.
    NotTried,
    /// At least one handshake failed.
    HandshakeFailed,
}

impl Verdict {
    /// Judges the connections that one backend made, `concurrency` at a time.
    pub fn of(backend: &str, rows: &[ConnectionRow], concurrency: usize) -> Self {
        let (code, text) = judge(rows, concurrency);
        Self {
            backend: backend.to_owned(),
            code,
            text,
        }
    }
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
    if could == 0 && offered == 0 {
        let text = "all connections were made at once: for an answer, make more of them with \
                    --connections";
        (Code::NotTried, text.to_owned())
    } else if resumed > 0 && resumed >= could && declined == 0 {
        let text = format!(
            "the server resumes sessions: {resumed} of {total} connections did, all that could"
        );
        (Code::Resumes, text)
    } else if resumed > 0 {
        let none = (total - offered).saturating_sub(concurrency);
        let text = format!(
            "the server resumes sometimes: {resumed} of {total} connections did, {declined} were \
             declined, {none} later ones had no session to offer"
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
    use super::*;

    /// Offered, resumed, tickets.
    fn code(rows: &[(bool, bool, usize)], concurrency: usize) -> Code {
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
        Verdict::of("rustls", &rows, concurrency).code
    }

    #[test]
    fn each_answer_has_its_pattern() {
        let (full, resumed, declined) = ((false, false, 2), (true, true, 2), (true, false, 2));
        assert_eq!(code(&[full, resumed, resumed], 1), Code::Resumes);
        assert_eq!(code(&[full, resumed, declined], 1), Code::Partly);
        assert_eq!(code(&[full, declined, declined], 1), Code::NeverResumes);
        assert_eq!(code(&[full, full], 1), Code::NeverResumes);
        assert_eq!(code(&[(false, false, 0); 3], 1), Code::NoTickets);
        assert_eq!(code(&[full], 1), Code::NotTried);
        assert_eq!(code(&[full, full, resumed], 2), Code::Resumes);
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
        let verdict = Verdict::of("rustls", &rows, 1);
        assert_eq!(verdict.code, Code::HandshakeFailed);
        assert_eq!(verdict.text, "1 of 2 handshakes failed");
        let json = serde_json::to_value(&verdict).unwrap();
        assert_eq!(json["type"], "verdict");
        assert_eq!(json["code"], "handshake_failed");
    }
}
