//! When certificates expire: no session outlives those that it stands on.

use rustls::pki_types::CertificateDer;
use store_core::Timestamp;
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// The earliest `notAfter` of a chain, the peer's own certificate first; [`Timestamp::NEVER`] of an
/// empty one.
///
/// For [`Connection::certificates_expire`](crate::Connection::certificates_expire). rustls shows the
/// chain that the server sent, not the path that it verified. So an issuer's certificate that has
/// expired at `now` is left out, such as an old cross-signed root: verification did not need it. One
/// that cannot be read is left out, too; the peer's own then counts as expired.
///
/// Takes some microseconds a certificate: call it after full handshakes only.
pub fn earliest_not_after(chain: &[CertificateDer<'_>], now: Timestamp) -> Timestamp {
    let Some((own, issuers)) = chain.split_first() else {
        return Timestamp::NEVER;
    };
    let issuers = issuers.iter().filter_map(not_after);
    issuers
        .filter(|expires| *expires > now)
        .fold(not_after(own).unwrap_or(Timestamp::EPOCH), Timestamp::min)
}

fn not_after(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let not_after = certificate.tbs_certificate().validity().not_after;
    Some(Timestamp::from_unix(not_after.to_unix_duration()))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use lab::certificate::{Authority, KeyKind};

    use super::*;

    #[test]
    fn the_earliest_counts_unless_verification_cannot_have_needed_it() {
        let seconds = |seconds| Timestamp::from_unix(Duration::from_secs(seconds));
        let authority = Authority::new(KeyKind::EcdsaP256);
        let until = |time| {
            let identity = authority.issue_until(&["a"], UNIX_EPOCH + Duration::from_secs(time));
            identity.chain[0].clone()
        };
        let now = seconds(1_900_000_000);
        let early = || until(1_900_000_060);
        let late = || until(1_900_003_600);
        let expired = || until(1_899_999_999);
        let unreadable = || CertificateDer::from(vec![0x30, 0]);
        for (chain, expected) in [
            (vec![], Timestamp::NEVER),
            (vec![early(), late()], seconds(1_900_000_060)),
            (vec![late(), early()], seconds(1_900_000_060)),
            (vec![late(), expired()], seconds(1_900_003_600)),
            (vec![late(), unreadable()], seconds(1_900_003_600)),
            (vec![expired(), late()], seconds(1_899_999_999)),
            (vec![unreadable(), late()], Timestamp::EPOCH),
            // GeneralizedTime, from 2050 on.
            (vec![until(2_600_000_000)], seconds(2_600_000_000)),
        ] {
            assert_eq!(earliest_not_after(&chain, now), expected);
        }
    }
}
