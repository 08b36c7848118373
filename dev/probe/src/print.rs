//! Output of findings: JSON for programs, text for people.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use crate::verdict::{format_seconds, versions};
use crate::{
    AddressRow, AgainRow, BurstRow, Code, ConnectionRow, Cost, Report, SessionKind, TwiceRow,
    Verdict,
};

/// Columns of text.
const WIDTH: usize = 100;
/// More connections than this are summed up in a sentence instead of a table.
const MAX_TABLE_ROWS: usize = 10;
/// Fewer handshakes of either kind than this are too few to compare times.
const MIN_HANDSHAKES: usize = 3;

/// Writes an object on a line of its own, and flushes: a program may be waiting for it.
pub(crate) fn json(row: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, row)?;
    writeln!(out)?;
    out.flush()
}

/// Writes the report of one backend: parameters, sentences, tables, the verdict.
pub(crate) fn report(report: &Report, colours: bool, out: &mut impl Write) -> io::Result<()> {
    let paint = |style: Style| if colours { style } else { Style::new() };
    let bold = paint(Style::new().bold());
    let name = report.backend.as_str();
    let head = format!("{name}{}", parameters(report));
    for (number, line) in wrap(&head, WIDTH - 2).iter().enumerate() {
        match line.strip_prefix(name).filter(|_| number == 0) {
            Some(rest) => writeln!(out, "{bold}{name}{bold:#}{rest}")?,
            None => writeln!(out, "  {line}")?,
        }
    }
    for sentence in sentences(report) {
        write_paragraph(&sentence, out)?;
    }
    let succeeded: Vec<_> = succeeded(report).collect();
    if succeeded.len() > MAX_TABLE_ROWS {
        let resumed = succeeded.iter().filter(|row| row.resumed).count();
        let declined = succeeded.iter().filter(|row| row.is_declined()).count();
        let text = format!(
            "{} connections: {resumed} resumed, {declined} were declined, {} had no session to \
             offer.",
            succeeded.len(),
            succeeded.len() - resumed - declined
        );
        write_paragraph(&text, out)?;
    } else if !succeeded.is_empty() {
        write_table(&connection_table(&succeeded), out)?;
    }
    if !report.addresses.is_empty() {
        write_table(&address_table(&report.addresses), out)?;
    }
    if let Some(saves) = &report.saves
        && let Some(sentence) = savings_sentence(&saves.full, &saves.resumed)
    {
        write_paragraph(&sentence, out)?;
    }
    write_verdict(&report.verdict, paint(colour(report.verdict.code)), out)
}

fn write_verdict(verdict: &Verdict, style: Style, out: &mut impl Write) -> io::Result<()> {
    let mut text = verdict.text.as_str();
    if verdict.code == Code::HandshakeFailed {
        // Without the error: standard error has all of them.
        text = text.split_once(": ").map_or(text, |(count, _)| count);
    }
    writeln!(out)?;
    let head = format!("{}: {text}", verdict.backend);
    for line in wrap(&head, WIDTH) {
        writeln!(out, "{style}{line}{style:#}")?;
    }
    if let Some(remedy) = &verdict.remedy {
        write_paragraph(&format!("What to do: {remedy}."), out)?;
    }
    let made = match verdict.connections_made {
        1 => "(1 connection in all)".to_owned(),
        made => format!("({made} connections in all)"),
    };
    write_paragraph(&made, out)?;
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

fn succeeded(report: &Report) -> impl Iterator<Item = &ConnectionRow> {
    report.connections.iter().filter(|row| !row.has_failed())
}

/// Version, cipher suite, group and address of the first handshake.
fn parameters(report: &Report) -> String {
    let Some(row) = succeeded(report).next() else {
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
    let full = succeeded(report).find(|row| !row.resumed && row.tickets > 0);
    let sentences = [
        full.map(sessions_sentence),
        report.twice.as_ref().map(twice_sentence),
        report.burst.as_ref().map(burst_sentence),
        report.again.as_ref().map(again_sentence),
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

/// `None` if the handshakes are of different TLS versions. Bytes are exact; a difference in time is
/// stated only if the times of the two kinds do not overlap.
fn savings_sentence(full: &Cost, resumed: &Cost) -> Option<String> {
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

fn connection_table(rows: &[&ConnectionRow]) -> Table {
    let mut table = new_table(&["", "offered", "resumed", "tickets", "us", "in", "out"], 3);
    for row in rows {
        table.add_row([
            row.connection.to_string(),
            yes_or_no(row.offered),
            yes_or_no(row.resumed),
            row.tickets.to_string(),
            row.handshake_us
                .map_or_else(|| "-".to_owned(), |us| us.to_string()),
            row.bytes_in.to_string(),
            row.bytes_out.to_string(),
        ]);
    }
    table
}

fn address_table(rows: &[AddressRow]) -> Table {
    let mut table = new_table(&["session from", "offered at", "resumed"], 3);
    for row in rows {
        let resumed = match (&row.failure, row.offered) {
            (Some(_), _) => "failed".to_owned(),
            (None, false) => "no session".to_owned(),
            (None, true) => yes_or_no(row.resumed),
        };
        table.add_row([row.from.clone(), row.to.clone(), resumed]);
    }
    table
}

/// A table without rules. Columns are aligned to the right, except the first `left`.
fn new_table(header: &[&str], left: usize) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header.iter().copied());
    for column in table.column_iter_mut().skip(left) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn write_table(table: &Table, out: &mut impl Write) -> io::Result<()> {
    for line in table.lines() {
        writeln!(out, "  {}", line.trim_end())?;
    }
    Ok(())
}

fn yes_or_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

fn write_paragraph(text: &str, out: &mut impl Write) -> io::Result<()> {
    for line in wrap(text, WIDTH - 2) {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

/// Breaks text into lines between words.
fn wrap(text: &str, width: usize) -> Vec<String> {
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
    use crate::Backend;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("incredibly long", 5), ["incredibly", "long"]);
        assert_eq!(wrap("", 5), [""]);
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
        let findings = Report {
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
        report(&findings, false, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_head_fits_100_columns_and_names_the_versions() {
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
    fn a_ticket_offered_twice_has_a_sentence() {
        for (first, second, expected) in [
            (true, true, "accepts a ticket twice."),
            (true, false, "declined the second of two offers."),
            (false, false, "it declined the first offer."),
        ] {
            let backend = Backend::RustlsPreview;
            let twice = TwiceRow {
                backend,
                first,
                second,
                error: None,
            };
            let text = printed(vec![connection(1, "TLS 1.3")], Some(twice));
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.contains(expected), "{text}");
        }
    }
}
