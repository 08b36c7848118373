//! The simulation: one event after the other.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp, Zipf};
use store_core::{Clock, LookUp, Outcome, Want};
use store_tiers::KeyRing;
use store_tiers::simulation::{Next, SimulatedClock};

use super::connection::{Connection, Connections};
use super::events::{Event, Events};
use super::machine::{Machine, Store};
use super::measured::Measured;
use super::scenario::Scenario;
use super::servers::Servers;
use super::tier::SimulatedTier;
use super::{HANDSHAKE, STORE_TIMEOUT, TCP};

/// The exponent of Zipf's law, by which servers are chosen.
const EXPONENT: f64 = 0.9;
/// How long a machine that leaves waits for its connections.
const DRAIN: Duration = Duration::from_millis(100);

/// Simulates a scenario.
///
/// # Panics
/// Panics if the scenario has no server, or its rate is not positive.
pub fn simulate(scenario: &Scenario) -> Measured {
    let mut simulation = Simulation::new(scenario);
    simulation.plan();
    simulation.run();
    simulation.measured
}

struct Simulation<'a> {
    scenario: &'a Scenario,
    clock: Arc<SimulatedClock>,
    now: Duration,
    end: Duration,
    events: Events,
    rng: Xoshiro256PlusPlus,
    pause: Exp<f64>,
    popularity: Zipf<f64>,
    ring: KeyRing,
    tier: Option<SimulatedTier>,
    servers: Servers,
    machines: Vec<Machine>,
    connections: Connections,
    measured: Measured,
}

impl<'a> Simulation<'a> {
    #[expect(clippy::cast_precision_loss, reason = "there are few servers")]
    fn new(scenario: &'a Scenario) -> Self {
        let clock = Arc::new(SimulatedClock::new());
        let ring = KeyRing::new([1; 32], [(1, [2; 32])]).expect("valid keys");
        let tier = scenario.has_tier.then(|| SimulatedTier::new(scenario.seed));
        let machine = |_| Machine::new(Store::new(tier.as_ref(), &ring, &clock));
        let end = scenario.warm_up + scenario.measured;
        Self {
            machines: (0..scenario.machines).map(machine).collect(),
            now: Duration::ZERO,
            end,
            events: Events::default(),
            rng: Xoshiro256PlusPlus::seed_from_u64(scenario.seed),
            pause: Exp::new(scenario.rate).expect("a positive rate"),
            popularity: Zipf::new(scenario.servers as f64, EXPONENT).expect("a server"),
            servers: Servers::new(scenario),
            connections: Connections::default(),
            measured: Measured::new(seconds(end), seconds(scenario.warm_up)),
            scenario,
            clock,
            ring,
            tier,
        }
    }

    /// Adds the events that the scenario says.
    fn plan(&mut self) {
        for machine in 0..self.machines.len() {
            self.plan_arrival(machine);
            self.wake(machine);
        }
        if let Some(outage) = self.scenario.outage {
            self.events.add(outage.at, Event::TierFails);
            self.events.add(outage.at + outage.lasts, Event::TierWorks);
        }
        if let Some(restart) = self.scenario.restart {
            let count = u32::try_from(self.machines.len()).unwrap_or(u32::MAX);
            let step = restart.lasts / count;
            for (machine, turn) in (0..self.machines.len()).zip(0..) {
                self.events
                    .add(restart.at + step * turn, Event::Leave(machine));
            }
        }
    }

