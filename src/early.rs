//! Early data: how much of it goes out with the first message.

/// Bytes sent at most, with all that is around them on the wire: about what the network takes
/// before it has heard from the server, and one record.
const MOST: usize = 16 * 1024;
/// What is around the content of a record: its head, its type and its tag.
const AROUND: usize = 5 + 1 + 16;

/// What of `data` is sent under a session that allows so many bytes: a beginning of it.
///
/// No more than half of that with all that is around it on the wire: a server that rejects early
/// data has to skip what it cannot decrypt, and ends the connection when that is more than it
/// allows. It may count what comes over the wire, and rustls 0.23.46 counts a record twice.
pub(crate) fn beginning(data: &[u8], allowed: usize) -> &[u8] {
    let on_the_wire = (allowed / 2).min(MOST);
    let room = on_the_wire.saturating_sub(AROUND);
    &data[..data.len().min(room)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R26: with all that is around it, it is never more than half of what is allowed.
    #[test]
    fn what_is_sent_is_half_of_what_is_allowed_at_most() {
        let data = vec![7; 2 * MOST];
        for half in [0, 1, AROUND, AROUND + 1, 1_024, MOST] {
            let sent = beginning(&data, 2 * half).len();
            assert_eq!(sent, half.saturating_sub(AROUND));
            assert_eq!(beginning(&data, 2 * half + 1).len(), sent);
        }
        assert_eq!(beginning(&data, usize::MAX).len(), MOST - AROUND);
        assert_eq!(beginning(b"short", 1_024), b"short");
    }
}
