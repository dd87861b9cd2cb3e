//! The scenarios other than fan-out: each connects clients, loads the server for a time, and reports.

use std::time::Duration;

use crate::arguments::{Churn, Http, Idle, Ready, Span, Target};
use crate::clients::Clients;
use crate::engine::{Engine, Moment, SECOND, nanoseconds};
use crate::histogram::Histogram;
use crate::report::{Outcome, Report};

/// Waits until an event reaches a subscriber.
pub(crate) fn ready(target: &Target, options: &Ready) -> Outcome<Report> {
    let deadline = std::time::Instant::now() + Duration::from_secs_f64(options.timeout.max(0.0));
    loop {
        match reach(target) {
            Err(reason) if std::time::Instant::now() > deadline => return Err(reason),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
            Ok(()) => return Ok(Report::default()),
        }
    }
}

fn reach(target: &Target) -> Outcome<()> {
    let mut engine = Engine::new(target, Clients::new(target, 1, 1, 0), 64)?;
    engine.connect_all()?;
    engine.open_publishers(1)?;
    engine.publish(0, engine.now());
    engine.settle()?;
    match engine.tally.faults.first_key_value() {
        Some((fault, _)) => Err(fault.clone()),
        None if engine.tally.is_outstanding() => Err("an event was published and did not arrive".to_owned()),
        None => Ok(()),
    }
}

/// The memory of idle subscribers.
pub(crate) fn idle(target: &Target, options: &Idle) -> Outcome<Report> {
    let mut engine = Engine::new(target, Clients::new(target, options.n, options.channels, 0), 64)?;
    let before = engine.server.rss().ok_or("--pid must name the server's process")?;
    let begun = engine.now();
    engine.connect_all()?;
    let arrived = engine.now();
    engine.rest(options.settle)?;
    let after = engine.server.rss().ok_or("the server has ended")?;
    let mut report = Report::default();
    report.put("connections_per_second", options.n as f64 * 1e9 / (arrived - begun) as f64);
    report.put("rss_bytes_per_connection", (after as f64 - before as f64) / options.n.max(1) as f64);
    engine.close_books(&mut report);
    Ok(report)
}

/// Publishes to channels without subscribers.
pub(crate) fn http(target: &Target, options: &Http) -> Outcome<Report> {
    let mut engine = Engine::new(target, Clients::new(target, 0, options.channels, 0), options.bytes)?;
    engine.publishers.in_batches(target, options.batch.into());
    engine.open_publishers(options.publishers)?;
    let mut next = 0;
    let (mut answered, mut report) = (0, Report::default());
    let (start, end) = measured(&mut engine, &options.span, |engine, has_begun| {
        if has_begun {
            answered = engine.publishers.answered;
            engine.publishers.latencies = Histogram::default();
        }
        while engine.publishers.is_idle() {
            engine.publish(next % options.channels, engine.now());
            next += 1;
        }
        Ok(())
    })?;
    let stretch = start.until(&end, &mut report);
    let count = (engine.publishers.answered - answered) as f64;
    report.put("requests_per_second", count / stretch.seconds);
    report.put("events_per_second", count * f64::from(options.batch) / stretch.seconds);
    report.put("publish_p50_us", engine.publishers.latencies.quantile(0.5));
    report.put("publish_p99_us", engine.publishers.latencies.quantile(0.99));
    if let Some(cpu) = stretch.server_cpu {
        report.put("server_cpu_us_per_request", cpu / count);
    }
    engine.close_books(&mut report);
    Ok(report)
}

/// Connects, subscribes and closes repeatedly.
pub(crate) fn churn(target: &Target, options: &Churn) -> Outcome<Report> {
    let mut engine = Engine::new(target, Clients::new(target, options.n, 1, 0), 64)?;
    (0..options.n).try_for_each(|number| engine.open(number))?;
    let (mut cycles, mut report) = (0_u64, Report::default());
    let (start, end) = measured(&mut engine, &options.span, |engine, has_begun| {
        if has_begun {
            cycles = 0;
        }
        for number in std::mem::take(&mut engine.clients.subscribed) {
            engine.clients.leave(number);
        }
        for number in std::mem::take(&mut engine.clients.left) {
            cycles += 1;
            engine.open(number)?;
        }
        Ok(())
    })?;
    let stretch = start.until(&end, &mut report);
    report.put("cycles_per_second", cycles as f64 / stretch.seconds);
    if let Some(cpu) = stretch.server_cpu.filter(|_| cycles > 0) {
        report.put("server_cpu_us_per_cycle", cpu / cycles as f64);
    }
    engine.close_books(&mut report);
    Ok(report)
}

/// Warm-up and the measured time: `step` is called repeatedly, once with `true` at the start of the measured
/// time.
fn measured(
    engine: &mut Engine,
    span: &Span,
    mut step: impl FnMut(&mut Engine, bool) -> Outcome<()>,
) -> Outcome<(Moment, Moment)> {
    let measured_from = engine.now() + nanoseconds(span.warmup);
    let end = measured_from + nanoseconds(span.seconds);
    let mut start = None;
    while engine.now() < end {
        let has_begun = start.is_none() && engine.now() >= measured_from;
        if has_begun {
            start = Some(engine.moment());
        }
        step(engine, has_begun)?;
        engine.poll(engine.now() + SECOND / 10)?;
    }
    Ok((start.ok_or("no time to measure: --seconds above 0")?, engine.moment()))
}