    fn run(&mut self) {
        while let Some((at, event)) = self.events.next().filter(|(at, _)| *at < self.end) {
            self.now = at;
            self.clock.set(at);
            let calls = self.tier.as_ref().map_or(0, SimulatedTier::begin_event);
            self.happen(event);
            let made = self.tier.as_ref().map_or(0, SimulatedTier::calls) - calls;
            self.measured.seconds[seconds(at)].calls += made;
        }
        self.measured.used_twice = self.servers.used_twice;
        for machine in 0..self.machines.len() {
            self.count_tier(machine);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive(machine) => self.arrive(machine),
            Event::Connected(connection) => self.connected(connection),
            Event::Begin(connection, number) => {
                if self.connections.use_of(connection) == number {
                    self.begin(connection);
                }
            }
            Event::Finish(connection) => self.finish(connection),
            Event::CallEnded(machine, process) => {
                if self.machines[machine].process == process {
                    self.call_ended(machine);
                }
            }
            Event::Wake(machine, wake) => {
                let this = &mut self.machines[machine];
                if this.wake == wake {
                    this.is_busy = false;
                    self.wake(machine);
                }
            }
            Event::TierFails => {
                if let (Some(tier), Some(outage)) = (&self.tier, self.scenario.outage) {
                    tier.fail(outage.failure);
                }
            }
            Event::TierWorks => {
                if let Some(tier) = &self.tier {
                    tier.work_again();
                }
            }
            Event::Leave(machine) => {
                self.machines[machine].leaves = true;
                self.events.add(self.now + DRAIN, Event::Close(machine));
            }
            Event::Close(machine) => self.close(machine),
            Event::Start(machine) => {
                let store = Store::new(self.tier.as_ref(), &self.ring, &self.clock);
                self.machines[machine].restart(store);
                self.wake(machine);
            }
        }
    }

    fn plan_arrival(&mut self, machine: usize) {
        let pause = Duration::from_secs_f64(self.pause.sample(&mut self.rng));
        self.events.add(self.now + pause, Event::Arrive(machine));
    }

