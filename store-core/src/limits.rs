//! The bounds of a store.

use std::time::Duration;

use thiserror::Error;

use crate::clock::Millis;
use crate::{Timestamp, Usage};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// A record has at most 16 KiB (RFC 8446, section 5.1). The rest of a `ClientHello` has some 2 KiB.
const LONGEST_TICKET: usize = 12 * KIB;

/// The bounds of a store: how many sessions, how many bytes, for how long.
///
/// They hold whatever a server sends.
///
/// With the feature `serde` they can be read from a configuration file: durations are whole seconds
/// or a text such as `"24h"`, sizes are bytes or a text such as `"16MiB"`. A missing field has its
/// default, an unknown one is an error. Reading does not check the fields against each other; a
/// store does when it is built ([`validate`](Self::validate)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct Limits {
    /// Servers with at least one session. Default 4,096. Zero turns resumption off.
    pub servers: usize,
    /// Single-use sessions of one server; it may have one reusable session in addition. Default 64.
    pub sessions_per_server: usize,
    /// Bytes of one session. Default 48 KiB.
    #[cfg_attr(feature = "serde", serde(with = "crate::settings::bytes"))]
    pub session_bytes: usize,
    /// Bytes of one server's sessions. Default 512 KiB.
    #[cfg_attr(feature = "serde", serde(with = "crate::settings::bytes"))]
    pub server_bytes: usize,
    /// Bytes of the whole store, its own bookkeeping included. Default 64 MiB.
    #[cfg_attr(feature = "serde", serde(with = "crate::settings::bytes"))]
    pub total_bytes: usize,
    /// Bytes of one ticket, where the backend knows them. Default 8 KiB, maximum 12 KiB: a `ClientHello`
    /// with it fits one TLS record. A session with a larger ticket is not stored, since servers and
    /// middleboxes fail on a long `ClientHello`.
    #[cfg_attr(feature = "serde", serde(with = "crate::settings::bytes"))]
    pub ticket_bytes: usize,
    /// With more sessions than this in the whole store, those of servers that are not in use are
    /// packed, if their type [has a packed form](crate::Storable::PACKS). Default 128. A store for
    /// more than a few hundred servers has several shards, each with its share, at least 4. Zero
    /// packs every session when it is stored.
    pub unpacked_sessions: usize,
    /// Longest lifetime of a single-use session. Default and maximum: 7 days.
    #[cfg_attr(feature = "serde", serde(with = "crate::settings::whole_seconds"))]
    pub single_use_lifetime: Duration,
    /// Longest lifetime of a reusable session. Default and maximum: 24 hours.
    #[cfg_attr(feature = "serde", serde(with = "crate::settings::whole_seconds"))]
    pub reusable_lifetime: Duration,
    /// Longest time since the last full handshake, however often a session was renewed. Default
    /// 7 days; not zero.
    #[cfg_attr(feature = "serde", serde(with = "crate::settings::whole_seconds"))]
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
            ticket_bytes: 8 * KIB,
            unpacked_sessions: 128,
            single_use_lifetime: Usage::SingleUse.longest_lifetime(),
            reusable_lifetime: Usage::Reusable.longest_lifetime(),
            total_age: Usage::SingleUse.longest_lifetime(),
        }
    }
}

impl Limits {
    /// Limits that turn resumption off: nothing is stored, every handshake is a full one.
    pub fn off() -> Self {
        Self {
            servers: 0,
            ..Self::default()
        }
    }

    /// Sets [`servers`](Self::servers).
    #[must_use]
    pub fn with_servers(self, servers: usize) -> Self {
        Self { servers, ..self }
    }

    /// Sets [`sessions_per_server`](Self::sessions_per_server).
    #[must_use]
    pub fn with_sessions_per_server(self, sessions_per_server: usize) -> Self {
        Self {
            sessions_per_server,
            ..self
        }
    }

    /// Sets the bounds in bytes of a session, of a server and of the whole store.
    #[must_use]
    pub fn with_bytes(self, session: usize, server: usize, total: usize) -> Self {
        Self {
            session_bytes: session,
            server_bytes: server,
            total_bytes: total,
            ..self
        }
    }

    /// Sets [`ticket_bytes`](Self::ticket_bytes).
    #[must_use]
    pub fn with_ticket_bytes(self, ticket_bytes: usize) -> Self {
        Self {
            ticket_bytes,
            ..self
        }
    }

    /// Sets [`unpacked_sessions`](Self::unpacked_sessions).
    #[must_use]
    pub fn with_unpacked_sessions(self, unpacked_sessions: usize) -> Self {
        Self {
            unpacked_sessions,
            ..self
        }
    }

