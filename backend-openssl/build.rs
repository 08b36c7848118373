//! Fails the build, with a reason, if the OpenSSL found is too old or a fork of it.

fn main() {
    println!("cargo:rerun-if-env-changed=DEP_OPENSSL_VERSION_NUMBER");
    // Set by openssl-sys: the version in hexadecimal; absent for forks of OpenSSL.
    let version = std::env::var("DEP_OPENSSL_VERSION_NUMBER").ok();
    let version = version.and_then(|hex| u64::from_str_radix(&hex, 16).ok());
    assert!(
        version.is_some_and(|version| version >= 0x3000_0000),
        "backend-openssl needs OpenSSL 3.0 or newer (found {version:x?}); forks such as LibreSSL \
         and BoringSSL lack SSL_SESSION_dup. Install OpenSSL 3 or turn on the feature `vendored`."
    );
}
