//! How a connection begins, and how far it is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use store_core::{AddressId, ApplicationData, EntryId};

use crate::live::InUse;
use crate::peer::PeerInfo;

/// The mutable part. The lock is held while a session is stored, so that `forget` knows every
/// session that was stored.
#[derive(Default)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// Set by `forget`: nothing more is stored.
    pub(super) revoked: bool,
    /// The session stored last: the only reusable one that can still be in the store.
    pub(super) newest: Option<EntryId>,
    /// The sessions stored before it, oldest first: at most as many as the store keeps of a server.
    pub(super) older: VecDeque<EntryId>,
    /// The peer of the full handshake, set by the first session received; later ones share it.
    pub(super) peer: Option<Arc<PeerInfo>>,
    pub(super) received: usize,
    pub(super) lifetime: Option<Duration>,
    pub(super) max_early_data: Option<u32>,
    /// What the application has set to keep beside the sessions of the connection, if it has.
    pub(super) application_data: Option<Box<Option<ApplicationData>>>,
    /// The session that OpenSSL holds for this connection.
    pub(super) in_use: Option<InUse>,
    /// `close_notify` was sent.
    pub(super) closed: bool,
}

/// How a connection begins.
#[derive(Clone, Copy)]
pub(crate) struct Begin {
    pub(crate) phase: Phase,
    /// The address that it is made to, if it is known.
    pub(crate) address: Option<AddressId>,
    /// Whether a session is offered.
    pub(crate) offers: bool,
}

impl Begin {
    /// Of a connection whose handshake OpenSSL reports.
    pub(crate) fn prepared() -> Self {
        Self {
            phase: Phase::Prepared,
            address: None,
            offers: true,
        }
    }
}

/// How far the handshake is, or how it ended.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    #[default]
    Prepared,
    UnderWay,
    Full,
    Resumed,
    Failed,
    Cancelled,
}

impl State {
    /// Whether the handshake was resumed, and nothing is revoked.
    pub(super) fn is_resumed(&self) -> bool {
        self.phase == Phase::Resumed && !self.revoked
    }

    /// Sets the phase of a handshake that is under way to `phase`. `false` if none is under way.
    pub(super) fn end_handshake(&mut self, phase: Phase) -> bool {
        let under_way = self.phase == Phase::UnderWay;
        if under_way {
            self.phase = phase;
        }
        under_way
    }
}
