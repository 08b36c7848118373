//! What the next connection to a server would do.

use crate::tier::Available;

/// What a connection that begins now would do with sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outlook {
    /// It would offer one of these sessions.
    Offers(Available),
    /// It would offer none, since none is stored.
    NoSession,
    /// It would offer none although some are stored: handshakes with a session fail at this server, or
    /// are often declined.
    Avoided,
    /// It would neither offer nor store any: resumption is off.
    Off,
}

impl Outlook {
    /// Whether it would offer a session. The server may decline it.
    pub fn offers(self) -> bool {
        matches!(self, Self::Offers(_))
    }
}
