//! From what was seen to one answer: the worst that is certain comes first.

use super::addresses::Pair;
use super::evidence::{Evidence, span};
use super::{Code, remedy};
use crate::finding::SessionKind;

/// Below this, clients that come back after a coffee make full handshakes. It is what nginx has if
/// nothing is set.
const SHORT: u64 = 300;

/// The answer, its text, and what to do.
type Answer = (Code, String, Option<String>);

fn answer(code: Code, text: impl Into<String>, remedy: &str) -> Answer {
    (code, text.into(), Some(remedy.to_owned()))
}

pub(super) fn judge(seen: &Evidence<'_>) -> Answer {
    failed(seen)
        .or_else(|| useless_address(seen))
        .or_else(|| nothing_offered(seen))
        .or_else(|| versions_differ(seen))
        .or_else(|| nothing_resumed(seen))
        .or_else(|| addresses_differ(seen))
        .or_else(|| sometimes_declined(seen))
        .or_else(|| used_up(seen))
        .or_else(|| address_failed(seen))
        .unwrap_or_else(|| resumes(seen))
}

fn failed(seen: &Evidence<'_>) -> Option<Answer> {
    let (failure, why) = seen.most_frequent_failure()?;
    let (failed, total) = (seen.count(|row| row.error.is_some()), seen.rows.len());
    let text = if total == 1 {
        format!("the only handshake failed: {why}")
    } else {
        format!("{failed} of {total} handshakes failed: {why}")
    };
    Some(answer(
        Code::HandshakeFailed,
        text,
        remedy::of_failure(failure),
    ))
}

fn useless_address(seen: &Evidence<'_>) -> Option<Answer> {
    let useless = seen.useless_addresses();
    if useless.is_empty() {
        return None;
    }
    let each = useless.iter().map(|one| match one.declined {
        0 => format!("{} gives no sessions that can be offered", one.address),
        declined => format!("{} declined all {declined} of its own", one.address),
    });
    let text = format!(
        "not every address resumes sessions: {}, while another address resumes",
        each.collect::<Vec<_>>().join(", ")
    );
    let remedy = if useless.iter().all(|one| one.declined == 0) {
        remedy::ADDRESS_WITHOUT
    } else {
        remedy::ADDRESS_DECLINES
    };
    Some(answer(Code::Partly, text, remedy))
}

/// A version is what a session belongs to before any key is: where it differs, keys cannot help.
fn versions_differ(seen: &Evidence<'_>) -> Option<Answer> {
    const WHY: &str = "a session of one version cannot be resumed in the other";
    if let Some(versions) = seen.versions()
        && seen.declined() > 0
    {
        let (declined, offered) = (seen.declined(), seen.offered());
        let text = format!(
            "the server speaks {versions}: {WHY}; of {offered} sessions that it was offered it              declined {declined}"
        );
        let code = if seen.resumed_in_all() == 0 {
            Code::NeverResumes
        } else {
            Code::Partly
        };
        return Some(answer(code, text, remedy::VERSIONS));
    }
    let differing = seen.differing();
    let spoken = |pair: &Pair<'_>| {
        let (from, to) = (seen.version_at(pair.from)?, seen.version_at(pair.to)?);
        (from != to).then(|| (from.to_owned(), to.to_owned()))
    };
    let (pair, (from, to)) = differing
        .iter()
        .find_map(|pair| Some((pair, spoken(pair)?)))?;
    let text = format!(
        "{} speaks {from} and {} speaks {to}: {WHY}",
        pair.from, pair.to
    );
    Some(answer(Code::AddressesDiffer, text, remedy::VERSIONS))
}

fn nothing_offered(seen: &Evidence<'_>) -> Option<Answer> {
    if seen.offered_in_all() > 0 {
        return None;
    }
    let tickets = seen.tickets();
    Some(if tickets == 0 {
        let (text, remedy) = match (seen.is_postgres(), seen.tls12()) {
            (true, _) => (
                "the server gives no sessions: every handshake is a full one",
                remedy::POSTGRES,
            ),
            (false, true) => (
                "the server gives neither tickets nor session ids: every handshake is a full one",
                remedy::NO_SESSIONS_TLS12,
            ),
            (false, false) => (
                "the server issues no tickets: every handshake is a full one",
                remedy::NO_TICKETS,
            ),
        };
        answer(Code::NoTickets, text, remedy)
    } else if seen.used_up() == 0 {
        let text = if seen.rows.len() == 1 {
            "one connection cannot resume itself"
        } else {
            "all connections began before a session had come"
        };
        answer(Code::NotTried, text, remedy::MORE_CONNECTIONS)
    } else if seen.lifetime() == Some(0) {
        let text = format!("the server issues tickets ({tickets}) that are valid for 0 s");
        answer(Code::NeverResumes, text, remedy::ZERO_LIFETIME)
    } else {
        let text = format!(
            "the server gave {tickets} sessions, none of which could be stored and offered"
        );
        answer(Code::NeverResumes, text, remedy::NOT_STORABLE)
    })
}

