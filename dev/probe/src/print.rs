//! What was found, for a program or for a person.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use crate::verdict::{span, versions};
use crate::{AddressRow, Code, ConnectionRow, Cost, Report, SessionKind, Verdict};

/// Wider output breaks lines where people look at it.
const WIDTH: usize = 100;
/// More connections than these are summed up.
const SHOWN: usize = 10;

/// One object on a line of its own, at once: a program may be waiting for it.
pub(crate) fn json(row: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, row)?;
    writeln!(out)?;
    out.flush()
}

/// What one backend found: how it connected, what the server gives, tables, the verdict.
pub(crate) fn report(report: &Report, colours: bool, out: &mut impl Write) -> io::Result<()> {
    let paint = |style: Style| if colours { style } else { Style::new() };
    let bold = paint(Style::new().bold());
    let name = report.backend.as_str();
    let head = format!("{name}{}", how(report));
    for (number, line) in wrapped(&head, WIDTH - 2).iter().enumerate() {
        match line.strip_prefix(name).filter(|_| number == 0) {
            Some(rest) => writeln!(out, "{bold}{name}{bold:#}{rest}")?,
            None => writeln!(out, "  {line}")?,
        }
    }
    for sentence in sentences(report) {
        paragraph(&sentence, out)?;
    }
    let good: Vec<_> = of_handshakes(report).collect();
    if good.len() > SHOWN {
        let resumed = good.iter().filter(|row| row.resumed).count();
        let declined = good.iter().filter(|row| row.offered).count() - resumed;
        let text = format!(
            "{} connections: {resumed} resumed, {declined} declined, {} had nothing to offer.",
            good.len(),
            good.len() - resumed - declined
        );
        paragraph(&text, out)?;
    } else if !good.is_empty() {
        table(&connections(&good), out)?;
    }
    if !report.addresses.is_empty() {
        table(&addresses(&report.addresses), out)?;
    }
    if let Some(saves) = &report.saves
        && let Some(said) = saving(&saves.full, &saves.resumed)
    {
        paragraph(&said, out)?;
    }
    verdict(&report.verdict, paint(colour(report.verdict.code)), out)
}

fn verdict(verdict: &Verdict, style: Style, out: &mut impl Write) -> io::Result<()> {
    let mut text = verdict.text.as_str();
    if verdict.code == Code::HandshakeFailed {
        // The reasons stand on standard error, all of them.
        text = text.split_once(": ").map_or(text, |(count, _)| count);
    }
    writeln!(out)?;
    let head = format!("{}: {text}", verdict.backend);
    for line in wrapped(&head, WIDTH) {
        writeln!(out, "{style}{line}{style:#}")?;
    }
    if let Some(remedy) = &verdict.remedy {
        paragraph(&format!("What to do: {remedy}."), out)?;
    }
    let made = match verdict.connections_made {
        1 => "(1 connection in all)".to_owned(),
        made => format!("({made} connections in all)"),
    };
    paragraph(&made, out)?;
    writeln!(out)
}

fn colour(code: Code) -> Style {
    let colour = match code {
        Code::Resumes => AnsiColor::Green,
        Code::NeverResumes | Code::NoTickets | Code::HandshakeFailed => AnsiColor::Red,
        _ => AnsiColor::Yellow,
    };
    Style::new().bold().fg_color(Some(colour.into()))
}

fn of_handshakes(report: &Report) -> impl Iterator<Item = &ConnectionRow> {
    report.connections.iter().filter(|row| row.error.is_none())
}

/// The first handshake says how.
fn how(report: &Report) -> String {
    let Some(row) = of_handshakes(report).next() else {
        return String::new();
    };
    let address = row.address.as_ref();
    let address = address.map_or(String::new(), |address| format!(" at {address}"));
    if let Some(versions) = versions(&report.connections) {
        return format!(": {versions},{address}");
    }
    let parts = [&row.protocol, &row.cipher, &row.group];
    let parts: Vec<_> = parts.into_iter().flatten().map(String::as_str).collect();
    format!(": {}{address}", parts.join(", "))
}

