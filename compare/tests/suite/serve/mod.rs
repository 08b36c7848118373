//! `compare serve`, with curl and `openssl s_client` as clients.

mod flags;
mod hostile;
mod resumption;
mod server;
