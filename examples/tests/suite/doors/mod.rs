//! R28 to R31 and R38 in clients of other crates: servers that fail when a session is offered, and
//! client certificates that rotate.
//!
//! ureq and lettre connect by our adapters, which make a failed resumption again: their callers see
//! no error. The others connect themselves: at most two connections fail, and never two in a row.

/// Makes a test of each function on each backend. Lists repeat each other by recursion: a macro cannot
/// repeat one within the other.
macro_rules! on_backends {
    ($($backend:ident: $type:ident),+; $($tests:tt)+) => {
        on_backends! { @ [$($backend: $type),+] [$($tests)+] }
    };
    (@ [$backend:ident: $type:ident $(, $more:ident: $more_type:ident)*] [$($test:ident),+ $(,)?]) => {
        mod $backend {
            $(
                #[test]
                fn $test() {
                    super::$test::<super::$type>();
                }
            )+
        }
        on_backends! { @ [$($more: $more_type),*] [$($test),+] }
    };
    (@ [] $tests:tt) => {};
}

pub(crate) mod common;
mod dovecot;
mod lettre;
mod nats;
mod postgres;
mod reqwest;
mod rotation;
mod starttls_server;
mod ureq;
