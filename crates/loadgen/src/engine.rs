//! The single loop: clients, publishers, the clock, and the resources used between two moments.

use std::io;
use std::time::{Duration, Instant};

use mio::{Events, Poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::api::Requests;
use crate::arguments::{Spin, Target};
use crate::clients::Clients;
use crate::payload::Payload;
use crate::process::{Process, machine_cpu};
use crate::publishers::Publishers;
use crate::report::{Outcome, Report};
pub(crate) use crate::tally::SECOND;
use crate::tally::Tally;

/// Most handshakes in progress.
const ARRIVING: usize = 64;

/// Timeout of connecting all clients.
const ARRIVAL: u64 = 120 * SECOND;

/// After so long without progress the loop stops polling without sleep.
const PATIENCE: u64 = SECOND / 5;

/// After so long without any answer to what is under way the server counts as hung.
const SILENCE: u64 = 10 * SECOND;

/// Everything that a scenario uses.
pub(crate) struct Engine {
    poll: Poll,
    events: Events,
    begun: Instant,
    /// When the server was heard last, or nothing was under way.
    heard: u64,
    spin: Spin,
    /// The server under test.
    pub server: Process,
    pub clients: Clients,
    pub publishers: Publishers,
    pub tally: Tally,
}

/// Resources used up to a moment.
pub(crate) struct Moment {
    at: u64,
    server_cpu: Option<u64>,
    own_cpu: u64,
    machine_cpu: f64,
    deliveries: u64,
}

/// Resources used between two moments.
pub(crate) struct Stretch {
    pub seconds: f64,
    /// In microseconds; `None` without the server's process id.
    pub server_cpu: Option<f64>,
    pub deliveries: u64,
}

impl Engine {
    /// Raises the limit of descriptors; connects no client.
    pub(crate) fn new(target: &Target, clients: Clients, bytes: usize) -> Outcome<Self> {
        let limit = getrlimit(Resource::Nofile).maximum;
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit });
        let most = limit.unwrap_or(u64::MAX);
        if clients.count() as u64 + 64 > most {
            return Err(format!("{} connections, but a process may open {most} files", clients.count()));
        }
        let publishers = Publishers::new(
            Requests::new(target, Payload::new(bytes)),
            target.publish_port(),
            clients.count(),
        );
        Ok(Self {
            poll: Poll::new().map_err(|error| format!("epoll: {error}"))?,
            events: Events::with_capacity(256),
            begun: Instant::now(),
            heard: 0,
            spin: target.spin,
            server: Process::new(target.pid),
            clients,
            publishers,
            tally: Tally::default(),
        })
    }

    /// The generator's clock.
    pub(crate) fn now(&self) -> u64 {
        since(self.begun)
    }

    /// Connects and subscribes all clients.
    pub(crate) fn connect_all(&mut self) -> Outcome<()> {
        let (deadline, count) = (self.now() + ARRIVAL, self.clients.count());
        let mut opened = 0;
        while self.clients.subscribed.len() < count {
            while opened < count && self.clients.arriving < ARRIVING {
                self.open(opened)?;
                opened += 1;
            }
            self.poll(self.now() + SECOND / 10)?;
            if let Some((fault, _)) = self.tally.faults.first_key_value() {
                return Err(format!("not all connections came about: {fault}"));
            }
            if self.now() > deadline {
                return Err(format!(
                    "after two minutes {} of {count} are subscribed",
                    self.clients.subscribed.len()
                ));
            }
        }
        self.clients.subscribed.clear();
        Ok(())
    }

    /// Begins to connect one client.
    pub(crate) fn open(&mut self, number: usize) -> Outcome<()> {
        self.clients.open(self.poll.registry(), number).map_err(refused)
    }

    /// Opens connections to publish on.
    pub(crate) fn open_publishers(&mut self, count: usize) -> Outcome<()> {
        self.publishers.open(self.poll.registry(), count).map_err(refused)
    }

    /// Publishes an event with the due time `due` to a channel.
    pub(crate) fn publish(&mut self, channel: usize, due: u64) {
        let (name, readers) = self.clients.channel(channel);
        let number = self.tally.publish(readers);
        self.publishers.publish(name, (due, number), &mut self.tally, since(self.begun));
    }

    /// Waits for events, until a time at most, and processes them.
    pub(crate) fn poll(&mut self, until: u64) -> Outcome<()> {
        let now = self.now();
        let is_under_way =
            self.tally.is_outstanding() || self.publishers.is_busy() || self.clients.arriving > 0;
        let spins = self.spin == Spin::Auto && is_under_way && now < self.tally.progress + PATIENCE;
        // Rounded down to whole milliseconds, the kernel's unit here; the rest is spent polling.
        let wait = if spins { 0 } else { until.saturating_sub(now) / 1_000_000 };
        match self.poll.poll(&mut self.events, Some(Duration::from_millis(wait))) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(format!("epoll: {error}"));
            }
            _ => {}
        }
        if !is_under_way || !self.events.is_empty() {
            self.heard = now;
        } else if now > self.heard + SILENCE {
            return Err("the server has not answered for ten seconds".to_owned());
        }
        if self.clients.arriving > 0 && !self.events.is_empty() {
            self.tally.progress = now;
        }
        let begun = self.begun;
        for event in &self.events {
            let token = event.token().0;
            if token < self.clients.count() {
                self.clients.on_event(token, event, &mut self.tally, || since(begun));
            } else {
                let registry = self.poll.registry();
                self.publishers
                    .on_event(registry, event, &mut self.tally, || since(begun))
                    .map_err(refused)?;
            }
        }
        Ok(())
    }

    /// Waits for a time, and answers pings.
    pub(crate) fn rest(&mut self, seconds: f64) -> Outcome<()> {
        let end = self.now() + nanoseconds(seconds);
        while self.now() < end {
            self.poll(end)?;
        }
        Ok(())
    }

    /// Waits for requests and deliveries in progress, five seconds at most.
    pub(crate) fn settle(&mut self) -> Outcome<()> {
        let end = self.now() + 5 * SECOND;
        while self.now() < end && (self.tally.is_outstanding() || self.publishers.is_busy()) {
            self.poll(self.now() + SECOND / 100)?;
        }
        Ok(())
    }

    /// Resources used so far.
    pub(crate) fn moment(&self) -> Moment {
        Moment {
            server_cpu: self.server.cpu(),
            own_cpu: Process::new(Some(std::process::id())).cpu().unwrap_or_default(),
            machine_cpu: machine_cpu(),
            deliveries: self.tally.deliveries,
            at: self.now(),
        }
    }

    /// Reports the figures of every run; lost or refused events are a fault.
    pub(crate) fn close_books(&self, report: &mut Report) {
        let (lost, twice) = self.tally.lost_and_twice();
        for (what, count) in [("lost", lost), ("came twice", twice)] {
            if count > 0 {
                report.fault(format!("{count} deliveries {what}"));
            }
        }
        for (fault, count) in &self.tally.faults {
            report.fault(format!("{count} times: {fault}"));
        }
    }
}

