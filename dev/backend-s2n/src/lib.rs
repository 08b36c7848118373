//! tls-resume's session store under s2n-tls: an adapter to a stack that store-core knows nothing of.
//!
//! s2n-tls keeps no client sessions at all. It hands each one to a callback as bytes, and takes
//! bytes back before a handshake; who may use them, how often and for how long is the caller's to
//! know. This crate has a [`store_core::SessionStore`] know it. `docs/porting.md` says call by call
//! what an adapter owes to the store, with this one as the example.
//!
//! ```no_run
//! use backend_s2n::Sessions;
//! use s2n_tls::{config, security};
//! use store_core::{Limits, SecurityDomain};
//! use tokio::net::TcpStream;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut builder = config::Builder::new();
//! builder.set_security_policy(&security::DEFAULT_TLS13)?;
//! // All that decides over trust goes into the domain: the builder cannot be asked for it.
//! let domain = SecurityDomain::builder("my client, s2n").field("roots", b"system").finish();
//! let connector = Sessions::new(Limits::default())?.attach(builder, domain)?;
//!
//! for _ in 0..2 {
//!     let tcp = TcpStream::connect("example.com:443").await?;
//!     let stream = connector.connect("example.com", 443, tcp).await?;
//!     println!("resumed: {}", stream.resumed());
//!     // TLS 1.3 tickets arrive while the application reads.
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it takes care of
//! - A session is bytes: what the store holds and what a connection is offered are never the same
//!   object.
//! - The callback only collects, bounded, in the connection. In TLS 1.2 it runs before the server
//!   has proved that it knows the keys; so the store is called after the handshake, outside of all C.
//! - s2n-tls fails a handshake whose ticket is from the future, be it by a millisecond: such a
//!   session waits. Its clock is the store's.
//! - The session of a TLS 1.2 server without tickets comes with no callback: it is fetched.
//! - A reusable session whose handshake failed is removed, unless a newer one has replaced it.
//!
//! # What s2n-tls does otherwise
//! A client of s2n-tls answers most errors with silence of 10 to 30 seconds, so that nobody learns
//! from their timing ("blinding"). [`Connector::connect`] sits it out, on tokio's timer, and only then
//! reports its failure, also to the store. `config::Builder::set_max_blinding_delay` bounds it.
//! Early data cannot be sent through its Rust bindings.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod arrivals;
mod connector;
mod error;
mod handle;
mod session;
mod stream;

pub use connector::{Connector, Sessions};
pub use error::Error;
pub use session::Session;
pub use stream::Stream;
