//! Enough of HTTP/1.1 to answer a client with the outcome of its handshake.

use std::fmt::Write as _;

use httparse::{EMPTY_HEADER, Request, Status};

/// Bytes of a request's head at most.
pub(super) const MAX_HEAD: usize = 8 * 1024;
/// Header lines at most, more than any client sends.
const MAX_HEADERS: usize = 100;

/// The reply to the bytes received so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// None yet: the head is incomplete.
    Incomplete,
    /// Send `response`, remove `taken` bytes of the request, and close the connection if `closes`.
    Response {
        taken: usize,
        response: Vec<u8>,
        closes: bool,
    },
}

/// Parses one request at the beginning of `bytes` and replies with `text`.
pub(super) fn reply(bytes: &[u8], text: &str) -> Reply {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(Status::Complete(taken)) if taken <= MAX_HEAD => respond(&request, taken, text),
        Ok(Status::Partial) if bytes.len() < MAX_HEAD => Reply::Incomplete,
        Ok(_) | Err(httparse::Error::TooManyHeaders) => {
            reject("431 Request Header Fields Too Large", bytes.len())
        }
        Err(_) => reject("400 Bad Request", bytes.len()),
    }
}

fn respond(request: &Request<'_, '_>, taken: usize, text: &str) -> Reply {
    let is_1_1 = request.version == Some(1);
    let count = |name: &str| {
        let named = |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case(name);
        request.headers.iter().filter(named).count()
    };
    if is_1_1 && count("host") != 1 {
        return reject("400 Bad Request", taken);
    }
    let head_only = match request.method {
        Some("GET") => false,
        Some("HEAD") => true,
        _ => return reject("405 Method Not Allowed", taken),
    };
    // A body is not read, so the next request could not be found after it.
    let has_body = request.headers.iter().any(|header| {
        let length = header.name.eq_ignore_ascii_case("content-length") && header.value != b"0";
        length || header.name.eq_ignore_ascii_case("transfer-encoding")
    });
    let connection_has = |option: &str| {
        let lists = request
            .headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case("connection"));
        lists
            .filter_map(|header| std::str::from_utf8(header.value).ok())
            .flat_map(|list| list.split(','))
            .any(|item| item.trim().eq_ignore_ascii_case(option))
    };
    let closes = has_body || connection_has("close") || !(is_1_1 || connection_has("keep-alive"));
    Reply::Response {
        taken,
        response: response("200 OK", text, head_only, closes),
        closes,
    }
}

fn reject(status: &str, taken: usize) -> Reply {
    Reply::Response {
        taken,
        response: response(status, &format!("{status}\n"), false, true),
        closes: true,
    }
}

fn response(status: &str, text: &str, head_only: bool, closes: bool) -> Vec<u8> {
    let length = text.len();
    let mut response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {length}\r\nCache-Control: no-store\r\n"
    );
    if status.starts_with("405") {
        response.push_str("Allow: GET, HEAD\r\n");
    }
    let connection = if closes { "close" } else { "keep-alive" };
    let body = if head_only { "" } else { text };
    write!(response, "Connection: {connection}\r\n\r\n{body}")
        .expect("writing to a string succeeds");
    response.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The status, the body, and whether the connection closes.
    fn reply_to(bytes: &[u8]) -> (String, String, bool) {
        let Reply::Response {
            response, closes, ..
        } = reply(bytes, "text\n")
        else {
            panic!("incomplete: {bytes:?}");
        };
        let response = String::from_utf8(response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let stays = head.contains("Connection: keep-alive");
        assert!(
            stays != closes && stays != head.contains("Connection: close"),
            "{head}"
        );
        let status = head.split(' ').nth(1).unwrap();
        (status.to_owned(), body.to_owned(), closes)
    }

    #[test]
    fn requests_are_answered_as_http_requires() {
        for (request, status, body, closes) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "200", "text\n", false),
            (
                "GET /x?y HTTP/1.1\r\nhost: a\r\nconnection: x, Close\r\n\r\n",
                "200",
                "text\n",
                true,
            ),
            ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "200", "", false),
            ("GET / HTTP/1.0\r\n\r\n", "200", "text\n", true),
            (
                "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
                "200",
                "text\n",
                false,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
                "200",
                "text\n",
                true,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
                "405",
                "405 Method Not Allowed\n",
                true,
            ),
            ("GET / HTTP/1.1\r\n\r\n", "400", "400 Bad Request\n", true),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                "400",
                "400 Bad Request\n",
                true,
            ),
            ("\u{0}\u{1}garbage", "400", "400 Bad Request\n", true),
            ("GET /", "", "", false),
        ] {
            if status.is_empty() {
                assert_eq!(
                    reply(request.as_bytes(), ""),
                    Reply::Incomplete,
                    "{request:?}"
                );
            } else {
                let expected = (status.to_owned(), body.to_owned(), closes);
                assert_eq!(reply_to(request.as_bytes()), expected, "{request:?}");
            }
        }
    }

    #[test]
    fn long_heads_are_rejected() {
        let long = format!("GET / HTTP/1.1\r\nHost: {}", "a".repeat(MAX_HEAD));
        assert_eq!(reply_to(long.as_bytes()).0, "431");
        let ended = format!("{long}\r\n\r\n");
        assert_eq!(reply_to(ended.as_bytes()).0, "431");
        let many = "a: b\r\n".repeat(MAX_HEADERS + 1);
        assert_eq!(
            reply_to(format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes()).0,
            "431"
        );
    }

    #[test]
    fn requests_can_be_pipelined() {
        let one = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let Reply::Response { taken, .. } = reply(&one.repeat(2), "") else {
            panic!("no response");
        };
        assert_eq!(taken, one.len());
    }
}
