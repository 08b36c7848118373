//! Secrets in debug output and in the records of a tier: R23 to R25.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use lab::server::Protocol;
use store_tiers::lmdb::{LmdbSettings, LmdbTier};
use store_tiers::{Sealed, Tier};
use tls_resume::{Clock, SystemClock};

use crate::check::{CheckResult, equal, holds, message};
use crate::child::{ConnectionReport, Launcher, Task};
use crate::claim::Claim;
use crate::client::Client;
use crate::fixture::{Fixture, HOST, PORT};
use crate::process_fixture::{DOMAIN, ProcessFixture, resumed, tickets};

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    vec![
        Claim::new(
            "R24",
            "debug output contains no ticket",
            debug_output_has_no_ticket::<C>,
        ),
        Claim::with_children::<C>(
            "R23",
            "a tampered record is dropped and the next one tried",
            tampered_ticket_is_a_miss::<C>,
        ),
        Claim::with_children::<C>(
            "R23",
            "a tampered TLS 1.2 record is dropped and replaced",
            tampered_reusable_is_replaced::<C>,
        ),
        Claim::with_children::<C>(
            "R25",
            "stored records show neither names nor tickets",
            records_show_no_secrets::<C>,
        ),
        Claim::with_children::<C>(
            "R25",
            "only the owner may read the files of a shared store",
            files_are_private::<C>,
        ),
        Claim::with_children::<C>(
            "R25",
            "sessions are not resumed under other store keys",
            other_keys_do_not_resume::<C>,
        ),
    ]
}

fn debug_output_has_no_ticket<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::new(protocol)?;
        fixture.visit()?;
        let before = format!("{:?} {:#?}", fixture.client, fixture.client.stats());
        let connection = fixture.open(HOST, PORT).map_err(message)?;
        let during = format!("{connection:?} {:?}", fixture.client);
        drop(connection);
        // The server reports the stored ticket when it is offered.
        let ticket = fixture.visit()?.ticket;
        let part = ticket.as_deref().and_then(|ticket| ticket.get(..8));
        let Some(part) = part else {
            return Err("no ticket was offered".into());
        };
        for text in [before, during] {
            for encoding in encodings(part) {
                holds(!text.contains(&encoding), &format!("no ticket in {text}"))?;
            }
        }
    }
    Ok(())
}

/// Bytes as debug output may have them: in hexadecimal, as a list, as an escaped string.
fn encodings(bytes: &[u8]) -> [String; 4] {
    let hex = |format: fn(&u8) -> String| bytes.iter().map(format).collect::<String>();
    let list = format!("{bytes:?}");
    [
        hex(|byte| format!("{byte:02x}")),
        hex(|byte| format!("{byte:02X}")),
        list.trim_matches(['[', ']']).to_owned(),
        bytes.escape_ascii().to_string(),
    ]
}

/// Changes a byte of the record that is taken first. Returns the number of records.
fn tamper(directory: &Path) -> Result<usize, String> {
    let now = SystemClock.now();
    let mut tier = LmdbTier::open(directory, LmdbSettings::default()).map_err(message)?;
    let mut records: Vec<Sealed> = tier.load(1_000, now).map_err(message)?;
    let Some(first) = records.first_mut() else {
        return Err("there is no record to tamper with".to_owned());
    };
    let middle = first.bytes.len() / 2;
    first.bytes[middle] ^= 1;
    tier.put(&records, now).map_err(message)?;
    Ok(records.len())
}

/// How many records a child rejected as tampered with.
fn rejected(reports: &[ConnectionReport]) -> u64 {
    reports
        .last()
        .map_or(0, |report| report.tier.rejected_tampered)
}

fn tampered_ticket_is_a_miss<C: Client>(launcher: &Launcher) -> CheckResult {
    let fixture = ProcessFixture::<C>::new(launcher, Protocol::Tls13, 6)?;
    fixture.fill()?;
    let records = tamper(&fixture.tier.directory())?;
    holds(records > 1, "there is more than the tampered record")?;
    let reports = fixture.run(&fixture.fetching_task(2 * records)?)?;
    equal(&rejected(&reports), &1, "records rejected as tampered with")?;
    equal(
        &resumed(&reports),
        &(records - 1),
        "resumed, with the other records",
    )
}

fn tampered_reusable_is_replaced<C: Client>(launcher: &Launcher) -> CheckResult {
    let fixture = ProcessFixture::<C>::new(launcher, Protocol::Tls12, 1)?;
    fixture.fill()?;
    tamper(&fixture.tier.directory())?;
    let reports = fixture.run(&fixture.task(1)?)?;
    equal(&resumed(&reports), &0, "resumed, with the tampered record")?;
    holds(rejected(&reports) > 0, "the record is rejected and counted")?;
    let reports = fixture.run(&fixture.task(1)?)?;
    equal(
        &resumed(&reports),
        &1,
        "resumed, with the record that replaced it",
    )
}

fn records_show_no_secrets<C: Client>(launcher: &Launcher) -> CheckResult {
    const PAGE: usize = 4_096;
    for protocol in Protocol::ALL {
        let fixture = ProcessFixture::<C>::new(launcher, protocol, 4)?;
        fixture.fill()?;
        let mut stored = Vec::new();
        for path in fixture.tier.paths()? {
            if path.is_file() {
                let read = fs::read(path).map_err(message)?;
                // Most pages of LMDB's file are empty.
                let pages = read.chunks(PAGE).filter(|page| *page != [0; PAGE]);
                stored.extend(pages.flatten().copied());
            }
        }
        // The server reports the stored tickets when they are offered.
        fixture.run(&fixture.fetching_task(4)?)?;
        let offered = tickets(&fixture.handshakes(5)?);
        holds(!offered.is_empty(), "stored tickets are offered")?;
        let parts = offered.iter().filter_map(|ticket| ticket.get(16..32));
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
    let mut positions = text.iter().enumerate().filter(|(_, byte)| *byte == first);
    positions.any(|(at, _)| text[at..].starts_with(part))
}

fn files_are_private<C: Client>(launcher: &Launcher) -> CheckResult {
    let fixture = ProcessFixture::<C>::new(launcher, Protocol::Tls13, 4)?;
    fixture.fill()?;
    for path in fixture.tier.paths()? {
        let metadata = fs::metadata(&path).map_err(message)?;
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        let mode = metadata.permissions().mode() & 0o777;
        let what = format!("{}: mode {expected:o}, not {mode:o}", path.display());
        holds(mode == expected, &what)?;
    }
    Ok(())
}

fn other_keys_do_not_resume<C: Client>(launcher: &Launcher) -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = ProcessFixture::<C>::new(launcher, protocol, 4)?;
        fixture.fill()?;
        let task = Task {
            store: fixture.tier.store_with_other_keys(),
            ..fixture.fetching_task(1)?
        };
        let reports = fixture.run(&task)?;
        equal(&resumed(&reports), &0, "resumed, under other keys")?;
        let reports = fixture.run(&fixture.fetching_task(1)?)?;
        equal(
            &resumed(&reports),
            &1,
            "resumed, under the keys of the records",
        )?;
    }
    Ok(())
}
