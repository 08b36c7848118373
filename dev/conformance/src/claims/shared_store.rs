//! Sessions that processes share: R7, R20, R22, R29 and R41.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use lab::redis;
use lab::server::Protocol;
use lab::tcp::free_port;
use tls_resume::Resumption;

use crate::check::{CheckResult, equal, holds, message};
use crate::child::{ChildProcess, ConnectionReport, Launcher, Task};
use crate::claim::Claim;
use crate::claims::failures::breaks;
use crate::client::Client;
use crate::fixture::{HOST, PORT, observe};
use crate::lmdb_writer::LmdbWriter;
use crate::process_fixture::{ProcessFixture, resumed};
use crate::shared_tier::SharedTier;

/// Enough tickets for all connections of a claim. rustls 0.24.0-dev.1 fails a connection with more.
const MANY: usize = 32;

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    let among_machines = Claim::with_children::<C>(
        "R7",
        "machines that share a store use no ticket twice",
        once_among_machines::<C>,
    );
    let after_a_restart = Claim::with_children::<C>(
        "R41",
        "a ticket that was taken does not come back with a snapshot",
        snapshot_returns_no_taken_ticket::<C>,
    );
    // If no store of this client can be shared, that is the reason.
    let lacks_redis = among_machines.applies() && !redis::is_installed();
    let lacks_redis = lacks_redis.then_some("redis-server is not installed");
    let [among_machines, after_a_restart] =
        [among_machines, after_a_restart].map(|claim| claim.unless(lacks_redis));
    vec![
        Claim::with_children::<C>(
            "R7",
            "processes that share a store use no ticket twice",
            once_among_processes::<C>,
        ),
        among_machines,
        after_a_restart,
        Claim::with_children::<C>(
            "R7",
            "a ticket taken by a killed process is not used again",
            killed_process_returns_nothing::<C>,
        ),
        Claim::with_children::<C>(
            "R20",
            "a shared store that is down costs full handshakes",
            store_down_is_a_miss::<C>,
        ),
        Claim::with_children::<C>(
            "R20",
            "a shared store that hangs costs full handshakes",
            hanging_store_is_a_miss::<C>,
        ),
        Claim::with_children::<C>(
            "R20",
            "a shared store that is damaged costs full handshakes",
            damaged_store_is_a_miss::<C>,
        ),
        Claim::with_children::<C>(
            "R20",
            "a process stopped while it writes costs full handshakes",
            stopped_writer_is_a_miss::<C>,
        ),
        Claim::with_children::<C>(
            "R22",
            "clear empties the shared store",
            clear_empties_the_tier::<C>,
        ),
        Claim::with_children::<C>(
            "R29",
            "processes that share a store tell each other of a server that fails",
            a_breaking_server_is_known_to_others::<C>,
        ),
    ]
}

fn once_among_processes<C: Client>(launcher: &Launcher) -> CheckResult {
    once_among(&ProcessFixture::<C>::new(launcher, Protocol::Tls13, MANY)?)
}

/// Machines share Redis; here processes do.
fn once_among_machines<C: Client>(launcher: &Launcher) -> CheckResult {
    let redis = SharedTier::redis()?;
    once_among(&ProcessFixture::<C>::with_tier(
        redis,
        launcher,
        Protocol::Tls13,
        MANY,
    )?)
}

fn once_among<C: Client>(fixture: &ProcessFixture<'_, C>) -> CheckResult {
    const EACH: usize = 10;
    fixture.fill()?;
    // Two only take sessions, one puts new ones, too.
    let tasks = [
        fixture.fetching_task(EACH)?,
        fixture.fetching_task(EACH)?,
        fixture.task(EACH)?,
    ];
    let start = |task: &Task| fixture.start(task);
    let children: Vec<_> = tasks.iter().map(start).collect::<Result<_, _>>()?;
    let mut resumed_from_others = 0;
    for child in children {
        let reports = child.finish()?;
        resumed_from_others += usize::from(reports.first().is_some_and(|first| first.resumed));
    }
    fixture.no_ticket_twice(1 + 3 * EACH)?;
    let what = "a process resumes a session that another one stored";
    holds(resumed_from_others > 0, what)
}

