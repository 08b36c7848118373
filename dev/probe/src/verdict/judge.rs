//! From evidence to a verdict: the most severe finding that is certain comes first.

use super::Code;
use super::addresses::AddressPair;
use super::evidence::{Evidence, format_seconds};
use super::remedy::{self, Shown};
use crate::ConnectionRow;
use crate::finding::SessionKind;

/// A shorter lifetime than this in seconds is worth a remark. It is nginx's default.
const SHORT_LIFETIME: u64 = 300;

/// Code, text and remedy of a verdict.
type Answer = (Code, String, Option<String>);

fn answer(code: Code, text: impl Into<String>, remedy: &str) -> Answer {
    (code, text.into(), Some(remedy.to_owned()))
}

pub(super) fn judge(evidence: &Evidence<'_>) -> Answer {
    breaks_when_resumed(evidence)
        .or_else(|| handshake_failed(evidence))
        .or_else(|| address_never_resumes(evidence))
        .or_else(|| nothing_offered(evidence))
        .or_else(|| versions_differ(evidence))
        .or_else(|| nothing_resumed(evidence))
        .or_else(|| addresses_differ(evidence))
        .or_else(|| sometimes_declined(evidence))
        .or_else(|| used_up(evidence))
        .or_else(|| address_failed(evidence))
        .unwrap_or_else(|| resumes(evidence))
}

fn breaks_when_resumed(evidence: &Evidence<'_>) -> Option<Answer> {
    let (offered, not_offered) = evidence.only_offers_failed()?;
    let (failure, error) = evidence.failure_of_offers()?;
    let text = format!(
        "the server fails when a session is offered: all {offered} connections that offered one \
         failed, and all {not_offered} that offered none succeeded: {error}"
    );
    let remedy = remedy::of_failed_offers(failure);
    Some((Code::BreaksWhenResumed, text, Some(remedy)))
}

fn handshake_failed(evidence: &Evidence<'_>) -> Option<Answer> {
    let (failure, error) = evidence.most_frequent_failure()?;
    let (failed, total) = (
        evidence.count(ConnectionRow::has_failed),
        evidence.rows.len(),
    );
    let text = if total == 1 {
        format!("the only handshake failed: {error}")
    } else {
        format!("{failed} of {total} handshakes failed: {error}")
    };
    let shown = if failed < total {
        Shown::Handshakes
    } else if evidence.speaks_tls {
        Shown::Tls
    } else {
        Shown::Nothing
    };
    let remedy = remedy::of_failure(failure, shown);
    Some(answer(Code::HandshakeFailed, text, remedy))
}

fn address_never_resumes(evidence: &Evidence<'_>) -> Option<Answer> {
    let addresses = evidence.non_resuming_addresses();
    if addresses.is_empty() {
        return None;
    }
    let parts = addresses.iter().map(|one| match one.declined {
        0 => format!("{} issues no sessions that can be offered", one.address),
        declined => format!("{} declined all {declined} of its own", one.address),
    });
    let text = format!(
        "not every address resumes sessions: {}, while another address resumes",
        parts.collect::<Vec<_>>().join(", ")
    );
    let remedy = if addresses.iter().all(|one| one.declined == 0) {
        remedy::ADDRESS_WITHOUT_SESSIONS
    } else {
        remedy::ADDRESS_DECLINES
    };
    Some(answer(Code::Partly, text, remedy))
}

/// Checked before ticket keys: a session belongs to one TLS version whatever the keys are.
fn versions_differ(evidence: &Evidence<'_>) -> Option<Answer> {
    const WHY: &str = "a session of one version cannot be resumed in the other";
    if let Some(versions) = evidence.versions()
        && evidence.declined() > 0
    {
        let (declined, offered) = (evidence.declined(), evidence.offered());
        let text = format!(
            "the server speaks {versions}: {WHY}; it declined {declined} of {offered} sessions"
        );
        let code = if evidence.resumed_in_all() == 0 {
            Code::NeverResumes
        } else {
            Code::Partly
        };
        return Some(answer(code, text, remedy::VERSIONS));
    }
    let pairs = evidence.differing_pairs();
    let different_versions = |pair: &AddressPair<'_>| {
        let (from, to) = (
            evidence.version_at(pair.from)?,
            evidence.version_at(pair.to)?,
        );
        (from != to).then(|| (from.to_owned(), to.to_owned()))
    };
    let (pair, (from, to)) = pairs
        .iter()
        .find_map(|pair| Some((pair, different_versions(pair)?)))?;
    let text = format!(
        "{} speaks {from} and {} speaks {to}: {WHY}",
        pair.from, pair.to
    );
    Some(answer(Code::AddressesDiffer, text, remedy::VERSIONS))
}

