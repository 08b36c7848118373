//! The ways in which the client can be broken.

use std::cell::Cell;
use std::fmt;

/// What is wrong with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Fault {
    /// Nothing.
    #[default]
    None,
    NoPort,
    OneHost,
    SpelledHosts,
    OneDomain,
    RunsFieldsTogether,
    FilesUnderLatest,
    VerifiesNothing,
    ForgetsNothing,
    TakesAfterForget,
    AlwaysResumes,
    TicketsServeOften,
    KeepsTheFirst,
    KeepsWhatItOffers,
    PutsBackWhatFailed,
    OneTicket,
    SessionsServeOnce,
    KeepsWhatFailed,
    KeepsWhatIsRefused,
    RemovesAnySession,
    MissesRenewals,
    KeepsTheObject,
    ForgetsServerLifetime,
    TimeStandsStill,
    NoLimits,
    RenewsForEver,
    TimeOnlyGoesOn,
    NeverSeenAgain,
    NeverSweeps,
    OffIsAnError,
    PanicsArePutAside,
    LocksHandshakes,
    NeverClears,
    ForgetsBeginnings,
    ClearsTooMuch,
    ShowsSessions,
    SendsEarlyData,
    SendsAllEarly,
    SaysAllAccepted,
    CountsNothing,
    SaysFull,
    HandsOutCopies,
    SettlesAtTheEnd,
    TroubleIsAnError,
    ClearsMemoryOnly,
    TamperingIsAnError,
    KeepsPlainCopies,
    PublicFiles,
    OneKeyForAll,
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
    /// What is wrong with clients that this thread makes.
    pub(crate) fn current() -> Self {
        CURRENT.get()
    }

    /// Calls `with` while clients that this thread makes have this fault.
    pub(crate) fn during<T>(self, with: impl FnOnce() -> T) -> T {
        CURRENT.set(self);
        let result = with();
        CURRENT.set(Self::None);
        result
    }
}
