//! Interned certificate chains.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use foldhash::quality::RandomState;

use crate::SharedPart;

/// The number of parts of a table, each behind a lock of its own.
const PARTS: usize = 16;
/// Bytes that a certificate costs in addition to its own: its link, its entry in the table (50, as
/// trees are half full at worst), and what the allocator rounds up twice.
const LINK_BYTES: usize = size_of::<Link>() + 2 * size_of::<usize>() + 50 + 2 * 16;

/// A table of interned certificates: each is in memory once, however many sessions have it.
///
/// A clone refers to the same table. The table keeps no certificate alive: one without a [`Chain`]
/// is freed at once. An empty table takes a few dozen bytes.
#[derive(Clone, Default)]
pub struct Chains(Arc<Table>);

/// A peer's certificates, the leaf first. Cheap to clone.
#[derive(Clone)]
pub struct Chain(Option<Arc<Link>>);

/// One certificate, and the chain of its issuer. A chain is its first link: the chains of two
/// certificates of one issuer share all links but the first.
struct Link {
    certificate: Box<[u8]>,
    issuer: Option<Arc<Self>>,
    /// Bytes of this certificate and of those above it.
    bytes: usize,
    hash: u64,
    table: Arc<Table>,
}

/// Links by hash. The hash is keyed, since peers choose the certificates. Where two links have the
/// same hash, the second is not shared, which costs memory only.
///
/// Trees, since a hash table of a million certificates would grow in one long step.
#[derive(Default)]
struct Table {
    hasher: RandomState,
    parts: OnceLock<Box<[Part]>>,
}

type Part = Mutex<BTreeMap<u64, Weak<Link>>>;

impl Chains {
    /// The chain of these certificates, the leaf first.
    ///
    /// Costs a look-up for each certificate: limit their number if the peer chooses it.
    pub fn intern<'a>(&self, certificates: impl IntoIterator<Item = &'a [u8]>) -> Chain {
        let certificates: Vec<_> = certificates.into_iter().collect();
        let chain = certificates.into_iter().rev();
        Chain(chain.fold(None, |issuer, certificate| {
            Some(Table::link(&self.0, certificate, issuer))
        }))
    }
}

impl Chain {
    /// The certificates, the leaf first.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::successors(self.0.as_deref(), |link| link.issuer.as_deref())
            .map(|link| &*link.certificate)
    }

    /// The memory of this chain, for [`Storable::shared_part`](crate::Storable::shared_part);
    /// `None` if it is empty.
    ///
    /// All certificates count in full, also those that other servers' chains share, so that no
    /// bound can be exceeded, whatever servers send.
    pub fn shared_part(&self) -> Option<SharedPart> {
        self.0.as_ref().map(|link| SharedPart {
            id: Arc::as_ptr(link).addr(),
            bytes: link.bytes,
        })
    }

    /// Whether the chain has no certificate.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Table {
    fn part(&self, hash: u64) -> MutexGuard<'_, BTreeMap<u64, Weak<Link>>> {
        let parts = self
            .parts
            .get_or_init(|| (0..PARTS).map(|_| Part::default()).collect());
        // Trees order by the whole hash, so any bits may select the part.
        let part = usize::try_from(hash % PARTS as u64).unwrap_or_default();
        // No change can panic half-way, so a poisoned part is whole.
        parts[part].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hash(&self, certificate: &[u8], issuer: Option<&Arc<Link>>) -> u64 {
        self.hasher.hash_one((certificate, issuer.map(Arc::as_ptr)))
    }

    fn link(table: &Arc<Self>, certificate: &[u8], issuer: Option<Arc<Link>>) -> Arc<Link> {
        let hash = table.hash(certificate, issuer.as_ref());
        // Dropped outside the lock: dropping the last reference takes the lock.
        let existing = table.part(hash).get(&hash).and_then(Weak::upgrade);
        if let Some(existing) = existing
            && existing.matches(certificate, issuer.as_ref())
        {
            return existing;
        }
        let link = Arc::new(Link {
            certificate: certificate.into(),
            bytes: LINK_BYTES
                + certificate.len()
                + issuer.as_ref().map_or(0, |issuer| issuer.bytes),
            issuer,
            hash,
            table: Arc::clone(table),
        });
        let mut part = table.part(hash);
        let Some(existing) = part.get(&hash).and_then(Weak::upgrade) else {
            part.insert(hash, Arc::downgrade(&link));
            return link;
        };
        drop(part);
        // Another thread inserted the same link meanwhile, or the hashes collide.
        if existing.matches(&link.certificate, link.issuer.as_ref()) {
            existing
        } else {
            link
        }
    }
}

