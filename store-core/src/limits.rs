//! What a store may hold.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Usage;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What a store may hold and for how long.
///
/// Every bound holds whatever a server does. As configuration (serde), durations are whole
/// seconds, sizes are bytes, a missing field has its default and an unknown one is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Servers with at least one session. Default 4,096. Zero turns resumption off.
    pub servers: usize,
    /// Single-use sessions of one server; beside them it may have one reusable session.
    /// Default 64.
    pub sessions_per_server: usize,
    /// Bytes of one session. Default 48 KiB.
    pub session_bytes: usize,
    /// Bytes of one server's sessions. Default 512 KiB.
    pub server_bytes: usize,
    /// Bytes of the whole store, its own bookkeeping included. Default 64 MiB.
    pub total_bytes: usize,
    /// The sessions put last, in the whole store, that stay as they are; older ones are packed, if
    /// their type [has a smaller form](crate::Storable::PACKS). Default 128; each part of a store
    /// of some hundred servers has its share, at least 4. Zero packs everything at once.
    pub unpacked_sessions: usize,
    /// Longest life of a single-use session. Default, and most, 7 days.
    #[serde(with = "seconds")]
    pub single_use_lifetime: Duration,
    /// Longest life of a reusable session. Default, and most, 24 hours.
    #[serde(with = "seconds")]
    pub reusable_lifetime: Duration,
    /// Longest time since the last full handshake, renewals or not. Default 7 days.
    #[serde(with = "seconds")]
    pub total_age: Duration,
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

/// Durations as whole seconds.
mod seconds {
    use super::{Deserialize, Duration};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(value.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn serde_round_trips_and_refuses_unknown_fields() {
        let limits = Limits::default()
            .with_servers(7)
            .with_unpacked_sessions(0)
            .with_total_age(Duration::from_secs(60));
        let text = serde_json::to_string(&limits).unwrap();
        assert_eq!(serde_json::from_str::<Limits>(&text).unwrap(), limits);
        assert_eq!(
            serde_json::from_str::<Limits>("{}").unwrap(),
            Limits::default()
        );
        let unknown = serde_json::from_str::<Limits>(r#"{"severs": 1}"#).unwrap_err();
        assert!(unknown.to_string().contains("severs"), "{unknown}");
    }
}
