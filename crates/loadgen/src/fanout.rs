//! Publishing to subscribers, at a fixed rate or as fast as events arrive, also beside slow consumers.

use crate::arguments::{Fanout, Target};
use crate::clients::Clients;
use crate::engine::{Engine, Moment, SECOND, nanoseconds};
use crate::histogram::Histogram;
use crate::report::{Outcome, Report};
use crate::seconds::SHARES;

/// Connections to publish on, at a fixed rate.
const PUBLISHERS: usize = 8;

/// A generator for the next channel: random enough to miss the caches, and the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % most
    }
}

/// The schedule of events.
struct Pace {
    next: f64,
    gap: f64,
    /// How late the generator itself was.
    late: Histogram,
}

/// Runs the scenario.
pub(crate) fn run(target: &Target, options: &Fanout) -> Outcome<Report> {
    if options.rate <= 0.0 || options.slow > options.n || options.inflight == 0 {
        return Err("--rate and --inflight above 0, and --slow at most --n".to_owned());
    }
    let clients = Clients::new(target, options.n, options.channels, options.slow);
    let mut engine = Engine::new(target, clients, options.bytes)?;
    engine.connect_all()?;
    engine.open_publishers(if options.saturate { options.inflight } else { PUBLISHERS })?;
    engine.rest(0.5)?;
    let mut pace =
        Pace { next: engine.now() as f64, gap: SECOND as f64 / options.rate, late: Histogram::default() };
    let (start, end) = load(&mut engine, options, &mut pace)?;
    engine.settle()?;

    let mut report = Report::default();
    let stretch = start.until(&end, &mut report);
    report.put("events", engine.tally.published());
    report.put("deliveries", engine.tally.deliveries);
    report.put("deliveries_per_second", stretch.deliveries as f64 / stretch.seconds);
    if let Some(cpu) = stretch.server_cpu.filter(|_| stretch.deliveries > 0) {
        report.put("server_cpu_us_per_delivery", cpu / stretch.deliveries as f64);
    }
    report.put("latencies_measured", engine.tally.latencies.count());
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
        report.put(&format!("latency_{name}_us"), engine.tally.latencies.quantile(share));
    }
    for (name, medians) in ["even", "odd"].iter().zip(engine.tally.by_second.medians()) {
        for ((share, _), median) in SHARES.iter().zip(medians) {
            report.put(&format!("latency_{share}_{name}_seconds_us"), median);
        }
    }
    report.put("publish_p99_us", engine.publishers.latencies.quantile(0.99));
    if !options.saturate {
        report.put("generator_late_p99_us", pace.late.quantile(0.99));
    }
    report.latencies = engine.tally.latencies.doubling();
    engine.close_books(&mut report);
    Ok(report)
}

/// The load, warm-up included; returns the moments around the measured time.
fn load(engine: &mut Engine, options: &Fanout, pace: &mut Pace) -> Outcome<(Moment, Moment)> {
    let measured_from = engine.now() + nanoseconds(options.span.warmup);
    let end = measured_from + nanoseconds(options.span.seconds);
    let mut dice = Dice(1);
    let mut start = None;
    while engine.now() < end {
        let now = engine.now();
        let mut wake = if start.is_none() { measured_from } else { end };
        if start.is_none() && now >= measured_from {
            engine.tally.measure(now);
            start = Some(engine.moment());
            // The time of this step counts as no latency.
            pace.next = pace.next.max(engine.now() as f64);
        }
        if options.saturate {
            while engine.tally.published() - engine.tally.finished < options.inflight {
                let channel = dice.below(engine.clients.channels());
                engine.publish(channel, engine.now());
            }
            if now > engine.tally.progress.max(measured_from) + 5 * SECOND {
                return Err("nothing has arrived for five seconds".to_owned());
            }
            wake = wake.min(now + SECOND / 10);
        } else {
            while pace.next <= now as f64 {
                pace.late.record(engine.now().saturating_sub(pace.next as u64));
                let channel = dice.below(engine.clients.channels());
                engine.publish(channel, pace.next as u64);
                pace.next += pace.gap;
            }
            wake = wake.min(pace.next as u64);
        }
        engine.poll(wake)?;
    }
    let start = start.ok_or("no time to measure: --seconds above 0")?;
    Ok((start, engine.moment()))
}
