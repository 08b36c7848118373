//! The same types, generic over the backend: for code that is written once for both.
//!
//! Applications name a backend instead: `tls_resume::rustls` or `tls_resume::openssl`.

pub use crate::builder::ConnectorBuilder;
pub use crate::connector::Connector;
pub use crate::stream::Stream;
