//! The connector, its builder and its stream, generic over the backend: for code that works with any
//! of them.
//!
//! Applications name a backend instead: `tls_resume::rustls` or `tls_resume::openssl`.

pub use crate::builder::ConnectorBuilder;
pub use crate::connection_info::ConnectionInfo;
pub use crate::connector::Connector;
pub use crate::stream::Stream;
