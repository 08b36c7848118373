//! When certificates expire: no session outlives those that it stands on.

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::ssl::SslRef;
use store_core::Timestamp;

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// The earliest `notAfter` of a full handshake: of the chain that OpenSSL verified, root included, if
/// the server was `verified`, and of the client's own certificate. [`Timestamp::NEVER`] without any.
///
/// An application that verifies nothing accepts expired certificates, and so resumes with them.
pub(crate) fn of_handshake(ssl: &SslRef, verified: bool) -> Timestamp {
    let chain = ssl.verified_chain().filter(|_| verified);
    let chain = chain.into_iter().flatten();
    let own = ssl.certificate();
    let certificates = chain.chain(own);
    // A time that cannot be read counts as past.
    certificates
        .map(|certificate| timestamp(certificate.not_after()).unwrap_or(Timestamp::EPOCH))
        .min()
        .unwrap_or(Timestamp::NEVER)
}

fn timestamp(time: &Asn1TimeRef) -> Result<Timestamp, ErrorStack> {
    let since = Asn1Time::from_unix(0)?.diff(time)?;
    // Both are negative before 1970.
    let days = u64::try_from(since.days).unwrap_or_default();
    let seconds = u64::try_from(since.secs).unwrap_or_default();
    let seconds = days * SECONDS_PER_DAY + seconds;
    Ok(Timestamp::from_millis(seconds * 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_count_from_the_epoch() {
        for (text, seconds) in [
            ("19700101000000Z", 0),
            ("19600101000000Z", 0),
            ("20380119031408Z", 1 << 31),
            ("20261129200000Z", 1_795_982_400),
            ("99991231235959Z", 253_402_300_799),
        ] {
            let time = Asn1Time::from_str(text).expect("a time");
            let expected = Timestamp::from_millis(seconds * 1_000);
            assert_eq!(timestamp(&time).expect("a difference"), expected, "{text}");
        }
    }
}
