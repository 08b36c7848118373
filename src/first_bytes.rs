//! Detection of a TLS answer by the first bytes that a server sends.

/// The first bytes that a server sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FirstBytes {
    bytes: [u8; 3],
    // invariant: at most the length of `bytes`
    len: usize,
}

impl FirstBytes {
    /// Adds bytes that arrived after the earlier ones.
    pub(crate) fn add(&mut self, received: &[u8]) {
        let free = &mut self.bytes[self.len..];
        let added = received.len().min(free.len());
        free[..added].copy_from_slice(&received[..added]);
        self.len += added;
    }

    /// Whether they begin a TLS record: a content type of RFC 8446, section 5.1, and a version.
    pub(crate) fn are_tls(&self) -> bool {
        self.len == self.bytes.len() && matches!(self.bytes, [20..=23, 3, 0..=4])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_told_from_other_protocols() {
        for (chunks, is_tls) in [
            (&[&b"\x16\x03\x03\x00\x7a\x02"[..]][..], true),
            (&[b"\x16", b"", b"\x03", b"\x01\x00"], true),
            (&[b"\x15\x03\x03"], true),
            (&[], false),
            (&[b"\x16\x03"], false),
            (&[b"HTTP/1.1 400"], false),
            (&[b"220 mail.example"], false),
        ] {
            let mut first = FirstBytes::default();
            for chunk in chunks {
                first.add(chunk);
            }
            assert_eq!(first.are_tls(), is_tls, "{chunks:?}");
        }
    }
}
