//! The metrics as text of 80 columns.

use std::fmt::{Arguments, Write};

use anstyle::{AnsiColor, Style};

use super::Address;
use super::history::{CONNECTIONS, History};
use super::scrape::{Scrape, Subject};

const TITLE: Style = Style::new().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();
/// Servers of each store that are shown.
const SERVERS: usize = 10;
/// Columns of the chart.
const CHART: usize = 54;

/// All stores, with their servers.
pub(super) fn frame(url: &Address, history: &History) -> String {
    let mut out = format!("{TITLE}tls-resume{TITLE:#} at {url}\n");
    let Some(last) = history.last() else {
        return out;
    };
    for store in last.stores() {
        out.push('\n');
        connections(&mut out, store, history, last);
        memory_and_tier(&mut out, store, last);
        servers(&mut out, store, history, last);
    }
    out
}

/// Writes the outcomes of the store's connections: their numbers in the last minute, and in all.
fn connections(out: &mut String, store: &Subject, history: &History, last: &Scrape) {
    let total = |counter: &str| last.value(store, counter);
    let recent = |counter: &str| history.growth(store, counter);
    let window = format!("last {} s", history.span().as_secs());
    let (all, all_recent) = (
        CONNECTIONS.map(total).iter().sum(),
        CONNECTIONS.map(recent).iter().sum(),
    );
    line(
        out,
        format_args!(
            "{TITLE}{:<32.32}{TITLE:#}{window:>12}{:>20}",
            store.store, "in all"
        ),
    );
    line(
        out,
        format_args!(
            "  {:<30}{:>12}{:>20}",
            "connections",
            number(all_recent),
            number(all)
        ),
    );
    for counter in CONNECTIONS {
        let (meaning, is_bad) = match counter {
            "resumed" => ("resumed", false),
            "declined" => ("declined by the server", true),
            "failed" => ("failed with a session", true),
            "missed" => ("had no session", false),
            _ => ("were offered none (avoided)", true),
        };
        let (part, part_recent) = (total(counter), recent(counter));
        let style = warning_if(is_bad && part_recent > 0.0);
        line(
            out,
            format_args!(
                "{style}  {meaning:<30}{:>12} {:>8}{:>11} {:>8}{style:#}",
                number(part_recent),
                percent(part_recent, all_recent),
                number(part),
                percent(part, all),
            ),
        );
    }
    let offered = total("offered");
    let known = total("resumed") + total("declined") + total("failed") + total("cancelled");
    if offered > 0.0 && known == 0.0 {
        let offered = number(offered);
        line(
            out,
            format_args!(
                "  {offered} offered; with a client_config rustls does not tell the result"
            ),
        );
    }
    let rates = history.rates(store);
    if rates.iter().any(Option::is_some) {
        line(
            out,
            format_args!("  {:<22}{}", "resumed, over time", chart(&rates)),
        );
    }
}

fn memory_and_tier(out: &mut String, store: &Subject, last: &Scrape) {
    let total = |name: &str| number(last.value(store, name));
    line(
        out,
        format_args!(
            "  {:<22}{}: {} sessions of {} servers; {} evicted",
            "memory",
            bytes(last.value(store, "bytes")),
            total("sessions"),
            total("servers"),
            total("evicted"),
        ),
    );
    if !last.has(store, "tier_written") {
        return;
    }
    let is_on = |name| last.value(store, name) > 0.0;
    let state = match (is_on("tier_stopped"), is_on("tier_resting")) {
        (true, _) => "out of use",
        (false, true) => "has failed",
        (false, false) => "works",
    };
    let style = warning_if(state != "works");
    line(
        out,
        format_args!(
            "  {:<22}{style}{state}{style:#}: {} written, {} fetched, {} failures",
            "tier",
            total("tier_written"),
            total("tier_fetched"),
            total("tier_failures"),
        ),
    );
}

