//! Secret: R24 and R26. What is secret about records, R25, is in `sealed`.

use std::collections::HashSet;

use lab::server::{Protocol, ServerSettings};
use tls_resume::Resumption;

use crate::client::Client;
use crate::stage::{HOST, OTHER_HOST, PORT, PROTOCOLS, Stage, equal, holds, said};
use crate::{Checked, Claim};

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    let early = |title, check: fn() -> Checked| {
        Claim::unless(C::NO_EARLY_DATA, Claim::new("R26", title, check))
    };
    vec![
        Claim::new(
            "R24",
            "what is shown for debugging has no ticket in it",
            debug_is_silent::<C>,
        ),
        Claim::new(
            "R26",
            "no data is sent before the handshake is done",
            no_early_data::<C>,
        ),
        early(
            "no more early data is sent than the session allows",
            no_more_than_allowed::<C>,
        ),
        early(
            "no ticket carries early data twice",
            once_for_each_ticket::<C>,
        ),
        early(
            "early data goes to its own server only",
            to_its_own_server::<C>,
        ),
        early(
            "early data that is rejected does not count as accepted",
            rejected_is_not_accepted::<C>,
        ),
    ]
}

fn debug_is_silent<C: Client>() -> Checked {
    for protocol in PROTOCOLS {
        let stage = Stage::<C>::new(protocol)?;
        stage.visit()?;
        let before = format!("{:?} {:#?}", stage.client, stage.client.stats());
        let connection = stage.open(HOST, PORT).map_err(said)?;
        let during = format!("{connection:?} {:?}", stage.client);
        drop(connection);
        // Only now it is known which ticket was in the store, and then in the connection.
        let ticket = stage.visit()?.ticket;
        let part = ticket.as_deref().and_then(|ticket| ticket.get(..8));
        let Some(part) = part else {
            return Err("the server was offered no ticket to look for".into());
        };
        for text in [before, during] {
            for form in forms(part) {
                holds(!text.contains(&form), &format!("no ticket in {text}"))?;
            }
        }
    }
    Ok(())
}

/// How bytes look in debug output: in hexadecimal, as a list, as an escaped string.
fn forms(bytes: &[u8]) -> [String; 4] {
    let hex = |format: fn(&u8) -> String| bytes.iter().map(format).collect::<String>();
    let list = format!("{bytes:?}");
    [
        hex(|byte| format!("{byte:02x}")),
        hex(|byte| format!("{byte:02X}")),
        list.trim_matches(['[', ']']).to_owned(),
        bytes.escape_ascii().to_string(),
    ]
}

/// What a ticket allows.
const ALLOWED: u32 = 1_024;

/// A client that was asked for early data, and a server that takes the same again and again: that
/// no ticket comes twice is then the client's doing.
fn early<C: Client>(tickets: usize) -> Result<Stage<C>, String> {
    let serve = |server: &mut ServerSettings| {
        server.max_early_data = ALLOWED;
        server.tickets = tickets;
        server.openssl.accepts_replays = true;
    };
    Stage::with(Protocol::Tls13, serve, |setup| setup.early_data = true)
}

fn no_early_data<C: Client>() -> Checked {
    let allows_it = |server: &mut ServerSettings| {
        server.max_early_data = ALLOWED;
        server.openssl.accepts_replays = true;
    };
    let stage = Stage::<C>::with(Protocol::Tls13, allows_it, |_| {})?;
    for _ in 0..3 {
        let visit = stage.visit_at(HOST, PORT)?;
        holds(!visit.early_data, "no early data without being asked for")?;
    }
    let (_, visit, accepted) = stage.open_early(HOST, PORT, b"GET /")?;
    visit.is(Resumption::Resumed, "a visit with a session")?;
    equal(&accepted, &0, "early data where the setup has none")
}

fn no_more_than_allowed<C: Client>() -> Checked {
    let stage = early::<C>(2)?;
    stage.visit()?;
    let data = vec![b'x'; 4 * ALLOWED as usize];
    let (_, visit, accepted) = stage.open_early(HOST, PORT, &data)?;
    visit.is(Resumption::Resumed, "a visit with more than is allowed")?;
    let within = (1..=ALLOWED as usize).contains(&accepted);
    holds(within, &format!("{accepted} bytes of {ALLOWED} allowed"))
}

fn once_for_each_ticket<C: Client>() -> Checked {
    const TICKETS: usize = 4;
    let stage = early::<C>(TICKETS)?;
    stage.visit()?;
    let mut open = Vec::new();
    let mut seen = HashSet::new();
    for _ in 0..TICKETS {
        let (connection, visit, accepted) = stage.open_early(HOST, PORT, b"GET /")?;
        equal(&accepted, &5, "early data with a fresh ticket")?;
        holds(seen.insert(visit.ticket), "a ticket of its own each time")?;
        open.push(connection);
    }
    let (_, visit, accepted) = stage.open_early(HOST, PORT, b"GET /")?;
    visit.is(Resumption::Full, "a visit when all tickets are used up")?;
    equal(&accepted, &0, "early data without a ticket")
}

fn to_its_own_server<C: Client>() -> Checked {
    let stage = early::<C>(2)?;
    stage.visit()?;
    for (host, port) in [(OTHER_HOST, PORT), (HOST, PORT + 1)] {
        let (_, visit, accepted) = stage.open_early(host, port, b"GET /")?;
        visit.is(Resumption::Full, "a first visit to another server")?;
        equal(&accepted, &0, "early data to another server")?;
    }
    let (_, _, accepted) = stage.open_early(HOST, PORT, b"GET /")?;
    equal(&accepted, &5, "early data to its own server")
}

fn rejected_is_not_accepted<C: Client>() -> Checked {
    let stage = early::<C>(2)?;
    stage.visit()?;
    stage.server.rotate_keys();
    let (_, visit, accepted) = stage.open_early(HOST, PORT, b"GET /")?;
    visit.is(Resumption::Declined, "a visit after the keys changed")?;
    equal(&accepted, &0, "early data under keys that are gone")
}