fn nothing_offered(evidence: &Evidence<'_>) -> Option<Answer> {
    if evidence.offered_in_all() > 0 {
        return None;
    }
    let tickets = evidence.tickets();
    Some(if tickets == 0 {
        let (what, remedy) = match (evidence.is_postgres(), evidence.is_tls12_only()) {
            (true, _) => ("no sessions", remedy::POSTGRES),
            (false, true) => ("neither tickets nor session ids", remedy::NO_SESSIONS_TLS12),
            (false, false) => ("no tickets", remedy::NO_TICKETS),
        };
        let text = format!("the server issues {what}: every handshake is a full one");
        answer(Code::NoTickets, text, remedy)
    } else if evidence.used_up() == 0 {
        let text = if evidence.rows.len() == 1 {
            "a single connection has no earlier session to offer"
        } else {
            "all connections began before the first session arrived"
        };
        answer(Code::NotTried, text, remedy::MORE_CONNECTIONS)
    } else if evidence.lifetime() == Some(0) {
        let text = format!("the server issues tickets ({tickets}) that are valid for 0 s");
        answer(Code::NeverResumes, text, remedy::ZERO_LIFETIME)
    } else {
        let text = format!(
            "the server issued {tickets} sessions, none of which could be stored and offered"
        );
        answer(Code::NeverResumes, text, remedy::NOT_STORABLE)
    })
}

fn nothing_resumed(evidence: &Evidence<'_>) -> Option<Answer> {
    if evidence.resumed_in_all() > 0 {
        return None;
    }
    let offered = evidence.offered_in_all();
    if offered == evidence.tier_sessions() {
        let text = "the server declined the session from the store, which it may have forgotten";
        return Some(answer(Code::NotTried, text, remedy::MORE_CONNECTIONS));
    }
    if let Some(again) = evidence.again.filter(|again| again.resumed > 0) {
        let text = format!(
            "the server declined all {offered} sessions of the first connections, but then resumed \
             {} of {} in others",
            again.resumed, again.offered
        );
        return Some(answer(Code::Partly, text, remedy::SEVERAL_MACHINES));
    }
    let text = format!("the server issues sessions and declined all {offered} that were offered");
    let remedy = if evidence.has_only(SessionKind::SessionId) {
        remedy::NOT_CACHED
    } else {
        remedy::ALWAYS_DECLINED
    };
    Some(answer(Code::NeverResumes, text, remedy))
}

fn addresses_differ(evidence: &Evidence<'_>) -> Option<Answer> {
    let pairs = evidence.differing_pairs();
    let first = pairs.first()?;
    let others = match pairs.len() - 1 {
        0 => String::new(),
        1 => ", as with one more pair of addresses".to_owned(),
        more => format!(", as with {more} more pairs of addresses"),
    };
    let what = if evidence.has_only(SessionKind::SessionId) {
        "sessions"
    } else {
        "tickets"
    };
    let though = if evidence.reverse_resumed(first) {
        ", though those of the second are resumed at the first"
    } else {
        ""
    };
    let text = format!(
        "{what} from {} are declined at {} ({} of {}){though}{others}: a client that moves to \
         another address of the name makes a full handshake",
        first.from,
        first.to,
        first.offered - first.resumed,
        first.offered
    );
    let remedy = if evidence.keys_must_differ(first) {
        remedy::ADDRESSES
    } else {
        remedy::ADDRESSES_OR_CHANCE
    };
    Some(answer(Code::AddressesDiffer, text, remedy))
}

