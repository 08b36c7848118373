//! How traces are made.

use std::time::Duration;

use pki_types::ServerName;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rand_distr::weighted::WeightedIndex;
use rand_distr::{Distribution, Exp, Geometric, Zipf};
use store_core::Timestamp;

use super::{Arrival, Kind, Plan, Profile, Trace};

/// Lifetimes of tickets in seconds, and out of a hundred servers how many have each: 5 minutes,
/// 1 hour, 2 hours (OpenSSL's default), 24 hours, 7 days (the most there is).
const LIFETIMES: [(u64, u32); 5] = [
    (300, 10),
    (3_600, 20),
    (7_200, 35),
    (86_400, 20),
    (604_800, 15),
];
/// The part of servers that give two tickets after a resumed handshake, as rustls does.
const TWO_AFTER_RESUMED: f64 = 0.4;
/// Where simulated time begins, so that no time is zero.
const BEGINNING: Duration = Duration::from_secs(1_000_000_000);

/// Zipf: arrivals a second, and the part of them that is two connections at once.
const ZIPF_RATE: f64 = 20.0;
const ZIPF_PAIRS: f64 = 0.1;

/// Crawl: arrivals a second.
const CRAWL_RATE: f64 = 50.0;
/// The part of arrivals that goes to the core, one server in so many of the trace, and the
/// exponent of Zipf's law among them.
const CORE_PART: f64 = 0.4;
const CORE_SERVERS: usize = 30;
const CORE_EXPONENT: f64 = 0.8;
/// Servers of the scan that are visited in turn, until each had its visits and the next comes in.
const IN_TURN: usize = 64;
/// The chance after each visit that it was the last.
const LAST_VISIT: f64 = 0.5;

/// Mail: arrivals a second.
const MTA_RATE: f64 = 5.0;
/// The part of arrivals that goes to the heavy destinations, how many these are, and the most
/// connections to one that begin together.
const HEAVY_PART: f64 = 0.5;
const HEAVY_SERVERS: usize = 20;
const HEAVY_TOGETHER: u8 = 10;
/// The exponent of Zipf's law, among the heavy ones and in the tail.
const HEAVY_EXPONENT: f64 = 0.7;
const TAIL_EXPONENT: f64 = 0.9;
/// The part of arrivals in the tail that is two connections at once.
const TAIL_PAIRS: f64 = 0.1;

impl Trace {
    /// The trace of a kind; the first half of it warms up.
    ///
    /// # Panics
    ///
    /// Panics if the plan has no server or, together with a scan, more than 32 bits count.
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
    let more_visits = Geometric::new(LAST_VISIT).expect("a chance");
    let mut next = index(core);
    let mut scanned = move |random: &mut Xoshiro256PlusPlus| {
        next += 1;
        (next - 1, more_visits.sample(random))
    };
    let mut in_turn: Vec<_> = (0..IN_TURN).map(|_| scanned(random)).collect();
    arrivals(plan, CRAWL_RATE, random, |random| {
        if random.random_bool(CORE_PART) {
            return (core_server(random), 1);
        }
        let visited = &mut in_turn[random.random_range(0..IN_TURN)];
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
        if random.random_bool(HEAVY_PART) {
            (heavy(random), random.random_range(1..=HEAVY_TOGETHER))
        } else {
            let server = index(HEAVY_SERVERS) + tail(random);
            (server, one_or_two(TAIL_PAIRS, random))
        }
    })
}

/// Arrivals whose gaps are drawn from an exponential distribution, `rate` a second.
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
        let (server, together) = draw(random);
        left = left.saturating_sub(together.into());
        Some(Arrival {
            at: Timestamp::from_unix(since_epoch),
            server,
            together,
        })
    };
    std::iter::from_fn(next).collect()
}

/// Draws from `servers` servers by Zipf's law, the first the most frequent.
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

/// How each server deals with tickets, whatever the trace is like.
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
    ServerName::try_from(name).expect("a name by the rules")
}

fn index(server: usize) -> u32 {
    u32::try_from(server).expect("servers that 32 bits count")
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
    fn time_passes_as_fast_as_it_should() {
        let trace = Trace::new(Kind::Zipf(0.9), &plan());
        let times = trace.arrivals.iter().map(|arrival| arrival.at);
        assert!(times.clone().is_sorted());
        let (first, last) = (times.clone().min().unwrap(), times.max().unwrap());
        let seconds = last.since(first).unwrap().as_secs_f64();
        let due = f64::from(index(trace.arrivals.len())) / ZIPF_RATE;
        assert!((seconds / due - 1.0).abs() < 0.02, "{seconds} of {due}");
    }

    #[test]
    fn servers_come_as_zipf_says() {
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
    fn a_crawl_scans_and_keeps_its_core() {
        let trace = Trace::new(Kind::Crawl, &plan());
        let (core, half) = (1_000 / 30, trace.arrivals.len() / 2);
        let to_core = |arrivals: &[Arrival]| {
            let to_core = arrivals.iter().filter(|arrival| arrival.server < core);
            f64::from(index(to_core.count())) / f64::from(index(arrivals.len()))
        };
        for arrivals in [&trace.arrivals[..half], &trace.arrivals[half..]] {
            assert!((to_core(arrivals) - CORE_PART).abs() < 0.01);
        }
        // Two visits on average, and nothing comes back once it was left behind.
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
    fn mail_goes_to_a_few_at_once_and_to_many() {
        let trace = Trace::new(Kind::Mta, &plan());
        let (heavy, tail): (Vec<Arrival>, _) = trace
            .arrivals
            .iter()
            .partition(|arrival| arrival.server < index(HEAVY_SERVERS));
        assert!(
            heavy
                .iter()
                .any(|arrival| arrival.together == HEAVY_TOGETHER)
        );
        assert!(tail.iter().all(|arrival| arrival.together <= 2));
        let part = f64::from(index(heavy.len())) / f64::from(index(trace.arrivals.len()));
        assert!((part - HEAVY_PART).abs() < 0.01, "{part}");
    }
}