/// Redis restarts with the records that it had before some of them were taken.
fn snapshot_returns_no_taken_ticket<C: Client>(launcher: &Launcher) -> CheckResult {
    const EACH: usize = 5;
    let redis = SharedTier::redis()?;
    let mut fixture = ProcessFixture::<C>::with_tier(redis, launcher, Protocol::Tls13, MANY)?;
    fixture.fill()?;
    fixture.tier.save()?;
    let reports = fixture.run(&fixture.fetching_task(EACH)?)?;
    let what = "a process resumes a session that another one stored";
    holds(resumed(&reports) > 0, what)?;
    fixture.tier.restart()?;
    for _ in 0..2 {
        fixture.run(&fixture.fetching_task(EACH)?)?;
    }
    fixture.no_ticket_twice(1 + 3 * EACH)
}

fn killed_process_returns_nothing<C: Client>(launcher: &Launcher) -> CheckResult {
    let fixture = ProcessFixture::<C>::new(launcher, Protocol::Tls13, MANY)?;
    fixture.fill()?;
    let mut handshakes = 1;
    let endless = Task {
        connections: usize::MAX,
        pause: Duration::from_millis(5),
        ..fixture.fetching_task(0)?
    };
    for _ in 0..3 {
        let child = fixture.start(&endless)?;
        handshakes = fixture.handshakes(handshakes + 4)?.len();
        child.kill()?;
    }
    let reports = fixture.run(&fixture.fetching_task(10)?)?;
    fixture.no_ticket_twice(handshakes + reports.len())?;
    let what = "a process resumes a session that the others did not take";
    holds(resumed(&reports) > 0, what)
}

fn store_down_is_a_miss<C: Client>(launcher: &Launcher) -> CheckResult {
    unanswered_is_a_miss::<C>(launcher, free_port().map_err(message)?)
}

fn hanging_store_is_a_miss<C: Client>(launcher: &Launcher) -> CheckResult {
    // The kernel accepts connections, and no program answers.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(message)?;
    let port = listener.local_addr().map_err(message)?.port();
    unanswered_is_a_miss::<C>(launcher, port)
}

/// A tier that does not answer: the first handshake is full, and later ones resume from memory.
fn unanswered_is_a_miss<C: Client>(launcher: &Launcher, port: u16) -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture =
            ProcessFixture::<C>::with_tier(SharedTier::redis_at(port)?, launcher, protocol, 2)?;
        let reports = fixture.run(&fixture.task(3)?)?;
        equal(
            &resumptions(&reports),
            &vec![false, true, true],
            "resumed, of 3 connections",
        )?;
    }
    Ok(())
}

/// Whether each of these connections was resumed.
fn resumptions(reports: &[ConnectionReport]) -> Vec<bool> {
    reports.iter().map(|report| report.resumed).collect()
}

/// Damages a file.
type Damage = fn(&Path) -> std::io::Result<()>;

fn damaged_store_is_a_miss<C: Client>(launcher: &Launcher) -> CheckResult {
    let overwritten: Damage = |file| {
        let length = fs::metadata(file)?.len().min(1 << 20);
        fs::write(file, vec![0xa5; usize::try_from(length).unwrap_or(0)])
    };
    let truncated: Damage = |file| fs::write(file, b"the rest of a file");
    for damage in [overwritten, truncated] {
        let fixture = ProcessFixture::<C>::new(launcher, Protocol::Tls13, 4)?;
        fixture.fill()?;
        damage(&fixture.tier.data_file()?).map_err(message)?;
        let reports = fixture.run(&fixture.task(2)?)?;
        equal(
            &resumptions(&reports),
            &vec![false, true],
            "resumed, with a damaged file",
        )?;
        let reports = fixture.run(&fixture.task(1)?)?;
        equal(
            &resumed(&reports),
            &1,
            "resumed, with a session stored afterwards",
        )?;
    }
    Ok(())
}

