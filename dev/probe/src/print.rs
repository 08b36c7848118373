//! Output of findings: JSON for programs, text for people.

mod sentences;
mod tables;

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use self::sentences::{savings_sentence, sentences, sum_sentence};
use self::tables::{address_table, connection_table, write_table};
use crate::verdict::versions;
use crate::{Code, ConnectionRow, Report, Verdict};

/// Columns of text.
const WIDTH: usize = 100;
/// More connections than this are summed up in a sentence instead of a table.
const MAX_TABLE_ROWS: usize = 10;

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
    let connections = &report.connections;
    let tells_more_than_errors = |row: &ConnectionRow| row.offered || !row.has_failed();
    if connections.len() > MAX_TABLE_ROWS {
        write_paragraph(&sum_sentence(connections), out)?;
    } else if connections.iter().any(tells_more_than_errors) {
        write_table(&connection_table(connections), out)?;
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
        Code::NeverResumes | Code::NoTickets | Code::BreaksWhenResumed | Code::HandshakeFailed => {
            AnsiColor::Red
        }
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
    use crate::{Backend, Failure};

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("incredibly long", 5), ["incredibly", "long"]);
        assert_eq!(wrap("", 5), [""]);
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

    fn printed(connections: Vec<ConnectionRow>) -> String {
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
            twice: None,
            again: None,
            breaks: None,
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
        let one = printed(vec![connection(1, "TLS 1.2")]);
        assert!(one.lines().all(|line| line.len() <= WIDTH), "{one}");
        assert!(
            one.starts_with("rustls-preview: TLS 1.2, TLS_ECDHE"),
            "{one}"
        );
        assert!(one.contains("(1 connection in all)"), "{one}");
        let rows = [(1, "TLS 1.2"), (2, "TLS 1.3"), (3, "TLS 1.3")];
        let mixed = printed(rows.map(|(number, tls)| connection(number, tls)).into());
        let head = "rustls-preview: TLS 1.3 in 2 connections and TLS 1.2 in 1,";
        assert!(mixed.starts_with(head), "{mixed}");
        assert!(mixed.contains("(3 connections in all)"), "{mixed}");
    }

    #[test]
    fn failed_connections_are_in_the_table() {
        let failed = |number, offered| ConnectionRow {
            offered,
            protocol: None,
            error: Some("localhost closed the connection".to_owned()),
            failure: Some(Failure::Closed),
            ..connection(number, "TLS 1.3")
        };
        let text = printed(vec![connection(1, "TLS 1.3"), failed(2, true)]);
        let row = text.lines().find(|line| line.starts_with("   2"));
        let words: Vec<_> = row.unwrap().split_whitespace().collect();
        let expected = "2 yes - - - 1 1 closed by the server";
        assert_eq!(words.join(" "), expected, "{text}");
        // Standard error says as much as this table would.
        let text = printed(vec![failed(1, false), failed(2, false)]);
        assert!(!text.contains("closed"), "{text}");
        let rows = (1..=11).map(|number| failed(number, number > 1));
        let text = printed(rows.collect());
        let expected =
            "11 connections: 0 resumed, 0 were declined, 0 offered no session, 11 failed";
        assert!(text.contains(expected), "{text}");
    }
}
