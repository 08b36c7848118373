//! Example programs, one for each way to use tls-resume.
//!
//! `cargo run --release -p examples --bin mta` shows [`mta`]: processes of a mail server that share
//! sessions.
//!
//! The other programs put our connector into another crate's client and connect twice:
//! `cargo run -p examples --bin hyper_openssl https://localhost:4433/ roots.pem`. The tests run
//! each against [`serve`] or a real server, and check that the second connection resumed.

#![forbid(unsafe_code)]

pub mod arguments;
pub mod aws;
pub mod ftps;
pub mod h3;
pub mod mta;
pub mod serve;

/// The code of docs/guide/proxy.md compiles.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guide/proxy.md")]
#[derive(Debug)]
pub struct ProxyGuide;
