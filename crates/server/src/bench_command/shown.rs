//! The figures of `fanfare bench` for people, and for programs.

use loadgen::{LatencySlice, Report};
use serde_json::{Value, json};

use super::figures::{BYTES, BenchFigures, FOR_MEMORY, PUBLISHERS, RATE};
use crate::columns::aligned;
use crate::command_line::VERSION;

/// Characters of the longest bar of the histogram.
const WIDTH: f64 = 40.0;

/// Figures that the table and the JSON have in common; 0 where a run has none.
struct Found {
    connected: f64,
    connection_bytes: Option<f64>,
    delivery_us: f64,
    deliveries: f64,
    request_us: f64,
    requests: f64,
    by_memory: Option<usize>,
}

fn found(figures: &BenchFigures) -> Found {
    let of = |report: &Report, name| report.figure(name).unwrap_or_default();
    let connection_bytes = figures.connection_bytes();
    Found {
        connected: of(&figures.idle, "connections_per_second"),
        connection_bytes,
        delivery_us: of(&figures.busy, "server_cpu_us_per_delivery"),
        deliveries: of(&figures.busy, "deliveries_per_second"),
        request_us: of(&figures.publishes, "server_cpu_us_per_request"),
        requests: of(&figures.publishes, "requests_per_second"),
        by_memory: connection_bytes.and_then(|bytes| figures.machine.by_memory(bytes)),
    }
}

/// A table, a histogram, and what the machine holds.
pub(super) fn text(figures: &BenchFigures) -> String {
    let found = found(figures);
    let n = thousands(f64::from(figures.connections));
    let lone_us = figures.lone.figure("server_cpu_us_per_delivery").unwrap_or_default();
    let per = |us: f64, what: &str| format!("{us:.2} us of CPU {what}");
    let rows = [
        [
            format!("{n} connections with a channel each"),
            format!("{} a second", thousands(found.connected)),
            found.connection_bytes.map_or_else(String::new, |bytes| format!("{:.1} KB each", bytes / 1000.0)),
        ],
        [
            format!("lone events to {n}, {RATE} a second"),
            format!("{} deliveries a second", thousands(f64::from(figures.connections) * RATE)),
            per(lone_us, "each"),
        ],
        [
            format!("events to {n}, as fast as they arrive"),
            format!("{} deliveries a second", thousands(found.deliveries)),
            per(found.delivery_us, "each"),
        ],
        [
            format!("publishes by {PUBLISHERS} back ends, to nobody"),
            format!("{} requests a second", thousands(found.requests)),
            per(found.request_us, "each"),
        ],
    ];
    let mut text = format!(
        "Fanfare {VERSION} on {} cores; the load was made here as well, by one more thread. Events of {BYTES} bytes.\n\n{}\n",
        figures.machine.cores,
        aligned(&rows)
    );
    text.push_str(&histogram(&figures.lone));
    text.push_str(&holds(figures, &found));
    for fault in figures.faults() {
        text.push_str(&format!("\nFault: {fault}\n"));
    }
    text
}

fn histogram(lone: &Report) -> String {
    let of = |name| lone.figure(name).unwrap_or_default() / 1000.0;
    let most = lone.latencies.iter().map(|slice| slice.count).max().unwrap_or(1).max(1);
    let all: u64 = lone.latencies.iter().map(|slice| slice.count).sum();
    let mut text = format!(
        "From publishing to the subscriber, lone events: half within {:.2} ms, 99 % within {:.2} ms, all within {:.2} ms\n",
        of("latency_p50_us"),
        of("latency_p99_us"),
        of("latency_max_us")
    );
    for LatencySlice { up_to_us, count } in &lone.latencies {
        let bar = "#".repeat((*count as f64 / most as f64 * WIDTH).ceil() as usize);
        let share = *count as f64 / all.max(1) as f64 * 100.0;
        let up_to = *up_to_us as f64 / 1000.0;
        text.push_str(format!("  up to {up_to:>8.2} ms  {share:>5.1} %  {bar}").trim_end());
        text.push('\n');
    }
    text
}

/// What the figures say of the machine, with what bounds it first.
fn holds(figures: &BenchFigures, found: &Found) -> String {
    let machine = &figures.machine;
    let by_descriptors = machine.by_descriptors;
    let (most, because) = match found.by_memory {
        Some(by_memory) if by_memory < by_descriptors => (by_memory, "half of its memory"),
        _ => (by_descriptors, "the descriptors that a process may have (ulimit -n)"),
    };
    let memory = match found.by_memory {
        Some(by_memory) => {
            format!(" Half of its memory would be enough for {}.", thousands(by_memory as f64))
        }
        None => format!(" What its memory is enough for is told from {FOR_MEMORY} connections on."),
    };
    let each = |us: f64| if us > 0.0 { thousands(1e6 / us) } else { "-".to_owned() };
    format!(
        "\nThis machine holds about {} connections: {because}.{memory}\nOne core of it makes about {} deliveries a second, or takes about {} \
         publishes a second.\n",
        thousands(most as f64),
        each(found.delivery_us),
        each(found.request_us)
    )
}

/// The same as JSON.
pub(super) fn json(figures: &BenchFigures) -> String {
    let found = found(figures);
    let of = |name| figures.lone.figure(name);
    let slice = |one: &LatencySlice| json!({ "up_to_us": one.up_to_us, "count": one.count });
    let value = json!({
        "version": VERSION,
        "cores": figures.machine.cores,
        "memory_bytes": figures.machine.memory,
        "connections": figures.connections,
        "event_bytes": BYTES,
        "connections_per_second": found.connected.round(),
        "bytes_per_connection": found.connection_bytes.map(f64::round),
        "lone_events": {
            "events_per_second": RATE,
            "cpu_us_per_delivery": of("server_cpu_us_per_delivery"),
            "p50_us": of("latency_p50_us"),
            "p99_us": of("latency_p99_us"),
            "max_us": of("latency_max_us"),
            "histogram": figures.lone.latencies.iter().map(slice).collect::<Vec<Value>>(),
        },
        "busy": { "deliveries_per_second": found.deliveries.round(), "cpu_us_per_delivery": found.delivery_us },
        "publishes": { "requests_per_second": found.requests.round(), "cpu_us_per_request": found.request_us },
        "holds": { "by_descriptors": figures.machine.by_descriptors, "by_memory": found.by_memory },
        "faults": figures.faults(),
    });
    format!("{value:#}\n")
}

/// A whole number with a comma between thousands.
fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_parted_by_commas() {
        let shown = [0.0, 999.4, 1000.0, 1_234_567.0].map(thousands);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }
}
