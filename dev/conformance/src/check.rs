//! What checks return, and assertions that return it.

use std::fmt::{Debug, Display};

/// The result of a check: what was seen instead of what was claimed, if the claim does not hold.
pub(crate) type CheckResult = Result<(), String>;

/// Checks that two values are equal. `what` says what they are.
pub(crate) fn equal<T: PartialEq + Debug>(seen: &T, expected: &T, what: &str) -> CheckResult {
    if seen == expected {
        return Ok(());
    }
    Err(format!("{what}: {expected:?} expected, {seen:?} seen"))
}

/// Checks a condition. `what` says what it is.
pub(crate) fn holds(condition: bool, what: &str) -> CheckResult {
    condition.then_some(()).ok_or_else(|| what.to_owned())
}

/// The message of an error, for `map_err`.
pub(crate) fn message(error: impl Display) -> String {
    error.to_string()
}
