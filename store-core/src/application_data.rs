//! Data that an application keeps beside a session.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::Storable;

/// Data that an application keeps beside a session: what it learned from the server and needs again on
/// a resumed connection, such as HTTP/3's SETTINGS (RFC 9114, section 7.2.4.2), the answer to SMTP's EHLO,
/// or Redis's to HELLO.
///
/// 1 to [`MAX`](Self::MAX) bytes, which clones share. Wiped when the last of them is dropped, and never
/// shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ApplicationData(Arc<Zeroizing<Box<[u8]>>>);

impl ApplicationData {
    /// The most bytes: 1,024. SETTINGS have some 50 bytes, an answer to EHLO 300; a session has 1 to 4 kB.
    pub const MAX: usize = 1_024;
    /// Bytes of memory beside the data: two allocations with their headers, two counters, a length.
    const OVERHEAD: usize = 64;

    /// Bytes of memory. They are part of a session's weight, and sessions with the same data count it each.
    pub fn bytes(&self) -> usize {
        self.len() + Self::OVERHEAD
    }
}

impl TryFrom<&[u8]> for ApplicationData {
    type Error = ApplicationDataError;

    fn try_from(data: &[u8]) -> Result<Self, ApplicationDataError> {
        let fits = (1..=Self::MAX).contains(&data.len());
        fits.then(|| Self(Arc::new(Zeroizing::new(data.into()))))
            .ok_or(ApplicationDataError(data.len()))
    }
}

impl Deref for ApplicationData {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ApplicationData {
    /// Shows the length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApplicationData({} bytes)", self.len())
    }
}

/// Application data that is empty or too long. Contains its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("application data has 1 to 1,024 bytes, and this has {0}: keep less beside a session")]
pub struct ApplicationDataError(usize);

/// Bytes of what is beside `session`.
pub(crate) fn bytes_beside<S: Storable>(session: &S) -> usize {
    session.application_data().map_or(0, ApplicationData::bytes)
}

/// Sets what is beside `session`, which has `weight` bytes with it.
pub(crate) fn set_beside<S: Storable>(
    session: &mut S,
    weight: &mut usize,
    data: Option<ApplicationData>,
) {
    let before = bytes_beside(session);
    session.set_application_data(data);
    *weight = weight
        .saturating_sub(before)
        .saturating_add(bytes_beside(session));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_length_is_bounded() {
        for length in [1, ApplicationData::MAX] {
            let data = ApplicationData::try_from(&vec![7; length][..]);
            assert_eq!(*data.expect("it fits"), vec![7; length]);
        }
        for length in [0, ApplicationData::MAX + 1] {
            let data = ApplicationData::try_from(&vec![7; length][..]);
            let error = data.expect_err("too short or too long");
            assert_eq!(error, ApplicationDataError(length));
            assert!(error.to_string().contains(&format!("has {length}:")));
        }
    }

    /// R24.
    #[test]
    fn debug_shows_its_length_only() {
        let data = ApplicationData::try_from(&b"secret"[..]).expect("it fits");
        assert_eq!(format!("{data:?}"), "ApplicationData(6 bytes)");
    }

    #[test]
    fn none_takes_one_word() {
        assert_eq!(size_of::<Option<ApplicationData>>(), size_of::<usize>());
    }
}
