//! Early data: how much of it is sent with the first message.

/// The most bytes sent, record overhead included: about TCP's initial congestion window of 10
/// segments (RFC 6928), and one record.
const MAX_SENT: usize = 16 * 1024;
/// Bytes that a record adds to its content: header, content type, authentication tag.
const RECORD_OVERHEAD: usize = 5 + 1 + 16;

/// The prefix of `data` to send with a session that allows `max_early_data` bytes.
///
/// With record overhead, at most half of them. A server that rejects early data skips records that
/// it cannot decrypt, and ends the connection if they exceed its limit (RFC 8446, section 4.2.10).
/// Some servers count bytes on the wire, and rustls 0.23.46 counts each record twice.
pub(crate) fn sendable(data: &[u8], max_early_data: usize) -> &[u8] {
    let on_the_wire = (max_early_data / 2).min(MAX_SENT);
    let content = on_the_wire.saturating_sub(RECORD_OVERHEAD);
    &data[..data.len().min(content)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R26.
    #[test]
    fn half_of_what_is_allowed_is_sent_at_most() {
        let data = vec![7; 2 * MAX_SENT];
        for half in [0, 1, RECORD_OVERHEAD, RECORD_OVERHEAD + 1, 1_024, MAX_SENT] {
            let sent = sendable(&data, 2 * half).len();
            assert_eq!(sent, half.saturating_sub(RECORD_OVERHEAD));
            assert_eq!(sendable(&data, 2 * half + 1).len(), sent);
        }
        assert_eq!(
            sendable(&data, usize::MAX).len(),
            MAX_SENT - RECORD_OVERHEAD
        );
        assert_eq!(sendable(b"short", 1_024), b"short");
    }
}
