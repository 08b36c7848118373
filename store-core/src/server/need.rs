//! How many single-use sessions the connections to a server use up.

/// The longest run of look-ups of a server without a put in between; it decays while later runs are
/// shorter.
///
/// Connections one after the other need one session, since each stores the next; connections that
/// begin together need one each. More sessions than that are replaced before they are offered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Need {
    // Look-ups since the last put.
    run: u8,
    // In sixteenths of a session.
    longest: u16,
}

/// After a shorter run, the longest one decays by this part of the difference.
const DECAY: u16 = 16;
/// One session.
const UNIT: u16 = 16;

impl Need {
    /// A connection looks up a session.
    #[inline]
    pub(crate) fn count_lookup(&mut self) {
        self.run = self.run.saturating_add(1);
    }

    /// A session is stored: the run of look-ups ends.
    #[inline]
    pub(crate) fn count_put(&mut self) {
        let run = u16::from(std::mem::take(&mut self.run)) * UNIT;
        if run >= self.longest {
            self.longest = run;
        } else if run > 0 {
            self.decay(run);
        }
    }

    #[cold]
    fn decay(&mut self, run: u16) {
        self.longest -= (self.longest - run).div_ceil(DECAY);
    }

    /// How many sessions to keep when the shard is short of bytes; at least one.
    pub(crate) fn sessions(self) -> usize {
        usize::from(self.longest.div_ceil(UNIT)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect_at_once(need: &mut Need, connections: usize) {
        for _ in 0..connections {
            need.count_lookup();
        }
        need.count_put();
        need.count_put();
    }

    #[test]
    fn connections_one_after_the_other_need_one_session() {
        let mut need = Need::default();
        assert_eq!(need.sessions(), 1);
        for _ in 0..3 {
            connect_at_once(&mut need, 1);
            assert_eq!(need.sessions(), 1);
        }
    }

    #[test]
    fn the_need_of_connections_at_once_decays() {
        let mut need = Need::default();
        connect_at_once(&mut need, 10);
        assert_eq!(need.sessions(), 10);
        connect_at_once(&mut need, 1);
        assert_eq!(need.sessions(), 10);
        for _ in 0..16 {
            connect_at_once(&mut need, 1);
        }
        assert!((2..7).contains(&need.sessions()), "{}", need.sessions());
        for _ in 0..100 {
            connect_at_once(&mut need, 1);
        }
        assert_eq!(need.sessions(), 1);
    }

    #[test]
    fn the_need_is_bounded() {
        let mut need = Need::default();
        connect_at_once(&mut need, 1_000);
        assert_eq!(need.sessions(), 255);
    }
}
