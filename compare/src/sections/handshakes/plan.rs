//! Which handshakes are measured, and how often.

use lab::certificate::KeyKind;
use lab::server::{Group, Library, Protocol};

use super::BLOCKS;
use crate::harness::{Corner, Groups, Own, Stack, Store};

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is measured.
    pub cases: Vec<Case>,
    /// Decides the order of the handshakes in each round.
    pub seed: u64,
}

/// A corner and the stores that are compared in it.
#[derive(Clone, Debug)]
pub struct Case {
    /// Who connects to whom.
    pub corner: Corner,
    /// The stores. With [`Store::InHand`] among them, the others are compared with it.
    pub stores: Vec<Store>,
    /// Rounds that are measured, with some handshakes in a row from each store in each.
    pub rounds: usize,
}

/// How many rounds the cases have.
struct Rounds {
    /// A server of the client's own library, an ECDSA key, X25519: where stores are compared.
    main: usize,
    /// A server of the other library.
    other_server: usize,
    /// Another key or another group.
    other_crypto: usize,
    /// Another cryptography below rustls.
    other_provider: usize,
    /// A server's group known against not known.
    hint: usize,
}

impl Plan {
    /// Ends within 15 seconds. The keys are ECDSA, as in most of the web.
    pub fn quick(seed: u64) -> Self {
        let rounds = Rounds {
            main: 100,
            other_server: 20,
            other_crypto: 10,
            other_provider: 10,
            hint: 20,
        };
        Self::new(&rounds, &[KeyKind::EcdsaP256], seed)
    }

    /// Ends within six minutes.
    pub fn full(seed: u64) -> Self {
        let rounds = Rounds {
            main: 3_600,
            other_server: 1_200,
            other_crypto: 400,
            other_provider: 300,
            hint: 600,
        };
        Self::new(&rounds, &KeyKind::ALL, seed)
    }

    fn new(rounds: &Rounds, keys: &[KeyKind], seed: u64) -> Self {
        let mut cases = Vec::new();
        let mut add = |corner: Corner, stores: &[Store], rounds| {
            // OpenSSL's own cache, on which this one rests, drops a TLS 1.2 session that is renewed
            // and does not tell of the new one: every other handshake is a full one.
            let renews = corner.protocol == Protocol::Tls12 && corner.server == Library::Rustls;
            let keeps = |store: &&Store| !(renews && **store == Store::HyperOpenssl);
            cases.push(Case {
                corner,
                stores: stores.iter().filter(keeps).cloned().collect(),
                rounds,
            });
        };
        let hybrid = Groups::First(Group::X25519MlKem768);
        for client in Stack::MAIN {
            let stores = Store::of(client.library());
            for protocol in Protocol::ALL {
                let main = Corner::new(client, protocol);
                add(main, stores, rounds.main);
                let other = Library::ALL
                    .into_iter()
                    .find(|library| *library != main.server);
                if let Some(server) = other {
                    add(Corner { server, ..main }, stores, rounds.other_server);
                }
                for &key in keys {
                    for groups in [main.groups, hybrid] {
                        if (key, groups) != (main.key, main.groups) {
                            let corner = Corner {
                                key,
                                groups,
                                ..main
                            };
                            add(corner, stores, rounds.other_crypto);
                        }
                    }
                }
            }
        }
        for client in [Stack::Ring, Stack::Graviola] {
            for protocol in Protocol::ALL {
                for &key in keys {
                    for groups in [Groups::First(Group::X25519), hybrid] {
                        let main = Corner::new(client, protocol);
                        let corner = Corner {
                            key,
                            groups,
                            ..main
                        };
                        add(corner, Store::of(Library::Rustls), rounds.other_provider);
                    }
                }
            }
        }
        let hints = [Store::InHand, Store::TlsResume, Store::TlsResumeHint];
        for groups in [
            Groups::Default,
            Groups::DefaultTo(Group::X25519),
            Groups::DefaultTo(Group::P256),
        ] {
            let main = Corner::new(Stack::OpenSsl, Protocol::Tls13);
            add(Corner { groups, ..main }, &hints, rounds.hint);
        }
        cases.retain(|case| case.corner.is_possible());
        Self { cases, seed }
    }

    /// The same with these stores too, wherever stores of their library are compared.
    #[must_use]
    pub fn with_own(mut self, own: &[Own]) -> Self {
        for case in &mut self.cases {
            // Hints are about something else.
            if !case.stores.contains(&Store::TlsResumeHint) {
                let library = case.corner.client.library();
                let fits = own.iter().filter(|own| own.library() == library);
                case.stores.extend(fits.cloned().map(Store::Own));
            }
        }
        self
    }

    /// The same with so many rounds of each case.
    #[must_use]
    pub fn with_rounds(mut self, rounds: usize) -> Self {
        for case in &mut self.cases {
            case.rounds = rounds;
        }
        self
    }

    /// How often [`measure`](super::measure) reports progress.
    pub fn steps(&self) -> usize {
        self.cases.len() * BLOCKS
    }
}
