//! Command-line arguments of the short programs.

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;

use hyper::Uri;

/// The program's arguments: a URL, and a PEM file with the roots to trust.
pub fn url_and_roots() -> Result<(String, PathBuf), &'static str> {
    let mut arguments = env::args().skip(1);
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(url), Some(roots), None) => Ok((url, roots.into())),
        _ => Err("give a URL and a PEM file with the roots to trust"),
    }
}

/// The program's arguments: a URL, that of a proxy, and a PEM file with the roots to trust.
pub fn url_proxy_and_roots() -> Result<(Uri, Uri, PathBuf), &'static str> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [url, proxy, roots] = &arguments[..]
        && let (Ok(url), Ok(proxy)) = (url.parse(), proxy.parse())
    {
        return Ok((url, proxy, roots.into()));
    }
    Err("give a URL, that of a proxy, and a PEM file with the roots to trust")
}

/// What a program needs whose metrics are read.
#[derive(Debug)]
pub struct Exporter {
    /// The URL to request.
    pub url: String,
    /// A PEM file with the roots to trust.
    pub roots: PathBuf,
    /// The address at which the metrics are read.
    pub listen: SocketAddr,
    /// The store, such as `lmdb:/var/lib/sessions`.
    pub store: String,
}

/// The program's arguments: a URL, a PEM file with the roots to trust, an address to listen at, and a
/// store.
pub fn exporter() -> Result<Exporter, &'static str> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [url, roots, listen, store] = &arguments[..]
        && let Ok(listen) = listen.parse()
    {
        return Ok(Exporter {
            url: url.clone(),
            roots: roots.into(),
            listen,
            store: store.clone(),
        });
    }
    Err("give a URL, a PEM file with the roots to trust, an address to listen at, and a store")
}
