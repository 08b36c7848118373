//! Bytes as operations on a shard: the body of the fuzz target `store`.

use std::time::Duration;

use crate::shard::Want;
use crate::shard::agreement::{Op, SERVERS, agree};
use crate::{Limits, Usage};

/// Longer inputs say nothing new.
const OPERATIONS: usize = 1_000;

/// Carries out the operations that `data` spells, on a shard and on its naive model.
///
/// The first bytes are the limits, the rest operations of one to seven bytes; an operation that is
/// cut off is left out.
///
/// # Panics
/// If the shard and the model do not agree.
pub fn store(data: &[u8]) {
    let mut bytes = Bytes(data);
    let Some(limits) = limits(&mut bytes) else {
        return;
    };
    let ops = std::iter::from_fn(|| op(&mut bytes)).take(OPERATIONS);
    agree(&limits, &ops.collect::<Vec<_>>());
}

/// Valid limits, small enough to be reached.
fn limits(bytes: &mut Bytes<'_>) -> Option<Limits> {
    let servers = 1 + bytes.below(10)?;
    let sessions = 1 + bytes.below(6)?;
    let session_bytes = bytes.u8()?.into();
    let server_bytes = session_bytes + usize::from(bytes.u8()?) * 2;
    let total_bytes = server_bytes + usize::from(bytes.u16()?) / 8;
    let seconds = |byte: u8| Duration::from_millis(u64::from(byte) * 100);
    Some(
        Limits::default()
            .with_servers(servers.into())
            .with_sessions_per_server(sessions.into())
            .with_bytes(session_bytes, server_bytes, total_bytes)
            .with_lifetimes(seconds(bytes.u8()?), seconds(bytes.u8()?))
            .with_total_age(seconds(bytes.u8()?.max(1)))
            .with_unpacked_sessions(usize::from(sessions) - 1),
    )
}

fn op(bytes: &mut Bytes<'_>) -> Option<Op> {
    let kind = bytes.u8()?;
    // Eight kinds by the low bits, and the high ones as flags.
    let flags = kind >> 3;
    Some(match kind % 8 {
        0 | 1 => Op::Put {
            server: bytes.below(SERVERS)?,
            usage: if flags & 1 == 0 {
                Usage::SingleUse
            } else {
                Usage::Reusable
            },
            weight: match bytes.u8()? {
                u8::MAX => usize::MAX,
                weight => weight.into(),
            },
            lives: bytes.u16()?.into(),
            age: if flags & 2 == 0 {
                0
            } else {
                bytes.u16()?.into()
            },
            late: flags & 4 != 0,
            returns: flags & 8 != 0,
            shares: if flags & 16 == 0 { 0 } else { bytes.u8()? % 4 },
        },
        2 | 3 => Op::Offer {
            server: bytes.below(SERVERS)?,
            want: match flags & 3 {
                0 | 1 => Want::Any,
                2 if flags & 8 == 0 => Want::SingleUse,
                2 => Want::SingleUseFirst,
                _ => Want::Reusable,
            },
            only_even: flags & 4 != 0,
        },
        4 => {
            let (server, id): (u8, u64) = (bytes.below(SERVERS)?, bytes.u8()?.into());
            match flags & 7 {
                0 => Op::RemoveReusable { server },
                1 => Op::RemoveUpTo { server, id },
                2 => Op::Surplus {
                    server,
                    keep: usize::from(flags >> 3),
                },
                _ => Op::Remove { server, id },
            }
        }
        5 if flags & 1 == 0 => Op::SetHint {
            server: bytes.below(SERVERS)?,
            group: bytes.u8()?.into(),
        },
        5 => Op::ComeBack {
            which: flags >> 2,
            weight: bytes.u8()?.into(),
            shares: bytes.u8()? % 4,
            renewed: flags & 2 != 0,
        },
        6 => match flags & 7 {
            0 => Op::Clear,
            1..4 => Op::ClearServer {
                server: bytes.below(SERVERS)?,
            },
            _ => Op::Sweep,
        },
        _ if flags & 1 == 0 => Op::Later {
            millis: bytes.u16()?.into(),
        },
        // Always less than the million seconds at which the operations begin.
        _ => Op::Earlier {
            millis: u64::from(bytes.u16()?) / 8,
        },
    })
}

/// What is left of an input.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn u8(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.u8()?, self.u8()?]))
    }

    fn below(&mut self, bound: u8) -> Option<u8> {
        Some(self.u8()? % bound)
    }
}
