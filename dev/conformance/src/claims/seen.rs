//! Seen: R27.

use lab::server::Protocol;
use tls_resume::Resumption;

use crate::client::Client;
use crate::stage::{PROTOCOLS, Stage, equal};
use crate::wire::Incident;
use crate::{Checked, Claim};

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    vec![
        Claim::new(
            "R27",
            "a connection says what the server says",
            both_ends_agree::<C>,
        ),
        Claim::new(
            "R27",
            "the counters say what happened",
            counters_add_up::<C>,
        ),
    ]
}

fn both_ends_agree<C: Client>() -> Checked {
    for protocol in PROTOCOLS {
        let stage = Stage::<C>::new(protocol)?;
        // `visit` compares the two ends; here they take all three values.
        stage.visit()?.is(Resumption::Full, "the first visit")?;
        stage.visit()?.is(Resumption::Resumed, "the second visit")?;
        stage.server.rotate_keys();
        stage
            .visit()?
            .is(Resumption::Declined, "after the server changed its keys")?;
    }
    Ok(())
}

fn counters_add_up<C: Client>() -> Checked {
    let stage = Stage::<C>::new(Protocol::Tls12)?;
    stage.visit()?;
    stage.visit()?;
    stage.server.rotate_keys();
    stage.visit()?;
    stage.visit()?;
    stage.visit_in_vain(Incident::Cut)?;
    let stats = stage.client.stats();
    let counted = [
        stats.missed,
        stats.offered,
        stats.resumed,
        stats.declined,
        stats.failed,
    ];
    equal(
        &counted,
        &[1, 4, 2, 1, 1],
        "missed, offered, resumed, declined, failed",
    )
}
