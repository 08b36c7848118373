//! Refuses, with a reason, to build against a library that lacks what the backend stands on.

fn main() {
    println!("cargo:rerun-if-env-changed=DEP_OPENSSL_VERSION_NUMBER");
    // Set by openssl-sys for the library it found: hexadecimal, and absent for forks of OpenSSL.
    let version = std::env::var("DEP_OPENSSL_VERSION_NUMBER").ok();
    let version = version.and_then(|hex| u64::from_str_radix(&hex, 16).ok());
    assert!(
        version.is_some_and(|version| version >= 0x3000_0000),
        "backend-openssl needs OpenSSL 3.0 or newer (found {version:x?}); forks such as LibreSSL \
         and BoringSSL lack SSL_SESSION_dup. Install OpenSSL 3 or turn on the feature `vendored`."
    );
}
