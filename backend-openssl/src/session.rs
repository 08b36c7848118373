//! A stored session, ready to be offered or packed.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use openssl::ssl::{SslSession, SslSessionRef, SslVersion};
use store_core::{Entry, SharedPart, Storable, Timestamp, Usage};
use zeroize::Zeroizing;

use crate::der::Fields;
use crate::ffi;
use crate::origin::{Origin, PeerCertificate};
use crate::verification::Verification;

/// Bytes of an object without certificates and ticket, and of each certificate that it keeps alive
/// in parsed form. Measured on OpenSSL 3.6.
const OBJECT_BYTES: usize = 1_200;
const CERTIFICATE_BYTES: usize = 7 * 1024;
/// Large certificates weigh a multiple of their encoding, which is kept twice beside the parsed
/// names: 4.7 with 600 names.
const PARSED: usize = 5;
/// What an allocator adds to what is packed.
const ALLOCATION_BYTES: usize = 16;

/// An OpenSSL session as the store keeps it, with what is known of the handshake that it descends
/// from. Its secrets are wiped when it is dropped.
pub struct Session {
    form: Form,
    origin: Arc<Origin>,
}

enum Form {
    /// An object of its own, which nothing changes. OpenSSL wipes it with the last reference.
    Live(SslSession),
    /// OpenSSL's DER, without the peer's certificate if that is the first of the origin's chain.
    Packed(Zeroizing<Box<[u8]>>),
}

impl Session {
    /// A session that nobody else has.
    pub(crate) fn new(live: SslSession, origin: Origin) -> Self {
        Self {
            form: Form::Live(live),
            origin: Arc::new(origin),
        }
    }

    /// An entry with a private copy of what OpenSSL hands out at `now`, as one of a full handshake.
    /// Taken inside the `new_session` callback, it stays good whatever happens to the connection.
    pub(crate) fn received(
        session: &SslSessionRef,
        origin: Arc<Origin>,
        now: Timestamp,
    ) -> Option<Entry<Self>> {
        let strip = origin.policy == PeerCertificate::Strip && ffi::has_peer(session);
        let form = if strip {
            Form::pack(session, &origin)?
        } else {
            Form::Live(ffi::duplicate(session)?)
        };
        let lifetime = Duration::from_secs(ffi::ticket_lifetime(session));
        let copy = Self { form, origin };
        let weight = copy.weight();
        let usage = usage(session);
        Some(Entry::new(copy, usage, Some(lifetime), weight, now))
    }

    /// The object to be offered. `None` if it cannot be made, which is a miss.
    pub(crate) fn into_live(self) -> Option<(SslSession, Arc<Origin>)> {
        let live = match self.form {
            Form::Live(live) => live,
            Form::Packed(der) => unpack(&der, &self.origin)?,
        };
        Some((live, self.origin))
    }

    pub(crate) fn verification(&self) -> &Verification {
        &self.origin.verification
    }

    /// OpenSSL's DER, with the peer's certificate if one is known.
    pub(crate) fn to_der(&self) -> Option<Zeroizing<Vec<u8>>> {
        match &self.form {
            Form::Packed(der) => with_peer(der, &self.origin),
            Form::Live(live) => with_peer(&live_der(live)?, &self.origin),
        }
    }

    /// Bytes that it occupies with the parsed certificates that it keeps alive, but without what it
    /// [shares](Storable::shared).
    pub(crate) fn weight(&self) -> usize {
        let form = match &self.form {
            Form::Packed(der) => ALLOCATION_BYTES + der.len(),
            Form::Live(live) => {
                let certificates = self.origin.chain.iter().filter(|_| ffi::has_peer(live));
                certificates
                    .map(|one| CERTIFICATE_BYTES.max(PARSED.saturating_mul(one.len())))
                    .fold(OBJECT_BYTES + ffi::ticket_len(live), usize::saturating_add)
            }
        };
        form.saturating_add(self.origin.bytes())
    }

    fn in_form(&self, form: Form) -> (Self, usize) {
        let session = Self {
            form,
            origin: Arc::clone(&self.origin),
        };
        let weight = session.weight();
        (session, weight)
    }
}

impl Storable for Session {
    const PACKS: bool = true;

    fn duplicate(&self) -> Option<Self> {
        let form = match &self.form {
            Form::Live(live) => Form::Live(ffi::duplicate(live)?),
            Form::Packed(der) => Form::Packed(der.clone()),
        };
        Some(self.in_form(form).0)
    }

    fn shared_part(&self) -> Option<SharedPart> {
        self.origin.chain.shared_part()
    }

    fn packed(&self) -> Option<(Self, usize)> {
        match &self.form {
            Form::Live(live) => Some(self.in_form(Form::pack(live, &self.origin)?)),
            Form::Packed(_) => None,
        }
    }

    fn unpacked(&self) -> Option<(Self, usize)> {
        match &self.form {
            Form::Live(_) => None,
            Form::Packed(der) => Some(self.in_form(Form::Live(unpack(der, &self.origin)?))),
        }
    }
}

impl fmt::Debug for Session {
    /// Shows how the peer was verified, never the session.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("verification", self.verification())
            .finish_non_exhaustive()
    }
}

impl Form {
    fn pack(session: &SslSessionRef, origin: &Origin) -> Option<Self> {
        let mut der = live_der(session)?;
        let fields = Fields::read(&der)?;
        // One that the chain does not know stays where it is.
        if fields.peer.is_some() && fields.peer == origin.peer() {
            der = fields.write(None);
        }
        // It has its exact size already, and is moved.
        Some(Self::Packed(Zeroizing::new(
            mem::take(&mut *der).into_boxed_slice(),
        )))
    }
}

fn live_der(session: &SslSessionRef) -> Option<Zeroizing<Vec<u8>>> {
    session.to_der().ok().map(Zeroizing::new)
}

fn with_peer(der: &[u8], origin: &Origin) -> Option<Zeroizing<Vec<u8>>> {
    let fields = Fields::read(der)?;
    Some(fields.write(fields.peer.or_else(|| origin.peer())))
}

fn unpack(der: &[u8], origin: &Origin) -> Option<SslSession> {
    match origin.policy {
        PeerCertificate::Keep => SslSession::from_der(&with_peer(der, origin)?),
        PeerCertificate::Strip => SslSession::from_der(der),
    }
    .ok()
}

/// TLS 1.3 tickets are used once, sessions of earlier versions until they expire.
pub(crate) fn usage(session: &SslSessionRef) -> Usage {
    if session.protocol_version() == SslVersion::TLS1_3 {
        Usage::SingleUse
    } else {
        Usage::Reusable
    }
}
