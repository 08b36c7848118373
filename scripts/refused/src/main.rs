//! Sessions of rustls 0.23 cannot be shared.

fn main() {
    let _ = tls_resume::rustls::Connector::builder().store("lmdb:sessions");
}
