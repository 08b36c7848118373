//! What a store may hold.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Usage;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What a store may hold and for how long.
///
/// Every bound holds whatever a server does.
///
/// As configuration (serde), durations are whole seconds or a text like `"24h"`, sizes are bytes or
/// a text like `"16MiB"` ([`written`](crate::written)), a missing field has its default and an
/// unknown one is an error. Whether they make sense together is seen when a store is made of them
/// ([`validate`](Self::validate)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Servers with at least one session. Default 4,096. Zero turns resumption off.
    #[serde(with = "as_written::servers")]
    pub servers: usize,
    /// Single-use sessions of one server; beside them it may have one reusable session.
    /// Default 64.
    #[serde(with = "as_written::sessions_per_server")]
    pub sessions_per_server: usize,
    /// Bytes of one session. Default 48 KiB.
    #[serde(with = "as_written::session_bytes")]
    pub session_bytes: usize,
    /// Bytes of one server's sessions. Default 512 KiB.
    #[serde(with = "as_written::server_bytes")]
    pub server_bytes: usize,
    /// Bytes of the whole store, its own bookkeeping included. Default 64 MiB.
    #[serde(with = "as_written::total_bytes")]
    pub total_bytes: usize,
    /// The sessions put last, in the whole store, that stay as they are; older ones are packed, if
    /// their type [has a smaller form](crate::Storable::PACKS). Default 128; each part of a store
    /// of some hundred servers has its share, at least 4. Zero packs everything at once.
    #[serde(with = "as_written::unpacked_sessions")]
    pub unpacked_sessions: usize,
    /// Longest life of a single-use session. Default, and most, 7 days.
    #[serde(with = "as_written::single_use_lifetime")]
    pub single_use_lifetime: Duration,
    /// Longest life of a reusable session. Default, and most, 24 hours.
    #[serde(with = "as_written::reusable_lifetime")]
    pub reusable_lifetime: Duration,
    /// Longest time since the last full handshake, renewals or not. Default 7 days; not zero.
    #[serde(with = "as_written::total_age")]
    pub total_age: Duration,
}

/// For each field, how serde writes it, and reads it with the field's name in the error.
mod as_written {
    use serde::Deserializer;

    use crate::written;

    macro_rules! as_written {
        ($($how:ident -> $type:ty: $($field:ident),+;)+) => {
            $($(
                pub(super) mod $field {
                    use super::{Deserializer, written};

                    pub(crate) use written::$how::serialize;

                    pub(crate) fn deserialize<'de, D>(from: D) -> Result<$type, D::Error>
                    where
                        D: Deserializer<'de>,
                    {
                        written::$how::read(stringify!($field), from)
                    }
                }
            )+)+
        };
    }

    as_written! {
        count -> usize: servers, sessions_per_server, unpacked_sessions;
        bytes -> usize: session_bytes, server_bytes, total_bytes;
        seconds -> std::time::Duration: single_use_lifetime, reusable_lifetime, total_age;
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            servers: 4_096,
            sessions_per_server: 64,
            session_bytes: 48 * KIB,
            server_bytes: 512 * KIB,
            total_bytes: 64 * MIB,
            unpacked_sessions: 128,
            single_use_lifetime: Usage::SingleUse.longest_lifetime(),
            reusable_lifetime: Usage::Reusable.longest_lifetime(),
            total_age: Usage::SingleUse.longest_lifetime(),
        }
    }
}

impl Limits {
    /// Limits under which nothing is stored and every handshake is a full one.
    pub fn off() -> Self {
        Self {
            servers: 0,
            ..Self::default()
        }
    }

    /// Changes the number of servers; see the fields for the meaning of each.
    #[must_use]
    pub fn with_servers(self, servers: usize) -> Self {
        Self { servers, ..self }
    }

    /// Changes the number of single-use sessions a server.
    #[must_use]
    pub fn with_sessions_per_server(self, sessions_per_server: usize) -> Self {
        Self {
            sessions_per_server,
            ..self
        }
    }

