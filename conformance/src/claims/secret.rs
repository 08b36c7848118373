//! Secret: R24 and R26. What is secret about records, R25, is in `sealed`.

use lab::server::{Protocol, ServerSettings};

use crate::client::Client;
use crate::stage::{HOST, PORT, PROTOCOLS, Stage, holds, said};
use crate::{Checked, Claim};

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
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

fn no_early_data<C: Client>() -> Checked {
    let allows_it = |server: &mut ServerSettings| server.max_early_data = 16_384;
    let stage = Stage::<C>::with(Protocol::Tls13, allows_it, |_| {})?;
    for _ in 0..3 {
        let visit = stage.visit_at(HOST, PORT)?;
        holds(!visit.early_data, "no early data without being asked for")?;
    }
    Ok(())
}
