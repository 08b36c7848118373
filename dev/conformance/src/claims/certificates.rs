//! Certificates that expire or change: R33, R38.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lab::faults::Fault;
use lab::server::{Protocol, ServerSettings};
use tls_resume::{Clock, Resumption, SystemClock};

use crate::check::{CheckResult, equal, holds, message};
use crate::claim::Claim;
use crate::client::{Client, Setup};
use crate::door::Door;
use crate::fixture::{
    Fixture, client_identity, client_identity_until, client_root, identity_until,
};

const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    let expiring = [
        Claim::new(
            "R33",
            "no session outlives the server's certificate",
            sessions_expire_with_the_server::<C>,
        ),
        Claim::new(
            "R33",
            "no session outlives the client's certificate",
            sessions_expire_with_the_client::<C>,
        ),
    ];
    let expiring = expiring.map(|claim| claim.unless(C::HIDES_CERTIFICATES));
    let rotating = Claim::through_each::<C>(
        "R38",
        [
            "a changed client certificate resumes no session of the old one",
            "a changed client certificate resumes no session of the old one, in tasks",
            "a changed client certificate resumes no session of the old one, over futures-io",
            "a changed client certificate resumes no session of the old one, with a ClientConfig",
        ],
        rotation_separates_sessions::<C>,
    );
    let rotating = rotating.map(|claim| claim.unless(C::NO_ROTATION));
    expiring.into_iter().chain(rotating).collect()
}

/// A whole second, about an hour from now.
fn in_an_hour() -> SystemTime {
    let now = SystemClock.now().since_epoch().as_secs();
    UNIX_EPOCH + Duration::from_secs(now) + 60 * MINUTE
}

fn demand_certificate(settings: &mut ServerSettings) {
    settings.client_root = Some(client_root());
}

fn sessions_expire_with_the_server<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let short =
            |settings: &mut ServerSettings| settings.identity = identity_until(in_an_hour());
        let fixture = Fixture::<C>::with(protocol, short, |_| {})?;
        sessions_expire_in_an_hour(&fixture)?;
    }
    Ok(())
}

fn sessions_expire_with_the_client<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let short =
            |setup: &mut Setup| setup.identity = Some(client_identity_until("one", in_an_hour()));
        let fixture = Fixture::<C>::with(protocol, demand_certificate, short)?;
        sessions_expire_in_an_hour(&fixture)?;
    }
    Ok(())
}

/// Sessions of resumed connections, too.
fn sessions_expire_in_an_hour<C: Client>(fixture: &Fixture<C>) -> CheckResult {
    fixture.visit()?;
    for _ in 0..2 {
        fixture.advance(29 * MINUTE);
        fixture
            .visit()?
            .is(Resumption::Resumed, "before the certificate expires")?;
    }
    fixture.advance(3 * MINUTE);
    fixture
        .visit()?
        .is(Resumption::Full, "after the certificate has expired")
}

/// In the same store: the sessions of both are there.
fn rotation_separates_sessions<C: Client>(door: Door) -> CheckResult {
    for protocol in Protocol::ALL {
        let old = |setup: &mut Setup| setup.identity = Some(client_identity("old"));
        let mut fixture = Fixture::<C>::with(protocol, demand_certificate, old)?;
        fixture.visit_through(door, Fault::None).map_err(message)?;
        for _ in 0..3 {
            let before = fixture.sessions();
            holds(before > 0, "there is a session of the old certificate")?;
            fixture.client = fixture.client.with_identity(client_identity("next"))?;
            equal(&fixture.sessions(), &before, "sessions of the same store")?;
            for resumed in [false, true] {
                let visit = fixture.visit_through(door, Fault::None);
                equal(
                    &visit,
                    &Ok(resumed),
                    "a resumption with the next certificate",
                )?;
            }
            holds(
                fixture.sessions() > before,
                "both certificates have sessions",
            )?;
        }
    }
    Ok(())
}
