//! Programs that show a way to use tls-resume each, and what they stand on.
//!
//! `cargo run --release -p examples --bin mta`: [`mta`], processes that share sessions as those of
//! a mail server do.

#![forbid(unsafe_code)]

pub mod mta;
