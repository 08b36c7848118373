//! How durations and sizes are written in configuration.
//!
//! What is read is a number or a text with a unit, as humantime and bytesize have them: `"24h"`,
//! `"7d"`, `"1h 30m"`; `"16MiB"`, `"48 KiB"`, `"64kB"`. A size has no fraction, and humantime's `M`,
//! a month, is refused: it is meant as minutes too often. What is written is exact: a text in the
//! largest unit that divides it, and bytes that make no whole KiB as a number. Formats that nobody
//! reads have numbers only.
//!
//! An error names the key, since not every format says where it stands.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serializer};

/// Whole seconds: `86400` or `"24h"`.
pub mod seconds {
    use super::{Deserializer, Duration, SECONDS, Serializer, What, read_as, write};

    /// Writes a text such as `"7d"`; a fraction of a second counts as a whole one, since nothing at
    /// all may mean something else.
    pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        let begun = u64::from(value.subsec_nanos() > 0);
        write(value.as_secs().saturating_add(begun), &SECONDS, to)
    }

    /// Reads the value of `key`; a fraction of a second is an error.
    pub fn read<'de, D: Deserializer<'de>>(
        key: &'static str,
        from: D,
    ) -> Result<Duration, D::Error> {
        read_as(What::Seconds, key, from).map(Duration::from_secs)
    }
}

/// Milliseconds, in a text with a unit; a number alone is seconds: `30` or `"250ms"`.
pub mod milliseconds {
    use super::{Deserializer, Duration, LONGEST, MILLISECONDS, Serializer, What, read_as, write};

    /// Writes a text such as `"30s"`; a fraction of a millisecond counts as a whole one, and more
    /// than can be read as the most that can.
    pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        let value = value.as_nanos().div_ceil(1_000_000);
        let value = u64::try_from(value).unwrap_or(u64::MAX).min(LONGEST);
        write(value, &MILLISECONDS, to)
    }

    /// Reads the value of `key`, up to five hundred million years; a fraction of a millisecond is an error.
    pub fn read<'de, D: Deserializer<'de>>(
        key: &'static str,
        from: D,
    ) -> Result<Duration, D::Error> {
        read_as(What::Milliseconds, key, from).map(Duration::from_millis)
    }
}

/// Bytes: `16777216` or `"16MiB"`.
pub mod bytes {
    use super::{BYTES, Deserializer, Serializer, What, read_as, to_usize, write};

    /// Writes a text such as `"16MiB"`, or a number.
    pub fn serialize<S: Serializer>(value: &usize, to: S) -> Result<S::Ok, S::Error> {
        write(*value as u64, &BYTES, to)
    }

    /// Reads the value of `key`; more than this machine can address are an error.
    pub fn read<'de, D: Deserializer<'de>>(key: &'static str, from: D) -> Result<usize, D::Error> {
        to_usize(key, read_as(What::Bytes, key, from)?)
    }
}

/// How many: `64`.
pub(crate) mod count {
    use super::{Deserializer, Serializer, What, read_as, to_usize};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    pub(crate) fn serialize<S: Serializer>(value: &usize, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(*value as u64)
    }

    pub(crate) fn read<'de, D: Deserializer<'de>>(
        key: &'static str,
        from: D,
    ) -> Result<usize, D::Error> {
        to_usize(key, read_as(What::Count, key, from)?)
    }
}

