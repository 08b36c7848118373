//! Generation of traces from a seed.

use std::time::Duration;

use pki_types::ServerName;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rand_distr::weighted::WeightedIndex;
use rand_distr::{Distribution, Exp, Geometric, Zipf};
use store_core::Timestamp;

use super::{Arrival, Kind, Plan, Profile, Trace};

/// Ticket lifetimes in seconds, and the percentage of servers with each: 5 minutes, 1 hour, 2 hours
/// (OpenSSL's default), 24 hours, 7 days (the maximum).
const LIFETIMES: [(u64, u32); 5] = [
    (300, 10),
    (3_600, 20),
    (7_200, 35),
    (86_400, 20),
    (604_800, 15),
];
/// Share of servers that issue two tickets after a resumed handshake, as rustls does.
const TWO_AFTER_RESUMED: f64 = 0.4;
/// Start of simulated time, so that no timestamp is zero.
const BEGINNING: Duration = Duration::from_secs(1_000_000_000);

/// Zipf: arrivals per second, and the share of them with two connections at once.
const ZIPF_RATE: f64 = 20.0;
const ZIPF_PAIRS: f64 = 0.1;

/// Crawl: arrivals per second.
const CRAWL_RATE: f64 = 50.0;
/// Share of arrivals at the core; the core is one server in `CORE_SERVERS`, with this Zipf
/// exponent.
const CORE_SHARE: f64 = 0.4;
const CORE_SERVERS: usize = 30;
const CORE_EXPONENT: f64 = 0.8;
/// Servers of the scan that are visited at a time, until each is replaced by the next.
const SCAN_WIDTH: usize = 64;
/// Probability that a visit is the server's last.
const LAST_VISIT: f64 = 0.5;

/// Mail: arrivals per second.
const MTA_RATE: f64 = 5.0;
/// Share of arrivals at the heavy destinations, their number, and the most connections to one that
/// begin connections.
const HEAVY_SHARE: f64 = 0.5;
const HEAVY_SERVERS: usize = 20;
const HEAVY_CONNECTIONS: u8 = 10;
/// Zipf exponents of the heavy destinations and of the tail.
const HEAVY_EXPONENT: f64 = 0.7;
const TAIL_EXPONENT: f64 = 0.9;
/// Share of arrivals in the tail with two connections at once.
const TAIL_PAIRS: f64 = 0.1;

impl Trace {
    /// Generates a trace of this kind. The first half is the warm-up.
    ///
    /// # Panics
    ///
    /// Panics if the plan has no servers, or if servers and scan exceed a `u32`.
    pub fn new(kind: Kind, plan: &Plan) -> Self {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(plan.seed);
        let arrivals = match kind {
            Kind::Zipf(exponent) => zipf(exponent, plan, &mut random),
            Kind::Crawl => crawl(plan, &mut random),
            Kind::Mta => mta(plan, &mut random),
        };
        let last = arrivals.iter().map(|arrival| arrival.server).max();
        let servers = last.map_or(0, |last| last + 1);
        Self {
            kind,
            profiles: profiles(servers, plan.seed),
            names: (0..servers).map(name).collect(),
            warm_up: arrivals.len() / 2,
            arrivals,
        }
    }
}

fn zipf(exponent: f64, plan: &Plan, random: &mut Xoshiro256PlusPlus) -> Vec<Arrival> {
    let mut server = ranks(plan.servers, exponent);
    arrivals(plan, ZIPF_RATE, random, |random| {
        (server(random), one_or_two(ZIPF_PAIRS, random))
    })
}

fn crawl(plan: &Plan, random: &mut Xoshiro256PlusPlus) -> Vec<Arrival> {
    let core = (plan.servers / CORE_SERVERS).max(1);
    let mut core_server = ranks(core, CORE_EXPONENT);
    let more_visits = Geometric::new(LAST_VISIT).expect("a probability");
    let mut next = index(core);
    let mut scanned = move |random: &mut Xoshiro256PlusPlus| {
        next += 1;
        (next - 1, more_visits.sample(random))
    };
    let mut active: Vec<_> = (0..SCAN_WIDTH).map(|_| scanned(random)).collect();
    arrivals(plan, CRAWL_RATE, random, |random| {
        if random.random_bool(CORE_SHARE) {
            return (core_server(random), 1);
        }
        let visited = &mut active[random.random_range(0..SCAN_WIDTH)];
        let server = visited.0;
        match visited.1.checked_sub(1) {
            Some(left) => visited.1 = left,
            None => *visited = scanned(random),
        }
        (server, 1)
    })
}

fn mta(plan: &Plan, random: &mut Xoshiro256PlusPlus) -> Vec<Arrival> {
    let mut heavy = ranks(HEAVY_SERVERS, HEAVY_EXPONENT);
    let mut tail = ranks(plan.servers, TAIL_EXPONENT);
    arrivals(plan, MTA_RATE, random, |random| {
        if random.random_bool(HEAVY_SHARE) {
            (heavy(random), random.random_range(1..=HEAVY_CONNECTIONS))
        } else {
            let server = index(HEAVY_SERVERS) + tail(random);
            (server, one_or_two(TAIL_PAIRS, random))
        }
    })
}

/// A Poisson process of arrivals with `rate` per second.
fn arrivals(
    plan: &Plan,
    rate: f64,
    random: &mut Xoshiro256PlusPlus,
    mut draw: impl FnMut(&mut Xoshiro256PlusPlus) -> (u32, u8),
) -> Vec<Arrival> {
    let gap = Exp::new(rate).expect("a positive rate");
    let mut since_epoch = BEGINNING;
    let mut left = plan.connections;
    let next = || {
        if left == 0 {
            return None;
        }
        since_epoch += Duration::from_secs_f64(gap.sample(random));
        let (server, connections) = draw(random);
        left = left.saturating_sub(connections.into());
        Some(Arrival {
            at: Timestamp::from_unix(since_epoch),
            server,
            connections,
        })
    };
    std::iter::from_fn(next).collect()
}

