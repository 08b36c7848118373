//! The `ex_data` slot of an `SSL` object that holds its [`Connection`].

use std::sync::OnceLock;

use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslRef};

use crate::connection::Connection;

/// The connection that a [`Connector`](crate::Connector) attached to `ssl`. `None` for any other
/// `SSL` object.
///
/// Corresponds to `SSL_get_ex_data`.
pub fn connection(ssl: &SslRef) -> Option<&Connection> {
    ssl.ex_data(index()?)
}

/// The index of the slot, allocated once per process (`SSL_get_ex_new_index`). `None` if OpenSSL
/// has no slot left: then nothing is stored and nothing offered.
pub(crate) fn index() -> Option<Index<Ssl, Connection>> {
    static INDEX: OnceLock<Option<Index<Ssl, Connection>>> = OnceLock::new();
    *INDEX.get_or_init(|| Ssl::new_ex_index().ok())
}
