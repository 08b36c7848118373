//! Charts of single operations on a store.

use super::{Figures, counted, rising};
use crate::StoreOpRow;
use crate::chart::{Bar, Bars, Body, Chart, Paint};
use crate::number::count;

pub(super) fn figures(rows: &[StoreOpRow]) -> Figures {
    let sizes = rising(rows.iter().map(|row| row.servers));
    let charts = sizes.into_iter().map(|servers| {
        let here = rows
            .iter()
            .filter(|row| row.servers == servers && row.op == "put+take");
        let n = counted(here.clone().filter_map(|row| row.n), "");
        let bars = here.map(|row| {
            Bar::new(
                &row.store,
                row.ns_median,
                "ns",
                Paint::for_store(&row.store),
            )
        });
        Chart {
            title: format!(
                "{} {}",
                count(&servers),
                if servers == 1 { "server" } else { "servers" }
            ),
            note: format!("put and take of one session, ns, median{n}"),
            body: Body::Bars(Bars(bars.collect())),
        }
    });
    Figures {
        lead: "A put and a take by one thread, in a store with a number of servers. The other \
               operations, and their allocations, are in the tables."
            .to_owned(),
        charts: charts.collect(),
        notes: Vec::new(),
    }
}
