//! A session as the store keeps it.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use openssl::ssl::{SslSession, SslSessionRef, SslVersion};
use store_core::{
    ApplicationData, Entry, Protocol, ReuseTickets, SharedPart, Storable, Timestamp, Usage,
};
use zeroize::Zeroizing;

use crate::der::Fields;
use crate::ffi;
use crate::live::{InUse, Live};
use crate::peer::{PeerCertificate, PeerInfo};
use crate::verification::Verification;

/// Bytes of an `SSL_SESSION` without certificates and ticket. Measured on OpenSSL 3.6.
const OBJECT_BYTES: usize = 1_200;
/// Bytes of a parsed certificate that an `SSL_SESSION` keeps alive. Measured on OpenSSL 3.6.
const CERTIFICATE_BYTES: usize = 7 * 1024;
/// Parsed size of a large certificate as a multiple of its encoding, which is kept twice beside the
/// parsed names: 4.7 with 600 names.
const PARSED_FACTOR: usize = 5;
/// Allocator overhead of a packed session.
const ALLOCATION_BYTES: usize = 16;

/// An OpenSSL session as the store keeps it, with the peer of its full handshake. Its secrets are
/// wiped on drop.
pub struct Session {
    form: Form,
    peer: Arc<PeerInfo>,
}

enum Form {
    /// An `SSL_SESSION`. A look-up, which must not call OpenSSL, counts a reference to it.
    Live(Arc<Live>),
    /// OpenSSL's DER, without the peer's certificate if that is the first of `PeerInfo::chain`.
    Packed(Zeroizing<Box<[u8]>>),
}

impl Session {
    /// A live session that nothing else refers to.
    pub(crate) fn new(live: SslSession, usage: Usage, peer: PeerInfo) -> Self {
        Self {
            form: Form::Live(Live::new(live, usage)),
            peer: Arc::new(peer),
        }
    }

    /// An entry for a session that a connection has received, established and received at `now`, and
    /// what the connection keeps of it. `None` if the session cannot be copied.
    ///
    /// The session stays valid whatever happens to the connection.
    #[inline]
    pub(crate) fn received(
        session: &SslSessionRef,
        peer: Arc<PeerInfo>,
        reuse_tickets: ReuseTickets,
        now: Timestamp,
    ) -> Option<(Entry<Self>, Option<InUse>)> {
        let lifetime = Duration::from_secs(ffi::ticket_lifetime(session));
        let usage = reuse_tickets.usage(protocol(session), lifetime);
        let strip = peer.policy == PeerCertificate::Strip && ffi::has_peer_certificate(session);
        let (form, in_use) = if strip {
            (Form::pack(session, &peer)?, None)
        } else {
            let (live, in_use) = Live::received(session, usage)?;
            (Form::Live(live), Some(in_use))
        };
        let copy = Self { form, peer };
        let weight = copy.weight();
        let mut entry = Entry::new(copy, usage, Some(lifetime), weight, now);
        entry.ticket_bytes = ffi::ticket_len(session);
        Some((entry, in_use))
    }

    /// The object to offer, and what the connection keeps of it. `None`, a miss, if it cannot be
    /// copied or decoded.
    #[inline]
    pub(crate) fn offered(
        self,
        usage: Usage,
    ) -> Option<(SslSession, Option<InUse>, Arc<PeerInfo>)> {
        let live = match self.form {
            Form::Live(live) => live,
            Form::Packed(der) => Live::new(unpack(&der, &self.peer)?, usage),
        };
        let (session, in_use) = live.offered()?;
        Some((session, in_use, self.peer))
    }

    pub(crate) fn verification(&self) -> &Verification {
        &self.peer.verification
    }

    /// When the certificates of the full handshake expire.
    pub(crate) fn not_after(&self) -> Timestamp {
        self.peer.not_after
    }

    /// OpenSSL's DER, with the peer's certificate if the session or its peer has it.
    pub(crate) fn to_der(&self) -> Option<Zeroizing<Vec<u8>>> {
        match &self.form {
            Form::Packed(der) => with_certificate(der, &self.peer),
            Form::Live(live) => with_certificate(&live_der(live.session())?, &self.peer),
        }
    }

