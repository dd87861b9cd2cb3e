//! Runs `fanfare bench`: starts a server of its own, loads it, and says what came of it.
//!
//! Never loads a server that others use, and never leaves a process or a file behind.

mod figures;
mod machine;
mod progress;
mod server;
mod shown;

use std::io;
use std::process::ExitCode;
use std::thread::available_parallelism;

use loadgen::{Fanout, Http, Idle, Scenario, Span, Spin, Target};

pub use self::server::end_with_measurement;

use self::figures::{BYTES, BenchFigures, PUBLISHERS, RATE};
use self::machine::Machine;
use self::progress::with_progress;
use self::server::BenchServer;
use crate::command_line::{BenchCommand, EXIT_AMISS, EXIT_UNAVAILABLE};
use crate::printed::{complain, say};

/// Seconds of load before anything is measured.
const WARMUP: f64 = 0.5;

/// Seconds after the last connection until memory is looked at.
const SETTLE: f64 = 1.0;

/// Why nothing could be measured: the server does not start, there are too few descriptors, the machine is too busy.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    /// The server did not start.
    #[error("the server to be measured did not start: {0}")]
    Server(io::Error),
    /// The server would refuse some of the connections.
    #[error(
        "{asked} connections, but the descriptors that a process may have (ulimit -n) are enough for a server with {most}"
    )]
    Descriptors {
        /// Connections that are wanted.
        asked: u32,
        /// Connections that a server has descriptors for.
        most: usize,
    },
    /// The load could not be made.
    #[error("{0}")]
    Load(String),
}

/// Measures and prints; the status says whether anything was lost or refused.
///
/// # Errors
/// The status of a measurement that could not be made, or of an answer that cannot be written.
pub fn run(asked: BenchCommand) -> Result<ExitCode, ExitCode> {
    let figures = measured(asked).map_err(|error| {
        complain(&error.to_string());
        ExitCode::from(EXIT_UNAVAILABLE)
    })?;
    say(&if asked.json { shown::json(&figures) } else { shown::text(&figures) })?;
    Ok(if figures.faults().is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_AMISS) })
}

fn measured(asked: BenchCommand) -> Result<BenchFigures, BenchError> {
    let cores = available_parallelism().map_or(1, usize::from);
    let machine = Machine::look(cores);
    let (n, most) = (asked.connections as usize, machine.by_descriptors);
    if n > most {
        return Err(BenchError::Descriptors { asked: asked.connections, most });
    }
    let server = BenchServer::start().map_err(BenchError::Server)?;
    let target = Target {
        port: server.port(),
        publish_port: None,
        app_id: server::APP.to_owned(),
        key: server::KEY.to_owned(),
        secret: server.secret().to_owned(),
        pid: Some(server.pid()),
        // Where there is one core, the server needs it.
        spin: if cores > 1 { Spin::Auto } else { Spin::Off },
    };
    let seconds = f64::from(asked.seconds);
    let measure = |name: &str, lasts: f64, scenario: Scenario| {
        with_progress(name, lasts, || loadgen::measure(&target, &scenario)).map_err(BenchError::Load)
    };
    let span = || Span { seconds, warmup: WARMUP };
    let fanout = |saturate| {
        Scenario::Fanout(Fanout {
            n,
            channels: 1,
            rate: RATE,
            saturate,
            inflight: 4,
            bytes: BYTES,
            slow: 0,
            span: span(),
        })
    };
    let http =
        Scenario::Http(Http { publishers: PUBLISHERS, channels: 100, batch: 1, bytes: BYTES, span: span() });
    Ok(BenchFigures {
        connections: asked.connections,
        idle: measure("connections", SETTLE, Scenario::Idle(Idle { n, channels: 1, settle: SETTLE }))?,
        lone: measure("lone events", seconds + WARMUP, fanout(false))?,
        busy: measure("many events", seconds + WARMUP, fanout(true))?,
        publishes: measure("publishes", seconds + WARMUP, http)?,
        machine,
    })
}
