//! The order of a run: start everything; load, faults and checks in turns; everybody leaves; what is left in Redis.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fanfare_testing::cable::Cable;
use fanfare_testing::postgres::Postgres;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::{spawn_blocking, spawn_local};
use tokio::time::{Instant, sleep};

use crate::arguments::{Arguments, Kind};
use crate::chance::Chance;
use crate::fault::Fault;
use crate::ledger::AFTER;
use crate::liar::Lie;
use crate::mishap::Stage;
use crate::process::{PREFIX, Process};
use crate::report::{Report, admitted, counted};
use crate::samples::{Asked, Mark};
use crate::store::Store;
use crate::world::{Pace, Place, Shared, World};
use crate::{
    compare, database, durable, ending, liar, operator, picture, publisher, receiver, samples, seat,
    stillness, terminator,
};

/// How long clients act between two checks.
const BETWEEN: Duration = Duration::from_secs(8);

/// How long the truth may take to arrive everywhere when no fault was made; a webhook waits 3 seconds.
const IN_SERVICE: Duration = Duration::from_secs(10);

/// The same behind a fault: quiet, its healing, and a slow machine.
const BEHIND_A_FAULT: Duration = Duration::from_secs(30);

/// Publishers share the rate.
const PUBLISHERS: usize = 10;

/// Runs, and says what came of it.
///
/// # Errors
/// The run could not be made.
pub(crate) async fn run(arguments: &Arguments, runtime: &Handle, logs: &Path) -> io::Result<Report> {
    let faults = arguments.faults().map_err(io::Error::other)?;
    let kind = arguments.redis;
    let store = spawn_blocking(move || Store::start(kind)).await.map_err(io::Error::other)?;
    let has_database = arguments.database;
    let postgres = spawn_blocking(move || has_database.then(Postgres::start));
    let postgres = postgres.await.map_err(io::Error::other)?;
    let (listener, webhooks) = receiver::listen().await?;
    let count = if kind == Kind::None { 1 } else { usize::from(arguments.nodes) };
    let apps = database::apps(postgres.as_ref(), webhooks);
    let mut stage = Stage {
        processes: Vec::new(),
        store: Arc::new(Mutex::new(store)),
        database: postgres.map(|postgres| Arc::new(Mutex::new(postgres))),
        keep_first: arguments.keep_first,
        cables: Vec::new(),
    };
    let mut places = Vec::new();
    for number in 0..count {
        let ports = stage.store.lock().ports();
        let mut cables = Vec::new();
        for port in ports {
            cables.push(Cable::lay(port)?);
        }
        let near: Vec<u16> = cables.iter().map(|cable| cable.port).collect();
        let urls = stage.store.lock().urls(&near);
        // The nodes of a mixed cluster alternate.
        let other = arguments.other.clone().filter(|_| number % 2 == 1);
        let program = other.map_or_else(|| program(arguments), Ok)?;
        let are_strangers = arguments.lie == Some(Lie::Strangers);
        let prefix = if are_strangers { format!("{PREFIX}{number}:") } else { PREFIX.to_owned() };
        let process = Process::new(program, logs, number, (&urls, &prefix), &apps)?;
        let lie = arguments.lie.filter(|lie| lie.is_for_clients() && number == 0);
        let clients = match lie {
            Some(lie) => liar::place(runtime, process.public, lie).await?,
            None => process.public,
        };
        let (back_ends, operators) = (process.public, process.operators);
        places.push(Place { clients, back_ends, operators, process: None, is_open: false, going: None });
        stage.processes.push(process);
        stage.cables.push(cables);
    }
    let world: Shared = Rc::new(std::cell::RefCell::new(World::new(places, arguments.clients)));
    spawn_local(receiver::live(Rc::clone(&world), listener, arguments.lie));
    if arguments.database {
        world.borrow_mut().operator.token = database::prepare(&stage.processes[0], webhooks)?;
    }
    for node in 0..count {
        stage.start(&world, node).await?;
    }
    let mut run = Run { arguments: arguments.clone(), report: Report::default(), stage, world };
    run.report.descriptors_at_start = ending::descriptors(&run.world);
    run.report.memory_at_start = run.memory().await?;
    run.populate();
    run.load_and_faults(&faults).await?;
    run.finish().await?;
    Ok(run.report)
}

