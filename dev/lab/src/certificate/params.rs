//! The fields of certificates.

use std::ops::Range;

use rcgen::{
    BasicConstraints, CertificateParams, CrlDistributionPoint, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, date_time_ymd,
};

use super::extensions;
use super::identity::KeyKind;

/// The fields of a leaf certificate. `issuer` is the host name of its issuer's URLs.
pub(super) fn leaf_params(
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
    params.crl_distribution_points = crl_distribution_points(issuer);
    params.custom_extensions = vec![
        extensions::domain_validated_policy(),
        extensions::authority_information_access(issuer),
        extensions::certificate_timestamps(),
    ];
    params
}

/// The fields of a root or intermediate certificate, valid from `from_year` to 2049.
pub(super) fn ca_params(
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

/// Where an issuer publishes its certificate revocation list.
pub(super) fn crl_distribution_points(issuer: &str) -> Vec<CrlDistributionPoint> {
    vec![CrlDistributionPoint {
        uris: vec![format!("http://{issuer}.c.lab.example/41.crl")],
    }]
}
