//! Makes faults and mends them: the only file that touches nodes, Redis and cables while the load runs.

use std::io;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fanfare_testing::cable::{Cable, Mode};
use fanfare_testing::postgres::Postgres;
use parking_lot::Mutex;
use rustix::process::Signal;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use crate::chance::Chance;
use crate::fault::Fault;
use crate::http::BackEnd;
use crate::process::Process;
use crate::store::Store;
use crate::world::{Going, Shared};

/// How long a node is stopped, whatever the outage: longer than its lease (CL-111).
const PAUSE: Duration = Duration::from_secs(20);

/// Longest wait for a node to be ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// All that can be broken.
pub(crate) struct Stage {
    pub(crate) processes: Vec<Process>,
    pub(crate) store: Arc<Mutex<Store>>,
    pub(crate) database: Option<Arc<Mutex<Postgres>>>,
    /// The first node is neither killed nor restarted.
    pub(crate) keep_first: bool,
    /// The cables of each node, one for each Redis.
    pub(crate) cables: Vec<Vec<Cable>>,
}

impl Stage {
    /// Makes a fault, waits as long as the outage lasts, and mends the fault.
    pub(crate) async fn make(
        &mut self,
        world: &Shared,
        fault: Fault,
        outage: Duration,
        chance: &mut Chance,
    ) -> io::Result<()> {
        let first = usize::from(self.keep_first && fault.ends_a_node() && self.processes.len() > 1);
        let node = first + chance.below(self.processes.len() - first);
        let choice = chance.below(16);
        match fault {
            Fault::KillNode => {
                world.borrow_mut().goes(node, Going::Killed);
                self.processes[node].kill()?;
                sleep(outage).await;
                self.start(world, node).await
            }
            Fault::RestartNode => self.restart(world, node).await,
            Fault::RollingRestart => {
                for node in first..self.processes.len() {
                    self.restart(world, node).await?;
                }
                Ok(())
            }
            Fault::PauseNode => {
                self.processes[node].signal(Signal::STOP)?;
                sleep(PAUSE).await;
                self.processes[node].signal(Signal::CONT)
            }
            Fault::Cut => self.through_cables(node, Mode::Cut, outage).await,
            Fault::Stall => self.through_cables(node, Mode::Stall, outage).await,
            Fault::Lose => self.through_cables(node, Mode::Lose, outage).await,
            Fault::Delay => {
                let wait = Mode::Delay(chance.milliseconds(50, 400));
                self.through_cables(node, wait, outage).await
            }
            Fault::Firewall => {
                let ports: Vec<u16> = self.cables[node].iter().map(|cable| cable.port).collect();
                firewall("-A", &ports)?;
                sleep(outage).await;
                firewall("-D", &ports)
            }
            Fault::KillPostgres | Fault::PausePostgres => self.in_postgres(world, fault, outage).await,
            _ => self.in_redis(fault, outage, choice).await,
        }
    }

    /// Starts a node, and opens it for clients when it says that it is ready.
    pub(crate) async fn start(&mut self, world: &Shared, node: usize) -> io::Result<()> {
        self.processes[node].start()?;
        world.borrow_mut().nodes[node].process = self.processes[node].id();
        let deadline = Instant::now() + PATIENCE;
        let mut operators = BackEnd::of(self.processes[node].operators);
        while !matches!(operators.plain("/ready").await, Ok((200, _))) {
            let has_ended = self.processes[node].has_ended();
            if has_ended || Instant::now() > deadline {
                let what = if has_ended { "has ended" } else { "is not ready after a minute" };
                return Err(io::Error::other(format!("node {node} {what}")));
            }
            sleep(Duration::from_millis(50)).await;
        }
        world.borrow_mut().nodes[node].is_open = true;
        Ok(())
    }

    /// The way of a rolling restart: the node is asked to go, and its successor starts when it has gone.
    async fn restart(&mut self, world: &Shared, node: usize) -> io::Result<()> {
        world.borrow_mut().goes(node, Going::Asked);
        self.processes[node].signal(Signal::TERM)?;
        let deadline = Instant::now() + PATIENCE;
        while !self.processes[node].has_ended() {
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("node {node} does not end")));
            }
            sleep(Duration::from_millis(50)).await;
        }
        self.start(world, node).await
    }

    async fn through_cables(&self, node: usize, mode: Mode, outage: Duration) -> io::Result<()> {
        let all = |mode| self.cables[node].iter().for_each(|cable| cable.set(mode));
        all(mode);
        sleep(outage).await;
        all(Mode::Pass);
        Ok(())
    }

    async fn in_postgres(&self, world: &Shared, fault: Fault, outage: Duration) -> io::Result<()> {
        let Some(database) = self.database.clone() else { return Ok(()) };
        let since = std::time::Instant::now();
        let made = spawn_blocking(move || {
            let mut database = database.lock();
            let wait = || std::thread::sleep(outage);
            if fault == Fault::KillPostgres {
                database.kill();
                wait();
                database.restart();
            } else {
                database.signal("STOP");
                wait();
                database.signal("CONT");
            }
        });
        made.await.map_err(io::Error::other)?;
        world.borrow_mut().usage.database_was_away(since);
        Ok(())
    }

    async fn in_redis(&self, fault: Fault, outage: Duration, choice: usize) -> io::Result<()> {
        let store = Arc::clone(&self.store);
        let made = spawn_blocking(move || in_redis(&mut store.lock(), fault, outage, choice));
        made.await.map_err(io::Error::other)
    }
}