    /// A machine begins a connection.
    fn arrive(&mut self, machine: usize) {
        self.plan_arrival(machine);
        let server = self.draw_server();
        let address = self.rng.random_range(0..self.scenario.addresses.count());
        let this = &self.machines[machine];
        let Some(store) = this.store.as_ref().filter(|_| !this.leaves) else {
            return;
        };
        let connection = Connection {
            machine,
            process: this.process,
            server,
            address,
            fetch: store.fetch(self.servers.key(server, address)),
            connected: self.now + TCP,
            begun: None,
            offered: None,
        };
        let number = self.connections.add(connection);
        self.events.add(self.now + TCP, Event::Connected(number));
        self.wake(machine);
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 1"
    )]
    fn draw_server(&mut self) -> usize {
        self.popularity.sample(&mut self.rng) as usize - 1
    }

    /// The TCP connection is made: waits for a session, if one is on its way.
    fn connected(&mut self, number: usize) {
        let Some(connection) = self.connections.get_mut(number) else {
            return;
        };
        let fetch = connection.fetch.as_ref();
        let waits =
            fetch.is_some_and(|fetch| !fetch.is_completed() && fetch.is_worth_waiting_for());
        if !waits {
            return self.begin(number);
        }
        self.machines[connection.machine].waiting.push(number);
        let timeout = Event::Begin(number, self.connections.use_of(number));
        self.events.add(self.now + STORE_TIMEOUT, timeout);
    }

    /// Looks up a session, and begins the handshake.
    fn begin(&mut self, number: usize) {
        let now = self.clock.now();
        let Some(connection) = self
            .connections
            .get_mut(number)
            .filter(|it| it.begun.is_none())
        else {
            return; // it has begun
        };
        let machine = &mut self.machines[connection.machine];
        machine.waiting.retain(|waiting| *waiting != number);
        let store = machine.store.as_ref();
        let Some(store) = store.filter(|_| machine.process == connection.process) else {
            self.connections.remove(number); // its process has ended
            return;
        };
        let key = self.servers.key(connection.server, connection.address);
        let look_up = LookUp {
            address: self.scenario.addresses.id(connection.address),
            ..Want::Any.into()
        };
        let start = store.memory().begin(key, look_up, now, |_| true);
        connection.begun = Some(start.begun);
        connection.offered = start
            .offer
            .map(|offer| (offer.entry.session, offer.entry.established));
        connection.fetch = None;
        let machine = connection.machine;
        let wait = self.now.saturating_sub(connection.connected);
        if self.now >= self.scenario.warm_up {
            self.measured.waited(wait);
        }
        self.events.add(self.now + HANDSHAKE, Event::Finish(number));
        self.wake(machine);
    }

    /// The handshake has ended, and the tickets have arrived.
    fn finish(&mut self, number: usize) {
        let Some(connection) = self.connections.remove(number) else {
            return;
        };
        let this = &self.machines[connection.machine];
        let store = this.store.as_ref();
        let Some(store) = store.filter(|_| this.process == connection.process) else {
            return; // its process has ended
        };
        let (now, address) = (self.clock.now(), connection.address);
        let offered = connection.offered;
        let resumed = offered.filter(|(ticket, _)| self.servers.accepts(*ticket, address));
        let outcome = match (offered, resumed) {
            (None, _) => Outcome::Full,
            (Some(_), None) => Outcome::Declined,
            (Some(_), Some(_)) => Outcome::Resumed,
        };
        let established = resumed.map_or(now, |(_, established)| established);
        let tickets = self
            .servers
            .issue(resumed.is_some(), address, established, now);
        let key = self.servers.key(connection.server, address);
        if let Some(begun) = connection.begun {
            let memory = store.memory();
            memory.finish(key, &begun, Some(outcome), None, None, now);
            for ticket in tickets {
                let _ = memory.put(key, ticket, begun, now); // one that is refused is a miss
            }
        }
        let second = &mut self.measured.seconds[seconds(self.now)];
        second.connections += 1;
        second.offered += u64::from(offered.is_some());
        second.resumed += u64::from(resumed.is_some());
        self.wake(connection.machine);
    }

    /// Lets the worker of a machine begin its next task, if it is free.
    fn wake(&mut self, number: usize) {
        let machine = &mut self.machines[number];
        let Some(Store::Shared(store)) = &mut machine.store else {
            return;
        };
        if machine.task.is_some() || machine.is_busy {
            return;
        }
        match store.next_task() {
            // Redis needs no sweep.
            Next::Task(task) if task.is_sweep() => {
                store.perform(task);
                self.wake(number);
            }
            Next::Task(task) => {
                let process = machine.process;
                let took = self
                    .tier
                    .as_ref()
                    .map_or(Duration::ZERO, |tier| tier.begin_call(self.now));
                machine.task = Some((task, took));
                self.events
                    .add(self.now + took, Event::CallEnded(number, process));
            }
            Next::Nothing(until) => {
                machine.wake += 1;
                // A whole microsecond later at the least, or time would stand still.
                let until = until.max(self.now + Duration::from_micros(1));
                self.events.add(until, Event::Wake(number, machine.wake));
            }
            Next::Ended => self.leave(number),
        }
    }

    /// The first call of a task has ended: performs it, and lets the time of its other calls pass.
    fn call_ended(&mut self, number: usize) {
        let machine = &mut self.machines[number];
        let (Some(Store::Shared(store)), Some((task, took)), Some(tier)) =
            (&mut machine.store, machine.task.take(), &self.tier)
        else {
            return;
        };
        let before = tier.calls();
        tier.set_took(took);
        store.perform(task);
        let made = tier.calls() - before;
        if made == 0 {
            tier.made_none();
        }
        let more = made.saturating_sub(1);
        let took: Duration = (0..more).map(|_| tier.begin_call(self.now)).sum();
        machine.is_busy = true;
        machine.wake += 1;
        let done = self.now + took;
        for &waiting in &machine.waiting {
            let fetch = self
                .connections
                .get_mut(waiting)
                .and_then(|it| it.fetch.as_ref());
            if fetch.is_some_and(store_tiers::Fetch::is_completed) {
                let begin = Event::Begin(waiting, self.connections.use_of(waiting));
                self.events.add(done, begin);
            }
        }
        self.events.add(done, Event::Wake(number, machine.wake));
    }

    /// The process of a machine ends: its store writes what memory has.
    fn close(&mut self, number: usize) {
        match &self.machines[number].store {
            Some(Store::Shared(store)) => {
                store.close();
                self.wake(number);
            }
            _ => self.leave(number),
        }
    }

    /// The process of a machine has ended.
    fn leave(&mut self, number: usize) {
        self.count_tier(number);
        self.machines[number].store = None;
        let away = self
            .scenario
            .restart
            .map_or(Duration::ZERO, |restart| restart.away);
        self.events.add(self.now + away, Event::Start(number));
    }

    /// Adds the counters of a process that ends.
    fn count_tier(&mut self, number: usize) {
        if let Some(Store::Shared(store)) = &self.machines[number].store {
            let stats = store.store().tier_stats();
            self.measured.dropped += stats.dropped;
            self.measured.lost += stats.lost;
        }
    }
}

/// Whole seconds.
fn seconds(time: Duration) -> usize {
    usize::try_from(time.as_secs()).unwrap_or(usize::MAX)
}
