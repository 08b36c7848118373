//! Programs that show a way to use tls-resume each, and what they stand on.
//!
//! `cargo run --release -p examples --bin mta`: [`mta`], processes that share sessions as those of
//! a mail server do.
//!
//! The shorter ones show a client of someone else's with our connector in it, and visit a server
//! twice: `cargo run -p examples --bin hyper_openssl https://localhost:4433/ roots.pem`. The tests
//! run each against [`serve`], and take the server's word for the resumption.

#![forbid(unsafe_code)]

pub mod arguments;
pub mod mta;
pub mod serve;