fn sentences(report: &Report) -> Vec<String> {
    let mut said = Vec::new();
    let full = of_handshakes(report).find(|row| !row.resumed);
    if let Some(row) = full.filter(|row| row.tickets > 0) {
        let what = match row.session {
            Some(SessionKind::SessionId) => "a session id".to_owned(),
            _ if row.tickets == 1 => "1 ticket".to_owned(),
            _ => format!("{} tickets", row.tickets),
        };
        let is_tls12 = row.protocol.as_deref() == Some("TLS 1.2");
        let lifetime = match row.lifetime_s {
            Some(0) if is_tls12 => ", for as long as the server likes".to_owned(),
            Some(seconds) => format!(", valid for {}", span(seconds)),
            None => String::new(),
        };
        let early = match row.early_data_max {
            _ if is_tls12 => String::new(), // there is none in that version
            Some(0) => ", without early data".to_owned(),
            Some(bytes) => format!(", with {bytes} bytes of early data"),
            None => String::new(),
        };
        said.push(format!("A full handshake brings {what}{lifetime}{early}."));
    }
    if let Some(twice) = &report.twice {
        said.push(match (twice.first, twice.second) {
            (true, true) => "The server accepts a ticket twice.".to_owned(),
            (true, false) => {
                "Of a ticket offered twice, the server took it once, and declined it the second \
                 time."
                    .to_owned()
            }
            (false, _) if twice.error.is_none() => {
                "A ticket that was to be offered twice was declined the first time, so whether the \
                 server accepts one twice could not be learned."
                    .to_owned()
            }
            (false, _) => {
                "Whether the server accepts a ticket twice could not be learned.".to_owned()
            }
        });
    }
    if let Some(burst) = &report.burst {
        said.push(format!(
            "Of {} connections, {} at a time, {} resumed, {} were declined, {} had no session left, \
             and {} began before one had come.",
            burst.connections,
            burst.concurrency,
            burst.resumed,
            burst.declined,
            burst.used_up,
            burst.nothing_yet
        ));
    }
    if let Some(again) = &report.again {
        said.push(format!(
            "Offered again and again where they came from, {} of {} sessions were resumed.",
            again.resumed, again.offered
        ));
    }
    said
}

/// Fewer handshakes than these, of either kind, say nothing about time.
const ENOUGH: usize = 3;

/// Nothing if they are not of the same version. Bytes are certain; that a kind of handshake takes
/// less time is said only if every one of it did.
fn saving(full: &Cost, resumed: &Cost) -> Option<String> {
    if full.protocol != resumed.protocol {
        return None;
    }
    let less = |full: u64, resumed: u64| {
        let (full, resumed) = (full.max(1), resumed);
        if resumed <= full {
            format!("{} % less", 100 - 100 * resumed / full)
        } else {
            format!("{} % more", 100 * resumed / full - 100)
        }
    };
    let apart = resumed.handshake_us_high < full.handshake_us_low
        || full.handshake_us_high < resumed.handshake_us_low;
    let enough = full.n.min(resumed.n) >= ENOUGH;
    let medians = format!(
        "median {} us against {} us",
        resumed.handshake_us, full.handshake_us
    );
    let time = if apart && enough {
        let less = less(full.handshake_us, resumed.handshake_us);
        format!("took {less} time ({medians})")
    } else {
        format!("took a time that these few cannot tell from that of full ones ({medians})")
    };
    Some(format!(
        "Resumed handshakes {time}, received {} ({} against {} bytes) and sent {} ({} against {}); \
         n = {} resumed, {} full.",
        less(full.bytes_in, resumed.bytes_in),
        resumed.bytes_in,
        full.bytes_in,
        less(full.bytes_out, resumed.bytes_out),
        resumed.bytes_out,
        full.bytes_out,
        resumed.n,
        full.n
    ))
}

fn connections(rows: &[&ConnectionRow]) -> Table {
    let mut table = plain(&["", "offered", "resumed", "tickets", "us", "in", "out"], 3);
    for row in rows {
        table.add_row([
            row.connection.to_string(),
            yes(row.offered),
            yes(row.resumed),
            row.tickets.to_string(),
            row.handshake_us
                .map_or_else(|| "-".to_owned(), |us| us.to_string()),
            row.bytes_in.to_string(),
            row.bytes_out.to_string(),
        ]);
    }
    table
}

fn addresses(rows: &[AddressRow]) -> Table {
    let mut table = plain(&["session from", "offered at", "resumed"], 3);
    for row in rows {
        let resumed = match (&row.failure, row.offered) {
            (Some(_), _) => "failed".to_owned(),
            (None, false) => "none to offer".to_owned(),
            (None, true) => yes(row.resumed),
        };
        table.add_row([row.from.clone(), row.to.clone(), resumed]);
    }
    table
}

/// A table without lines whose columns, except the first `left`, are aligned to the right.
fn plain(header: &[&str], left: usize) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header.iter().copied());
    for column in table.column_iter_mut().skip(left) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn table(table: &Table, out: &mut impl Write) -> io::Result<()> {
    for line in table.lines() {
        writeln!(out, "  {}", line.trim_end())?;
    }
    Ok(())
}

