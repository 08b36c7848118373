//! The URL of metrics.

use std::fmt;
use std::str::FromStr;

use ureq::http::Uri;

const EXPECTED: &str = "give the URL of metrics, such as http://127.0.0.1:9464/metrics";

/// The URL of metrics. `Debug` and `Display` hide a password in it.
#[derive(Clone)]
pub struct Address(Uri);

impl Address {
    /// What to request.
    pub(super) fn uri(&self) -> Uri {
        self.0.clone()
    }
}

impl FromStr for Address {
    type Err = &'static str;

    /// Adds the path `/metrics` if there is none.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_| EXPECTED)?;
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        if !is_http || uri.host().is_none_or(str::is_empty) {
            return Err(EXPECTED);
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Ok(Self(uri));
        }
        let mut parts = uri.into_parts();
        parts.path_and_query = Some("/metrics".parse().map_err(|_| EXPECTED)?);
        Ok(Self(Uri::from_parts(parts).map_err(|_| EXPECTED)?))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.scheme_str().unwrap_or_default();
        write!(f, "{scheme}://{}", self.0.host().unwrap_or_default())?;
        if let Some(port) = self.0.port_u16() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.0.path())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_url_of_a_host_is_taken() {
        let shown = |text: &str| Address::from_str(text).map(|address| address.to_string());
        for (text, expected) in [
            ("http://127.0.0.1:9464", "http://127.0.0.1:9464/metrics"),
            ("http://127.0.0.1:9464/", "http://127.0.0.1:9464/metrics"),
            ("https://[::1]:9464/m", "https://[::1]:9464/m"),
            ("http://me:secret@host/m?key=secret", "http://host/m"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected));
        }
        for text in [
            "",
            "localhost:9464",
            "/metrics",
            "http://",
            "ftp://host/",
            "http://a b/",
        ] {
            assert_eq!(shown(text), Err(EXPECTED), "{text:?}");
        }
    }
}