    /// Changes the three bounds in bytes: of a session, of a server, of the whole store.
    #[must_use]
    pub fn with_bytes(self, session: usize, server: usize, total: usize) -> Self {
        Self {
            session_bytes: session,
            server_bytes: server,
            total_bytes: total,
            ..self
        }
    }

    /// Changes the number of sessions that are not packed.
    #[must_use]
    pub fn with_unpacked_sessions(self, unpacked_sessions: usize) -> Self {
        Self {
            unpacked_sessions,
            ..self
        }
    }

    /// Changes the longest lives of single-use and of reusable sessions.
    #[must_use]
    pub fn with_lifetimes(self, single_use: Duration, reusable: Duration) -> Self {
        Self {
            single_use_lifetime: single_use,
            reusable_lifetime: reusable,
            ..self
        }
    }

    /// Changes the longest time since the last full handshake.
    #[must_use]
    pub fn with_total_age(self, total_age: Duration) -> Self {
        Self { total_age, ..self }
    }

    /// Whether these limits make sense together.
    pub fn validate(&self) -> Result<(), LimitsError> {
        if self.servers == 0 {
            return Ok(());
        }
        if self.sessions_per_server == 0 {
            return Err(LimitsError::NoSessions);
        }
        if self.total_age.is_zero() {
            return Err(LimitsError::NoAge);
        }
        let ordered = [
            (
                "session_bytes",
                self.session_bytes,
                "server_bytes",
                self.server_bytes,
            ),
            (
                "server_bytes",
                self.server_bytes,
                "total_bytes",
                self.total_bytes,
            ),
        ];
        for (part, bytes, whole, room) in ordered {
            if bytes > room {
                return Err(LimitsError::PartAboveWhole {
                    part,
                    bytes,
                    whole,
                    room,
                });
            }
        }
        for (field, usage) in [
            ("single_use_lifetime", Usage::SingleUse),
            ("reusable_lifetime", Usage::Reusable),
        ] {
            let (lifetime, longest) = (self.lifetime(usage), usage.longest_lifetime());
            if lifetime > longest {
                let (given, longest) = (lifetime.as_secs(), longest.as_secs());
                return Err(LimitsError::LivesTooLong {
                    field,
                    given,
                    longest,
                });
            }
        }
        Ok(())
    }

    /// The share of one of so many parts of a store.
    pub(crate) fn share(&self, parts: usize) -> Self {
        /// Fewer would be packed while their connection still uses them.
        const LEAST_UNPACKED: usize = 4;
        let parts = parts.max(1);
        let unpacked_sessions = match self.unpacked_sessions {
            0 => 0,
            sessions => (sessions / parts).max(LEAST_UNPACKED),
        };
        Self {
            servers: self.servers / parts,
            total_bytes: (self.total_bytes / parts).min(usize::MAX / 2),
            unpacked_sessions,
            ..self.clone()
        }
    }

    /// The longest life of a session of this usage.
    pub(crate) fn lifetime(&self, usage: Usage) -> Duration {
        match usage {
            Usage::SingleUse => self.single_use_lifetime,
            Usage::Reusable => self.reusable_lifetime,
        }
    }
}

