//! Only while valid: R11 to R13.

use std::time::Duration;

use lab::server::ServerSettings;
use tls_resume::openssl::OpenSsl;
use tls_resume::{Backend, Clock, Limits, Resumption, Timestamp};

use crate::stage::{PROTOCOLS, Stage};
use crate::{Check, Checked, Claim, on_both};

const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn claims() -> Vec<Claim> {
    vec![
        Claim {
            rule: "R11",
            title: "a session lives no longer than the server says",
            on_rustls: Check::NotApplicable("rustls 0.23 does not show a session's lifetime"),
            on_openssl: Check::Run(server_lifetime_counts::<OpenSsl>),
        },
        on_both!(
            "R11",
            "a session lives no longer than the own limits say",
            own_limits_count
        ),
        on_both!(
            "R12",
            "renewals do not extend the total age",
            total_age_counts
        ),
        on_both!(
            "R13",
            "a session from the future is not used",
            future_is_expired
        ),
    ]
}

fn server_lifetime_counts<B: Backend>() -> Checked {
    for protocol in PROTOCOLS {
        let short = |server: &mut ServerSettings| server.lifetime = Some(10 * MINUTE);
        let stage = Stage::<B>::with(protocol, short, |builder| builder)?;
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

fn own_limits_count<B: Backend>() -> Checked {
    for protocol in PROTOCOLS {
        let limits = Limits::default().with_lifetimes(5 * MINUTE, 5 * MINUTE);
        let stage = Stage::<B>::with(protocol, |_| {}, |builder| builder.limits(limits))?;
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

fn total_age_counts<B: Backend>() -> Checked {
    for protocol in PROTOCOLS {
        let limits = Limits::default().with_total_age(10 * MINUTE);
        let stage = Stage::<B>::renewing(protocol, |builder| builder.limits(limits))?;
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

fn future_is_expired<B: Backend>() -> Checked {
    for protocol in PROTOCOLS {
        let stage = Stage::<B>::new(protocol)?;
        let before = stage.clock.now().since_epoch();
        stage.visit()?;
        let back = |by: Duration| {
            stage
                .clock
                .set(Timestamp::from_unix(before.saturating_sub(by)));
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