fn in_redis(store: &mut Store, fault: Fault, outage: Duration, choice: usize) {
    match fault {
        Fault::Failover | Fault::WakeMaster => return fail_over(store, fault, choice),
        Fault::MoveSlots => return move_slots(store, choice),
        _ => {}
    }
    let Some(redis) = store.master(choice) else { return };
    let wait = || std::thread::sleep(outage);
    match fault {
        Fault::PauseRedis => {
            redis.signal("STOP");
            wait();
            redis.signal("CONT");
        }
        Fault::KillRedis => {
            redis.kill();
            wait();
            redis.restart();
        }
        Fault::EmptyRedis => {
            redis.says(&["FLUSHALL"]);
            redis.kill();
            wait();
            redis.restart();
        }
        Fault::Flush => drop(redis.says(&["FLUSHALL"])),
        Fault::DropSubscribers => drop(redis.says(&["CLIENT", "KILL", "TYPE", "pubsub"])),
        Fault::DropCommands => {
            drop(redis.says(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]));
        }
        Fault::SlowRedis => drop(redis.says(&["DEBUG", "SLEEP", "1.5"])),
        Fault::FullRedis => {
            redis.says(&["CONFIG", "SET", "maxmemory", "1"]);
            wait();
            redis.says(&["CONFIG", "SET", "maxmemory", "0"]);
        }
        _ => {}
    }
}

/// The master goes, for good or until it has been replaced; the old one then follows the new one.
fn fail_over(store: &mut Store, fault: Fault, choice: usize) {
    let wakes = fault == Fault::WakeMaster;
    match store {
        Store::Sentinel(guarded) => {
            let old = guarded.master();
            if wakes {
                guarded.servers[old].signal("STOP")
            } else {
                guarded.servers[old].kill()
            }
            guarded.moved_from(old);
            if wakes {
                guarded.servers[old].signal("CONT")
            } else {
                guarded.servers[old].restart()
            }
            fanfare_testing::until("the old master follows", || {
                guarded.servers[old].is_a("slave").then_some(())
            });
        }
        Store::Cluster(cluster) => {
            let witness = |but: usize| if but == 0 { 1 } else { 0 };
            let key = choice.to_string();
            let old = cluster.master_of(&key, 0);
            if wakes {
                cluster.nodes[old].signal("STOP")
            } else {
                cluster.nodes[old].kill()
            }
            fanfare_testing::until("another master", || {
                (cluster.master_of(&key, witness(old)) != old).then_some(())
            });
            if wakes {
                cluster.nodes[old].signal("CONT")
            } else {
                cluster.nodes[old].restart()
            }
            fanfare_testing::until("the old master follows", || {
                cluster.nodes[old].is_a("slave").then_some(())
            });
        }
        Store::None | Store::Single(_) => {}
    }
}

/// The slots of a few partitions go to another master.
fn move_slots(store: &mut Store, choice: usize) {
    let masters = store.masters();
    let Store::Cluster(cluster) = store else { return };
    for tag in choice..choice + 3 {
        let key = format!("{{{tag}}}");
        let from = cluster.master_of(&key, masters[0]);
        if let Some(to) = masters.iter().find(|at| **at != from) {
            cluster.move_slot(&key, *to);
        }
    }
}

/// Adds or deletes rules that drop every packet to and from these ports of loopback.
fn firewall(action: &str, ports: &[u16]) -> io::Result<()> {
    for port in ports {
        for direction in ["--dport", "--sport"] {
            let mut command = Command::new("iptables");
            command.args([
                action,
                "INPUT",
                "-i",
                "lo",
                "-p",
                "tcp",
                direction,
                &port.to_string(),
                "-j",
                "DROP",
            ]);
            let output =
                command.stdin(Stdio::null()).env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").output()?;
            if !output.status.success() {
                let why = String::from_utf8_lossy(&output.stderr).into_owned();
                return Err(io::Error::other(format!("iptables: {why}")));
            }
        }
    }
    Ok(())
}
