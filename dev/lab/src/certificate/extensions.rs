//! Extensions of public certificates that rcgen does not have.

use rcgen::CustomExtension;

const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const GENERAL_NAME_URI: u8 = 0x86;

/// Authority Information Access: the URLs of OCSP and of the issuer (RFC 5280, 4.2.2.1).
pub(super) fn authority_information_access(issuer: &str) -> CustomExtension {
    let access = |method: u8, uri: String| {
        let method = der(OBJECT_IDENTIFIER, &[0x2b, 6, 1, 5, 5, 7, 0x30, method]);
        der(
            SEQUENCE,
            &[method, der(GENERAL_NAME_URI, uri.as_bytes())].concat(),
        )
    };
    let descriptions = [
        access(1, format!("http://{issuer}.o.lab.example")),
        access(2, format!("http://{issuer}.i.lab.example/")),
    ];
    CustomExtension::from_oid_content(
        &[1, 3, 6, 1, 5, 5, 7, 1, 1],
        der(SEQUENCE, &descriptions.concat()),
    )
}

/// The CA/Browser Forum's certificate policy "domain validated".
pub(super) fn domain_validated_policy() -> CustomExtension {
    let policy = der(OBJECT_IDENTIFIER, &[0x67, 0x81, 0x0c, 1, 2, 1]);
    CustomExtension::from_oid_content(&[2, 5, 29, 32], der(SEQUENCE, &der(SEQUENCE, &policy)))
}

/// Two signed certificate timestamps (RFC 6962, 3.3) of the usual size, with filler as content.
pub(super) fn certificate_timestamps() -> CustomExtension {
    const TIMESTAMP: u8 = 119;
    let mut list = vec![0, 2 * (TIMESTAMP + 2)];
    for log in 1..=2_u8 {
        list.extend([0, TIMESTAMP]);
        list.extend((0..TIMESTAMP).map(|i| i.wrapping_mul(91).wrapping_add(log)));
    }
    CustomExtension::from_oid_content(
        &[1, 3, 6, 1, 4, 1, 11129, 2, 4, 2],
        der(OCTET_STRING, &list),
    )
}

/// Encodes a DER value of at most 255 bytes.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("extensions are shorter than 256 bytes");
    let mut value = vec![tag];
    if length >= 0x80 {
        value.push(0x81);
    }
    value.push(length);
    value.extend_from_slice(content);
    value
}