/// Units that are written, the largest first; what none of them divides is written as a number.
type Units = [(u64, &'static str)];

const SECONDS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
const MILLISECONDS: [(u64, &str); 5] = [
    (86_400_000, "d"),
    (3_600_000, "h"),
    (60_000, "m"),
    (1_000, "s"),
    (1, "ms"),
];
/// The most milliseconds that are written, whole seconds.
const LONGEST: u64 = u64::MAX / 1_000 * 1_000;
const BYTES: [(u64, &str); 4] = [
    (1 << 40, "TiB"),
    (1 << 30, "GiB"),
    (1 << 20, "MiB"),
    (1 << 10, "KiB"),
];

fn write<S: Serializer>(value: u64, units: &Units, to: S) -> Result<S::Ok, S::Error> {
    if !to.is_human_readable() {
        return to.serialize_u64(value);
    }
    // Nothing is zero of the smallest unit.
    let mut units = units.iter().filter(|(unit, _)| match value {
        0 => *unit == 1,
        _ => value.is_multiple_of(*unit),
    });
    match units.next() {
        Some((unit, name)) => to.collect_str(&format_args!("{}{name}", value / unit)),
        None => to.serialize_u64(value),
    }
}

fn to_usize<E: Error>(key: &'static str, number: u64) -> Result<usize, E> {
    let too_much = |_| {
        E::custom(format_args!(
            "{key} is more than this machine has: lower it"
        ))
    };
    usize::try_from(number).map_err(too_much)
}

fn read_as<'de, D: Deserializer<'de>>(
    what: What,
    key: &'static str,
    from: D,
) -> Result<u64, D::Error> {
    if from.is_human_readable() {
        from.deserialize_any(Value { what, key })
    } else {
        u64::deserialize(from)
    }
}

/// What is read.
#[derive(Clone, Copy)]
enum What {
    Seconds,
    Milliseconds,
    Bytes,
    Count,
}

impl What {
    /// A number without a unit.
    fn number(self, number: u64) -> Option<u64> {
        match self {
            Self::Seconds | Self::Bytes | Self::Count => Some(number),
            Self::Milliseconds => number.checked_mul(1_000),
        }
    }

    fn text(self, text: &str) -> Option<u64> {
        let text = text.trim();
        let duration = || {
            let read = is_bounded(text).then(|| humantime::parse_duration(text).ok());
            read.flatten().filter(|_| !text.contains('M'))
        };
        match self {
            Self::Seconds => duration()
                .filter(|it| it.subsec_nanos() == 0)
                .map(|it| it.as_secs()),
            Self::Milliseconds => duration()
                .filter(|it| it.subsec_nanos().is_multiple_of(1_000_000))
                .and_then(|it| u64::try_from(it.as_millis()).ok()),
            // A fraction of a byte would be rounded.
            Self::Bytes if text.contains('.') => None,
            Self::Bytes => {
                let size = text.parse::<bytesize::ByteSize>();
                // What is too much is cut to the most there is.
                size.ok().map(|it| it.0).filter(|it| *it < u64::MAX)
            }
            Self::Count => None,
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Seconds => "whole seconds: a text like \"24h\" or \"90s\", or a number",
            Self::Milliseconds => {
                "whole milliseconds: a text like \"30s\" or \"250ms\", or a number of seconds"
            }
            Self::Bytes => "whole bytes: a text like \"48KiB\" or \"16MiB\", or a number",
            Self::Count => "a number, 0 or more",
        }
    }
}

/// Whether humantime can add up what is in `text`: one number of any size, or several that are small
/// enough. It panics where whole seconds fill their type and parts of one make another.
fn is_bounded(text: &str) -> bool {
    let numbers = text.split(|char: char| !char.is_ascii_digit());
    let numbers = numbers.filter(|number| !number.is_empty());
    numbers.clone().count() == 1 || (text.len() <= 64 && numbers.clone().all(|it| it.len() <= 9))
}

/// The value of a key.
struct Value {
    what: What,
    key: &'static str,
}

impl Visitor<'_> for Value {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to be {}", self.key, self.what.wanted())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        let read = self.what.number(number);
        read.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
        let read = u64::try_from(number).ok();
        let read = read.and_then(|it| self.what.number(it));
        read.ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        let read = self.what.text(text);
        read.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Serialize;
    use serde_test::{Configure, Token, assert_tokens};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct All {
        #[serde(serialize_with = "seconds::serialize", deserialize_with = "age")]
        age: Duration,
        #[serde(serialize_with = "milliseconds::serialize", deserialize_with = "wait")]
        wait: Duration,
        #[serde(serialize_with = "bytes::serialize", deserialize_with = "room")]
        room: usize,
    }

    fn age<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        seconds::read("age", from)
    }

    fn wait<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        milliseconds::read("wait", from)
    }

    fn room<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
        bytes::read("room", from)
    }

    fn read(age: &str, wait: &str, room: &str) -> Result<All, String> {
        let text = format!(r#"{{"age": {age}, "wait": {wait}, "room": {room}}}"#);
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_and_texts() {
        let all = All {
            age: Duration::from_secs(86_400),
            wait: Duration::from_secs(30),
            room: 16 << 20,
        };
        for (age, wait, room) in [
            ("86400", "30", "16777216"),
            (r#""24h""#, r#""30s""#, r#""16MiB""#),
            (r#""1d""#, r#""30000ms""#, r#"" 16 MiB""#),
            (r#""23h 60m""#, r#""29s 1000ms""#, r#""16384KiB""#),
        ] {
            let read = read(age, wait, room);
            assert_eq!(read.as_ref(), Ok(&all), "{age} {wait} {room}");
        }
        assert_eq!(read("0", "0", r#""64kB""#).map(|it| it.room), Ok(64_000));
    }

    #[test]
    fn what_is_none_is_refused_by_its_key() {
        for (age, wait, room, says) in [
            ("-1", "0", "0", "age to be whole seconds"),
            ("1.5", "0", "0", "age to be whole seconds"),
            (r#""1500ms""#, "0", "0", "age to be whole seconds"),
            (r#""soon""#, "0", "0", "\"24h\" or \"90s\""),
            (r#""24""#, "0", "0", "\"24h\" or \"90s\""),
            (r#""30M""#, "0", "0", "\"24h\" or \"90s\""),
            (r#""18446744073709551615s 1000ms""#, "0", "0", "age to be"),
            (r#""584542046090y 9551615s 1000ms""#, "0", "0", "age to be"),
            ("0", r#""1us""#, "0", "wait to be whole milliseconds"),
            ("0", "18446744073709551615", "0", "\"30s\" or \"250ms\""),
            ("0", "0", r#""-1MiB""#, "room to be whole bytes"),
            ("0", "0", r#""1.5MiB""#, "room to be whole bytes"),
            ("0", "0", r#""16 elephants""#, "\"48KiB\" or \"16MiB\""),
            ("0", "0", r#""16777216EiB""#, "\"48KiB\" or \"16MiB\""),
            ("0", "0", "null", "room to be whole bytes"),
        ] {
            let error = read(age, wait, room).expect_err(age);
            assert!(error.contains(says), "{age} {wait} {room}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn people_get_units() {
        let written = |age, wait, room| {
            let (age, wait) = (Duration::from_secs(age), Duration::from_millis(wait));
            serde_json::to_string(&All { age, wait, room }).unwrap()
        };
        for (age, wait, room, says) in [
            (0, 0, 0, r#"{"age":"0s","wait":"0ms","room":0}"#),
            (
                90,
                250,
                1_023,
                r#"{"age":"90s","wait":"250ms","room":1023}"#,
            ),
            (
                604_800,
                5_000,
                16 << 20,
                r#"{"age":"7d","wait":"5s","room":"16MiB"}"#,
            ),
            (
                43_200,
                90_000,
                64_000,
                r#"{"age":"12h","wait":"90s","room":64000}"#,
            ),
        ] {
            assert_eq!(written(age, wait, room), says);
        }
    }

    /// Zero may be refused, or mean something of its own, so it is not what something is written as.
    #[test]
    fn what_cannot_be_written_exactly_is_written_as_more_or_as_the_most() {
        for (given, age, wait) in [
            (Duration::from_micros(500), "1s", "1ms"),
            (Duration::from_micros(1_000_001), "2s", "1001ms"),
            (Duration::MAX, "18446744073709551615s", "18446744073709551s"),
        ] {
            let all = All {
                age: given,
                wait: given,
                room: 0,
            };
            let text = serde_json::to_string(&all).unwrap();
            assert!(text.contains(&format!("{age:?}")), "{text}");
            assert!(text.contains(&format!("{wait:?}")), "{text}");
            assert!(serde_json::from_str::<All>(&text).is_ok(), "{text}");
        }
    }

    /// Without a unit beside it, a number means what it meant when it was written.
    #[test]
    fn programs_get_numbers() {
        let all = All {
            age: Duration::from_secs(90),
            wait: Duration::from_millis(250),
            room: 16 << 20,
        };
        let tokens = [
            Token::Struct {
                name: "All",
                len: 3,
            },
            Token::Str("age"),
            Token::U64(90),
            Token::Str("wait"),
            Token::U64(250),
            Token::Str("room"),
            Token::U64(16 << 20),
            Token::StructEnd,
        ];
        assert_tokens(&all.compact(), &tokens);
    }

    /// Small numbers, whole ones of a unit, and any.
    fn some() -> impl Strategy<Value = u64> {
        let whole = (0..10_000_u64, 0..BYTES.len());
        prop_oneof![
            0..10_000_u64,
            whole.prop_map(|(number, unit)| number * BYTES[unit].0),
            (0..10_000_u64).prop_map(|hours| hours * 3_600),
            any::<u64>(),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            age in some(),
            wait in 0..10_000_000_000_000_u64,
            room in some(),
        ) {
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let (age, wait) = (Duration::from_secs(age), Duration::from_millis(wait));
            let all = All { age, wait, room };
            let text = serde_json::to_string(&all).unwrap();
            prop_assert_eq!(serde_json::from_str::<All>(&text).unwrap(), all);
        }
    }
}
