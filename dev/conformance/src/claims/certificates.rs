//! Certificates that expire or change: R33, R38.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lab::certificate::Identity;
use lab::server::{Protocol, ServerSettings};
use tls_resume::{Clock, Resumption, SystemClock};

use crate::check::{CheckResult, equal, holds};
use crate::claim::Claim;
use crate::client::{Client, Setup};
use crate::fixture::{
    Fixture, client_identity, client_identity_until, client_root, identity_until,
};

const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    vec![
        Claim::new(
            "R33",
            "no session outlives the server's certificate",
            sessions_expire_with_the_server::<C>,
        )
        .unless(C::HIDES_CERTIFICATES),
        Claim::new(
            "R33",
            "no session outlives the client's certificate",
            sessions_expire_with_the_client::<C>,
        )
        .unless(C::HIDES_CERTIFICATES),
        Claim::new(
            "R38",
            "a changed client certificate resumes no session of the old one, in the same store",
            rotation_separates_sessions::<C>,
        )
        .unless(C::NO_ROTATION),
    ]
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

fn rotation_separates_sessions<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let one: Identity = client_identity("one");
        let old = |setup: &mut Setup| setup.identity = Some(one.clone());
        let mut fixture = Fixture::<C>::with(protocol, demand_certificate, old)?;
        fixture.visit()?;
        let before = fixture.sessions();
        for _ in 0..3 {
            let next = client_identity("next");
            let renewed = fixture.client.with_identity(next.clone())?;
            fixture.client = renewed;
            equal(&fixture.sessions(), &before, "sessions of the same store")?;
            for expected in [Resumption::Full, Resumption::Resumed] {
                let visit = fixture.visit()?;
                visit.is(expected, "with the next certificate")?;
                let seen = visit.client_leaf.as_deref();
                equal(&seen, &Some(&next.chain[0][..]), "the client's certificate")?;
            }
            holds(fixture.sessions() > before, "both have sessions")?;
            fixture.client.clear();
            fixture.visit()?;
        }
    }
    Ok(())
}
