//! What the shorter programs are told on their command line.

use std::env;
use std::path::PathBuf;

/// The URL to visit, and the PEM file of the roots to trust: the arguments of the program.
pub fn url_and_roots() -> Result<(String, PathBuf), &'static str> {
    let mut arguments = env::args().skip(1);
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(url), Some(roots), None) => Ok((url, roots.into())),
        _ => Err("give a URL and a PEM file with the roots to trust"),
    }
}
