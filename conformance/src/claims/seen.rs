//! Seen: R27.

use lab::server::Protocol;
use tls_resume::{Backend, Resumption};

use crate::stage::{PROTOCOLS, Stage, equal};
use crate::{Checked, Claim, on_both};

pub(crate) fn claims() -> Vec<Claim> {
    vec![
        on_both!(
            "R27",
            "a connection says what the server says",
            both_ends_agree
        ),
        on_both!("R27", "the counters say what happened", counters_add_up),
    ]
}

fn both_ends_agree<B: Backend>() -> Checked {
    for protocol in PROTOCOLS {
        let stage = Stage::<B>::new(protocol)?;
        // `visit` compares the two ends; here they take all three values.
        stage.visit()?.is(Resumption::Full, "the first visit")?;
        stage.visit()?.is(Resumption::Resumed, "the second visit")?;
        stage.server.rotate_keys();
        stage
            .visit()?
            .is(Resumption::Declined, "after the server changed its keys")?;
        if protocol == Protocol::Tls12 {
            stage
                .visit()?
                .is(Resumption::Resumed, "with the session of the declined one")?;
        }
    }
    Ok(())
}

fn counters_add_up<B: Backend>() -> Checked {
    let stage = Stage::<B>::new(Protocol::Tls12)?;
    stage.visit()?;
    stage.visit()?;
    stage.server.rotate_keys();
    stage.visit()?;
    stage.visit()?;
    stage.visit_cut_off()?;
    let stats = stage.connector.stats();
    let counted = (
        stats.missed,
        stats.offered,
        stats.resumed,
        stats.declined,
        stats.failed,
    );
    equal(
        &counted,
        &(1, 4, 2, 1, 1),
        "missed, offered, resumed, declined, failed",
    )
}
