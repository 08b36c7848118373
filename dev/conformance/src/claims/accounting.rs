//! What connections and counters report: R27.

use lab::server::Protocol;
use tls_resume::Resumption;

use crate::check::{CheckResult, equal};
use crate::claim::Claim;
use crate::client::Client;
use crate::fixture::Fixture;

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    vec![
        Claim::new(
            "R27",
            "client and server agree on what was resumed",
            client_and_server_agree::<C>,
        ),
        Claim::new(
            "R27",
            "the counters match what happened",
            counters_match::<C>,
        ),
    ]
}

fn client_and_server_agree<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::new(protocol)?;
        // `visit` compares the two ends; here each of the three values occurs.
        fixture.visit()?.is(Resumption::Full, "the first visit")?;
        fixture
            .visit()?
            .is(Resumption::Resumed, "the second visit")?;
        fixture.server.rotate_keys();
        fixture
            .visit()?
            .is(Resumption::Declined, "after the server changed its keys")?;
    }
    Ok(())
}

fn counters_match<C: Client>() -> CheckResult {
    let fixture = Fixture::<C>::new(Protocol::Tls12)?;
    fixture.visit()?;
    fixture.visit()?;
    fixture.server.rotate_keys();
    fixture.visit()?;
    fixture.visit()?;
    fixture.cut_handshake()?;
    let stats = fixture.client.stats();
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
