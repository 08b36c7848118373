//! One claim about a client, and how it is checked.

use crate::check::CheckResult;
use crate::child::Launcher;
use crate::client::Client;
use crate::door::Door;

/// A claim about one client.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// The rule, such as `R7`.
    pub rule: &'static str,
    /// The claim, as a sentence.
    pub title: &'static str,
    check: Check,
}

/// The result of checking a claim on one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The claim holds.
    Pass,
    /// The claim does not hold: what was seen instead.
    Fail(String),
    /// The claim cannot be checked on this client: the reason.
    NotApplicable(String),
}

#[derive(Clone, Copy, Debug)]
enum Check {
    InProcess(fn() -> CheckResult),
    Through(Door, fn(Door) -> CheckResult),
    WithChildren(fn(&Launcher) -> CheckResult),
    NotApplicable(&'static str),
}

impl Claim {
    /// Whether the claim can be checked on its client.
    pub fn applies(&self) -> bool {
        !matches!(self.check, Check::NotApplicable(_))
    }

    /// Checks the claim. Child processes are started by `launcher`.
    pub fn verdict(&self, launcher: &Launcher) -> Verdict {
        let checked = match self.check {
            Check::InProcess(check) => check(),
            Check::Through(door, check) => check(door),
            Check::WithChildren(check) => check(launcher),
            Check::NotApplicable(reason) => return Verdict::NotApplicable(reason.to_owned()),
        };
        match checked {
            Ok(()) => Verdict::Pass,
            Err(seen) => Verdict::Fail(seen),
        }
    }

    pub(crate) fn new(rule: &'static str, title: &'static str, check: fn() -> CheckResult) -> Self {
        let check = Check::InProcess(check);
        Self { rule, title, check }
    }

    /// A claim about the connections through each [`Door`], in the order of [`Door::ALL`], with one
    /// title for each.
    pub(crate) fn through_each<C: Client>(
        rule: &'static str,
        titles: [&'static str; Door::ALL.len()],
        check: fn(Door) -> CheckResult,
    ) -> impl Iterator<Item = Self> {
        let through = move |(door, title): (Door, &'static str)| {
            let check = Check::Through(door, check);
            Self { rule, title, check }.unless(door.missing::<C>())
        };
        Door::ALL.into_iter().zip(titles).map(through)
    }

    /// Makes the claim about this door not applicable.
    pub(crate) fn not_through(self, door: Door, reason: &'static str) -> Self {
        let is_of_door = matches!(self.check, Check::Through(of, _) if of == door);
        self.unless(is_of_door.then_some(reason))
    }

    /// A claim about processes that share sessions, if those of this client can be shared.
    pub(crate) fn with_children<C: Client>(
        rule: &'static str,
        title: &'static str,
        check: fn(&Launcher) -> CheckResult,
    ) -> Self {
        let check = Check::WithChildren(check);
        Self { rule, title, check }.unless(C::name_for_child().err())
    }

    /// Makes the claim not applicable if there is a reason.
    pub(crate) fn unless(self, reason: Option<&'static str>) -> Self {
        match reason {
            Some(reason) => Self {
                check: Check::NotApplicable(reason),
                ..self
            },
            None => self,
        }
    }
}