/// Draws server indices by Zipf's law; index 0 is the most frequent.
fn ranks(servers: usize, exponent: f64) -> impl FnMut(&mut Xoshiro256PlusPlus) -> u32 {
    let zipf = Zipf::new(f64::from(index(servers)), exponent).expect("a server and an exponent");
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 1 to servers"
    )]
    move |random| zipf.sample(random) as u32 - 1
}

fn one_or_two(pairs: f64, random: &mut Xoshiro256PlusPlus) -> u8 {
    1 + u8::from(random.random_bool(pairs))
}

/// The servers' ticket behaviour, which does not depend on the kind of trace.
fn profiles(servers: u32, seed: u64) -> Vec<Profile> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(!seed);
    let weights = LIFETIMES.map(|(_, servers)| servers);
    let lifetime = WeightedIndex::new(weights).expect("weights that are not all zero");
    let profile = |_| Profile {
        lifetime: Duration::from_secs(LIFETIMES[lifetime.sample(&mut random)].0),
        after_full: 2,
        after_resumed: one_or_two(TWO_AFTER_RESUMED, &mut random),
    };
    (0..servers).map(profile).collect()
}

fn name(server: u32) -> ServerName<'static> {
    let name = format!("server-{server}.example");
    ServerName::try_from(name).expect("a valid name")
}

fn index(server: usize) -> u32 {
    u32::try_from(server).expect("at most u32::MAX servers")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            connections: 200_000,
            servers: 1_000,
            ..Plan::quick(7)
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_trace() {
        for kind in Kind::ALL {
            let plan = Plan {
                connections: 5_000,
                ..plan()
            };
            let (one, same) = (Trace::new(kind, &plan), Trace::new(kind, &plan));
            assert_eq!(one.arrivals, same.arrivals);
            assert_eq!(one.profiles, same.profiles);
            let other = Trace::new(kind, &Plan { seed: 8, ..plan });
            assert_ne!(one.arrivals, other.arrivals);
            assert_ne!(one.profiles, other.profiles);
        }
    }

    #[test]
    fn arrivals_keep_their_rate() {
        let trace = Trace::new(Kind::Zipf(0.9), &plan());
        let times = trace.arrivals.iter().map(|arrival| arrival.at);
        assert!(times.clone().is_sorted());
        let (first, last) = (times.clone().min().unwrap(), times.max().unwrap());
        let seconds = last.since(first).unwrap().as_secs_f64();
        let due = f64::from(index(trace.arrivals.len())) / ZIPF_RATE;
        assert!((seconds / due - 1.0).abs() < 0.02, "{seconds} of {due}");
    }

    #[test]
    fn servers_are_drawn_by_zipfs_law() {
        for exponent in [0.7, 0.9, 1.1] {
            let trace = Trace::new(Kind::Zipf(exponent), &plan());
            let arrivals = f64::from(index(trace.arrivals.len()));
            let weight = |rank: f64| rank.powf(-exponent);
            let all: f64 = (1..=1_000).map(|rank| weight(f64::from(rank))).sum();
            for rank in [1, 10, 100] {
                let came = trace.arrivals.iter();
                let came = came.filter(|arrival| arrival.server == rank - 1).count();
                let due = arrivals * weight(f64::from(rank)) / all;
                let off = (f64::from(index(came)) - due).abs();
                assert!(off < 5.0 * due.sqrt(), "{exponent} {rank}: {came} of {due}");
            }
        }
    }

    #[test]
    fn a_crawl_scans_and_revisits_its_core() {
        let trace = Trace::new(Kind::Crawl, &plan());
        let (core, half) = (1_000 / 30, trace.arrivals.len() / 2);
        let to_core = |arrivals: &[Arrival]| {
            let to_core = arrivals.iter().filter(|arrival| arrival.server < core);
            f64::from(index(to_core.count())) / f64::from(index(arrivals.len()))
        };
        for arrivals in [&trace.arrivals[..half], &trace.arrivals[half..]] {
            assert!((to_core(arrivals) - CORE_SHARE).abs() < 0.01);
        }
        // Two visits on average, and no server is visited after the scan has passed it.
        let scanned = f64::from(index(trace.profiles.len()) - core);
        assert!(
            (scanned / (0.3 * 200_000.0) - 1.0).abs() < 0.02,
            "{scanned}"
        );
        let late = trace.arrivals[half..].iter().map(|arrival| arrival.server);
        let early = index(trace.profiles.len() / 4);
        assert!(
            late.filter(|server| *server >= core)
                .all(|server| server > early)
        );
    }

    #[test]
    fn mail_has_heavy_destinations_and_a_tail() {
        let trace = Trace::new(Kind::Mta, &plan());
        let (heavy, tail): (Vec<Arrival>, _) = trace
            .arrivals
            .iter()
            .partition(|arrival| arrival.server < index(HEAVY_SERVERS));
        assert!(
            heavy
                .iter()
                .any(|arrival| arrival.connections == HEAVY_CONNECTIONS)
        );
        assert!(tail.iter().all(|arrival| arrival.connections <= 2));
        let part = f64::from(index(heavy.len())) / f64::from(index(trace.arrivals.len()));
        assert!((part - HEAVY_SHARE).abs() < 0.01, "{part}");
    }
}
