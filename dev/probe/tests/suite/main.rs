//! Probes of servers in this process with each backend: findings and verdicts.

mod addresses;
mod breaks;
mod client_certificate;
mod failures;
mod front;
mod starttls;
mod support;
mod timing;
mod verdicts;