    /// Bytes of memory, including parsed certificates, without the
    /// [shared part](Storable::shared_part).
    pub(crate) fn weight(&self) -> usize {
        let form = match &self.form {
            Form::Packed(der) => ALLOCATION_BYTES + der.len(),
            Form::Live(live) => {
                let certificates = self
                    .peer
                    .chain
                    .iter()
                    .filter(|_| ffi::has_peer_certificate(live.session()));
                let spare = usize::from(live.usage == Usage::Reusable);
                let object = OBJECT_BYTES + ffi::ticket_len(live.session());
                certificates
                    .map(|one| CERTIFICATE_BYTES.max(PARSED_FACTOR.saturating_mul(one.len())))
                    .fold((1 + spare) * object, usize::saturating_add)
            }
        };
        form.saturating_add(self.peer.bytes())
    }

    /// The same session in another form, and its weight.
    fn with_form(&self, form: Form) -> (Self, usize) {
        let session = Self {
            form,
            peer: Arc::clone(&self.peer),
        };
        let weight = session.weight();
        (session, weight)
    }
}

impl Storable for Session {
    const PACKS: bool = true;

    fn duplicate(&self) -> Option<Self> {
        let form = match &self.form {
            Form::Live(live) => Form::Live(Arc::clone(live)),
            Form::Packed(der) => Form::Packed(der.clone()),
        };
        Some(self.with_form(form).0)
    }

    fn shared_part(&self) -> Option<SharedPart> {
        self.peer.chain.shared_part()
    }

    fn application_data(&self) -> Option<&ApplicationData> {
        self.peer.application_data.as_ref()
    }

    fn set_application_data(&mut self, data: Option<ApplicationData>) {
        Arc::make_mut(&mut self.peer).application_data = data;
    }

    fn packed(&self) -> Option<(Self, usize)> {
        match &self.form {
            Form::Live(live) => Some(self.with_form(Form::pack(live.session(), &self.peer)?)),
            Form::Packed(_) => None,
        }
    }

    fn unpacked(&self) -> Option<(Self, usize)> {
        match &self.form {
            Form::Live(_) => None,
            Form::Packed(der) => Some(self.with_form(Form::Live(Live::new(
                unpack(der, &self.peer)?,
                Usage::Reusable,
            )))),
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
    fn pack(session: &SslSessionRef, peer: &PeerInfo) -> Option<Self> {
        let mut der = live_der(session)?;
        let fields = Fields::read(&der)?;
        // A certificate that is not in the chain stays in the DER.
        if fields.certificate.is_some() && fields.certificate == peer.certificate() {
            der = fields.write(None);
        }
        // Capacity equals length, so no bytes are copied: a copy would not be wiped.
        Some(Self::Packed(Zeroizing::new(
            mem::take(&mut *der).into_boxed_slice(),
        )))
    }
}

fn live_der(session: &SslSessionRef) -> Option<Zeroizing<Vec<u8>>> {
    session.to_der().ok().map(Zeroizing::new)
}

fn with_certificate(der: &[u8], peer: &PeerInfo) -> Option<Zeroizing<Vec<u8>>> {
    let fields = Fields::read(der)?;
    Some(fields.write(fields.certificate.or_else(|| peer.certificate())))
}

fn unpack(der: &[u8], peer: &PeerInfo) -> Option<SslSession> {
    match peer.policy {
        PeerCertificate::Keep => SslSession::from_der(&with_certificate(der, peer)?),
        PeerCertificate::Strip => SslSession::from_der(der),
    }
    .ok()
}

/// The version of a session; earlier ones than TLS 1.2 count as that.
pub(crate) fn protocol(session: &SslSessionRef) -> Protocol {
    if session.protocol_version() == SslVersion::TLS1_3 {
        Protocol::Tls13
    } else {
        Protocol::Tls12
    }
}
