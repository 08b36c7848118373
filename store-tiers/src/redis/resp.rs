//! Reading answers of Redis, in its protocol RESP2.
//!
//! The redis crate's own parser keeps whatever comes. This one has a bound on what an answer takes in
//! memory, whoever gives it, and leaves out a string that is too long to be a record.

use std::fmt;
use std::io::{self, BufRead, Read as _};

use super::RECORD_BYTES;

/// Longest line in bytes: a status, a number or an error.
const LINE: u64 = 16 * 1024;
/// How deep lists may lie in lists. Ours: `EXEC`, and `SCAN`.
const DEPTH: u32 = 4;
/// What an element costs beside its bytes.
const ELEMENT: usize = 64;

/// What Redis answers.
#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    Nil,
    Int(i64),
    Status(String),
    Bytes(Vec<u8>),
    /// A string that is longer than a record can be, which was not kept.
    TooLong,
    Array(Vec<Self>),
    Error(Refusal),
}

/// An error that Redis answered with: it did not do what it was asked to.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal(String);

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

    pub(super) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Error(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Whether there is something under the key that we did not put there.
    pub(super) fn is_wrong_type(&self) -> bool {
        self.refusal().is_some_and(|it| it.code() == "WRONGTYPE")
    }
}

impl Refusal {
    /// Its first word, such as `NOPERM`.
    pub(super) fn code(&self) -> &str {
        self.0.split(' ').next().unwrap_or_default()
    }
}

impl fmt::Display for Refusal {
    /// Without the arguments of a command, which Redis repeats when it does not know the command.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.split(", with args").next().unwrap_or_default();
        f.write_str(text)
    }
}

/// Reads one answer that takes `room` bytes at most. After an error nothing more can be read.
pub(super) fn read(from: &mut impl BufRead, room: &mut usize) -> io::Result<Reply> {
    read_at(from, room, DEPTH)
}

fn read_at(from: &mut impl BufRead, room: &mut usize, depth: u32) -> io::Result<Reply> {
    let mut line = Vec::new();
    from.take(LINE).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let line = line.strip_suffix(b"\r\n").ok_or_else(malformed)?;
    spend(room, line.len() + ELEMENT)?;
    let (kind, rest) = line.split_first().ok_or_else(malformed)?;
    let text = || String::from_utf8_lossy(rest).into_owned();
    Ok(match kind {
        b'+' => Reply::Status(text()),
        b'-' => Reply::Error(Refusal(text())),
        b':' => Reply::Int(number(rest)?),
        b'$' => match u64::try_from(number(rest)?) {
            Err(_) => Reply::Nil,
            Ok(len) => read_string(from, room, len)?,
        },
        b'*' => match u64::try_from(number(rest)?) {
            Err(_) => Reply::Nil,
            Ok(_) if depth == 0 => return Err(malformed()),
            Ok(count) => {
                let mut items = Vec::new();
                for _ in 0..count {
                    items.push(read_at(from, room, depth - 1)?);
                }
                Reply::Array(items)
            }
        },
        _ => return Err(malformed()),
    })
}

fn read_string(from: &mut impl BufRead, room: &mut usize, len: u64) -> io::Result<Reply> {
    let kept = usize::try_from(len).ok().filter(|&len| len <= RECORD_BYTES);
    let mut bytes = Vec::new();
    let read = if let Some(len) = kept {
        spend(room, len)?;
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

fn spend(room: &mut usize, bytes: usize) -> io::Result<()> {
    *room = room.checked_sub(bytes).ok_or_else(malformed)?;
    Ok(())
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not an answer of Redis")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(mut bytes: &[u8]) -> io::Result<Reply> {
        read(&mut bytes, &mut 100_000)
    }

    #[test]
    fn every_kind_is_read() {
        let bytes = b"*6\r\n+OK\r\n:-7\r\n$2\r\na\n\r\n$-1\r\n*-1\r\n-OOM no\r\n";
        let refusal = Refusal(String::from("OOM no"));
        let items = vec![
            Reply::Status(String::from("OK")),
            Reply::Int(-7),
            Reply::Bytes(Vec::from(*b"a\n")),
            Reply::Nil,
            Reply::Nil,
            Reply::Error(refusal),
        ];
        assert_eq!(parse(bytes).unwrap(), Reply::Array(items));
    }

    /// R20: a length is a claim. None of these reserves what it announces, or panics.
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
    fn what_is_too_long_is_left_out_and_the_next_is_read() {
        let long = vec![b'x'; RECORD_BYTES + 1];
        let bytes = [b"*2\r\n$1048577\r\n", &long[..], b"\r\n$1\r\na\r\n"].concat();
        let items = vec![Reply::TooLong, Reply::Bytes(vec![b'a'])];
        assert_eq!(parse(&bytes).unwrap(), Reply::Array(items));
    }

    /// Redis repeats the arguments of a command that it does not know, a password too.
    #[test]
    fn a_refusal_does_not_repeat_arguments() {
        let text = "ERR unknown command 'AUTH', with args beginning with: 'secret'";
        let refusal = Refusal(text.to_owned());
        assert_eq!(refusal.code(), "ERR");
        assert_eq!(refusal.to_string(), "ERR unknown command 'AUTH'");
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer_or_an_error(
            bytes in "[-+:$*0-9\r\nA-C]{0,80}",
            cut in 0..80_usize,
        ) {
            let _ = parse(bytes.as_bytes());
            let _ = parse(&bytes.as_bytes()[..cut.min(bytes.len())]);
        }
    }
}
