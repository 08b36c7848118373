//! tls-resume's session store for s2n-tls clients: an example of an adapter to another TLS library.
//!
//! s2n-tls keeps no client sessions. It passes each one to a callback as bytes, and takes bytes before
//! a handshake. Which connection may use them, how often and for how long is left to the application;
//! here a [`store_core::SessionStore`] decides. `docs/porting.md` lists the calls that an adapter must
//! make, with this one as the example.
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
//! // The domain names every setting that decides over trust: a builder has no getters for them.
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
//! # Guarantees
//! - A session is bytes, so store and connections never share an object.
//! - The ticket callback only queues, within limits. In TLS 1.2 it runs before the server has proved
//!   that it knows the keys, so the store is called after the handshake, outside of callbacks.
//! - s2n-tls fails a handshake whose ticket is from the future, even by a millisecond. Such a session
//!   is not offered, and s2n-tls uses the store's clock.
//! - The session of a TLS 1.2 server without tickets, for which there is no callback, is stored, too.
//! - A reusable session whose handshake failed is removed, unless a newer one has replaced it.
//!
//! # Differences of s2n-tls
//! After most errors a client of s2n-tls stays silent for 10 to 30 seconds, so that timing reveals
//! nothing ("blinding"). [`Connector::connect`] waits that long, on tokio's timer, before it returns
//! the error and reports the failure to the store. `config::Builder::set_max_blinding_delay` bounds
//! the delay. The Rust bindings cannot send early data.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod clock;
mod connector;
mod error;
mod handle;
mod prepared;
mod received;
mod session;
mod sessions;
mod stream;

pub use connector::Connector;
pub use error::Error;
pub use session::Session;
pub use sessions::Sessions;
pub use stream::Stream;
