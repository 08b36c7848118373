//! The clients that are measured, all with the same timer.
//!
//! A [`Fixture`] is a server in this process and the root that its clients trust. A [`Client`]
//! connects to that server and keeps sessions in one [`Store`]; a program can bring its own store
//! ([`CustomStore`]). Each handshake runs on one thread over memory and gives a [`Sample`].
//!
//! The client's timer starts when a connection object is requested and stops when the tickets are
//! stored. It runs again while the connection is closed and dropped, with its configuration if that
//! is pooled: both together are the connection's whole life. The server's time in between is
//! subtracted. Building the server name comes before it.
//!
//! Every handshake is checked: client and server, each by its own library, must agree on whether it
//! was resumed. Unless connections end without `close_notify`, it must be resumed from any store.

mod custom;
mod fixture;
mod openssl;
mod rustls;
mod scenario;
mod store;
mod timer;
mod tls_client;

pub use self::custom::{CustomStore, OpenSslStore, is_single_use};
pub use self::fixture::{Client, Fixture, Sample, TICKETS};
pub use self::scenario::{End, Groups, Scenario, Stack};
pub use self::store::Store;
pub use self::tls_client::HandshakeError;
