//! `compare serve`, with the clients of other people: curl and `openssl s_client`.

#[path = "../common/mod.rs"]
mod common;
mod flags;
mod hostile;
mod resumption;
mod server;
