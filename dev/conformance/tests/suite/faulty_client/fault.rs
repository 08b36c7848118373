//! The faults that a client can have.

use std::cell::Cell;
use std::fmt;

/// The fault of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Fault {
    #[default]
    None,
    /// The port is not in the key.
    IgnoresPort,
    /// The host is not in the key.
    IgnoresHost,
    /// Hosts differ by case and a trailing dot.
    DistinguishesSpellings,
    /// All clients have one security domain and one store.
    IgnoresSettings,
    /// Fields of the domain have no lengths.
    ConcatenatesFields,
    /// A session is stored for the server connected to last.
    StoresForLatestServer,
    SkipsVerification,
    IgnoresForget,
    StoresAfterForget,
    IgnoresNeverResume,
    /// A server with a port in `never_resume` is ignored.
    IgnoresNeverResumePort,
    /// The servers in `never_resume` do not change.
    NeverResumeIsFixed,
    ResumesWithClientCertificate,
    IgnoresPartition,
    /// Partitions are not domains, so they have no shares.
    PartitionsHaveNoShares,
    /// A clear of a partition clears all.
    ClearPartitionClearsAll,
    /// A clear of a partition removes its sessions now, and refuses none.
    StoresAfterClearPartition,
    IgnoresEndpoint,
    IgnoresAddress,
    /// An address is a server of its own.
    AddressesAreServers,
    IgnoresResumptionOff,
    /// Kin use the store of the client.
    KinShareTheStore,
    /// Kin use each ticket once.
    KinUseTicketsOnce,
    /// The session of a kin after a full handshake is kept for the next one.
    KinKeepOtherSessions,
    /// A clear leaves what a connection keeps for its kin.
    KinSurviveClear,
    ReusesTickets,
    /// Tickets are used once, though they are to be offered until they are renewed.
    UsesTicketsOnce,
    /// Only the first ticket of a server is stored, and reused.
    ReusesFirstTicket,
    KeepsOfferedTickets,
    /// A ticket is stored again after its handshake failed.
    ReturnsFailedTickets,
    /// One ticket a server is stored.
    StoresOneTicket,
    /// A TLS 1.2 session is removed when it is offered.
    UsesReusableOnce,
    /// A TLS 1.2 session is kept after its handshake failed.
    KeepsFailedReusable,
    KeepsReusableAfterAlert,
    /// A failed handshake removes the TLS 1.2 session, even a newer one.
    RemovesNewerReusable,
    /// A renewed TLS 1.2 ticket is not stored.
    MissesRenewals,
    /// OpenSSL's own session object is stored.
    SharesSessionObject,
    IgnoresServerLifetime,
    ClockStandsStill,
    IgnoresLimits,
    RenewalsResetAge,
    ClockNeverGoesBack,
    /// A server's earlier sessions and use are forgotten when a session is stored.
    ForgetsEarlierUse,
    NeverSweeps,
    NoStoreIsAnError,
    /// A callback that panics stores an empty session.
    StoresAfterPanic,
    /// One handshake at a time.
    LocksHandshakes,
    IgnoresClear,
    /// Connections that began before `clear` store sessions.
    StoresAfterClear,
    ClearServerClearsAll,
    DebugShowsSessions,
    SendsEarlyDataByDefault,
    ExceedsEarlyDataLimit,
    ReportsAllEarlyDataAccepted,
    /// Sessions outlive the certificates of their handshake.
    IgnoresCertificateExpiry,
    /// A client with another certificate has the security domain of the one before.
    KeepsDomainOnRotation,
    /// The server's group is not remembered.
    ForgetsGroup,
    /// The store is not told how handshakes end.
    ReportsNothing,
    /// With a `ClientConfig`, the store is not told which handshakes succeed.
    ReportsNoSuccess,
    /// The store is not told that a server rejects resumed connections.
    ForgetsLateRejections,
    /// A failed resumption is not made again.
    NeverRetries,
    /// A failed handshake removes all sessions of its server.
    ClearsAfterFailure,
    /// The size of a ticket is not in its entry.
    HidesTicketSize,
    /// Only the server's last group is offered.
    OffersLastGroupOnly,
    CountsNothing,
    /// A resumed connection is reported as full.
    ReportsFull,
    /// Taken records stay in the tier.
    TakesCopies,
    /// Taken records stay in the tier until the client is dropped.
    RemovesTakenAtExit,
    /// Records of earlier runs of Redis are taken, too.
    TakesOfEarlierRuns,
    TierFailureIsAnError,
    ClearsMemoryOnly,
    TamperingIsAnError,
    StoresPlaintext,
    /// Others may read the tier's file.
    PublicFiles,
    /// All clients have the same sealing key.
    IgnoresKeyFile,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

thread_local! {
    static CURRENT: Cell<Fault> = const { Cell::new(Fault::None) };
}

impl Fault {
    /// The fault of clients that this thread creates.
    pub(crate) fn current() -> Self {
        CURRENT.get()
    }

    /// Calls `check`, during which clients that this thread creates have this fault.
    pub(crate) fn during<T>(self, check: impl FnOnce() -> T) -> T {
        CURRENT.set(self);
        let result = check();
        CURRENT.set(Self::None);
        result
    }
}
