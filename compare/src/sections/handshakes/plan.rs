//! The handshakes to measure, and how many rounds of each.

use lab::certificate::KeyKind;
use lab::server::{Group, Library, Protocol};

use crate::harness::{CustomStore, End, Groups, Scenario, Stack, Store};

/// Blocks of a case. Each block has new clients, so that where their memory lies averages out.
pub(super) const BLOCKS: usize = 10;

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The cases, in order.
    pub cases: Vec<Case>,
    /// Seed of the order of the stores in each round.
    pub seed: u64,
}

/// A scenario and the stores that are compared in it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The scenario.
    pub scenario: Scenario,
    /// The stores. If [`Store::InHand`] is among them, the others are compared with it.
    pub stores: Vec<Store>,
    /// Rounds that count. Each round has a few handshakes of each store.
    pub rounds: usize,
}

/// Rounds of each kind of case.
struct Rounds {
    /// The client's own library as server, an ECDSA key, X25519: where stores are compared.
    main: usize,
    /// The other library as server.
    other_server: usize,
    /// Another key or another group.
    other_crypto: usize,
    /// rustls on another provider.
    other_provider: usize,
    /// The server's group known and unknown.
    hint: usize,
    /// Connections that end without `close_notify`.
    unclean: usize,
}

impl Plan {
    /// Takes 15 seconds. All keys are ECDSA, as in most of the web.
    pub fn short(seed: u64) -> Self {
        let rounds = Rounds {
            main: 100,
            other_server: 20,
            other_crypto: 10,
            other_provider: 10,
            hint: 20,
            unclean: 10,
        };
        Self::new(&rounds, &[KeyKind::EcdsaP256], seed)
    }

    /// Takes seven minutes.
    pub fn full(seed: u64) -> Self {
        let rounds = Rounds {
            main: 3_600,
            other_server: 1_200,
            other_crypto: 400,
            other_provider: 300,
            hint: 600,
            unclean: 300,
        };
        Self::new(&rounds, &KeyKind::ALL, seed)
    }

    fn new(rounds: &Rounds, keys: &[KeyKind], seed: u64) -> Self {
        let mut cases = Vec::new();
        let mut add = |scenario: Scenario, stores: &[Store], rounds| {
            // OpenSSL's own cache, which hyper-openssl relies on, drops a TLS 1.2 session when it is
            // renewed and does not report the new one: every other handshake would be full.
            let renews = scenario.protocol == Protocol::Tls12 && scenario.server == Library::Rustls;
            let works = |store: &&Store| !(renews && **store == Store::HyperOpenssl);
            cases.push(Case {
                scenario,
                stores: stores.iter().filter(works).cloned().collect(),
                rounds,
            });
        };
        let hybrid = Groups::First(Group::X25519MlKem768);
        for client in Stack::MAIN {
            let stores = Store::all_for(client.library());
            for protocol in Protocol::ALL {
                let main = Scenario::new(client, protocol);
                add(main, stores, rounds.main);
                let other = Library::ALL
                    .into_iter()
                    .find(|library| *library != main.server);
                if let Some(server) = other {
                    add(Scenario { server, ..main }, stores, rounds.other_server);
                }
                for &key in keys {
                    for groups in [main.groups, hybrid] {
                        if (key, groups) != (main.key, main.groups) {
                            let scenario = Scenario {
                                key,
                                groups,
                                ..main
                            };
                            add(scenario, stores, rounds.other_crypto);
                        }
                    }
                }
            }
        }
        for client in [Stack::Ring, Stack::Graviola] {
            for protocol in Protocol::ALL {
                for &key in keys {
                    for groups in [Groups::First(Group::X25519), hybrid] {
                        let main = Scenario::new(client, protocol);
                        let scenario = Scenario {
                            key,
                            groups,
                            ..main
                        };
                        add(
                            scenario,
                            Store::all_for(Library::Rustls),
                            rounds.other_provider,
                        );
                    }
                }
            }
        }
        // The store knows the group that the server chose last, a session in hand does not.
        let hints = [Store::InHand, Store::TlsResume];
        for groups in [
            Groups::Default,
            Groups::DefaultTo(Group::X25519),
            Groups::DefaultTo(Group::P256),
        ] {
            let main = Scenario::new(Stack::OpenSsl, Protocol::Tls13);
            add(Scenario { groups, ..main }, &hints, rounds.hint);
        }
        for client in Stack::MAIN {
            let peer = match client.library() {
                Library::Rustls => Store::RustlsMemory,
                Library::OpenSsl => Store::HyperOpenssl,
            };
            for protocol in Protocol::ALL {
                let scenario = Scenario {
                    end: End::Unclean,
                    ..Scenario::new(client, protocol)
                };
                let stores = [Store::InHand, Store::TlsResume, peer.clone()];
                add(scenario, &stores, rounds.unclean);
            }
        }
        cases.retain(|case| case.scenario.is_possible());
        Self { cases, seed }
    }

    /// Adds these stores to every case that compares stores of their library.
    #[must_use]
    pub fn with_custom_stores(mut self, custom: &[CustomStore]) -> Self {
        for case in &mut self.cases {
            // Cases without full handshakes compare something else.
            if case.stores.contains(&Store::None) {
                let library = case.scenario.client.library();
                let custom = custom.iter().filter(|store| store.library() == library);
                case.stores.extend(custom.cloned().map(Store::Custom));
            }
        }
        self
    }

    /// Sets the rounds of each case.
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