fn stopped_writer_is_a_miss<C: Client>(launcher: &Launcher) -> CheckResult {
    for _ in 0..5 {
        let fixture = ProcessFixture::<C>::new(launcher, Protocol::Tls13, 4)?;
        fixture.fill()?;
        let task = Task {
            only_write: true,
            ..fixture.task(0)?
        };
        let writer = fixture.start(&task)?;
        let waiting = stop_during_a_write(&writer, &fixture.tier.directory())?;
        let reports = fixture.run(&fixture.task(2)?)?;
        let waited = waiting.try_recv() == Err(TryRecvError::Empty);
        // Its death releases LMDB's lock, so that the waiting writer continues.
        writer.kill()?;
        if !waited {
            // The machine was so busy that the other writer was slow and did not wait.
            continue;
        }
        let what = "resumed, while a writer is stopped";
        equal(&resumptions(&reports), &vec![false, true], what)?;
        waiting.recv().map_err(message)??;
        let reports = fixture.run(&fixture.task(1)?)?;
        return equal(&resumed(&reports), &1, "resumed, after it was killed");
    }
    Err(NOT_STOPPED.to_owned())
}

const NOT_STOPPED: &str = "no writer could be stopped during a write";

/// Stops a writer during a write, so that another writer has to wait for it. Returns the receiver
/// of that one's result.
fn stop_during_a_write(
    writer: &ChildProcess,
    directory: &Path,
) -> Result<Receiver<CheckResult>, String> {
    // Much longer than a write takes. If a write takes longer, the caller tries again.
    const WRITE: Duration = Duration::from_millis(300);
    for delay in 1..=100 {
        thread::sleep(Duration::from_millis(delay));
        writer.set_stopped(true)?;
        let mut other = LmdbWriter::open(directory)?;
        let (sender, waiting) = channel();
        thread::spawn(move || sender.send(other.write()));
        match waiting.recv_timeout(WRITE) {
            Err(RecvTimeoutError::Timeout) => return Ok(waiting),
            Err(error) => return Err(message(error)),
            Ok(written) => written?,
        }
        writer.set_stopped(false)?;
    }
    Err(NOT_STOPPED.to_owned())
}

fn clear_empties_the_tier<C: Client>(launcher: &Launcher) -> CheckResult {
    for clear_all in [true, false] {
        // More tickets than the client takes from the tier when it connects after clear.
        let fixture = ProcessFixture::<C>::new(launcher, Protocol::Tls13, MANY)?;
        fixture.fill()?;
        let in_process = fixture.in_process()?;
        let mut connection = in_process.open(HOST, PORT).map_err(message)?;
        observe(&mut connection)?.is(Resumption::Resumed, "with a session that a child stored")?;
        if clear_all {
            in_process.client.clear();
        } else {
            in_process.client.clear_server(HOST, PORT);
        }
        let mut connection = in_process.open(HOST, PORT).map_err(message)?;
        observe(&mut connection)?.is(Resumption::Full, "after clear")?;
        // Ends the client's worker, which revokes in the tier.
        drop((connection, in_process));
        let reports = fixture.run(&fixture.fetching_task(3)?)?;
        equal(&resumed(&reports), &0, "resumed, in a process after clear")?;
    }
    Ok(())
}

fn a_breaking_server_is_known_to_others<C: Client>(launcher: &Launcher) -> CheckResult {
    let fixture =
        ProcessFixture::<C>::with(SharedTier::lmdb()?, launcher, Protocol::Tls13, breaks)?;
    let first = fixture.in_process()?;
    let broken = (0..5).filter(|_| first.visit().is_err()).count();
    holds((1..=2).contains(&broken), "one or two sessions break")?;
    // Ends the client's worker, which writes to the tier.
    drop(first);
    let other = fixture.in_process()?;
    for _ in 0..3 {
        let visit = other.visit()?;
        visit.is(Resumption::Full, "at a server that another process avoids")?;
    }
    let fetched = other.client.tier_stats().fetched;
    holds(fetched > 0, "there is a session in the tier")
}