impl Link {
    fn matches(&self, certificate: &[u8], issuer: Option<&Arc<Self>>) -> bool {
        let same_issuer = match (&self.issuer, issuer) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        same_issuer && *self.certificate == *certificate
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut part = self.table.part(self.hash);
        // A live entry is another link with the same hash. A dead entry can be removed, whichever
        // link it was.
        if part
            .get(&self.hash)
            .is_some_and(|link| link.strong_count() == 0)
        {
            part.remove(&self.hash);
            if part.is_empty() {
                *part = BTreeMap::new(); // an empty tree would keep a node
            }
        }
        drop(part);
        // A loop, since recursion over a chain as long as a peer likes would overflow the stack.
        let mut issuer = self.issuer.take();
        while let Some(mut link) = issuer.and_then(Arc::into_inner) {
            issuer = link.issuer.take();
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
    /// Shows the number of certificates only.
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
    fn equal_certificates_share_memory_until_the_last_chain_is_dropped() {
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
    fn an_empty_chain_has_no_shared_part() {
        let chains = Chains::default();
        let none = chains.intern([]);
        assert!(none.is_empty() && none.shared_part().is_none());
        assert_ne!(none, chains.intern([&b""[..]]));
        assert!(chains.intern([]).iter().eq([] as [&[u8]; 0]));
    }

    #[test]
    fn chains_of_two_tables_are_equal_and_share_nothing() {
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

    #[test]
    fn a_link_whose_hash_is_taken_is_not_shared() {
        let chains = Chains::default();
        let (a, b) = (&b"a"[..], &b"b"[..]);
        let chain = chains.intern([a]);
        let hash = chains.0.hash(b, None);
        let other = Arc::downgrade(chain.0.as_ref().unwrap());
        chains.0.part(hash).insert(hash, other);
        let (one, other) = (chains.intern([b]), chains.intern([b]));
        assert_eq!(one, other);
        assert_ne!(id(&one), id(&other));
        drop((one, other));
        assert!(chains.0.part(hash).contains_key(&hash));
        // Once the other is gone, the next link takes the entry.
        drop(chain);
        let (one, other) = (chains.intern([b]), chains.intern([b]));
        assert_eq!(id(&one), id(&other));
        drop((one, other));
        assert_eq!(links(&chains), 0);
    }

    #[test]
    fn chains_that_threads_intern_are_shared_and_freed() {
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
        /// Equal chains are one, and the table has one link for each different tail of a live
        /// chain.
        #[test]
        fn a_table_is_the_set_of_tails_of_live_chains(
            steps in prop::collection::vec(
                (prop::collection::vec(0_u8..3, 0..4), prop::option::of(0_usize..8)), 1..60)
        ) {
            let chains = Chains::default();
            let mut held: Vec<(Vec<u8>, Chain)> = Vec::new();
            for (names, dropped) in steps {
                let chain = chains.intern(names.iter().map(std::slice::from_ref));
                prop_assert!(chain.iter().eq(names.iter().map(std::slice::from_ref)));
                for (other, other_chain) in &held {
                    prop_assert_eq!(*other == names, id(other_chain) == id(&chain));
                    prop_assert_eq!(*other == names, *other_chain == chain);
                }
                held.push((names, chain));
                if let Some(dropped) = dropped {
                    held.swap_remove(dropped % held.len());
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