impl Moment {
    /// The stretch from this moment to a later one.
    pub(crate) fn until(&self, end: &Self, report: &mut Report) -> Stretch {
        let seconds = end.at.saturating_sub(self.at) as f64 / 1e9;
        let server_cpu =
            end.server_cpu.zip(self.server_cpu).map(|(end, start)| end.saturating_sub(start) as f64 / 1e3);
        let own = end.own_cpu.saturating_sub(self.own_cpu) as f64 / 1e9;
        let others = end.machine_cpu - self.machine_cpu - own - server_cpu.unwrap_or(0.0) / 1e6;
        report.put("seconds", seconds);
        if let Some(server_cpu) = server_cpu {
            report.put("server_cpu_percent", server_cpu / 1e4 / seconds);
            // Of the whole machine: a high value makes the figures unreliable.
            report.put("cpu_seconds_of_others", others.max(0.0));
        }
        Stretch { seconds, server_cpu, deliveries: end.deliveries - self.deliveries }
    }
}

/// Seconds of the command line in nanoseconds.
pub(crate) fn nanoseconds(seconds: f64) -> u64 {
    (seconds.max(0.0) * SECOND as f64) as u64
}

fn since(begun: Instant) -> u64 {
    begun.elapsed().as_nanos() as u64
}

fn refused(error: io::Error) -> String {
    format!("cannot connect: {error}")
}
