//! Several addresses behind one name: R40.

use std::net::{IpAddr, Ipv4Addr};

use lab::faults::{Fault, FaultyTransport};
use lab::server::{Protocol, Server};
use tls_resume::Resumption;

use crate::check::{CheckResult, equal, message};
use crate::claim::Claim;
use crate::client::{Client, Connection, Options};
use crate::fixture::{Fixture, HOST, PORT, Visit, observe};
use crate::wire::Wire;

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    let if_supported =
        |title, check: fn() -> CheckResult| Claim::new("R40", title, check).unless(C::NO_OPTIONS);
    vec![
        if_supported(
            "addresses that do not share ticket keys resume their own sessions",
            each_address_resumes::<C>,
        ),
        if_supported(
            "addresses that share ticket keys resume each other's sessions",
            shared_keys_lose_nothing::<C>,
        ),
        if_supported(
            "no session is offered at an address that is known to decline it",
            what_is_declined_is_not_offered::<C>,
        ),
    ]
}

/// Servers that share no keys, at addresses of one host, and a client.
struct Farm<C> {
    fixture: Fixture<C>,
    servers: Vec<Server>,
}

impl<C: Client> Farm<C> {
    fn new(protocol: Protocol, servers: usize) -> Result<Self, String> {
        let another = || Ok(Fixture::<C>::new(protocol)?.server);
        Ok(Self {
            fixture: Fixture::new(protocol)?,
            servers: (0..servers)
                .map(|_| another())
                .collect::<Result<_, String>>()?,
        })
    }

    fn open(&self, at: usize) -> Result<C::Connection, String> {
        let wire = Wire::new(FaultyTransport::new(&self.servers[at], Fault::None));
        self.open_over(wire, at)
    }

    fn open_over(&self, wire: Wire, at: usize) -> Result<C::Connection, String> {
        let number = u8::try_from(at + 1).map_err(message)?;
        let options = Options {
            address: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, number))),
            ..Options::default()
        };
        let client = &self.fixture.client;
        let opened = client.connect_with(HOST, PORT, wire, &options);
        opened.map_err(message)
    }

    /// A whole connection to the server at an address.
    fn visit(&self, at: usize) -> Result<Visit, String> {
        end(self.open(at)?)
    }
}

/// Reads the tickets of a connection, and closes it.
fn end(mut connection: impl Connection) -> Result<Visit, String> {
    connection.read_tickets()?;
    let visit = observe(&mut connection)?;
    connection.close()?;
    Ok(visit)
}

fn each_address_resumes<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let farm = Farm::<C>::new(protocol, 3)?;
        for round in 0..5 {
            for at in 0..3 {
                let visit = farm.visit(at)?;
                if round > 0 {
                    visit.is(
                        Resumption::Resumed,
                        &format!("{protocol:?}: visit {round} to address {at}"),
                    )?;
                }
            }
        }
    }
    Ok(())
}

fn shared_keys_lose_nothing<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let farm = Farm::<C>::new(protocol, 0)?;
        for visit in 0..8 {
            let expected = match visit {
                0 => Resumption::Full,
                _ => Resumption::Resumed,
            };
            let opened = farm.open_over(farm.fixture.wire(), visit % 4)?;
            end(opened)?.is(expected, "a visit")?;
        }
    }
    Ok(())
}

fn what_is_declined_is_not_offered<C: Client>() -> CheckResult {
    let farm = Farm::<C>::new(Protocol::Tls13, 2)?;
    farm.visit(0)?.is(Resumption::Full, "the first visit")?;
    let second = farm.visit(1)?;
    second.is(
        Resumption::Declined,
        "the first visit to the second address",
    )?;
    // All that the second address gave is used up.
    for _ in 0..8 {
        let mut open = farm.open(1)?;
        let visit = observe(&mut open)?;
        if visit.resumption != Resumption::Resumed {
            equal(
                &visit.ticket,
                &None,
                "the ticket offered to the second address",
            )?;
            break;
        }
    }
    let first = farm.visit(0)?;
    first.is(Resumption::Resumed, "the next visit to the first address")
}
