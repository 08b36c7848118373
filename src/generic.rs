//! The connector, its builder and its stream, generic over the backend: for code that works with any
//! of them.
//!
//! Applications use the names of one backend instead: `tls_resume::rustls`, `tls_resume::openssl`
//! or `tls_resume::rustls_preview`.

pub use crate::builder::ConnectorBuilder;
pub use crate::connection_info::ConnectionInfo;
pub use crate::connector::Connector;
pub use crate::stream::Stream;
