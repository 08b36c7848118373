//! Durations and sizes in settings, for `#[serde(with = "...")]`.
//!
//! A duration is a text that [humantime](https://docs.rs/humantime) reads, such as `"24h"`, or a
//! number of seconds. A size is a text that [bytesize](https://docs.rs/bytesize) reads, such as
//! `"16MiB"`, or a number of bytes. A serialized value deserializes to the same value.

use std::time::Duration;

use bytesize::ByteSize;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest duration of a setting, about a billion years. A longer one is serialized as this.
// 999,999,999 of humantime's years: `parse` takes at most nine digits.
const LONGEST: Duration = Duration::from_secs(999_999_999 * 31_557_600);

/// Durations in whole seconds.
pub mod whole_seconds {
    use super::{Deserializer, Duration, Serializer, read_duration, write_duration};

    const NANOS: u32 = 1_000_000_000;

    /// Writes a text such as `"7days"`. Rounds up, since zero may be invalid or mean "off".
    pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        write_duration(*duration, NANOS, to)
    }

    /// Reads a duration; a fraction of a second is an error.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        read_duration(NANOS, "whole seconds, such as \"24h\" or \"90s\"", from)
    }
}

/// Durations in whole milliseconds.
pub mod whole_milliseconds {
    use super::{Deserializer, Duration, Serializer, read_duration, write_duration};

    const NANOS: u32 = 1_000_000;

    /// Writes a text such as `"250ms"`. Rounds up, since zero may be invalid or mean "off".
    pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        write_duration(*duration, NANOS, to)
    }

    /// Reads a duration; a fraction of a millisecond is an error.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let expected = "whole milliseconds, such as \"30s\" or \"250ms\"";
        read_duration(NANOS, expected, from)
    }
}

/// Sizes in bytes.
pub mod bytes {
    use super::{ByteSize, Deserialize, Deserializer, Error, Serialize, Serializer};

    /// Writes a text such as `"16.0 MiB"`, or a number where that text would be rounded.
    pub fn serialize<S: Serializer>(bytes: &usize, to: S) -> Result<S::Ok, S::Error> {
        let size = ByteSize(*bytes as u64);
        if size.to_string().parse() == Ok(size) {
            size.serialize(to)
        } else {
            size.0.serialize(to)
        }
    }

    /// Reads a size; one above the address space of this machine is an error.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
        // bytesize's own errors do not say what a size looks like.
        let expected = "expected a size such as \"16MiB\" or \"48 KiB\", or a number of bytes";
        let size = ByteSize::deserialize(from).map_err(|_| D::Error::custom(expected))?;
        usize::try_from(size.0)
            .map_err(|_| D::Error::custom("larger than the memory of this machine: lower it"))
    }
}

/// `unit` is in nanoseconds and divides a second.
fn write_duration<S: Serializer>(duration: Duration, unit: u32, to: S) -> Result<S::Ok, S::Error> {
    let missing = (unit - duration.subsec_nanos() % unit) % unit;
    let rounded = duration.saturating_add(Duration::from_nanos(missing.into()));
    to.collect_str(&humantime::format_duration(rounded.min(LONGEST)))
}

/// `unit` is in nanoseconds and divides a second; `expected` describes whole units.
fn read_duration<'de, D: Deserializer<'de>>(
    unit: u32,
    expected: &str,
    from: D,
) -> Result<Duration, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "expected a duration such as \"24h\" or \"90s\", or a number of seconds"
    )]
    enum SecondsOrText {
        Seconds(u64),
        Text(String),
    }

    let duration = match SecondsOrText::deserialize(from)? {
        SecondsOrText::Seconds(seconds) => Duration::from_secs(seconds),
        SecondsOrText::Text(text) => parse(&text).map_err(D::Error::custom)?,
    };
    if !duration.subsec_nanos().is_multiple_of(unit) {
        return Err(D::Error::custom(format_args!("expected {expected}")));
    }
    if duration > LONGEST {
        return Err(D::Error::custom("longer than a billion years: shorten it"));
    }
    Ok(duration)
}

