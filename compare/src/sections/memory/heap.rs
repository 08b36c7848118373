//! What a process takes of memory, whichever library asked for it: the C library's word, which
//! OpenSSL, aws-lc and Rust's own allocator all ask.
#![allow(unsafe_code, reason = "no safe wrapper has these two functions")]

#[cfg(all(target_os = "linux", target_env = "gnu"))]
use std::fs;

/// Sets the allocator up so that [`in_use`] is exact: without a cache of each thread, whose blocks
/// count as used. For the environment of a process that is about to start.
pub(super) const EXACT: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0");

/// Bytes of all blocks that are in use, with the allocator's own header and rounding.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it fails")]
pub(super) fn in_use() -> Result<usize, String> {
    // SAFETY: takes nothing, and gives plain numbers.
    let info = unsafe { libc::mallinfo2() };
    Ok(info.uordblks + info.hblkhd)
}

/// Bytes that the system holds in memory for this process alone and that no file holds, after the
/// allocator has given back what it can.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn resident() -> Result<usize, String> {
    // SAFETY: takes a number of bytes to keep, and touches free memory only.
    unsafe { libc::malloc_trim(0) };
    let path = "/proc/self/smaps_rollup";
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("Anonymous:")?.strip_suffix("kB"))
        .and_then(|number| number.trim().parse::<usize>().ok());
    kib.map(|kib| kib * 1024)
        .ok_or_else(|| format!("{path} says nothing of anonymous memory"))
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
const ELSEWHERE: &str = "memory is measured on Linux with the GNU C library only";

/// Not known here.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn in_use() -> Result<usize, String> {
    Err(ELSEWHERE.to_owned())
}

/// Not known here.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn resident() -> Result<usize, String> {
    Err(ELSEWHERE.to_owned())
}