fn sometimes_declined(evidence: &Evidence<'_>) -> Option<Answer> {
    let offered = evidence.offered_in_all();
    let declined = offered - evidence.resumed_in_all();
    if declined == 0 {
        return None;
    }
    let included = if offered > evidence.offered() {
        ", those of experiments included"
    } else {
        ""
    };
    let used_up = match evidence.used_up() {
        0 => String::new(),
        1 => "; 1 connection had no session left to offer".to_owned(),
        used_up => format!("; {used_up} connections had no session left to offer"),
    };
    let text = format!(
        "the server resumes only some sessions: it declined {declined} of {offered} that were \
         offered{included}{used_up}"
    );
    let again_mixed = evidence
        .again
        .is_some_and(|again| again.resumed > 0 && again.resumed < again.offered);
    let remedy = if again_mixed {
        remedy::SEVERAL_MACHINES
    } else {
        remedy::SOMETIMES_DECLINED
    };
    Some(answer(Code::Partly, text, remedy))
}

fn used_up(evidence: &Evidence<'_>) -> Option<Answer> {
    let full = evidence.used_up();
    if full == 0 {
        return None;
    }
    let full = plural(full, "full handshake");
    let tickets = plural(evidence.tickets_of_full(), "ticket");
    let lifetime = evidence.lifetime().map_or(String::new(), |seconds| {
        format!(" valid for {}", format_seconds(seconds))
    });
    Some(if let Some(burst) = evidence.burst {
        let parallel = if burst.connections == burst.concurrency {
            format!("{} parallel connections", burst.connections)
        } else {
            format!(
                "{} connections, {} in parallel,",
                burst.connections, burst.concurrency
            )
        };
        let text =
            format!("the server issues {tickets}{lifetime}; your {parallel} used them up: {full}");
        answer(Code::TicketsUsedUp, text, remedy::MORE_TICKETS)
    } else if evidence.renews_nothing() && evidence.accepts_a_ticket_twice() {
        let text = format!(
            "the server issues {tickets}{lifetime} after a full handshake, and none after a \
             resumed one, but accepts a ticket twice; connections in a row, which use each ticket \
             once, used them up: {full}"
        );
        answer(Code::TicketsUsedUp, text, remedy::TICKETS_ACCEPTED_TWICE)
    } else {
        let text = format!(
            "the server issues {tickets}{lifetime} after a full handshake, and none after a \
             resumed one; connections in a row used them up: {full}"
        );
        answer(Code::TicketsUsedUp, text, remedy::TICKETS_ON_RESUMPTION)
    })
}

fn address_failed(evidence: &Evidence<'_>) -> Option<Answer> {
    let failed = evidence.failed_addresses();
    if failed.is_empty() {
        return None;
    }
    let text = format!(
        "the server resumes sessions, but handshakes failed at {}",
        failed.join(", ")
    );
    Some(answer(Code::AddressFailed, text, remedy::ADDRESS_FAILED))
}

fn resumes(evidence: &Evidence<'_>) -> Answer {
    let (resumed, total) = (evidence.resumed(), evidence.rows.len());
    let from_tier = match evidence.tier_sessions() {
        0 => String::new(),
        1 if evidence.rows[0].offered => ", the first with a session from the store".to_owned(),
        count => format!(", {count} with a session from the store"),
    };
    let too_early = match evidence.too_early() {
        0 => String::new(),
        count => format!("; {count} began before the first session arrived"),
    };
    let which = if resumed > 0 {
        format!("{resumed} of {total} connections did, all that could")
    } else {
        // A single connection cannot resume; those of experiments did.
        let (offered, resumed) = (evidence.offered_in_all(), evidence.resumed_in_all());
        format!("its addresses resumed {resumed} of {offered}")
    };
    let text = format!("the server resumes sessions: {which}{from_tier}{too_early}");
    match evidence.lifetime() {
        _ if evidence.has_only(SessionKind::SessionId) => {
            let text = format!(
                "{text}, by session ids of TLS 1.2: the sessions are in the memory of one server, \
                 and are unknown to other machines and after a restart"
            );
            answer(Code::SessionIdsOnly, text, remedy::SESSION_IDS)
        }
        Some(seconds @ ..SHORT_LIFETIME) => {
            let lifetime = format_seconds(seconds);
            let text = format!("{text}, but sessions are valid for {lifetime} only");
            answer(Code::ShortLifetime, text, remedy::LONGER_LIFETIME)
        }
        _ => (Code::Resumes, text, None),
    }
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}

#[cfg(test)]
mod tests;