fn nothing_resumed(seen: &Evidence<'_>) -> Option<Answer> {
    if seen.resumed_in_all() > 0 {
        return None;
    }
    let offered = seen.offered_in_all();
    if offered == seen.of_store() {
        let text = "the server declined what the store had, which it may have forgotten";
        return Some(answer(Code::NotTried, text, remedy::MORE_CONNECTIONS));
    }
    if let Some(again) = seen.again.filter(|again| again.resumed > 0) {
        let text = format!(
            "the server declined all {offered} sessions that it was offered at first, but resumed \
             {} of {} when sessions were offered again and again",
            again.resumed, again.offered
        );
        return Some(answer(Code::Partly, text, remedy::SEVERAL_BEHIND));
    }
    let text = format!("the server gives sessions and declined all {offered} that it was offered");
    let remedy = if seen.only(SessionKind::SessionId) {
        remedy::NOT_CACHED
    } else {
        remedy::ALWAYS_DECLINED
    };
    Some(answer(Code::NeverResumes, text, remedy))
}

fn addresses_differ(seen: &Evidence<'_>) -> Option<Answer> {
    let differing = seen.differing();
    let first = differing.first()?;
    let others = match differing.len() - 1 {
        0 => String::new(),
        1 => ", and so is one more pair of addresses".to_owned(),
        more => format!(", and so are {more} more pairs of addresses"),
    };
    let what = if seen.only(SessionKind::SessionId) {
        "sessions"
    } else {
        "tickets"
    };
    let though = if seen.resumed_back(first) {
        ", though those of the second are resumed at the first"
    } else {
        ""
    };
    let text = format!(
        "{what} from {} are refused at {} ({} of {}){though}{others}: a client that meets another \
         address of the name makes a full handshake",
        first.from,
        first.to,
        first.offered - first.resumed,
        first.offered
    );
    let remedy = if seen.keys_differ(first) {
        remedy::ADDRESSES
    } else {
        remedy::ADDRESSES_OR_CHANCE
    };
    Some(answer(Code::AddressesDiffer, text, remedy))
}

fn sometimes_declined(seen: &Evidence<'_>) -> Option<Answer> {
    let offered = seen.offered_in_all();
    let declined = offered - seen.resumed_in_all();
    if declined == 0 {
        return None;
    }
    let included = if offered > seen.offered() {
        ", those of experiments included"
    } else {
        ""
    };
    let none = seen.used_up();
    let none = if none > 0 {
        format!("; {none} had no session left to offer")
    } else {
        String::new()
    };
    let text = format!(
        "the server resumes sometimes: it declined {declined} of {offered} sessions that it was \
         offered{included}{none}"
    );
    let mixed = |again: &&_| -> bool {
        let again: &crate::AgainRow = again;
        again.resumed > 0 && again.resumed < again.offered
    };
    let remedy = match seen.again.filter(mixed) {
        Some(_) => remedy::SEVERAL_BEHIND,
        None => remedy::NOW_AND_THEN,
    };
    Some(answer(Code::Partly, text, remedy))
}

fn used_up(seen: &Evidence<'_>) -> Option<Answer> {
    let full = seen.used_up();
    if full == 0 {
        return None;
    }
    let tickets = plural(seen.tickets_of_full(), "ticket");
    let valid = seen.lifetime().map_or(String::new(), |seconds| {
        format!(" valid for {}", span(seconds))
    });
    Some(if let Some(burst) = seen.burst {
        let parallel = if burst.connections == burst.concurrency {
            format!("{} parallel connections", burst.connections)
        } else {
            format!(
                "{} connections, {} in parallel,",
                burst.connections, burst.concurrency
            )
        };
        let text = format!(
            "the server issues {tickets}{valid}; your {parallel} used them up: {}",
            plural(full, "full handshake")
        );
        answer(Code::TicketsUsedUp, text, remedy::MORE_TICKETS)
    } else {
        let text = format!(
            "the server issues {tickets}{valid} after a full handshake, and none after a resumed \
             one; connections in a row used them up: {}",
            plural(full, "full handshake")
        );
        answer(Code::TicketsUsedUp, text, remedy::TICKETS_ON_RESUMPTION)
    })
}

fn address_failed(seen: &Evidence<'_>) -> Option<Answer> {
    let failed = seen.failed_addresses();
    if failed.is_empty() {
        return None;
    }
    let text = format!(
        "the server resumes sessions, but handshakes failed at {}",
        failed.join(", ")
    );
    Some(answer(Code::AddressFailed, text, remedy::ADDRESS_FAILED))
}

fn resumes(seen: &Evidence<'_>) -> Answer {
    let (resumed, total) = (seen.resumed(), seen.rows.len());
    let from_store = match seen.of_store() {
        0 => String::new(),
        1 if seen.rows[0].offered => ", the first with a session from the store".to_owned(),
        stored => format!(", {stored} with a session from the store"),
    };
    let early = match seen.nothing_yet() {
        0 => String::new(),
        early => format!("; {early} began before a session had come"),
    };
    let which = if resumed > 0 {
        format!("{resumed} of {total} connections did, all that could")
    } else {
        // One connection cannot, but the experiment had more.
        let (offered, resumed) = (seen.offered_in_all(), seen.resumed_in_all());
        format!("its addresses did with {resumed} of {offered}")
    };
    let text = format!("the server resumes sessions: {which}{from_store}{early}");
    match seen.lifetime() {
        _ if seen.only(SessionKind::SessionId) => {
            let text = format!(
                "{text}, by session ids of TLS 1.2: the sessions lie in the memory of that one \
                 server, and a restart or another machine forgets them"
            );
            answer(Code::SessionIdsOnly, text, remedy::SESSION_IDS)
        }
        Some(seconds @ ..SHORT) => {
            let text = format!("{text}, but a session lives for {} only", span(seconds));
            answer(Code::ShortLifetime, text, remedy::LONGER)
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
