//! An authority with one intermediate.

use std::fmt;
use std::ops::Range;
use std::time::SystemTime;

use pki_types::CertificateDer;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair};

use super::extensions;
use super::identity::{Identity, KeyKind, certificate_pem};
use super::params::{ca_params, crl_distribution_points, leaf_params};

/// A certificate authority: a root, and an intermediate that issues the leaf certificates.
pub struct Authority {
    kind: KeyKind,
    root: CertificateDer<'static>,
    intermediate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Creates an authority with new keys.
    ///
    /// # Panics
    ///
    /// Panics if the system has no random bytes.
    pub fn new(kind: KeyKind) -> Self {
        let root_key = kind.generate();
        let root_params = ca_params("Lab Root X1", BasicConstraints::Unconstrained, 2015);
        let root = root_params
            .self_signed(&root_key)
            .expect("the root's fields are well formed");
        let root_issuer = Issuer::new(root_params, root_key);

        let key = kind.generate();
        let mut params = ca_params("Lab TLS CA E5", BasicConstraints::Constrained(0), 2018);
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.crl_distribution_points = crl_distribution_points("x1");
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

    /// The kind of its keys and of those it issues certificates for.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The root certificate, which clients have to trust.
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
    /// Panics if `names` is empty or a name is not ASCII.
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.leaf(names, ExtendedKeyUsagePurpose::ServerAuth, 2025..2045)
    }

    /// Issues a server certificate that expired on 1 January 2021.
    ///
    /// # Panics
    ///
    /// Panics as [`issue`](Self::issue) does.
    pub fn issue_expired(&self, names: &[&str]) -> Identity {
        self.leaf(names, ExtendedKeyUsagePurpose::ServerAuth, 2020..2021)
    }

    /// Issues a server certificate that expires at `not_after`, a whole second.
    ///
    /// # Panics
    ///
    /// Panics as [`issue`](Self::issue) does.
    pub fn issue_until(&self, names: &[&str], not_after: SystemTime) -> Identity {
        let years = 2025..2045;
        let purpose = ExtendedKeyUsagePurpose::ServerAuth;
        let mut params = leaf_params(names, self.kind, purpose, years, "e5");
        params.not_after = not_after.into();
        self.sign(&params)
    }

    /// Issues a client certificate that expires at `not_after`, a whole second.
    ///
    /// # Panics
    ///
    /// Panics if `name` is not ASCII.
    pub fn issue_client_until(&self, name: &str, not_after: SystemTime) -> Identity {
        let years = 2025..2045;
        let purpose = ExtendedKeyUsagePurpose::ClientAuth;
        let mut params = leaf_params(&[name], self.kind, purpose, years, "e5");
        params.not_after = not_after.into();
        self.sign(&params)
    }

    /// Issues a server certificate that is not valid before 1 January 2040.
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
        self.sign(&leaf_params(names, self.kind, purpose, years, "e5"))
    }

    /// A leaf with a new key.
    fn sign(&self, params: &CertificateParams) -> Identity {
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
