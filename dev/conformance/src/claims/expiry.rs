//! Expiry: R11 to R13.

use std::time::Duration;

use lab::server::{Protocol, ServerSettings};
use tls_resume::{Clock, Limits, Resumption, Timestamp};

use crate::check::{CheckResult, equal};
use crate::claim::Claim;
use crate::client::Client;
use crate::fixture::Fixture;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    vec![
        Claim::new(
            "R11",
            "a session lives no longer than the server says",
            server_lifetime_is_enforced::<C>,
        )
        .unless(C::HIDES_LIFETIME),
        Claim::new(
            "R11",
            "a session lives no longer than the limits say",
            limits_are_enforced::<C>,
        ),
        Claim::new(
            "R11",
            "a session lives no longer than its protocol allows",
            protocol_maximum_is_enforced::<C>,
        ),
        Claim::new(
            "R12",
            "renewals do not extend the total age",
            total_age_is_enforced::<C>,
        ),
        Claim::new(
            "R13",
            "a session from the future is not used",
            future_sessions_are_expired::<C>,
        ),
    ]
}

fn server_lifetime_is_enforced<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let short = |server: &mut ServerSettings| server.lifetime = Some(10 * MINUTE);
        let fixture = Fixture::<C>::with(protocol, short, |_| {})?;
        fixture.visit()?;
        fixture.advance(9 * MINUTE);
        fixture
            .visit()?
            .is(Resumption::Resumed, "within the server's 10 minutes")?;
        fixture.advance(11 * MINUTE);
        fixture
            .visit()?
            .is(Resumption::Full, "beyond the server's 10 minutes")?;
    }
    Ok(())
}

fn limits_are_enforced<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let limits = Limits::default().with_lifetimes(5 * MINUTE, 5 * MINUTE);
        let fixture = Fixture::<C>::with_limits(protocol, limits)?;
        fixture.visit()?;
        fixture.advance(4 * MINUTE);
        fixture
            .visit()?
            .is(Resumption::Resumed, "within the limit of 5 minutes")?;
        fixture.advance(6 * MINUTE);
        fixture
            .visit()?
            .is(Resumption::Full, "beyond the limit of 5 minutes")?;
    }
    Ok(())
}

fn protocol_maximum_is_enforced<C: Client>() -> CheckResult {
    for (protocol, longest) in Protocol::ALL.into_iter().zip([DAY, 7 * DAY]) {
        let long = |server: &mut ServerSettings| server.lifetime = Some(100 * DAY);
        let fixture = Fixture::<C>::with(protocol, long, |_| {})?;
        fixture.visit()?;
        equal(&(fixture.sessions() > 0), &true, "a session is stored")?;
        fixture.advance(longest + MINUTE);
        let when = format!(
            "{protocol}, a minute beyond {} hours",
            longest.as_secs() / 3_600
        );
        fixture.visit()?.is(Resumption::Full, &when)?;
    }
    Ok(())
}

fn total_age_is_enforced<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let limits = Limits::default().with_total_age(10 * MINUTE);
        let fixture = Fixture::<C>::with_renewals(protocol, limits)?;
        fixture.visit()?;
        for _ in 0..3 {
            fixture.advance(3 * MINUTE);
            fixture.visit()?.is(
                Resumption::Resumed,
                "within 10 minutes of the full handshake",
            )?;
        }
        fixture.advance(3 * MINUTE);
        fixture
            .visit()?
            .is(Resumption::Full, "12 minutes after the full handshake")?;
    }
    Ok(())
}

fn future_sessions_are_expired<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::new(protocol)?;
        let before = fixture.clock.now().since_epoch();
        fixture.visit()?;
        let set_back = |by| {
            let earlier = Timestamp::from_unix(before.saturating_sub(by));
            fixture.clock.set(earlier);
        };
        set_back(Duration::from_millis(900));
        fixture.visit()?.is(
            Resumption::Resumed,
            "the clock went back by less than a second",
        )?;
        set_back(2 * MINUTE);
        fixture
            .visit()?
            .is(Resumption::Full, "the clock went back by two minutes")?;
    }
    Ok(())
}
