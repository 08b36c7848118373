//! How many sessions of a server are used up before the next one comes.

/// The most connections to a server that asked for a session in a row, without one being put in
/// between; what was long ago counts less and less.
///
/// Connections that come one after the other need one session, since each brings the next; those
/// that begin together need as many as they are. What lies beyond that is only ever replaced.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Need {
    asked: u8,
    // In sixteenths.
    most: u16,
}

/// What is remembered of it while the server holds nothing: sessions, at most 127.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remembered(u8);

impl Remembered {
    /// So many, or as many as can be remembered.
    pub(crate) fn of(sessions: usize) -> Self {
        const MOST: u8 = 127;
        Self(u8::try_from(sessions).unwrap_or(MOST).min(MOST))
    }

    /// At most 127.
    pub(crate) fn sessions(self) -> u8 {
        self.0
    }
}

/// Of what a row of connections has less than the longest one, this part is forgotten.
const FORGOTTEN: u16 = 16;
const UNIT: u16 = 16;

impl Need {
    /// As it was when its server held something last.
    pub(crate) fn again(remembered: Remembered) -> Self {
        Self {
            asked: 0,
            most: u16::from(remembered.sessions()) * UNIT,
        }
    }

    /// What is to be remembered, connections that are under way now included.
    pub(crate) fn remembered(self) -> Remembered {
        let sessions = self.most.div_ceil(UNIT).max(self.asked.into());
        Remembered::of(sessions.into())
    }

    /// A connection asks for a session.
    pub(crate) fn asked(&mut self) {
        self.asked = self.asked.saturating_add(1);
    }

    /// A session comes: whoever asks from now on can have it.
    pub(crate) fn given(&mut self) {
        let row = u16::from(std::mem::take(&mut self.asked)) * UNIT;
        if row >= self.most {
            self.most = row;
        } else if row > 0 {
            self.most -= (self.most - row).div_ceil(FORGOTTEN);
        }
    }

    /// Sessions that are worth keeping when space is short; at least one.
    pub(crate) fn sessions(self) -> usize {
        usize::from(self.most.div_ceil(UNIT)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(need: &mut Need, connections: usize) {
        for _ in 0..connections {
            need.asked();
        }
        need.given();
        need.given();
    }

    #[test]
    fn one_after_the_other_needs_one() {
        let mut need = Need::default();
        assert_eq!(need.sessions(), 1);
        for _ in 0..3 {
            row(&mut need, 1);
            assert_eq!(need.sessions(), 1);
        }
    }

    #[test]
    fn what_came_together_is_kept_and_slowly_forgotten() {
        let mut need = Need::default();
        row(&mut need, 10);
        assert_eq!(need.sessions(), 10);
        row(&mut need, 1);
        assert_eq!(need.sessions(), 10);
        for _ in 0..16 {
            row(&mut need, 1);
        }
        assert!((2..7).contains(&need.sessions()), "{}", need.sessions());
        for _ in 0..100 {
            row(&mut need, 1);
        }
        assert_eq!(need.sessions(), 1);
    }

    #[test]
    fn a_server_that_was_emptied_by_connections_is_remembered_by_them() {
        let mut need = Need::default();
        assert_eq!(need.remembered(), Remembered::of(0));
        for _ in 0..10 {
            need.asked();
        }
        assert_eq!(Need::again(need.remembered()).sessions(), 10);
        row(&mut need, 1_000);
        assert_eq!(Need::again(need.remembered()).sessions(), 127);
    }

    #[test]
    fn no_row_is_too_long() {
        let mut need = Need::default();
        row(&mut need, 1_000);
        assert_eq!(need.sessions(), 255);
    }
}
