//! Command-line arguments of the short programs.

use std::env;
use std::path::PathBuf;

/// The program's arguments: a URL, and a PEM file with the roots to trust.
pub fn url_and_roots() -> Result<(String, PathBuf), &'static str> {
    let mut arguments = env::args().skip(1);
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(url), Some(roots), None) => Ok((url, roots.into())),
        _ => Err("give a URL and a PEM file with the roots to trust"),
    }
}
