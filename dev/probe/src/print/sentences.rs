//! Findings as sentences.

use crate::verdict::format_seconds;
use crate::{AgainRow, BreaksRow, BurstRow, ConnectionRow, Cost, Report, SessionKind, TwiceRow};

/// Fewer handshakes of either kind than this are too few to compare times.
const MIN_HANDSHAKES: usize = 3;

/// One for each experiment, and one for what a full handshake brings.
pub(super) fn sentences(report: &Report) -> Vec<String> {
    let mut connections = report.connections.iter();
    let full = connections.find(|row| !row.resumed && row.tickets > 0);
    let sentences = [
        full.map(sessions_sentence),
        report.twice.as_ref().map(twice_sentence),
        report.burst.as_ref().map(burst_sentence),
        report.again.as_ref().map(again_sentence),
        report.breaks.as_ref().map(breaks_sentence),
    ];
    sentences.into_iter().flatten().collect()
}

fn sessions_sentence(row: &ConnectionRow) -> String {
    let what = match row.session {
        Some(SessionKind::SessionId) => "a session id".to_owned(),
        _ if row.tickets == 1 => "1 ticket".to_owned(),
        _ => format!("{} tickets", row.tickets),
    };
    let is_tls12 = row.protocol.as_deref() == Some("TLS 1.2");
    let lifetime = match row.lifetime_s {
        Some(0) if is_tls12 => ", valid for as long as the server decides".to_owned(),
        Some(seconds) => format!(", valid for {}", format_seconds(seconds)),
        None => String::new(),
    };
    let early_data = match row.early_data_max {
        _ if is_tls12 => String::new(), // TLS 1.2 has no early data
        Some(0) => ", without early data".to_owned(),
        Some(bytes) => format!(", with {bytes} bytes of early data"),
        None => String::new(),
    };
    format!("A full handshake brings {what}{lifetime}{early_data}.")
}

fn twice_sentence(twice: &TwiceRow) -> String {
    let sentence = match (twice.first, twice.second) {
        (true, true) => "The server accepts a ticket twice.",
        (true, false) => "The server accepts a ticket once: it declined the second of two offers.",
        (false, _) if twice.error.is_none() => {
            "Whether the server accepts a ticket twice is unknown: it declined the first offer."
        }
        (false, _) => "Whether the server accepts a ticket twice is unknown: a connection failed.",
    };
    sentence.to_owned()
}

fn burst_sentence(burst: &BurstRow) -> String {
    format!(
        "Of {} connections, {} at a time, {} resumed, {} were declined, {} had no session left, \
         and {} began before the first session arrived.",
        burst.connections,
        burst.concurrency,
        burst.resumed,
        burst.declined,
        burst.used_up,
        burst.nothing_yet
    )
}

fn again_sentence(again: &AgainRow) -> String {
    format!(
        "Of {} sessions offered again at their own address, {} were resumed.",
        again.offered, again.resumed
    )
}

fn breaks_sentence(breaks: &BreaksRow) -> String {
    format!(
        "Of {} more connections that offered a session, {} failed; of {} that offered none, {}.",
        breaks.offered, breaks.offered_failed, breaks.not_offered, breaks.not_offered_failed
    )
}

/// The sum of a series that is too long for a table.
pub(super) fn sum_sentence(rows: &[ConnectionRow]) -> String {
    let count =
        |matches: fn(&ConnectionRow) -> bool| rows.iter().filter(|row| matches(row)).count();
    let failed = match count(ConnectionRow::has_failed) {
        0 => String::new(),
        failed => format!(
            ", {failed} failed ({} of them with a session offered)",
            count(|row| row.has_failed() && row.offered)
        ),
    };
    format!(
        "{} connections: {} resumed, {} were declined, {} offered no session{failed}.",
        rows.len(),
        count(|row| row.resumed),
        count(ConnectionRow::is_declined),
        count(|row| !row.offered && !row.has_failed())
    )
}

/// `None` if the handshakes are of different TLS versions. Bytes are exact; a difference in time is
/// stated only if the times of the two kinds do not overlap.
pub(super) fn savings_sentence(full: &Cost, resumed: &Cost) -> Option<String> {
    if full.protocol != resumed.protocol {
        return None;
    }
    let difference = |full: u64, resumed: u64| {
        let full = full.max(1);
        if resumed <= full {
            format!("{} % less", 100 - 100 * resumed / full)
        } else {
            format!("{} % more", 100 * resumed / full - 100)
        }
    };
    let is_apart = resumed.handshake_us_high < full.handshake_us_low
        || full.handshake_us_high < resumed.handshake_us_low;
    let is_enough = full.n.min(resumed.n) >= MIN_HANDSHAKES;
    let medians = format!(
        "median {} us against {} us",
        resumed.handshake_us, full.handshake_us
    );
    let time = if is_apart && is_enough {
        let difference = difference(full.handshake_us, resumed.handshake_us);
        format!("took {difference} time ({medians})")
    } else {
        format!("showed no clear difference in time ({medians})")
    };
    Some(format!(
        "Resumed handshakes {time}, received {} ({} against {} bytes) and sent {} ({} against {}); \
         n = {} resumed, {} full.",
        difference(full.bytes_in, resumed.bytes_in),
        resumed.bytes_in,
        full.bytes_in,
        difference(full.bytes_out, resumed.bytes_out),
        resumed.bytes_out,
        full.bytes_out,
        resumed.n,
        full.n
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Backend;

    fn cost(n: usize, us: [u64; 3], bytes: u64) -> Cost {
        Cost {
            n,
            handshake_us: us[1],
            handshake_us_low: us[0],
            handshake_us_high: us[2],
            protocol: Some("TLS 1.3".to_owned()),
            bytes_in: bytes,
            bytes_out: bytes,
        }
    }

    #[test]
    fn savings_are_in_percent() {
        let full = cost(3, [900, 1_000, 1_100], 400);
        let text = savings_sentence(&full, &cost(4, [200, 250, 899], 500)).unwrap();
        assert!(text.contains("75 % less time"), "{text}");
        assert!(text.contains("received 25 % more"), "{text}");
        assert!(text.contains("n = 4 resumed, 3 full"), "{text}");
        let other_version = Cost {
            protocol: Some("TLS 1.2".to_owned()),
            ..full.clone()
        };
        assert_eq!(savings_sentence(&full, &other_version), None);
    }

    #[test]
    fn overlapping_or_few_times_are_not_compared() {
        let full = cost(3, [900, 1_000, 1_100], 400);
        for resumed in [
            cost(4, [200, 250, 900], 100),
            cost(4, [800, 3_310, 4_000], 100),
            cost(2, [200, 250, 300], 100),
        ] {
            let text = savings_sentence(&full, &resumed).unwrap();
            assert!(!text.contains("% less time"), "{text}");
            assert!(!text.contains("% more time"), "{text}");
            assert!(text.contains("no clear difference"), "{text}");
            assert!(text.contains("us against 1000 us"), "{text}");
            assert!(text.contains("received 75 % less"), "{text}");
        }
    }

    #[test]
    fn a_ticket_offered_twice_has_a_sentence() {
        for (first, second, expected) in [
            (true, true, "accepts a ticket twice."),
            (true, false, "declined the second of two offers."),
            (false, false, "it declined the first offer."),
        ] {
            let text = twice_sentence(&TwiceRow {
                backend: Backend::RustlsPreview,
                first,
                second,
                error: None,
            });
            assert!(text.contains(expected), "{text}");
        }
    }
}