    /// Sets the longest lifetimes of single-use and of reusable sessions.
    #[must_use]
    pub fn with_lifetimes(self, single_use: Duration, reusable: Duration) -> Self {
        Self {
            single_use_lifetime: single_use,
            reusable_lifetime: reusable,
            ..self
        }
    }

    /// Sets [`total_age`](Self::total_age).
    #[must_use]
    pub fn with_total_age(self, total_age: Duration) -> Self {
        Self { total_age, ..self }
    }

    /// Checks the limits against each other and against the protocol.
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
        if self.ticket_bytes > LONGEST_TICKET {
            let (given, longest) = (self.ticket_bytes, LONGEST_TICKET);
            return Err(LimitsError::TicketTooLarge { given, longest });
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
        for (part, bytes, whole, whole_bytes) in ordered {
            if bytes > whole_bytes {
                return Err(LimitsError::PartAboveWhole {
                    part,
                    bytes,
                    whole,
                    whole_bytes,
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
                return Err(LimitsError::LifetimeTooLong {
                    field,
                    given,
                    longest,
                });
            }
        }
        Ok(())
    }

    /// The limits of one of `shards` shards.
    pub(crate) fn share(&self, shards: usize) -> Self {
        /// With fewer, a session would be packed while its connection still uses it.
        const LEAST_UNPACKED: usize = 4;
        let shards = shards.max(1);
        let unpacked_sessions = match self.unpacked_sessions {
            0 => 0,
            sessions => (sessions / shards).max(LEAST_UNPACKED),
        };
        Self {
            servers: self.servers / shards,
            total_bytes: (self.total_bytes / shards).min(usize::MAX / 2),
            unpacked_sessions,
            ..self.clone()
        }
    }

    /// The longest lifetime of a session of this usage.
    pub(crate) fn lifetime(&self, usage: Usage) -> Duration {
        match usage {
            Usage::SingleUse => self.single_use_lifetime,
            Usage::Reusable => self.reusable_lifetime,
        }
    }
}

/// The limits in time, converted.
pub(crate) struct Lifetimes {
    single_use: Millis,
    reusable: Millis,
    total_age: Millis,
}

impl Lifetimes {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            single_use: limits.lifetime(Usage::SingleUse).into(),
            reusable: limits.lifetime(Usage::Reusable).into(),
            total_age: limits.total_age.into(),
        }
    }

    /// The latest expiry of a session that is stored at `now`.
    #[inline]
    pub(crate) fn latest_expiry(
        &self,
        usage: Usage,
        established: Timestamp,
        now: Timestamp,
    ) -> Timestamp {
        let lifetime = match usage {
            Usage::SingleUse => self.single_use,
            Usage::Reusable => self.reusable,
        };
        let age_bound = established.after_millis(self.total_age);
        now.after_millis(lifetime).min(age_bound)
    }
}

/// Limits that contradict each other or the protocol. The message says what to change.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LimitsError {
    /// `sessions_per_server` is 0, but `servers` is not.
    #[error(
        "sessions_per_server is 0: give at least 1, or set servers to 0 to turn resumption off"
    )]
    NoSessions,
    /// `total_age` is 0, but `servers` is not.
    #[error(
        "total_age is 0, so no session could be offered: raise it, or set servers to 0 to turn \
         resumption off"
    )]
    NoAge,
    /// A part may have more bytes than the whole.
    #[error("{part} ({bytes}) is above {whole} ({whole_bytes}): lower the one or raise the other")]
    PartAboveWhole {
        /// The field that is too large.
        part: &'static str,
        /// The value of `part` in bytes.
        bytes: usize,
        /// The field that bounds it.
        whole: &'static str,
        /// The value of `whole` in bytes.
        whole_bytes: usize,
    },
    /// A `ClientHello` with such a ticket may not fit one record.
    #[error("ticket_bytes ({given}) is above {longest}: a ClientHello would not fit one record")]
    TicketTooLarge {
        /// `ticket_bytes`.
        given: usize,
        /// Its maximum.
        longest: usize,
    },
    /// A lifetime is above what the protocol allows.
    #[error("{field} ({given} s) is above what the protocol allows: at most {longest} s")]
    LifetimeTooLong {
        /// The field that is too large.
        field: &'static str,
        /// The field's value in seconds.
        given: u64,
        /// The protocol's bound in seconds.
        longest: u64,
    },
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
        assert!(says(limits.clone().with_ticket_bytes(16_384)).contains("above 12288"));
        let (week, day) = (Duration::from_secs(604_800), Duration::from_secs(86_400));
        assert!(says(limits.clone().with_lifetimes(week, week)).contains("at most 86400 s"));
        assert!(says(limits.with_lifetimes(week + day, day)).contains("at most 604800 s"));
    }
}
