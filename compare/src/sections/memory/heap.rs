//! The memory of this process, as the C library counts it. OpenSSL, aws-lc and Rust's allocator all
//! allocate from the C library.
#![allow(unsafe_code, reason = "no safe wrapper has these two functions")]

#[cfg(all(target_os = "linux", target_env = "gnu"))]
use std::fs;

/// Environment variable for a child process that makes [`in_use`] exact: it turns off glibc's cache
/// per thread, whose blocks count as used.
pub(super) const EXACT_COUNT: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0");

/// Bytes of all blocks in use, with the allocator's headers and rounding.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(clippy::unnecessary_wraps, reason = "fails on other systems")]
pub(super) fn in_use() -> Result<usize, String> {
    // SAFETY: takes no arguments and returns plain numbers.
    let info = unsafe { libc::mallinfo2() };
    Ok(info.uordblks + info.hblkhd)
}

/// Resident anonymous bytes of this process, after the allocator has returned what it can to the
/// system.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn resident() -> Result<usize, String> {
    // SAFETY: takes the number of free bytes to keep, and touches free memory only.
    unsafe { libc::malloc_trim(0) };
    let path = "/proc/self/smaps_rollup";
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("Anonymous:")?.strip_suffix("kB"))
        .and_then(|number| number.trim().parse::<usize>().ok());
    kib.map(|kib| kib * 1024)
        .ok_or_else(|| format!("{path} has no line about anonymous memory"))
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
const UNSUPPORTED: &str = "memory is measured on Linux with the GNU C library only";

/// Unknown on this system.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn in_use() -> Result<usize, String> {
    Err(UNSUPPORTED.to_owned())
}

/// Unknown on this system.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn resident() -> Result<usize, String> {
    Err(UNSUPPORTED.to_owned())
}
