//! Clients of databases and of mail with our connector in them, against the real servers, started
//! for each test. The second connection is resumed by the library's word, and by the server's where
//! it has one.

mod common;
mod postgres;
mod postgres_certificates;
mod redis;
mod smtp;
mod smtp_refusals;
