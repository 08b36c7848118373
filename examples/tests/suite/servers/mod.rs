//! Clients of databases and mail servers with our connector, against real servers that are started
//! for each test. Resumption is checked by the client's counters, and by the server's log if it has
//! one.

mod common;
mod nginx;
pub(crate) mod postgres;
mod postgres_certificates;
mod redis;
mod smtp;
mod smtp_refusals;