/// The program that nodes run.
fn program(arguments: &Arguments) -> io::Result<PathBuf> {
    let beside = || Ok::<_, io::Error>(std::env::current_exe()?.with_file_name("fanfare"));
    let program = arguments.fanfare.clone().map_or_else(beside, Ok)?;
    let why =
        || io::Error::other(format!("{} is not there; build it, or name it by --fanfare", program.display()));
    program.is_file().then(|| program.clone()).ok_or_else(why)
}

struct Run {
    arguments: Arguments,
    stage: Stage,
    world: Shared,
    report: Report,
}

impl Run {
    fn populate(&self) {
        let Arguments { seed, clients, rate, .. } = self.arguments;
        for number in 0..clients {
            spawn_local(seat::live(Rc::clone(&self.world), number, Chance::of(seed, "client", number)));
        }
        let each = Duration::from_secs_f64(PUBLISHERS as f64 / rate.max(1) as f64);
        for number in 0..if rate == 0 { 0 } else { PUBLISHERS } {
            let chance = Chance::of(seed, "publisher", number);
            spawn_local(publisher::live(Rc::clone(&self.world), number, each, chance));
        }
        spawn_local(stillness::watch(Rc::clone(&self.world)));
        spawn_local(terminator::live(Rc::clone(&self.world), Chance::of(seed, "terminator", 0)));
        let Stage { store, database, .. } = &self.stage;
        let asked = Asked { store: Arc::clone(store), database: database.clone() };
        spawn_local(samples::live(Rc::clone(&self.world), asked, self.arguments.minutes));
        if database.is_some() {
            spawn_local(operator::live(Rc::clone(&self.world), Chance::of(seed, "operator", 0)));
            spawn_local(durable::live(Rc::clone(&self.world), Chance::of(seed, "durable", 0)));
        }
    }

    async fn load_and_faults(&mut self, faults: &[Fault]) -> io::Result<()> {
        let mut chance = Chance::of(self.arguments.seed, "faults", 0);
        let end = Instant::now() + Duration::from_secs_f64(self.arguments.minutes * 60.0);
        let mut made = 0;
        let once = self.arguments.once;
        while if once { made < faults.len() } else { Instant::now() < end } && !self.has_failed() {
            sleep(BETWEEN).await;
            self.check("in service", IN_SERVICE).await;
            // A fault that is over when the run is: the last check is behind it.
            let fault = if made < faults.len() { faults.get(made) } else { chance.pick(faults) };
            let Some(&fault) = fault.filter(|_| !self.has_failed()) else { continue };
            let outage = chance.pick(&self.arguments.outages).copied().unwrap_or(1);
            made += 1;
            self.fault(fault, Duration::from_secs(outage), &mut chance).await?;
        }
        Ok(())
    }

    async fn fault(&mut self, fault: Fault, outage: Duration, chance: &mut Chance) -> io::Result<()> {
        let name = match fault.lasts() {
            true => format!("{} for {} s", fault.name(), outage.as_secs()),
            false => fault.name(),
        };
        self.report.say(&self.world, &format!("fault: {name}"));
        self.world.borrow_mut().fault_since = Some(std::time::Instant::now());
        let admitted_before = self.admitted().await;
        let lost_before = self.world.borrow().ledger.gaps();
        if fault.costs_events() {
            self.world.borrow_mut().ledger.fault_begins();
        }
        let begin = self.world.borrow().elapsed().as_secs_f64();
        let made = self.stage.make(&self.world, fault, outage, chance).await;
        let end = self.world.borrow().elapsed().as_secs_f64();
        self.world.borrow_mut().samples.marks.push(Mark { name: name.clone(), begin, end });
        if fault.costs_events() {
            self.world.borrow_mut().ledger.fault_ends();
        }
        made?;
        self.report.faults.push(name.clone());
        // Load goes on while the cluster heals.
        sleep(chance.milliseconds(1000, 4000)).await;
        self.check(&format!("after {name}"), BEHIND_A_FAULT).await;
        // What comes next is not excused by this fault.
        sleep(AFTER).await;
        self.world.borrow_mut().fault_since = None;
        let lost = self.world.borrow().ledger.gaps() - lost_before;
        let admitted = self.admitted().await - admitted_before;
        if !fault.ends_a_node() && lost as f64 > admitted {
            let what = format!("after {name}: nodes lack {lost} events, and have counted {admitted} as lost");
            self.world.borrow_mut().violation(what);
        }
        Ok(())
    }

