//! Channel binding to the server's certificate: `tls-server-end-point`, RFC 5929.

use pki_types::CertificateDer;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use spki::der::asn1::{AnyRef, ContextSpecific};
use spki::der::{Decode, Reader, Result, SliceReader, TagNumber};
use spki::{AlgorithmIdentifierRef, ObjectIdentifier};

/// The hash of a certificate with the hash function of its signature algorithm, SHA-256 instead of
/// MD5 and SHA-1 (RFC 5929, section 4.1). `None` if the algorithm has no hash function.
pub(super) fn hash(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let algorithm = signature_algorithm(certificate).ok()?;
    let function = if algorithm.oid == RSASSA_PSS {
        pss_hash_function(algorithm.parameters?).ok()?
    } else {
        algorithm.oid
    };
    let (_, hash) = FUNCTIONS
        .iter()
        .find(|(oids, _)| oids.contains(&function))?;
    Some(hash(certificate))
}

/// The signature algorithm: the second of a certificate's three fields (RFC 5280, section 4.1).
fn signature_algorithm<'c>(
    certificate: &'c CertificateDer<'_>,
) -> Result<AlgorithmIdentifierRef<'c>> {
    SliceReader::new(certificate)?.sequence(|reader| {
        AnyRef::decode(reader)?;
        let algorithm = AlgorithmIdentifierRef::decode(reader)?;
        AnyRef::decode(reader)?;
        Ok(algorithm)
    })
}

/// The hash function in the parameters of PSS, by default SHA-1 (RFC 8017, appendix A.2.3).
fn pss_hash_function(parameters: AnyRef<'_>) -> Result<ObjectIdentifier> {
    parameters.sequence(|reader| {
        let hash = ContextSpecific::decode_explicit(reader, TagNumber(0))?;
        while !reader.is_finished() {
            AnyRef::decode(reader)?;
        }
        Ok(hash.map_or(
            SHA_1,
            |hash: ContextSpecific<AlgorithmIdentifierRef<'_>>| hash.value.oid,
        ))
    })
}

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const RSASSA_PSS: ObjectIdentifier = oid("1.2.840.113549.1.1.10");
const SHA_1: ObjectIdentifier = oid("1.3.14.3.2.26");

type Hash = fn(&[u8]) -> Vec<u8>;

/// Each hash function with its object identifiers: RSA with it, ECDSA with it, and its own, which
/// the parameters of PSS contain.
const FUNCTIONS: [(&[ObjectIdentifier], Hash); 4] = [
    (
        &[
            oid("1.2.840.113549.1.1.14"),
            oid("1.2.840.10045.4.3.1"),
            oid("2.16.840.1.101.3.4.2.4"),
        ],
        |certificate| Sha224::digest(certificate).to_vec(),
    ),
    (
        &[
            oid("1.2.840.113549.1.1.4"), // RSA with MD5
            oid("1.2.840.113549.1.1.5"), // RSA with SHA-1
            oid("1.2.840.10045.4.1"),    // ECDSA with SHA-1
            SHA_1,
            oid("1.2.840.113549.1.1.11"),
            oid("1.2.840.10045.4.3.2"),
            oid("2.16.840.1.101.3.4.2.1"),
        ],
        |certificate| Sha256::digest(certificate).to_vec(),
    ),
    (
        &[
            oid("1.2.840.113549.1.1.12"),
            oid("1.2.840.10045.4.3.3"),
            oid("2.16.840.1.101.3.4.2.2"),
        ],
        |certificate| Sha384::digest(certificate).to_vec(),
    ),
    (
        &[
            oid("1.2.840.113549.1.1.13"),
            oid("1.2.840.10045.4.3.4"),
            oid("2.16.840.1.101.3.4.2.3"),
        ],
        |certificate| Sha512::digest(certificate).to_vec(),
    ),
];
