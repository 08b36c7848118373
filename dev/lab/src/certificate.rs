//! Certificates as a public authority would issue them: a leaf, an intermediate, a root.
//!
//! Sizes matter here, because a session may carry its server's chain. The extensions of a public
//! certificate are all present, so that a chain weighs what a chain weighs on the internet.

mod extensions;
mod public;

use std::fmt;
use std::ops::Range;

use openssl::pkey::PKey;
use openssl::x509::X509;
use pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rcgen::{
    BasicConstraints, CertificateParams, CrlDistributionPoint, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_RSA_SHA256, RsaKeySize, date_time_ymd,
};

pub use public::PublicAuthorities;

/// The kind of key that every certificate of an [`Authority`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// ECDSA on P-256, signed with SHA-256.
    EcdsaP256,
    /// RSA with 2048 bits, signed with SHA-256. Making such a key takes a noticeable time.
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

    fn generate(self) -> KeyPair {
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

/// A certificate authority: a root that clients trust and an intermediate that issues.
pub struct Authority {
    kind: KeyKind,
    root: CertificateDer<'static>,
    intermediate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a new authority with fresh keys.
    ///
    /// # Panics
    ///
    /// Panics if the system has no random bytes to make keys from.
    pub fn new(kind: KeyKind) -> Self {
        let root_key = kind.generate();
        let root_params = authority_params("Lab Root X1", BasicConstraints::Unconstrained, 2015);
        let root = root_params
            .self_signed(&root_key)
            .expect("the root's fields are well formed");
        let root_issuer = Issuer::new(root_params, root_key);

        let key = kind.generate();
        let mut params = authority_params("Lab TLS CA E5", BasicConstraints::Constrained(0), 2018);
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.crl_distribution_points = crl("x1");
        params.custom_extensions = vec![
            extensions::domain_validated_policy(),
            extensions::authority_information_access("x1"),
        ];
        let intermediate = params
            .signed_by(&key, &root_issuer)
            .expect("the intermediate's fields are well formed");

        Self {
            kind,
            root: root.into(),
            intermediate: intermediate.into(),
            issuer: Issuer::new(params, key),
        }
    }

    /// The kind of every key here.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The root certificate: what a client has to trust.
    pub fn root_der(&self) -> CertificateDer<'static> {
        self.root.clone()
    }

    /// The root certificate as PEM text.
    pub fn root_pem(&self) -> String {
        certificate_pem(&self.root)
    }

    /// Issues a server certificate for DNS names and IP addresses, given as text.
    ///
    /// # Panics
    ///
    /// Panics if `names` is empty or holds a name that is not ASCII.
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.leaf(names, ExtendedKeyUsagePurpose::ServerAuth, 2025..2045)
    }

    /// Issues a server certificate that ran out on the first day of 2021.
    ///
    /// # Panics
    ///
    /// Panics as [`issue`](Self::issue) does.
    pub fn issue_expired(&self, names: &[&str]) -> Identity {
        self.leaf(names, ExtendedKeyUsagePurpose::ServerAuth, 2020..2021)
    }

    /// Issues a server certificate that is not good before the first day of 2040.
    ///
    /// # Panics
    ///
    /// Panics as [`issue`](Self::issue) does.
    pub fn issue_not_yet_valid(&self, names: &[&str]) -> Identity {
        self.leaf(names, ExtendedKeyUsagePurpose::ServerAuth, 2040..2045)
    }

    /// Issues a client certificate.
    ///
    /// # Panics
    ///
    /// Panics if `name` is not ASCII.
    pub fn issue_client(&self, name: &str) -> Identity {
        self.leaf(&[name], ExtendedKeyUsagePurpose::ClientAuth, 2025..2045)
    }

    fn leaf(
        &self,
        names: &[&str],
        purpose: ExtendedKeyUsagePurpose,
        years: Range<i32>,
    ) -> Identity {
        let params = leaf_params(names, self.kind, purpose, years, "e5");
        let key = self.kind.generate();
        let leaf = params
            .signed_by(&key, &self.issuer)
            .expect("the leaf's fields are well formed");
        Identity::new(vec![leaf.into(), self.intermediate.clone()], &key)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// A certificate chain and its private key.
pub struct Identity {
    /// The leaf, then what is above it. The root that clients trust is not sent.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key, as PKCS#8.
    pub key: PrivateKeyDer<'static>,
}

impl Identity {
    fn new(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Self {
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
    /// Panics if the key was replaced by one that OpenSSL cannot read.
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

/// What stands in a leaf. `issuer` is what its issuer's addresses are called by.
fn leaf_params(
    names: &[&str],
    kind: KeyKind,
    purpose: ExtendedKeyUsagePurpose,
    years: Range<i32>,
    issuer: &str,
) -> CertificateParams {
    let common_name = *names.first().expect("a certificate has at least one name");
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).expect("names are ASCII");
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(years.start, 1, 1);
    params.not_after = date_time_ymd(years.end, 1, 1);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    if kind == KeyKind::Rsa2048 {
        params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
    }
    params.extended_key_usages = vec![purpose];
    params.use_authority_key_identifier_extension = true;
    params.crl_distribution_points = crl(issuer);
    params.custom_extensions = vec![
        extensions::domain_validated_policy(),
        extensions::authority_information_access(issuer),
        extensions::certificate_timestamps(),
    ];
    params
}

fn authority_params(
    name: &str,
    constraints: BasicConstraints,
    from_year: i32,
) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "SE");
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Laboratory Trust Services");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(from_year, 1, 1);
    params.not_after = date_time_ymd(2049, 1, 1);
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
    ];
    params
}

fn crl(issuer: &str) -> Vec<CrlDistributionPoint> {
    vec![CrlDistributionPoint {
        uris: vec![format!("http://{issuer}.c.lab.example/41.crl")],
    }]
}

fn certificate_pem(certificate: &CertificateDer<'static>) -> String {
    let pem = X509::from_der(certificate)
        .and_then(|certificate| certificate.to_pem())
        .expect("OpenSSL reads certificates that were made here");
    String::from_utf8(pem).expect("PEM is ASCII")
}
