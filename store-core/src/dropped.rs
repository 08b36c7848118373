//! Sessions to drop when no lock is held.

/// Sessions to drop, and thereby to wipe, when no lock is held. The first one needs no memory.
pub(crate) struct Dropped<S> {
    first: Option<S>,
    #[expect(
        clippy::box_collection,
        reason = "one word to set and to test, in every connection"
    )]
    more: Option<Box<Vec<S>>>,
}

impl<S> Dropped<S> {
    #[inline]
    pub(crate) fn new() -> Self {
        Self {
            first: None,
            more: None,
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, session: S) {
        if self.first.is_none() {
            self.first = Some(session);
        } else {
            self.push_more(session);
        }
    }

    /// Drops the sessions, if there are any. If it is then forgotten, none of the code that drops an empty
    /// one runs.
    #[inline]
    pub(crate) fn clear(&mut self) {
        if self.first.is_some() || self.more.is_some() {
            self.drop_all();
        }
    }

    #[cold]
    fn drop_all(&mut self) {
        *self = Self::new();
    }

    #[cold]
    fn push_more(&mut self, session: S) {
        self.more.get_or_insert_default().push(session);
    }
}

impl<S> Extend<S> for Dropped<S> {
    #[inline]
    fn extend<I: IntoIterator<Item = S>>(&mut self, sessions: I) {
        sessions.into_iter().for_each(|session| self.push(session));
    }
}
