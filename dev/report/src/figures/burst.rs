//! Charts of bursts.

use super::{Figures, counts, distinct, name, rising};
use crate::BurstRow;
use crate::chart::{Body, Chart, Line, Lines, Paint, Scale};

pub(super) fn figures(rows: &[BurstRow]) -> Figures {
    let valid = || rows.iter().filter(|row| row.error.is_none());
    let panels = distinct(valid().map(panel));
    let mut charts = Vec::new();
    let mut all_resumed = Vec::new();
    for at in panels {
        let here: Vec<_> = valid().filter(|row| panel(row) == at).collect();
        let (backend, protocol, (full, resumed)) = at;
        let title = format!(
            "{}, {protocol}, tickets {full}, then {resumed}",
            name(backend)
        );
        if here.iter().all(|row| row.resumed_rate >= 1.0) {
            all_resumed.push(title);
        } else {
            charts.push(chart(title, &here));
        }
    }
    let mut notes = Vec::new();
    if !all_resumed.is_empty() {
        notes.push(format!(
            "Not drawn, since every store resumed every connection: {}.",
            all_resumed.join("; ")
        ));
    }
    let failed = rows.len() - valid().count();
    if failed > 0 {
        notes.push(format!("{failed} rows are invalid; see the table."));
    }
    Figures {
        lead: "Bursts of connections to one server that begin at the same time: the share that is \
               resumed, as seen by the server. Tickets: how many the server issues after a full \
               handshake, and after a resumed one. A TLS 1.3 ticket serves one connection, so a \
               store needs one for each connection of the burst."
            .to_owned(),
        charts,
        notes,
    }
}

fn panel(row: &BurstRow) -> (&str, &str, (usize, usize)) {
    (&row.backend, &row.protocol, row.tickets)
}

fn chart(title: String, rows: &[&BurstRow]) -> Chart {
    let sizes = rising(rows.iter().map(|row| row.concurrency));
    let stores = distinct(rows.iter().map(|row| row.store.as_str()));
    let lines = stores.into_iter().map(|store| {
        let at = |size: &usize| {
            let is_it = |row: &&&BurstRow| row.store == store && row.concurrency == *size;
            rows.iter().find(is_it).map(|row| row.resumed_rate * 100.0)
        };
        let values: Vec<_> = sizes.iter().map(at).collect();
        let last = values.last().copied().flatten();
        Line {
            label: store.to_owned(),
            paint: Paint::for_store(store),
            values,
            text: last.map_or_else(|| "-".to_owned(), |last| format!("{last:.1}")),
        }
    });
    Chart {
        title,
        note: format!(
            "resumed, %; bursts: {}",
            counts(rows.iter().map(|row| row.measured() as u64))
        ),
        body: Body::Lines(Lines {
            steps: sizes.iter().map(ToString::to_string).collect(),
            step: "connections at once".to_owned(),
            all: lines.collect(),
            scale: Scale::Percent,
        }),
    }
}