/// The watched servers, those first that decline, fail or are avoided most.
fn servers(out: &mut String, store: &Subject, history: &History, last: &Scrape) {
    let mut servers: Vec<&Subject> = last.servers(store).collect();
    if servers.is_empty() {
        line(
            out,
            format_args!("  no server is watched: `connector.watch(host, port)` adds one"),
        );
        return;
    }
    let bad = |server: &Subject| -> f64 {
        let counters = ["declined", "failed", "avoided"];
        counters.map(|name| last.value(server, name)).iter().sum()
    };
    servers.sort_by(|one, other| bad(other).total_cmp(&bad(one)));
    let columns = ["resumed", "declined", "failed", "avoided", "sessions"];
    let [resumed, declined, failed, avoided, sessions] = columns;
    line(
        out,
        format_args!(
            "{TITLE}  {:<30}{resumed:>9}{declined:>10}{failed:>8}{avoided:>9}{sessions:>10}{TITLE:#}",
            "server"
        ),
    );
    for server in servers.iter().take(SERVERS) {
        let total = |name: &str| last.value(server, name);
        let all = CONNECTIONS.map(total).iter().sum();
        let is_avoided = history.growth(server, "avoided") > 0.0;
        let style = warning_if(is_avoided);
        let mark = if is_avoided { " !" } else { "" };
        line(
            out,
            format_args!(
                "{style}  {:<30.30}{:>9}{:>10}{:>8}{:>9}{:>10}{mark}{style:#}",
                server.server.as_deref().unwrap_or_default(),
                percent(total("resumed"), all),
                number(total("declined")),
                number(total("failed")),
                number(total("avoided")),
                number(total("held")),
            ),
        );
    }
    if servers.len() > SERVERS {
        line(out, format_args!("  and {} more", servers.len() - SERVERS));
    }
}

fn line(out: &mut String, text: Arguments<'_>) {
    let _ = writeln!(out, "{text}"); // to a string: does not fail
}

fn warning_if(is_bad: bool) -> Style {
    if is_bad { WARNING } else { Style::new() }
}

fn number(count: f64) -> String {
    format!("{:.0}", count + 0.0) // the sum of no steps is -0
}

fn percent(part: f64, all: f64) -> String {
    if all > 0.0 {
        format!("{:.1} %", part / all * 100.0)
    } else {
        "-".to_owned()
    }
}

fn bytes(count: f64) -> String {
    match count {
        ..1e4 => format!("{count:.0} bytes"),
        1e4..1e7 => format!("{:.1} kB", count / 1e3),
        _ => format!("{:.1} MB", count / 1e6),
    }
}

/// A bar for each of the last rates, from 0 to 1; a space without one.
fn chart(rates: &[Option<f64>]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const STEPS: [f64; 7] = [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875];
    let bar = |rate: &Option<f64>| {
        rate.map_or(' ', |rate| {
            BARS[STEPS.iter().filter(|step| rate > **step).count()]
        })
    };
    let first = rates.len().saturating_sub(CHART);
    rates[first..].iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        let history = {
            let mut history = History::default();
            history.push(Scrape::parse(text));
            history
        };
        let url: Address = "http://127.0.0.1:9464".parse().expect("a URL");
        anstream::adapter::strip_str(&frame(&url, &history)).to_string()
    }

    #[test]
    fn connections_memory_tier_and_servers_are_shown() {
        let shown = plain(
            "tls_resume_resumed_total{domain=\"mail\"} 970\n\
             tls_resume_declined_total{domain=\"mail\"} 10\n\
             tls_resume_missed_total{domain=\"mail\"} 20\n\
             tls_resume_offered_total{domain=\"mail\"} 980\n\
             tls_resume_bytes{domain=\"mail\"} 12345\n\
             tls_resume_tier_written_total{domain=\"mail\"} 3\n\
             tls_resume_tier_resting{domain=\"mail\"} 1\n\
             tls_resume_server_resumed_total{domain=\"mail\",server=\"good.example:25\"} 9\n\
             tls_resume_server_declined_total{domain=\"mail\",server=\"bad.example:25\"} 9\n",
        );
        for expected in [
            "tls-resume at http://127.0.0.1:9464/metrics\n",
            "  connections                              0                1000\n",
            "  resumed                                  0        -        970   97.0 %\n",
            "  memory                12.3 kB: 0 sessions of 0 servers; 0 evicted\n",
            "  tier                  has failed: 3 written",
        ] {
            assert!(shown.contains(expected), "{expected:?} is not in\n{shown}");
        }
        let place = |server| shown.find(server).expect(server);
        assert!(
            place("bad.example:25") < place("good.example:25"),
            "{shown}"
        );
        assert!(
            shown.lines().all(|line| line.chars().count() <= 80),
            "{shown}"
        );
    }

    #[test]
    fn what_is_not_known_is_said() {
        let shown = plain("tls_resume_offered_total 5\n");
        assert!(shown.contains("5 offered; with a client_config"), "{shown}");
        assert!(shown.contains("no server is watched"), "{shown}");
    }

    #[test]
    fn a_chart_ends_with_the_last_rate() {
        let rates = [Some(0.0), None, Some(0.5), Some(1.0)];
        assert_eq!(chart(&rates), "▁ ▄█");
        assert_eq!(chart(&[Some(1.0); 100]).chars().count(), CHART);
    }
}