    /// What the nodes say was lost, so far.
    async fn admitted(&self) -> f64 {
        admitted(&counted(&self.world).await, self.stage.processes.len() - 1)
    }

    /// Lets everybody rest until everything that must be equal is equal, and notes a violation if that takes too long.
    async fn check(&mut self, when: &str, patience: Duration) {
        self.world.borrow_mut().pace = Pace::Resting;
        let start = Instant::now();
        let mut is_cached = false;
        let mut found = self.compare(&mut is_cached).await;
        let mut waited_for = String::new();
        while let Err(why) = &found
            && start.elapsed() < patience
            && !self.has_failed()
        {
            waited_for.clone_from(why);
            sleep(Duration::from_millis(100)).await;
            found = self.compare(&mut is_cached).await;
        }
        let mut world = self.world.borrow_mut();
        let found = found.and_then(|()| compare::events(&mut world));
        if let Err(why) = found {
            world.violation(format!("{when}, after {:.1} s of rest: {why}", start.elapsed().as_secs_f64()));
        }
        world.tally.checks += 1;
        world.pace = Pace::Acting;
        drop(world);
        let seconds = start.elapsed().as_secs_f64();
        self.report
            .say(&self.world, &format!("checked {when}: {seconds:.1} s; waited for: {waited_for:.150}"));
    }

    /// `is_cached`: the caches are right. Newcomers, who have to be there to see that, come only until then.
    async fn compare(&self, is_cached: &mut bool) -> Result<(), String> {
        compare::clients(&self.world.borrow())?;
        let open: Vec<usize> = {
            let world = self.world.borrow();
            (0..world.nodes.len()).filter(|node| world.nodes[*node].is_open).collect()
        };
        if !*is_cached {
            for &node in &open {
                compare::cached(&self.world, node).await?;
            }
            *is_cached = true;
        }
        for &node in &open {
            compare::queries(&self.world, node).await?;
            operator::check(&self.world, node).await?;
        }
        compare::webhooks(&self.world.borrow())
    }

    fn has_failed(&self) -> bool {
        !self.world.borrow().violations.is_empty()
    }

    /// Memory of all nodes and of Redis.
    async fn memory(&self) -> io::Result<(Vec<u64>, u64)> {
        let nodes = self.stage.processes.iter().map(Process::memory).collect();
        let store = Arc::clone(&self.stage.store);
        let redis = spawn_blocking(move || store.lock().memory()).await.map_err(io::Error::other)?;
        Ok((nodes, redis))
    }

    async fn finish(&mut self) -> io::Result<()> {
        self.report.memory_at_end = self.memory().await?;
        let has_failed = self.has_failed();
        self.report.read_metrics(&self.world).await;
        self.world.borrow_mut().pace = Pace::Leaving;
        // Whatever the metrics say.
        if !has_failed {
            let ended =
                ending::check(&self.world, &mut self.stage, &self.report.descriptors_at_start).await?;
            if let Err(why) = ended {
                self.world.borrow_mut().violation(why);
            }
        }
        let flat = self.world.borrow().samples.is_flat();
        if let Err(why) = flat {
            self.world.borrow_mut().violation(why);
        }
        self.report.take(&self.world.borrow());
        if let Some(file) = &self.arguments.picture {
            let Arguments { seed, clients, rate, .. } = self.arguments;
            let world = self.world.borrow();
            let minutes = world.elapsed().as_secs_f64() / 60.0;
            let about = format!(
                "{} nodes, {clients} clients, {rate} events a second, {} faults in {minutes:.0} minutes, seed {seed}",
                world.nodes.len(),
                self.report.faults.len()
            );
            std::fs::write(file, picture::svg(&world.samples, &about))?;
        }
        Ok(())
    }
}
