//! The lab's servers against plain clients on both libraries.

mod client_hello;
mod clients;
mod handshakes;
mod redis;
mod settings;
mod tickets;
