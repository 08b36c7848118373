//! Only while valid: R11 to R13.

use std::time::Duration;

use lab::server::ServerSettings;
use tls_resume::{Clock, Limits, Resumption, Timestamp};

use crate::client::Client;
use crate::stage::{PROTOCOLS, Stage, equal};
use crate::{Checked, Claim};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    let server_lifetime = Claim::new(
        "R11",
        "a session lives no longer than the server says",
        server_lifetime_counts::<C>,
    );
    vec![
        Claim::unless(C::HIDES_LIFETIME, server_lifetime),
        Claim::new(
            "R11",
            "a session lives no longer than the limits say",
            limits_count::<C>,
        ),
        Claim::new(
            "R11",
            "a session lives no longer than its protocol allows",
            caps_count::<C>,
        ),
        Claim::new(
            "R12",
            "renewals do not extend the total age",
            total_age_counts::<C>,
        ),
        Claim::new(
            "R13",
            "a session from the future is not used",
            future_is_expired::<C>,
        ),
    ]
}

fn server_lifetime_counts<C: Client>() -> Checked {
    for protocol in PROTOCOLS {
        let short = |server: &mut ServerSettings| server.lifetime = Some(10 * MINUTE);
        let stage = Stage::<C>::with(protocol, short, |_| {})?;
        stage.visit()?;
        stage.later(9 * MINUTE);
        stage
            .visit()?
            .is(Resumption::Resumed, "within the server's 10 minutes")?;
        stage.later(11 * MINUTE);
        stage
            .visit()?
            .is(Resumption::Full, "beyond the server's 10 minutes")?;
    }
    Ok(())
}

fn limits_count<C: Client>() -> Checked {
    for protocol in PROTOCOLS {
        let limits = Limits::default().with_lifetimes(5 * MINUTE, 5 * MINUTE);
        let stage = Stage::<C>::within(protocol, limits)?;
        stage.visit()?;
        stage.later(4 * MINUTE);
        stage
            .visit()?
            .is(Resumption::Resumed, "within the limit of 5 minutes")?;
        stage.later(6 * MINUTE);
        stage
            .visit()?
            .is(Resumption::Full, "beyond the limit of 5 minutes")?;
    }
    Ok(())
}

fn caps_count<C: Client>() -> Checked {
    for (protocol, cap) in PROTOCOLS.into_iter().zip([DAY, 7 * DAY]) {
        let long = |server: &mut ServerSettings| server.lifetime = Some(100 * DAY);
        let stage = Stage::<C>::with(protocol, long, |_| {})?;
        stage.visit()?;
        equal(&(stage.sessions() > 0), &true, "a session is stored")?;
        stage.later(cap + MINUTE);
        let when = format!(
            "{protocol}, a minute beyond {} hours",
            cap.as_secs() / 3_600
        );
        stage.visit()?.is(Resumption::Full, &when)?;
    }
    Ok(())
}

fn total_age_counts<C: Client>() -> Checked {
    for protocol in PROTOCOLS {
        let limits = Limits::default().with_total_age(10 * MINUTE);
        let stage = Stage::<C>::renewing(protocol, limits)?;
        stage.visit()?;
        for _ in 0..3 {
            stage.later(3 * MINUTE);
            stage.visit()?.is(
                Resumption::Resumed,
                "within 10 minutes of the full handshake",
            )?;
        }
        stage.later(3 * MINUTE);
        stage
            .visit()?
            .is(Resumption::Full, "12 minutes after the full handshake")?;
    }
    Ok(())
}

fn future_is_expired<C: Client>() -> Checked {
    for protocol in PROTOCOLS {
        let stage = Stage::<C>::new(protocol)?;
        let before = stage.clock.now().since_epoch();
        stage.visit()?;
        let back = |by| {
            let earlier = Timestamp::from_unix(before.saturating_sub(by));
            stage.clock.set(earlier);
        };
        back(Duration::from_millis(900));
        stage.visit()?.is(
            Resumption::Resumed,
            "the clock went back by less than a second",
        )?;
        back(2 * MINUTE);
        stage
            .visit()?
            .is(Resumption::Full, "the clock went back by two minutes")?;
    }
    Ok(())
}
