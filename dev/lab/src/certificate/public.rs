//! Authorities like the public ones: many servers, few issuers, chains of three certificates.

use std::fmt;

use pki_types::CertificateDer;
use rcgen::{
    BasicConstraints, ExtendedKeyUsagePurpose, Issuer, KeyPair, PKCS_RSA_SHA256, RsaKeySize,
};

use super::extensions;
use super::identity::{Identity, KeyKind};
use super::params::{ca_params, crl_distribution_points, leaf_params};

/// Several issuers below two new roots, which are cross-signed by the old root that clients trust.
///
/// A chain is the leaf (P-256, 1.15 kB), the intermediate (P-256, signed with RSA-2048, 0.94 kB)
/// and the cross-signed root (RSA-2048, signed with RSA-3072, 1.21 kB). All leaves have the same
/// key, which makes no difference to verification.
pub struct PublicAuthorities {
    root: CertificateDer<'static>,
    issuers: Vec<PublicIssuer>,
    leaf_key: KeyPair,
}

struct PublicIssuer {
    tag: String,
    /// The intermediate and its cross-signed root.
    parents: [CertificateDer<'static>; 2],
    issuer: Issuer<'static, KeyPair>,
}

const NEW_ROOTS: usize = 2;

impl PublicAuthorities {
    /// Creates this many issuers. Generates RSA keys, which takes up to a second.
    ///
    /// # Panics
    ///
    /// Panics if the system has no random bytes.
    pub fn new(issuers: usize) -> Self {
        let old_key = rsa(RsaKeySize::_3072);
        let old_params = ca_params(
            "Lab Global Root CA G1",
            BasicConstraints::Unconstrained,
            2006,
        );
        let old = old_params
            .self_signed(&old_key)
            .expect("the old root's fields are well formed");
        let old_issuer = Issuer::new(old_params, old_key);
        let new_roots: Vec<_> = (1..=NEW_ROOTS)
            .map(|number| cross_signed_root(number, &old_issuer))
            .collect();
        let issuers = (0..issuers.max(1))
            .map(|number| {
                let (certificate, issuer) = &new_roots[number % NEW_ROOTS];
                intermediate(number, certificate, issuer)
            })
            .collect();
        Self {
            root: old.into(),
            issuers,
            leaf_key: KeyKind::EcdsaP256.generate(),
        }
    }

    /// The old root, which clients have to trust.
    pub fn root_der(&self) -> CertificateDer<'static> {
        self.root.clone()
    }

    /// Issues a certificate for `host` and six of its subdomains. `number` selects the issuer,
    /// round-robin.
    ///
    /// # Panics
    ///
    /// Panics if `host` is not ASCII.
    pub fn issue(&self, number: usize, host: &str) -> Identity {
        let PublicIssuer {
            tag,
            parents,
            issuer,
        } = &self.issuers[number % self.issuers.len()];
        let names: Vec<_> = [
            "", "www.", "api.", "static.", "login.", "images.", "status.",
        ]
        .iter()
        .map(|prefix| format!("{prefix}{host}"))
        .collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let purpose = ExtendedKeyUsagePurpose::ServerAuth;
        let params = leaf_params(&names, KeyKind::EcdsaP256, purpose, 2025..2045, tag);
        let leaf = params
            .signed_by(&self.leaf_key, issuer)
            .expect("the leaf's fields are well formed");
        let [intermediate, root] = parents.clone();
        Identity::new(vec![leaf.into(), intermediate, root], &self.leaf_key)
    }
}

impl fmt::Debug for PublicAuthorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicAuthorities")
            .field("issuers", &self.issuers.len())
            .finish_non_exhaustive()
    }
}

fn rsa(size: RsaKeySize) -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, size).expect("aws-lc generates keys of this kind")
}

type Issued = (CertificateDer<'static>, Issuer<'static, KeyPair>);

/// A new root, signed by the old one for clients that do not have the new one yet.
fn cross_signed_root(number: usize, old: &Issuer<'static, KeyPair>) -> Issued {
    let key = rsa(RsaKeySize::_2048);
    let name = format!("Lab Global Root CA R{number}");
    let mut params = ca_params(&name, BasicConstraints::Unconstrained, 2016);
    params.use_authority_key_identifier_extension = true;
    params.crl_distribution_points = crl_distribution_points("g1");
    params.custom_extensions = vec![
        extensions::domain_validated_policy(),
        extensions::authority_information_access("g1"),
    ];
    let certificate = params
        .signed_by(&key, old)
        .expect("the root's fields are well formed");
    (certificate.into(), Issuer::new(params, key))
}

fn intermediate(
    number: usize,
    root: &CertificateDer<'static>,
    signer: &Issuer<'static, KeyPair>,
) -> PublicIssuer {
    let tag = format!("w{number}");
    let key = KeyKind::EcdsaP256.generate();
    let name = format!("Lab Web Server Certification Authority W{number}");
    let mut params = ca_params(&name, BasicConstraints::Constrained(0), 2023);
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let root_tag = format!("r{}", number % NEW_ROOTS + 1);
    params.crl_distribution_points = crl_distribution_points(&root_tag);
    params.custom_extensions = vec![
        extensions::domain_validated_policy(),
        extensions::authority_information_access(&root_tag),
    ];
    let certificate = params
        .signed_by(&key, signer)
        .expect("the intermediate's fields are well formed");
    PublicIssuer {
        tag,
        parents: [certificate.into(), root.clone()],
        issuer: Issuer::new(params, key),
    }
}

#[cfg(test)]
mod tests {
    use openssl::x509::X509;

    use super::*;

    #[test]
    fn chains_have_public_sizes_and_end_at_the_old_root() {
        let authorities = PublicAuthorities::new(3);
        for number in 0..3 {
            let chain = authorities.issue(number, "shop-00001.lab.example").chain;
            let sizes: Vec<_> = chain.iter().map(|certificate| certificate.len()).collect();
            let ranges = [1_100..1_250, 900..1_000, 1_150..1_250];
            assert_eq!(sizes.len(), ranges.len());
            for (size, range) in sizes.iter().zip(ranges) {
                assert!(range.contains(size), "{sizes:?}");
            }
            let certificates: Vec<_> = chain
                .iter()
                .chain([&authorities.root])
                .map(|certificate| X509::from_der(certificate).unwrap())
                .collect();
            for pair in certificates.windows(2) {
                let key = pair[1].public_key().unwrap();
                assert!(pair[0].verify(&key).unwrap());
            }
        }
        let chain = |number| authorities.issue(number, "a.example").chain;
        assert_ne!(chain(0)[0], chain(0)[0], "each leaf differs");
        assert_ne!(chain(0)[1], chain(1)[1]);
        assert_eq!(chain(0)[1..], chain(3)[1..]);
        assert_eq!(chain(0)[2], chain(2)[2]);
    }
}
