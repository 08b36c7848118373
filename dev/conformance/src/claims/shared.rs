//! Sessions that processes share: R7, R20 and R22 beyond one process.

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

use crate::child::{Launcher, Task};
use crate::client::Client;
use crate::processes::{Offspring, Place, Processes, Writer, resumed};
use crate::stage::{HOST, PORT, equal, holds, said, seen};
use crate::{Checked, Claim};

/// Tickets enough for all connections of a claim. More at once, and rustls 0.24.0-dev.1 breaks the
/// connection that they come on.
const MANY: usize = 32;

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    let by_redis = Claim::among::<C>(
        "R7",
        "machines that share a store use no ticket twice",
        once_among_machines::<C>,
    );
    let by_redis = if by_redis.applies() {
        let missing = (!redis::is_installed()).then_some("redis-server is not installed");
        Claim::unless(missing, by_redis)
    } else {
        by_redis
    };
    vec![
        Claim::among::<C>(
            "R7",
            "processes that share a store use no ticket twice",
            once_among_processes::<C>,
        ),
        by_redis,
        Claim::among::<C>(
            "R7",
            "a process that is killed gives no ticket back",
            killed_gives_nothing_back::<C>,
        ),
        Claim::among::<C>(
            "R20",
            "a shared store that is down costs full handshakes",
            down_is_a_miss::<C>,
        ),
        Claim::among::<C>(
            "R20",
            "a shared store that hangs costs full handshakes",
            hung_is_a_miss::<C>,
        ),
        Claim::among::<C>(
            "R20",
            "a shared store that is damaged costs full handshakes",
            damaged_is_a_miss::<C>,
        ),
        Claim::among::<C>(
            "R20",
            "a process stopped while it writes costs full handshakes",
            stopped_is_a_miss::<C>,
        ),
        Claim::among::<C>(
            "R22",
            "clear reaches what processes share",
            clear_reaches_all::<C>,
        ),
    ]
}

fn once_among_processes<C: Client>(launcher: &Launcher) -> Checked {
    once_among(&Processes::<C>::new(launcher, Protocol::Tls13, MANY)?)
}

/// The place that machines share, with processes in their stead.
fn once_among_machines<C: Client>(launcher: &Launcher) -> Checked {
    let redis = Place::redis()?;
    once_among(&Processes::<C>::sharing(
        redis,
        launcher,
        Protocol::Tls13,
        MANY,
    )?)
}

fn once_among<C: Client>(processes: &Processes<'_, C>) -> Checked {
    const EACH: usize = 10;
    processes.fill()?;
    // Two that only take, and one that puts, too.
    let task = [
        processes.hungry(EACH)?,
        processes.hungry(EACH)?,
        processes.task(EACH)?,
    ];
    let start = |task: &Task| processes.start(task);
    let children: Vec<_> = task.iter().map(start).collect::<Result<_, _>>()?;
    let mut came_from_others = 0;
    for child in children {
        let told = child.finish()?;
        came_from_others += usize::from(told.first().is_some_and(|first| first.resumed));
    }
    processes.no_ticket_twice(1 + 3 * EACH)?;
    let what = "a process resumes what another one has stored";
    holds(came_from_others > 0, what)
}

fn killed_gives_nothing_back<C: Client>(launcher: &Launcher) -> Checked {
    let processes = Processes::<C>::new(launcher, Protocol::Tls13, MANY)?;
    processes.fill()?;
    let mut handshakes = 1;
    let endless = Task {
        connections: usize::MAX,
        pause: Duration::from_millis(5),
        ..processes.hungry(0)?
    };
    for _ in 0..3 {
        let child = processes.start(&endless)?;
        handshakes = processes.handshakes(handshakes + 4)?.len();
        child.kill()?;
    }
    let told = processes.run(&processes.hungry(10)?)?;
    processes.no_ticket_twice(handshakes + told.len())?;
    let what = "a process resumes what the others have left";
    holds(resumed(&told) > 0, what)
}

fn down_is_a_miss<C: Client>(launcher: &Launcher) -> Checked {
    is_a_miss::<C>(launcher, free_port().map_err(said)?)
}

fn hung_is_a_miss<C: Client>(launcher: &Launcher) -> Checked {
    // The system accepts connections, and nobody answers.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(said)?;
    let port = listener.local_addr().map_err(said)?.port();
    is_a_miss::<C>(launcher, port)
}

