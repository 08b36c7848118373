//! Passes the compiler's version and the profile to the program, for the report's environment.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(compiler)
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok());
    let version = version.as_deref().map_or("unknown", str::trim);
    println!("cargo::rustc-env=COMPARE_RUSTC={version}");
    let profile = env::var("PROFILE").unwrap_or_default();
    println!("cargo::rustc-env=COMPARE_PROFILE={profile}");
}
