//! Certificates that many sessions have in common, kept once.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use foldhash::quality::RandomState;

use crate::SharedPart;

/// Parts of a table that are locked by themselves.
const PARTS: usize = 16;
/// Bytes that a certificate takes beside itself: its link, its place in the table, where trees
/// are at worst half full, and what an allocator rounds up twice.
const LINK: usize = size_of::<Link>() + 2 * size_of::<usize>() + 50 + 2 * 16;

/// Certificates as bytes, each kept once however many sessions refer to it.
///
/// Cheap to clone: the same table. It keeps nothing alive: what no [`Chain`] holds any more is
/// gone at once. Empty, it takes a few dozen bytes.
#[derive(Clone, Default)]
pub struct Chains(Arc<Table>);

/// A peer's certificates, its own first. Cheap to clone.
#[derive(Clone)]
pub struct Chain(Option<Arc<Link>>);

/// One certificate with those that follow it. A chain is its first link, so that whole chains are
/// as unique as certificates are, and those of one issuer share all but their first link.
struct Link {
    certificate: Box<[u8]>,
    rest: Option<Arc<Self>>,
    /// Bytes that this and the rest occupy.
    bytes: usize,
    hash: u64,
    table: Arc<Table>,
}

/// Links by their hash, which is keyed: certificates are the peer's choice. A second link of the
/// same hash is not shared, which costs memory and nothing else.
///
/// In trees, since a hash table of a million certificates grows in one long step.
#[derive(Default)]
struct Table {
    hasher: RandomState,
    parts: OnceLock<Box<[Part]>>,
}

type Part = Mutex<BTreeMap<u64, Weak<Link>>>;

impl Chains {
    /// The chain of these certificates, the peer's own first.
    ///
    /// Takes a look-up for each of them: whoever lets a peer choose how many bounds their number.
    pub fn intern<'a>(&self, certificates: impl IntoIterator<Item = &'a [u8]>) -> Chain {
        // From the end, which is what chains have in common.
        let certificates: Vec<_> = certificates.into_iter().collect();
        let chain = certificates.into_iter().rev();
        Chain(chain.fold(None, |rest, certificate| {
            Some(Table::link(&self.0, certificate, rest))
        }))
    }
}

impl Chain {
    /// The certificates, the peer's own first.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::successors(self.0.as_deref(), |link| link.rest.as_deref())
            .map(|link| &*link.certificate)
    }

    /// What a session with this chain keeps alive beside itself, for
    /// [`Storable::shared`](crate::Storable::shared); `None` if that is nothing.
    ///
    /// All certificates count in full, also those that other servers' chains have in common with
    /// this one: so no bound can be exceeded, whatever servers do.
    pub fn shared_part(&self) -> Option<SharedPart> {
        self.0.as_ref().map(|link| SharedPart {
            id: Arc::as_ptr(link).addr(),
            bytes: link.bytes,
        })
    }

    /// Whether there is no certificate at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Table {
    fn part(&self, hash: u64) -> MutexGuard<'_, BTreeMap<u64, Weak<Link>>> {
        let parts = self
            .parts
            .get_or_init(|| (0..PARTS).map(|_| Part::default()).collect());
        // Trees order by the whole hash, so any of its bits may choose the part.
        let part = usize::try_from(hash % PARTS as u64).unwrap_or_default();
        // Nothing panics half-way through a change.
        parts[part].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hash(&self, certificate: &[u8], rest: Option<&Arc<Link>>) -> u64 {
        self.hasher.hash_one((certificate, rest.map(Arc::as_ptr)))
    }

    fn link(table: &Arc<Self>, certificate: &[u8], rest: Option<Arc<Link>>) -> Arc<Link> {
        let hash = table.hash(certificate, rest.as_ref());
        // Dropped without the lock, which the drop of a last one takes.
        let there = table.part(hash).get(&hash).and_then(Weak::upgrade);
        if let Some(there) = there
            && there.is(certificate, rest.as_ref())
        {
            return there;
        }
        let link = Arc::new(Link {
            certificate: certificate.into(),
            bytes: LINK + certificate.len() + rest.as_ref().map_or(0, |rest| rest.bytes),
            rest,
            hash,
            table: Arc::clone(table),
        });
        let mut part = table.part(hash);
        let Some(there) = part.get(&hash).and_then(Weak::upgrade) else {
            part.insert(hash, Arc::downgrade(&link));
            return link;
        };
        drop(part);
        // Another thread was faster, or it is another one.
        if there.is(&link.certificate, link.rest.as_ref()) {
            there
        } else {
            link
        }
    }
}

impl Link {
    fn is(&self, certificate: &[u8], rest: Option<&Arc<Self>>) -> bool {
        let same_rest = match (&self.rest, rest) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        same_rest && *self.certificate == *certificate
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut part = self.table.part(self.hash);
        // A living one is another link of that hash. So may a dead one be, which loses nothing.
        if part
            .get(&self.hash)
            .is_some_and(|link| link.strong_count() == 0)
        {
            part.remove(&self.hash);
            if part.is_empty() {
                *part = BTreeMap::new(); // an emptied tree keeps a node
            }
        }
        drop(part);
        // In a loop: how long a chain is, is the peer's choice, and a stack is not.
        let mut rest = self.rest.take();
        while let Some(mut link) = rest.and_then(Arc::into_inner) {
            rest = link.rest.take();
        }
    }
}

impl PartialEq for Chain {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) if Arc::ptr_eq(one, other) => true,
            _ => self.iter().eq(other.iter()),
        }
    }
}

impl Eq for Chain {}

