//! What lies where processes share it: R23 and R25.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use lab::server::Protocol;
use store_tiers::lmdb::{LmdbSettings, LmdbTier};
use store_tiers::{Sealed, Tier};
use tls_resume::{Clock, SystemClock};

use crate::child::{Launcher, Task, Told};
use crate::client::Client;
use crate::processes::{DOMAIN, Processes, resumed, tickets};
use crate::stage::{HOST, equal, holds, said};
use crate::{Checked, Claim};

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    vec![
        Claim::among::<C>(
            "R23",
            "a tampered record is dropped and the next one tried",
            tampering_is_a_miss::<C>,
        ),
        Claim::among::<C>(
            "R23",
            "a tampered TLS 1.2 record is dropped and replaced",
            tampered_is_replaced::<C>,
        ),
        Claim::among::<C>(
            "R25",
            "what is stored shows neither names nor tickets",
            nothing_is_shown::<C>,
        ),
        Claim::among::<C>(
            "R25",
            "only its owner may read what is stored",
            owner_alone::<C>,
        ),
        Claim::among::<C>(
            "R25",
            "under other keys nothing is resumed",
            keys_are_apart::<C>,
        ),
    ]
}

/// Changes a byte in the record that is taken first, and says how many records there are.
fn tamper(directory: &Path) -> Result<usize, String> {
    let now = SystemClock.now();
    let mut tier = LmdbTier::open(directory, LmdbSettings::default()).map_err(said)?;
    let mut records: Vec<Sealed> = tier.load(1_000, now).map_err(said)?;
    let Some(first) = records.first_mut() else {
        return Err("there is no record to tamper with".to_owned());
    };
    let middle = first.bytes.len() / 2;
    first.bytes[middle] ^= 1;
    tier.put(&records, now).map_err(said)?;
    Ok(records.len())
}

/// Records that a child found to be tampered with.
fn rejected(told: &[Told]) -> u64 {
    told.last().map_or(0, |told| told.tier.rejected_tampered)
}

fn tampering_is_a_miss<C: Client>(launcher: &Launcher) -> Checked {
    let processes = Processes::<C>::new(launcher, Protocol::Tls13, 6)?;
    processes.fill()?;
    let records = tamper(&processes.place.directory())?;
    holds(records > 1, "there is a record beside the tampered one")?;
    let told = processes.run(&processes.hungry(2 * records)?)?;
    equal(&rejected(&told), &1, "records rejected as tampered with")?;
    equal(&resumed(&told), &(records - 1), "resumed, with the others")
}

fn tampered_is_replaced<C: Client>(launcher: &Launcher) -> Checked {
    let processes = Processes::<C>::new(launcher, Protocol::Tls12, 1)?;
    processes.fill()?;
    tamper(&processes.place.directory())?;
    let told = processes.run(&processes.task(1)?)?;
    equal(&resumed(&told), &0, "resumed, with the tampered record")?;
    holds(rejected(&told) > 0, "the record is rejected and counted")?;
    let told = processes.run(&processes.task(1)?)?;
    equal(&resumed(&told), &1, "resumed, with the one in its place")
}

fn nothing_is_shown<C: Client>(launcher: &Launcher) -> Checked {
    const PAGE: usize = 4_096;
    for protocol in Protocol::ALL {
        let processes = Processes::<C>::new(launcher, protocol, 4)?;
        processes.fill()?;
        let mut stored = Vec::new();
        for path in processes.place.contents()? {
            if path.is_file() {
                let read = fs::read(path).map_err(said)?;
                // LMDB's file is mostly empty.
                let pages = read.chunks(PAGE).filter(|page| *page != [0; PAGE]);
                stored.extend(pages.flatten().copied());
            }
        }
        // Only now it is known which tickets those were.
        processes.run(&processes.hungry(4)?)?;
        let used = tickets(&processes.handshakes(5)?);
        holds(!used.is_empty(), "the server is offered what was stored")?;
        let parts = used.iter().filter_map(|ticket| ticket.get(16..32));
        for secret in parts.chain([HOST.as_bytes(), DOMAIN.as_bytes()]) {
            let shown = secret.escape_ascii();
            holds(!contains(&stored, secret), &format!("{shown} is not shown"))?;
        }
    }
    Ok(())
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    let Some(first) = part.first() else {
        return true;
    };
    let mut places = text.iter().enumerate().filter(|(_, byte)| *byte == first);
    places.any(|(place, _)| text[place..].starts_with(part))
}

fn owner_alone<C: Client>(launcher: &Launcher) -> Checked {
    let processes = Processes::<C>::new(launcher, Protocol::Tls13, 4)?;
    processes.fill()?;
    for path in processes.place.contents()? {
        let facts = fs::metadata(&path).map_err(said)?;
        let expected = if facts.is_dir() { 0o700 } else { 0o600 };
        let mode = facts.permissions().mode() & 0o777;
        let what = format!("{}: mode {expected:o}, not {mode:o}", path.display());
        holds(mode == expected, &what)?;
    }
    Ok(())
}

fn keys_are_apart<C: Client>(launcher: &Launcher) -> Checked {
    for protocol in Protocol::ALL {
        let processes = Processes::<C>::new(launcher, protocol, 4)?;
        processes.fill()?;
        let stranger = Task {
            store: processes.place.under_other_keys(),
            ..processes.hungry(1)?
        };
        let told = processes.run(&stranger)?;
        equal(&resumed(&told), &0, "resumed, under other keys")?;
        let told = processes.run(&processes.hungry(1)?)?;
        equal(
            &resumed(&told),
            &1,
            "resumed, under the keys it is sealed with",
        )?;
    }
    Ok(())
}
