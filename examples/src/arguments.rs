//! Command-line arguments of the short programs.

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The program's arguments: a URL, and a PEM file with the roots to trust.
pub fn url_and_roots() -> Result<(String, PathBuf), &'static str> {
    let mut arguments = env::args().skip(1);
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(url), Some(roots), None) => Ok((url, roots.into())),
        _ => Err("give a URL and a PEM file with the roots to trust"),
    }
}

/// The program's arguments: a URL, a PEM file with the roots to trust, and an address to listen at.
pub fn url_roots_and_address() -> Result<(String, PathBuf, SocketAddr), &'static str> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [url, roots, listen] = &arguments[..]
        && let Ok(listen) = listen.parse()
    {
        return Ok((url.clone(), roots.into(), listen));
    }
    Err("give a URL, a PEM file with the roots to trust, and an address to listen at")
}