/// Limits that contradict each other. The message says what to change.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LimitsError {
    /// No session a server, but servers.
    #[error(
        "sessions_per_server is 0: give at least 1, or set servers to 0 to turn resumption off"
    )]
    NoSessions,
    /// No time since the full handshake, but servers.
    #[error(
        "total_age is 0, so no session could be offered: raise it, or set servers to 0 to turn \
         resumption off"
    )]
    NoAge,
    /// A part is allowed more bytes than the whole.
    #[error("{part} ({bytes}) is above {whole} ({room}): lower the one or raise the other")]
    PartAboveWhole {
        /// The field that is too large.
        part: &'static str,
        /// Its value in bytes.
        bytes: usize,
        /// The field it has to fit into.
        whole: &'static str,
        /// That field's value in bytes.
        room: usize,
    },
    /// A lifetime is above what the protocol allows.
    #[error("{field} ({given} s) is above what the protocol allows: at most {longest} s")]
    LivesTooLong {
        /// The field that is too large.
        field: &'static str,
        /// Its value in seconds.
        given: u64,
        /// The protocol's bound in seconds.
        longest: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_defaults_are_valid_and_so_is_off() {
        assert_eq!(Limits::default().validate(), Ok(()));
        assert_eq!(Limits::off().validate(), Ok(()));
        assert_eq!(Limits::off().with_sessions_per_server(0).validate(), Ok(()));
    }

    #[test]
    fn contradictions_say_what_to_change() {
        let says = |limits: Limits| limits.validate().unwrap_err().to_string();
        let limits = Limits::default();
        assert_eq!(
            says(limits.clone().with_bytes(2_048, 2_048, 1_024)),
            "server_bytes (2048) is above total_bytes (1024): lower the one or raise the other"
        );
        assert!(says(limits.clone().with_bytes(2_048, 1_024, 4_096)).starts_with("session_bytes"));
        assert!(says(limits.clone().with_sessions_per_server(0)).contains("at least 1"));
        let (week, day) = (Duration::from_secs(604_800), Duration::from_secs(86_400));
        assert!(says(limits.clone().with_lifetimes(week, week)).contains("at most 86400 s"));
        assert!(says(limits.with_lifetimes(week + day, day)).contains("at most 604800 s"));
    }

    const DEFAULT: &str = r#"{"servers":4096,"sessions_per_server":64,"session_bytes":"48KiB","server_bytes":"512KiB","total_bytes":"64MiB","unpacked_sessions":128,"single_use_lifetime":"7d","reusable_lifetime":"1d","total_age":"7d"}"#;

    #[test]
    fn the_defaults_are_written_as_people_do() {
        let written = serde_json::to_string(&Limits::default()).unwrap();
        assert_eq!(written, DEFAULT);
    }

    fn refused(text: &str) -> String {
        let error = serde_json::from_str::<Limits>(text).unwrap_err();
        error.to_string()
    }

    #[test]
    fn unknown_fields_are_refused_with_the_known_ones() {
        let error = refused(r#"{"severs": 1}"#);
        assert!(error.contains("`severs`"), "{error}");
        for field in DEFAULT
            .split('"')
            .skip(1)
            .step_by(2)
            .filter(|it| it.contains('_'))
        {
            assert!(error.contains(&format!("`{field}`")), "{field}: {error}");
        }
        assert!(!error.contains('\n'), "{error}");
    }

    #[test]
    fn what_is_no_value_is_refused_by_the_field() {
        let written: serde_json::Value = serde_json::from_str(DEFAULT).unwrap();
        let fields: Vec<_> = written.as_object().unwrap().keys().collect();
        assert_eq!(fields.len(), 9);
        for field in fields {
            for value in ["-1", "1.5", "null", r#""some""#, "[]"] {
                let error = refused(&format!(r#"{{"{field}": {value}}}"#));
                assert!(
                    error.contains(&format!("{field} to be")),
                    "{value}: {error}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn limits_are_written_and_read(counts: [usize; 3], bytes: [usize; 3], kib in 0_usize..1 << 20, lives: [u32; 2], age: u64) {
            let limits = Limits::default()
                .with_servers(counts[0])
                .with_sessions_per_server(counts[1])
                .with_unpacked_sessions(counts[2])
                .with_lifetimes(
                    Duration::from_secs(lives[0].into()),
                    Duration::from_secs(lives[1].into()),
                )
                .with_total_age(Duration::from_secs(age));
            for [session, server, total] in [bytes, [kib, kib * KIB, kib * MIB]] {
                let limits = limits.clone().with_bytes(session, server, total);
                let text = serde_json::to_string(&limits).unwrap();
                prop_assert_eq!(serde_json::from_str::<Limits>(&text).unwrap(), limits);
            }
        }
    }
}