impl fmt::Debug for Chain {
    /// Shows how many there are: what they say is the peer's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain")
            .field("certificates", &self.iter().count())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Chains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chains").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn links(chains: &Chains) -> usize {
        let parts = chains.0.parts.get().map_or(&[][..], |parts| parts);
        parts.iter().map(|part| part.lock().unwrap().len()).sum()
    }

    fn id(chain: &Chain) -> Option<usize> {
        chain.shared_part().map(|shared| shared.id)
    }

    #[test]
    fn what_is_the_same_is_kept_once_and_no_longer_than_needed() {
        let chains = Chains::default();
        let one = chains.intern([&b"a"[..], b"issuer", b"root"]);
        let same = chains.clone().intern([&b"a"[..], b"issuer", b"root"]);
        let other = chains.intern([&b"b"[..], b"issuer", b"root"]);
        assert_eq!(id(&one), id(&same));
        assert_ne!(id(&one), id(&other));
        assert_eq!(one, same);
        assert_ne!(one, other);
        assert_eq!(links(&chains), 4);
        assert!(one.iter().eq([&b"a"[..], b"issuer", b"root"]));
        drop((one, same));
        assert_eq!(links(&chains), 3);
        drop(other);
        assert_eq!(links(&chains), 0);
    }

    #[test]
    fn no_certificates_are_nothing() {
        let chains = Chains::default();
        let none = chains.intern([]);
        assert!(none.is_empty() && none.shared_part().is_none());
        assert_ne!(none, chains.intern([&b""[..]]));
        assert!(chains.intern([]).iter().eq([] as [&[u8]; 0]));
    }

    /// A chain counts for all that it keeps alive, and tables do not mix.
    #[test]
    fn chains_of_two_tables_are_equal_and_apart() {
        let (one, other) = (Chains::default(), Chains::default());
        let (one, other) = (
            one.intern([&b"a"[..], b"b"]),
            other.intern([&b"a"[..], b"b"]),
        );
        assert_eq!(one, other);
        assert_ne!(id(&one), id(&other));
        let bytes = one.shared_part().unwrap().bytes;
        assert!(bytes >= 2 + 2 * size_of::<Link>(), "{bytes}");
    }

    /// As many as a peer can send, if nobody bounds them.
    #[test]
    fn a_long_chain_is_dropped_in_a_small_stack() {
        let chains = Chains::default();
        let work = move || {
            let chain = chains.intern((0..100_000).map(|_| &b""[..]));
            assert_eq!(links(&chains), 100_000);
            drop(chain);
            assert_eq!(links(&chains), 0);
        };
        let small = std::thread::Builder::new().stack_size(64 * 1024);
        small.spawn(work).unwrap().join().unwrap();
    }

    /// Another link has the place already: neither takes it from the other.
    #[test]
    fn two_of_one_hash_are_not_shared() {
        let chains = Chains::default();
        let (a, b) = (&b"a"[..], &b"b"[..]);
        let chain = chains.intern([a]);
        let hash = chains.0.hash(b, None);
        let in_the_way = Arc::downgrade(chain.0.as_ref().unwrap());
        chains.0.part(hash).insert(hash, in_the_way);
        let (one, other) = (chains.intern([b]), chains.intern([b]));
        assert_eq!(one, other);
        assert_ne!(id(&one), id(&other));
        drop((one, other));
        assert!(chains.0.part(hash).contains_key(&hash));
        // It does not know of that place, and the next one finds it free.
        drop(chain);
        let (one, other) = (chains.intern([b]), chains.intern([b]));
        assert_eq!(id(&one), id(&other));
        drop((one, other));
        assert_eq!(links(&chains), 0);
    }

    #[test]
    fn threads_share_and_leave_nothing() {
        let chains = Chains::default();
        std::thread::scope(|scope| {
            for thread in 0..8_u8 {
                let chains = &chains;
                scope.spawn(move || {
                    for round in 0..5_000_u16 {
                        let own = [(round % 7) as u8];
                        let held = chains.intern([&own[..], b"issuer"]);
                        let again = chains.intern([&own[..], b"issuer"]);
                        assert_eq!(id(&held), id(&again), "{thread}");
                        assert!(held.iter().eq([&own[..], b"issuer"]));
                    }
                });
            }
        });
        assert_eq!(links(&chains), 0);
    }

    proptest! {
        /// Whatever is made and dropped, in any order: chains are what they were made of, the
        /// same ones are one, and the table has the different tails of those that live.
        #[test]
        fn a_table_is_the_set_of_tails_that_live(
            steps in prop::collection::vec(
                (prop::collection::vec(0_u8..3, 0..4), prop::option::of(0_usize..8)), 1..60)
        ) {
            let chains = Chains::default();
            let mut held: Vec<(Vec<u8>, Chain)> = Vec::new();
            for (names, gone) in steps {
                let chain = chains.intern(names.iter().map(std::slice::from_ref));
                prop_assert!(chain.iter().eq(names.iter().map(std::slice::from_ref)));
                for (other, other_chain) in &held {
                    prop_assert_eq!(*other == names, id(other_chain) == id(&chain));
                    prop_assert_eq!(*other == names, *other_chain == chain);
                }
                held.push((names, chain));
                if let Some(gone) = gone {
                    held.swap_remove(gone % held.len());
                }
                let tails: std::collections::BTreeSet<_> = held
                    .iter()
                    .flat_map(|(names, _)| (0..names.len()).map(|from| &names[from..]))
                    .collect();
                prop_assert_eq!(links(&chains), tails.len());
            }
        }
    }
}
