//! Latency of the Redis tier, with 1, 2 and 4 child processes, which run this program, too:
//!
//! ```text
//! cargo run --release -p store-tiers --features redis --example redis_times -- redis://127.0.0.1
//! ```
//!
//! It uses a namespace of its own and clears it. Records have 2 KB, the size of tickets with a
//! client certificate.

use std::env;
use std::error::Error;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use store_core::{Clock as _, KeyRef, SecurityDomain, SystemClock, Usage};
use store_tiers::redis::{RedisSettings, RedisTier};
use store_tiers::{KeyRing, Sealed, Tier as _};

const ROUNDS: usize = 3_000;
const SERVERS: usize = 64;
const BATCH: usize = 16;
const BYTES: usize = 2_048;
/// The environment variable with a child's number.
const CHILD: &str = "REDIS_TIMES_CHILD";
const CALLS: [&str; 3] = ["put 1", "put 16", "take 1"];

fn main() -> Result<(), Box<dyn Error>> {
    let url = env::args().nth(1).ok_or("give the address of a Redis")?;
    if let Ok(number) = env::var(CHILD) {
        return run_child(&url, &number);
    }
    println!("processes  call    median us  p99 us  calls/s");
    for processes in [1, 2, 4] {
        let began = Instant::now();
        let mut times = measure(&url, processes)?;
        let took = began.elapsed();
        for (call, times) in CALLS.iter().zip(&mut times) {
            times.sort_unstable();
            let at = |percent: usize| micros(times[times.len() * percent / 100]);
            // The rate if all processes made only this call.
            let sum: u64 = times.iter().sum();
            let rate = 1e9 * f64::from(processes) * len_to_f64(times.len()) / to_f64(sum);
            println!(
                "{processes:9}  {call:6}  {:9.0}  {:6.0}  {rate:7.0}",
                at(50),
                at(99)
            );
        }
        println!("           (all in {:.1} s)", took.as_secs_f64());
    }
    tier(&url)?.clear()?;
    Ok(())
}

/// The nanoseconds of each kind of call, from all processes.
fn measure(url: &str, processes: u32) -> Result<[Vec<u64>; 3], Box<dyn Error>> {
    let children = (0..processes).map(|number| {
        let mut command = Command::new(env::current_exe()?);
        command.arg(url).env(CHILD, number.to_string());
        command.stdout(Stdio::piped()).spawn()
    });
    let mut times = [const { Vec::new() }; 3];
    for child in children.collect::<Result<Vec<_>, _>>()? {
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err("a process failed".into());
        }
        for line in String::from_utf8(output.stdout)?.lines() {
            for (times, word) in times.iter_mut().zip(line.split(' ')) {
                times.push(word.parse()?);
            }
        }
    }
    Ok(times)
}

fn run_child(url: &str, child: &str) -> Result<(), Box<dyn Error>> {
    let mut tier = tier(url)?;
    let ring = KeyRing::generate()?;
    let domain = SecurityDomain::builder("times").finish();
    let expires = SystemClock.now().after(Duration::from_secs(600));
    let record = |number: usize| {
        let host = format!("server-{}.example", number % SERVERS);
        let mut bytes = vec![0x5a; BYTES];
        let name = format!("{child} {number}");
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        Sealed {
            server: ring.server_id(KeyRef::new(&domain, &host)),
            usage: Usage::SingleUse,
            expires,
            bytes,
        }
    };
    for round in 0..ROUNDS {
        let one = [record(round)];
        let batch: Vec<_> = (0..BATCH).map(|number| record(round + number)).collect();
        let now = SystemClock.now();
        let began = Instant::now();
        tier.put(&one, now)?;
        let put = began.elapsed();
        let began = Instant::now();
        tier.put(&batch, now)?;
        let puts = began.elapsed();
        let began = Instant::now();
        let taken = tier.take(&one[0].server, 1, now)?;
        let take = began.elapsed();
        assert_eq!(taken.single_use.len(), 1, "the record was put");
        println!("{} {} {}", put.as_nanos(), puts.as_nanos(), take.as_nanos());
    }
    Ok(())
}

fn tier(url: &str) -> Result<RedisTier, Box<dyn Error>> {
    let settings = RedisSettings::default().with_namespace("redis-times");
    Ok(RedisTier::new(url, &settings)?)
}

fn micros(nanos: u64) -> f64 {
    to_f64(nanos) / 1e3
}

#[expect(clippy::cast_precision_loss)] // printed without digits
fn to_f64(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss)] // printed without digits
fn len_to_f64(number: usize) -> f64 {
    number as f64
}