fn parse(text: &str) -> Result<Duration, String> {
    if text.contains('M') {
        return Err("M is a month: write m for minutes, or months".into());
    }
    // humantime 2.4 panics if the seconds of all parts sum to u64::MAX and their fractions carry
    // one more. Parts of at most 9 digits do not reach that sum.
    let digits = |part: &str| part.chars().filter(char::is_ascii_digit).count();
    if text.len() > 64 || text.split(char::is_alphabetic).any(|part| digits(part) > 9) {
        return Err("a duration has at most 9 digits a unit: use a larger unit".into());
    }
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}: expected a duration such as \"24h\" or \"90s\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Settings {
        #[serde(with = "whole_seconds")]
        age: Duration,
        #[serde(with = "whole_milliseconds")]
        timeout: Duration,
        #[serde(with = "bytes")]
        size: usize,
    }

    fn read(age: &str, timeout: &str, size: &str) -> Result<Settings, String> {
        let text = format!(r#"{{"age": {age}, "timeout": {timeout}, "size": {size}}}"#);
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }

    fn write(age: Duration, timeout: Duration, size: usize) -> String {
        serde_json::to_string(&Settings { age, timeout, size }).unwrap()
    }

    #[test]
    fn numbers_are_seconds_and_bytes_and_texts_have_units() {
        let expected = Settings {
            age: Duration::from_secs(86_400),
            timeout: Duration::from_secs(30),
            size: 16 << 20,
        };
        for (age, timeout, size) in [
            ("86400", "30", "16777216"),
            (r#""24h""#, r#""30s""#, r#""16MiB""#),
            (r#""1d""#, r#""30000ms""#, r#""16 MiB""#),
            (r#""23h 60m""#, r#""29s 1000ms""#, r#""16384KiB""#),
        ] {
            let settings = read(age, timeout, size);
            assert_eq!(settings.as_ref(), Ok(&expected), "{age} {timeout} {size}");
        }
        assert_eq!(read("0", "0", r#""64kB""#).map(|it| it.size), Ok(64_000));
    }

    #[test]
    fn an_invalid_value_is_answered_with_an_example() {
        for (age, timeout, size, message) in [
            ("-1", "0", "0", "\"24h\" or \"90s\""),
            ("1.5", "0", "0", "\"24h\" or \"90s\""),
            (r#""1500ms""#, "0", "0", "whole seconds"),
            (r#""soon""#, "0", "0", "\"24h\" or \"90s\""),
            (r#""24""#, "0", "0", "\"24h\" or \"90s\""),
            (r#""30M""#, "0", "0", "write m for minutes"),
            ("18446744073709551615", "0", "0", "shorten it"),
            ("0", r#""1us""#, "0", "whole milliseconds"),
            ("0", "18446744073709551615", "0", "shorten it"),
            ("0", "0", r#""-1MiB""#, "\"16MiB\" or \"48 KiB\""),
            ("0", "0", r#""16 elephants""#, "\"16MiB\" or \"48 KiB\""),
            ("0", "0", "null", "\"16MiB\" or \"48 KiB\""),
        ] {
            let error = read(age, timeout, size).expect_err(age);
            assert!(error.contains(message), "{age} {timeout} {size}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    /// Each of these makes humantime 2.4 panic.
    #[test]
    fn a_duration_that_humantime_cannot_add_up_is_refused() {
        for age in [
            "18446744073709551615s 1000ms",
            "584542046090y 9551615s 1000ms",
            "18446744 073709551 615s 1000ms",
        ] {
            let error = read(&format!("{age:?}"), "0", "0").expect_err(age);
            assert!(error.contains("at most 9 digits"), "{age}: {error}");
        }
    }

    #[test]
    fn a_value_is_written_with_units_unless_they_round_it() {
        let (secs, millis) = (Duration::from_secs, Duration::from_millis);
        for (age, timeout, size, text) in [
            (secs(0), millis(0), 0, r#""0s","timeout":"0s","size":"0 B""#),
            (
                secs(90),
                millis(250),
                1_025,
                r#""1m 30s","timeout":"250ms","size":1025"#,
            ),
            (
                secs(604_800),
                millis(5_000),
                16 << 20,
                r#""7days","timeout":"5s","size":"16.0 MiB""#,
            ),
        ] {
            assert_eq!(write(age, timeout, size), format!(r#"{{"age":{text}}}"#));
        }
    }

    /// Zero may be invalid or mean "off".
    #[test]
    fn a_fraction_is_rounded_up_and_an_endless_duration_cut() {
        let longest = "999999999years";
        for (given, age, timeout) in [
            (Duration::from_micros(500), "1s", "1ms"),
            (Duration::from_micros(1_000_001), "2s", "1s 1ms"),
            (Duration::MAX, longest, longest),
        ] {
            let text = write(given, given, 0);
            assert!(text.contains(&format!("{age:?}")), "{text}");
            assert!(text.contains(&format!("{timeout:?}")), "{text}");
            assert!(serde_json::from_str::<Settings>(&text).is_ok(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_written_value_is_read_again(
            age in prop_oneof![0..10_000_000_u64, 0..=LONGEST.as_secs()],
            timeout in prop_oneof![0..10_000_000_u64, any::<u32>().prop_map(u64::from)],
            size in prop_oneof![0..10_000_000_usize, any::<usize>()],
            unit in 0..5_u32,
        ) {
            let (age, timeout) = (Duration::from_secs(age), Duration::from_millis(timeout));
            for size in [size, (size & 0x3ff) << (10 * unit)] {
                let text = write(age, timeout, size);
                let expected = Settings { age, timeout, size };
                prop_assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), expected);
            }
        }
    }
}
