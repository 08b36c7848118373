//! A certificate chain with its private key.

use std::fmt;

use openssl::pkey::PKey;
use openssl::x509::X509;
use pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};

/// The type of a certificate's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// ECDSA on P-256, signed with SHA-256.
    EcdsaP256,
    /// RSA with 2048 bits, signed with SHA-256. Generating such a key takes up to a second.
    Rsa2048,
}

impl KeyKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::EcdsaP256, Self::Rsa2048];

    /// The name used in tables and on command lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ecdsa-p256",
            Self::Rsa2048 => "rsa-2048",
        }
    }

    pub(super) fn generate(self) -> KeyPair {
        match self {
            Self::EcdsaP256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            Self::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        }
        .expect("aws-lc generates keys of this kind")
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A certificate chain and its private key.
pub struct Identity {
    /// The leaf and its issuers, without the root that clients trust.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key, as PKCS#8.
    pub key: PrivateKeyDer<'static>,
}

impl Identity {
    pub(super) fn new(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Self {
        Self {
            chain,
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        }
    }

    /// The chain as PEM text, the leaf first.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(certificate_pem).collect()
    }

    /// The private key as PEM text.
    ///
    /// # Panics
    ///
    /// Panics if OpenSSL cannot read the key.
    pub fn key_pem(&self) -> String {
        let pem = PKey::private_key_from_der(self.key.secret_der())
            .and_then(|key| key.private_key_to_pem_pkcs8())
            .expect("OpenSSL reads the identity's key");
        String::from_utf8(pem).expect("PEM is ASCII")
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.chain.len())
            .finish_non_exhaustive()
    }
}

/// A certificate as PEM text.
pub(super) fn certificate_pem(certificate: &CertificateDer<'static>) -> String {
    let pem = X509::from_der(certificate)
        .and_then(|certificate| certificate.to_pem())
        .expect("OpenSSL reads the certificate");
    String::from_utf8(pem).expect("PEM is ASCII")
}
