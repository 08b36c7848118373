//! R28 to R31 and R38 in clients of other crates: servers that fail when a session is offered, and
//! client certificates that rotate.
//!
//! ureq and lettre connect by our adapters, which make a failed resumption again: their callers see
//! no error. The others connect themselves: at most two connections fail, and never two in a row.

mod common;
mod dovecot;
mod lettre;
mod nats;
mod postgres;
mod reqwest;
mod rotation;
mod starttls_server;
mod ureq;
