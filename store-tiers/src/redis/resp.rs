//! A parser of RESP2, the protocol of Redis's replies.
//!
//! Unlike the redis crate's parser, it limits the memory of a reply, and skips strings that are too
//! long to be a record.

use std::fmt;
use std::io::{self, BufRead, Read as _};

/// Longest record in bytes. A longer one is neither put nor taken.
pub(super) const MAX_RECORD_BYTES: usize = 1024 * 1024;
/// Longest line in bytes: a status, a number or an error.
const MAX_LINE: u64 = 16 * 1024;
/// Deepest nesting of arrays. Replies to `EXEC` and `SCAN` have nested ones.
const MAX_DEPTH: u32 = 4;
/// Memory of an element without its bytes.
const ELEMENT_BYTES: usize = 64;

/// A reply.
#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    Nil,
    Int(i64),
    Status(String),
    Bytes(Vec<u8>),
    /// A string longer than [`MAX_RECORD_BYTES`], which was skipped.
    TooLong,
    Array(Vec<Self>),
    Error(ErrorReply),
}

/// An error reply: Redis did not execute the command.
#[derive(Debug, PartialEq)]
pub(super) struct ErrorReply(String);

impl Reply {
    pub(super) fn array(self) -> Option<Vec<Self>> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(super) fn error(&self) -> Option<&ErrorReply> {
        match self {
            Self::Error(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the key holds a value of another type, which another application must have put
    /// there.
    pub(super) fn is_wrong_type(&self) -> bool {
        self.error()
            .is_some_and(|error| error.code() == "WRONGTYPE")
    }
}

impl ErrorReply {
    /// The error code, which is the first word: `NOPERM`.
    pub(super) fn code(&self) -> &str {
        self.0.split(' ').next().unwrap_or_default()
    }
}

impl fmt::Display for ErrorReply {
    /// Shows the message without the arguments of an unknown command, which Redis repeats.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.split(", with args").next().unwrap_or_default();
        f.write_str(text)
    }
}

/// Reads one reply, and subtracts its memory from `budget`, in bytes. After an error the stream
/// must not be read any more.
pub(super) fn read(from: &mut impl BufRead, budget: &mut usize) -> io::Result<Reply> {
    read_nested(from, budget, MAX_DEPTH)
}

fn read_nested(from: &mut impl BufRead, budget: &mut usize, depth: u32) -> io::Result<Reply> {
    let mut line = Vec::new();
    from.take(MAX_LINE).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let line = line.strip_suffix(b"\r\n").ok_or_else(malformed)?;
    spend(budget, line.len() + ELEMENT_BYTES)?;
    let (kind, rest) = line.split_first().ok_or_else(malformed)?;
    let text = || String::from_utf8_lossy(rest).into_owned();
    Ok(match kind {
        b'+' => Reply::Status(text()),
        b'-' => Reply::Error(ErrorReply(text())),
        b':' => Reply::Int(number(rest)?),
        b'$' => match u64::try_from(number(rest)?) {
            Err(_) => Reply::Nil,
            Ok(len) => read_string(from, budget, len)?,
        },
        b'*' => match u64::try_from(number(rest)?) {
            Err(_) => Reply::Nil,
            Ok(_) if depth == 0 => return Err(malformed()),
            Ok(count) => {
                let mut items = Vec::new();
                for _ in 0..count {
                    items.push(read_nested(from, budget, depth - 1)?);
                }
                Reply::Array(items)
            }
        },
        _ => return Err(malformed()),
    })
}

fn read_string(from: &mut impl BufRead, budget: &mut usize, len: u64) -> io::Result<Reply> {
    let kept = usize::try_from(len)
        .ok()
        .filter(|&len| len <= MAX_RECORD_BYTES);
    let mut bytes = Vec::new();
    let read = if let Some(len) = kept {
        spend(budget, len)?;
        from.take(len as u64).read_to_end(&mut bytes)? as u64
    } else {
        io::copy(&mut from.take(len), &mut io::sink())?
    };
    if read != len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut end = [0; 2];
    from.read_exact(&mut end)?;
    match (&end, kept) {
        (b"\r\n", Some(_)) => Ok(Reply::Bytes(bytes)),
        (b"\r\n", None) => Ok(Reply::TooLong),
        _ => Err(malformed()),
    }
}

fn number(digits: &[u8]) -> io::Result<i64> {
    let digits = str::from_utf8(digits).map_err(|_| malformed())?;
    digits.parse().map_err(|_| malformed())
}

fn spend(budget: &mut usize, bytes: usize) -> io::Result<()> {
    *budget = budget.checked_sub(bytes).ok_or_else(malformed)?;
    Ok(())
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a reply of Redis")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(mut bytes: &[u8]) -> io::Result<Reply> {
        read(&mut bytes, &mut 100_000)
    }

    #[test]
    fn every_type_is_read() {
        let bytes = b"*6\r\n+OK\r\n:-7\r\n$2\r\na\n\r\n$-1\r\n*-1\r\n-OOM no\r\n";
        let error = ErrorReply(String::from("OOM no"));
        let items = vec![
            Reply::Status(String::from("OK")),
            Reply::Int(-7),
            Reply::Bytes(Vec::from(*b"a\n")),
            Reply::Nil,
            Reply::Nil,
            Reply::Error(error),
        ];
        assert_eq!(parse(bytes).unwrap(), Reply::Array(items));
    }

    /// R20: an announced length reserves no memory and causes no panic.
    #[test]
    fn no_length_is_trusted() {
        for hostile in [
            "*4611686018427387904\r\n",
            "*9223372036854775807\r\n+OK\r\n",
            "$9223372036854775807\r\nabc",
            "$100001\r\nabc",
            "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n+OK\r\n",
            "$3\r\nabcd\r\n",
            ":1x\r\n",
            "$\r\n",
            "\r\n",
            "%1\r\n",
            "",
        ] {
            assert!(parse(hostile.as_bytes()).is_err(), "{hostile:?}");
        }
        assert!(parse(&b"+OK".repeat(100_000)).is_err());
        assert!(parse(&[b"*100000\r\n", "+OK\r\n".repeat(100_000).as_bytes()].concat()).is_err());
    }

    #[test]
    fn a_string_that_is_too_long_is_skipped() {
        let long = vec![b'x'; MAX_RECORD_BYTES + 1];
        let bytes = [b"*2\r\n$1048577\r\n", &long[..], b"\r\n$1\r\na\r\n"].concat();
        let items = vec![Reply::TooLong, Reply::Bytes(vec![b'a'])];
        assert_eq!(parse(&bytes).unwrap(), Reply::Array(items));
    }

    /// Redis repeats the arguments of an unknown command, which may be a password.
    #[test]
    fn an_error_reply_does_not_show_arguments() {
        let text = "ERR unknown command 'AUTH', with args beginning with: 'secret'";
        let error = ErrorReply(text.to_owned());
        assert_eq!(error.code(), "ERR");
        assert_eq!(error.to_string(), "ERR unknown command 'AUTH'");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_reply_or_an_error(
            bytes in "[-+:$*0-9\r\nA-C]{0,80}",
            cut in 0..80_usize,
        ) {
            let _ = parse(bytes.as_bytes());
            let _ = parse(&bytes.as_bytes()[..cut.min(bytes.len())]);
        }
    }
}
