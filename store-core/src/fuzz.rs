//! The fuzz target `store`: its input is a list of operations on a shard.

use std::time::Duration;

use bytes::{Buf, TryGetError};

use crate::shard::comparison::{OUTCOMES, Op, SERVERS, compare};
use crate::{AddressId, Limits, LookUp, Usage, Want};

/// Longer inputs find nothing more.
const MAX_OPERATIONS: usize = 1_000;

/// Runs the operations in `data` on a shard and on its model.
///
/// The first bytes are the limits; operations of one to seven bytes follow. An incomplete one at
/// the end is ignored.
///
/// # Panics
/// If the shard and the model differ.
pub fn store(mut data: &[u8]) {
    let Ok((limits, domains)) = limits(&mut data) else {
        return;
    };
    let ops = std::iter::from_fn(|| op(&mut data).ok()).take(MAX_OPERATIONS);
    compare(&limits, domains, &ops.collect::<Vec<_>>());
}

/// Reads valid limits, small enough to be reached, and the number of security domains.
fn limits(data: &mut &[u8]) -> Result<(Limits, u8), TryGetError> {
    let first = data.try_get_u8()?;
    let (servers, domains) = (1 + first % 10, 1 + first / 10 % 4);
    let sessions = 1 + data.try_get_u8()? % 6;
    let session_bytes = data.try_get_u8()?.into();
    let server_bytes = session_bytes + usize::from(data.try_get_u8()?) * 2;
    let total_bytes = server_bytes + usize::from(data.try_get_u16()?) / 8;
    let tenths = |byte: u8| Duration::from_millis(u64::from(byte) * 100);
    let limits = Limits::default()
        .with_servers(servers.into())
        .with_sessions_per_server(sessions.into())
        .with_bytes(session_bytes, server_bytes, total_bytes)
        .with_lifetimes(tenths(data.try_get_u8()?), tenths(data.try_get_u8()?))
        .with_total_age(tenths(data.try_get_u8()?.max(1)))
        .with_unpacked_sessions(usize::from(sessions) - 1);
    Ok((limits, domains))
}

fn op(data: &mut &[u8]) -> Result<Op, TryGetError> {
    let kind = data.try_get_u8()?;
    // The low bits are one of eight kinds, the high ones flags.
    let flags = kind >> 3;
    Ok(match kind % 8 {
        0 | 1 => Op::Put {
            server: data.try_get_u8()? % SERVERS,
            usage: if flags & 1 == 0 {
                Usage::SingleUse
            } else {
                Usage::Reusable
            },
            weight: match data.try_get_u8()? {
                u8::MAX => usize::MAX,
                weight => weight.into(),
            },
            lives: data.try_get_u16()?.into(),
            age: if flags & 2 == 0 {
                0
            } else {
                data.try_get_u16()?.into()
            },
            late: flags & 4 != 0,
            returns: flags & 8 != 0,
            shares: if flags & 16 == 0 {
                0
            } else {
                data.try_get_u8()? % 4
            },
            beside: if flags & 0x18 == 0x18 { 20 } else { 0 },
            address: u32::from(flags) % 4,
            other: u32::from(flags) / 8,
        },
        2 | 3 => Op::Offer {
            server: data.try_get_u8()? % SERVERS,
            look_up: look_up(flags),
            only_even: flags & 4 != 0,
        },
        4 => {
            let (server, id): (u8, u64) = (data.try_get_u8()? % SERVERS, data.try_get_u8()?.into());
            match flags & 7 {
                0 => Op::RemoveReusable { server },
                1 => Op::RemoveUpTo { server, id },
                2 => Op::Surplus {
                    server,
                    keep: usize::from(flags >> 3),
                },
                3..6 => Op::End {
                    server,
                    outcome: OUTCOMES[usize::try_from(id).unwrap_or(0) % OUTCOMES.len()],
                    took: if flags & 16 == 0 { 0 } else { 3_000 },
                    id: id / 8,
                    doubtful: flags & 8 != 0,
                    from: u32::try_from(id % 4).unwrap_or(0),
                    to: u32::from(flags) / 8,
                },
                _ => Op::Remove { server, id },
            }
        }
        5 if flags & 1 == 0 => Op::SetHint {
            server: data.try_get_u8()? % SERVERS,
            group: data.try_get_u8()?.into(),
        },
        5 if flags & 2 == 0 => Op::Pack {
            which: flags >> 2,
            weight: data.try_get_u8()?.into(),
            shares: data.try_get_u8()? % 4,
        },
        5 if flags & 4 == 0 => Op::SetData {
            server: data.try_get_u8()? % SERVERS,
            id: data.try_get_u8()?.into(),
            bytes: data.try_get_u8()?.into(),
        },
        5 => Op::Unpack {
            server: data.try_get_u8()? % SERVERS,
            weight: data.try_get_u8()?.into(),
            shares: data.try_get_u8()? % 4,
        },
        6 => match flags & 7 {
            0 if flags & 8 == 0 => Op::Clear,
            0 => Op::ClearDomain { domain: flags >> 4 },
            1..4 => Op::ClearServer {
                server: data.try_get_u8()? % SERVERS,
                forgets: flags & 8 == 0,
            },
            4 => Op::Sweep,
            _ => Op::SweepStep,
        },
        _ if flags & 1 == 0 => Op::Later {
            millis: data.try_get_u16()?.into(),
        },
        // Less than the million seconds at which the operations begin.
        _ => Op::Earlier {
            millis: u64::from(data.try_get_u16()?) / 8,
        },
    })
}

fn look_up(flags: u8) -> LookUp {
    LookUp {
        want: match flags & 3 {
            0 | 1 => Want::Any,
            2 if flags & 8 == 0 => Want::SingleUse,
            2 => Want::SingleUseFirst,
            _ => Want::Reusable,
        },
        address: AddressId::new(u32::from(flags) / 4 % 4),
        reports: flags & 16 == 0,
    }
}
