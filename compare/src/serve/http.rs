//! Just enough of HTTP/1.1 to tell a client how its connection went.

use std::fmt::Write as _;

use httparse::{EMPTY_HEADER, Request, Status};

/// The longest head of a request.
pub(super) const LONGEST_HEAD: usize = 8 * 1024;
/// More lines than any client sends.
const HEADERS: usize = 100;

/// What to do with the bytes that have come so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Wait: the head is not complete.
    Incomplete,
    /// Send this, take so many bytes away, and close or not.
    Answer {
        taken: usize,
        response: Vec<u8>,
        closes: bool,
    },
}

/// Reads one request off the beginning of `bytes`. `text` is what is told.
pub(super) fn ask(bytes: &[u8], text: &str) -> Asked {
    let mut headers = [EMPTY_HEADER; HEADERS];
    let mut request = Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(Status::Complete(taken)) if taken <= LONGEST_HEAD => answer(&request, taken, text),
        Ok(Status::Partial) if bytes.len() < LONGEST_HEAD => Asked::Incomplete,
        Ok(_) | Err(httparse::Error::TooManyHeaders) => {
            refuse("431 Request Header Fields Too Large", bytes.len())
        }
        Err(_) => refuse("400 Bad Request", bytes.len()),
    }
}

fn answer(request: &Request<'_, '_>, taken: usize, text: &str) -> Asked {
    let newer = request.version == Some(1);
    let count = |name: &str| {
        let named = |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case(name);
        request.headers.iter().filter(named).count()
    };
    if newer && count("host") != 1 {
        return refuse("400 Bad Request", taken);
    }
    let head_only = match request.method {
        Some("GET") => false,
        Some("HEAD") => true,
        _ => return refuse("405 Method Not Allowed", taken),
    };
    // A body has no meaning here and is not read: what follows it could not be told from it.
    let has_body = request.headers.iter().any(|header| {
        let length = header.name.eq_ignore_ascii_case("content-length") && header.value != b"0";
        length || header.name.eq_ignore_ascii_case("transfer-encoding")
    });
    let asks = |wish: &str| {
        let lists = request
            .headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case("connection"));
        lists
            .filter_map(|header| std::str::from_utf8(header.value).ok())
            .flat_map(|list| list.split(','))
            .any(|item| item.trim().eq_ignore_ascii_case(wish))
    };
    let closes = has_body || asks("close") || !(newer || asks("keep-alive"));
    Asked::Answer {
        taken,
        response: response("200 OK", text, head_only, closes),
        closes,
    }
}

fn refuse(status: &str, taken: usize) -> Asked {
    Asked::Answer {
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
    write!(response, "Connection: {connection}\r\n\r\n{body}").expect("a string takes everything");
    response.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The status, what follows the head, and whether it closes.
    fn told(bytes: &[u8]) -> (String, String, bool) {
        let Asked::Answer {
            response, closes, ..
        } = ask(bytes, "told\n")
        else {
            panic!("more is awaited than {bytes:?}");
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
    fn requests_are_answered_as_the_protocol_wants_it() {
        for (request, status, body, closes) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "200", "told\n", false),
            (
                "GET /x?y HTTP/1.1\r\nhost: a\r\nconnection: x, Close\r\n\r\n",
                "200",
                "told\n",
                true,
            ),
            ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "200", "", false),
            ("GET / HTTP/1.0\r\n\r\n", "200", "told\n", true),
            (
                "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
                "200",
                "told\n",
                false,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
                "200",
                "told\n",
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
                    ask(request.as_bytes(), ""),
                    Asked::Incomplete,
                    "{request:?}"
                );
            } else {
                let expected = (status.to_owned(), body.to_owned(), closes);
                assert_eq!(told(request.as_bytes()), expected, "{request:?}");
            }
        }
    }

    #[test]
    fn a_head_has_an_end() {
        let long = format!("GET / HTTP/1.1\r\nHost: {}", "a".repeat(LONGEST_HEAD));
        assert_eq!(told(long.as_bytes()).0, "431");
        let ended = format!("{long}\r\n\r\n");
        assert_eq!(told(ended.as_bytes()).0, "431");
        let many = "a: b\r\n".repeat(HEADERS + 1);
        assert_eq!(
            told(format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes()).0,
            "431"
        );
    }

    #[test]
    fn requests_may_come_together() {
        let one = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let Asked::Answer { taken, .. } = ask(&one.repeat(2), "") else {
            panic!("no answer");
        };
        assert_eq!(taken, one.len());
    }
}