/// A place that does nothing: the first handshake is full, and memory serves the others.
fn is_a_miss<C: Client>(launcher: &Launcher, port: u16) -> Checked {
    for protocol in Protocol::ALL {
        let processes = Processes::<C>::sharing(Place::at(port)?, launcher, protocol, 2)?;
        let told = processes.run(&processes.task(3)?)?;
        let told: Vec<bool> = told.iter().map(|told| told.resumed).collect();
        equal(&told, &vec![false, true, true], "resumed, of 3 connections")?;
    }
    Ok(())
}

/// What may become of a file.
type Damage = fn(&Path) -> std::io::Result<()>;

fn damaged_is_a_miss<C: Client>(launcher: &Launcher) -> Checked {
    let overwritten: Damage = |file| {
        let length = fs::metadata(file)?.len().min(1 << 20);
        fs::write(file, vec![0xa5; usize::try_from(length).unwrap_or(0)])
    };
    let cut_off: Damage = |file| fs::write(file, b"what was left of it");
    for damage in [overwritten, cut_off] {
        let processes = Processes::<C>::new(launcher, Protocol::Tls13, 4)?;
        processes.fill()?;
        damage(&processes.place.data_file()?).map_err(said)?;
        let told = processes.run(&processes.task(2)?)?;
        let told: Vec<bool> = told.iter().map(|told| told.resumed).collect();
        equal(&told, &vec![false, true], "resumed, with a damaged file")?;
        let told = processes.run(&processes.task(1)?)?;
        equal(&resumed(&told), &1, "resumed, with what came afterwards")?;
    }
    Ok(())
}

fn stopped_is_a_miss<C: Client>(launcher: &Launcher) -> Checked {
    for _ in 0..5 {
        let processes = Processes::<C>::new(launcher, Protocol::Tls13, 4)?;
        processes.fill()?;
        let task = Task {
            only_write: true,
            ..processes.task(0)?
        };
        let writer = processes.start(&task)?;
        let waiting = stop_within_a_change(&writer, &processes.place.directory())?;
        let told = processes.run(&processes.task(2)?)?;
        let waited = waiting.try_recv() == Err(TryRecvError::Empty);
        // Whoever waited goes on, and so does the place.
        writer.kill()?;
        if !waited {
            // The machine was so busy that one who had nothing to wait for seemed to wait.
            continue;
        }
        let told: Vec<bool> = told.iter().map(|told| told.resumed).collect();
        let what = "resumed, while a writer is stopped";
        equal(&told, &vec![false, true], what)?;
        waiting.recv().map_err(said)??;
        let told = processes.run(&processes.task(1)?)?;
        return equal(&resumed(&told), &1, "resumed, after it was killed");
    }
    Err(NOT_STOPPED.to_owned())
}

const NOT_STOPPED: &str = "no writer could be stopped within a change";

/// Stops a writer at a moment when others who write have to wait for it; gives what tells when one
/// of them waits no longer.
fn stop_within_a_change(writer: &Offspring, directory: &Path) -> Result<Receiver<Checked>, String> {
    // Much longer than a change takes; if it is not, the writer is stopped once more.
    const CHANGE: Duration = Duration::from_millis(300);
    for moment in 1..=100 {
        thread::sleep(Duration::from_millis(moment));
        writer.set_stopped(true)?;
        let mut other = Writer::open(directory)?;
        let (to, waiting) = channel();
        thread::spawn(move || to.send(other.write()));
        match waiting.recv_timeout(CHANGE) {
            Err(RecvTimeoutError::Timeout) => return Ok(waiting),
            Err(error) => return Err(said(error)),
            Ok(written) => written?,
        }
        writer.set_stopped(false)?;
    }
    Err(NOT_STOPPED.to_owned())
}

fn clear_reaches_all<C: Client>(launcher: &Launcher) -> Checked {
    for of_all in [true, false] {
        // More than the client that clears takes out and throws away when it looks again.
        let processes = Processes::<C>::new(launcher, Protocol::Tls13, MANY)?;
        processes.fill()?;
        let stage = processes.stage()?;
        let mut connection = stage.open(HOST, PORT).map_err(said)?;
        seen(&mut connection)?.is(Resumption::Resumed, "with what a child has stored")?;
        if of_all {
            stage.client.clear();
        } else {
            stage.client.clear_server(HOST, PORT);
        }
        let mut connection = stage.open(HOST, PORT).map_err(said)?;
        seen(&mut connection)?.is(Resumption::Full, "after clear")?;
        // Ends the client, and with it what it still had to do.
        drop((connection, stage));
        let told = processes.run(&processes.hungry(3)?)?;
        equal(&resumed(&told), &0, "resumed, in a process after clear")?;
    }
    Ok(())
}