fn yes(fact: bool) -> String {
    if fact { "yes" } else { "no" }.to_owned()
}

fn paragraph(text: &str, out: &mut impl Write) -> io::Result<()> {
    for line in wrapped(text, WIDTH - 2) {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

/// Lines of whole words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        if let Some(line) = lines.last_mut() {
            if line.is_empty() {
                line.push_str(word);
                continue;
            }
            if line.chars().count() + 1 + word.chars().count() <= width {
                line.push(' ');
                line.push_str(word);
                continue;
            }
        }
        lines.push(word.to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Backend, TwiceRow};

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("incredibly long", 5), ["incredibly", "long"]);
        assert_eq!(wrapped("", 5), [""]);
    }

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
    fn what_is_saved_is_said_in_percent() {
        let full = cost(3, [900, 1_000, 1_100], 400);
        let said = saving(&full, &cost(4, [200, 250, 899], 500)).unwrap();
        assert!(said.contains("75 % less time"), "{said}");
        assert!(said.contains("received 25 % more"), "{said}");
        assert!(said.contains("n = 4 resumed, 3 full"), "{said}");
        let other_version = Cost {
            protocol: Some("TLS 1.2".to_owned()),
            ..full.clone()
        };
        assert_eq!(saving(&full, &other_version), None);
    }

    #[test]
    fn time_that_overlaps_or_was_seldom_taken_proves_nothing() {
        let full = cost(3, [900, 1_000, 1_100], 400);
        for resumed in [
            cost(4, [200, 250, 900], 100),
            cost(4, [800, 3_310, 4_000], 100),
            cost(2, [200, 250, 300], 100),
        ] {
            let said = saving(&full, &resumed).unwrap();
            assert!(!said.contains("% less time"), "{said}");
            assert!(!said.contains("% more time"), "{said}");
            assert!(said.contains("cannot tell"), "{said}");
            assert!(said.contains("us against 1000 us"), "{said}");
            assert!(said.contains("received 75 % less"), "{said}");
        }
    }

    fn connection(number: usize, protocol: &str) -> ConnectionRow {
        serde_json::from_value(serde_json::json!({
            "backend": "rustls-preview", "connection": number, "protocol": protocol,
            "offered": false, "resumed": false, "tickets": 0, "bytes_in": 1, "bytes_out": 1,
            "cipher": "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "group": "SecP256r1MLKEM768",
            "address": "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff",
        }))
        .unwrap()
    }

    fn printed(connections: Vec<ConnectionRow>, twice: Option<TwiceRow>) -> String {
        let backend = Backend::RustlsPreview;
        let verdict = Verdict {
            backend,
            code: Code::NotTried,
            text: "nothing".to_owned(),
            remedy: None,
            connections_made: connections.len(),
        };
        let found = Report {
            backend,
            connections,
            addresses: Vec::new(),
            twice,
            again: None,
            burst: None,
            saves: None,
            verdict,
        };
        let mut out = Vec::new();
        report(&found, false, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_head_fits_and_names_the_versions() {
        let one = printed(vec![connection(1, "TLS 1.2")], None);
        assert!(one.lines().all(|line| line.len() <= WIDTH), "{one}");
        assert!(
            one.starts_with("rustls-preview: TLS 1.2, TLS_ECDHE"),
            "{one}"
        );
        assert!(one.contains("(1 connection in all)"), "{one}");
        let rows = [(1, "TLS 1.2"), (2, "TLS 1.3"), (3, "TLS 1.3")];
        let mixed = printed(
            rows.map(|(number, tls)| connection(number, tls)).into(),
            None,
        );
        let head = "rustls-preview: TLS 1.3 in 2 connections and TLS 1.2 in 1,";
        assert!(mixed.starts_with(head), "{mixed}");
        assert!(mixed.contains("(3 connections in all)"), "{mixed}");
    }

    #[test]
    fn a_ticket_offered_twice_is_told_as_it_was_seen() {
        for (first, second, says) in [
            (true, true, "accepts a ticket twice."),
            (
                true,
                false,
                "took it once, and declined it the second time.",
            ),
            (false, false, "was declined the first time"),
        ] {
            let backend = Backend::RustlsPreview;
            let twice = TwiceRow {
                backend,
                first,
                second,
                error: None,
            };
            let said = printed(vec![connection(1, "TLS 1.3")], Some(twice));
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(said.contains(says), "{said}");
        }
    }
}
