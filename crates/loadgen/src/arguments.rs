//! The command line: the scenarios and their options. Their help is the documentation of the generator.

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Load for a server of the Pusher protocol on this machine. Prints one JSON object; ends with 1 if anything was
/// lost, refused or closed.
#[derive(Parser)]
pub struct Arguments {
    /// The server.
    #[command(flatten)]
    pub target: Target,
    /// What is done to the server.
    #[command(subcommand)]
    pub scenario: Scenario,
}

/// The server that is measured, and how the generator behaves.
#[derive(Args)]
pub struct Target {
    /// Port of the server, on 127.0.0.1; for `rawlimit`, the port to listen on
    #[arg(long, global = true, default_value_t = 6001)]
    pub port: u16,
    /// Port to publish to, where that is another node of the server; else that of --port
    #[arg(long, global = true)]
    pub publish_port: Option<u16>,
    /// The app
    #[arg(long, global = true, default_value = "app-id")]
    pub app_id: String,
    /// A key of the app
    #[arg(long, global = true, default_value = "app-key")]
    pub key: String,
    /// The key's secret
    #[arg(long, global = true, default_value = "app-secret")]
    pub secret: String,
    /// The server's process; without it there are no figures of its CPU and memory
    #[arg(long, global = true)]
    pub pid: Option<u32>,
    /// Whether to poll without sleeping while deliveries are under way; `off` where the server has the same core
    #[arg(long, global = true, value_enum, default_value_t = Spin::Auto)]
    pub spin: Spin,
}

impl Target {
    /// Where events are published.
    pub(crate) fn publish_port(&self) -> u16 {
        self.publish_port.unwrap_or(self.port)
    }
}

/// A sleeping generator has to be woken by the server's `send()`, which no real client costs: about 1 µs a delivery.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Spin {
    /// Polls while deliveries are under way
    Auto,
    /// Sleeps
    Off,
}

/// The loads.
#[derive(Subcommand)]
pub enum Scenario {
    /// Waits until a published event reaches a subscriber
    Ready(Ready),
    /// Subscribers that do nothing: the server's memory for each
    Idle(Idle),
    /// Publishes to subscribers: at a fixed rate, or with --saturate as fast as events arrive
    Fanout(Fanout),
    /// Publishes to channels without subscribers, each publisher as soon as it is answered
    Http(Http),
    /// Connects, subscribes and closes, over and over
    Churn(Churn),
    /// The yardstick: a server that only sends each subscriber the finished frame, one `send()` each, from one thread
    Rawlimit,
}

/// Options of `ready`.
#[derive(Args)]
pub struct Ready {
    /// Seconds to wait
    #[arg(long, default_value_t = 30.0)]
    pub timeout: f64,
}

/// Options of `idle`.
#[derive(Args)]
pub struct Idle {
    /// Connections
    #[arg(long, default_value_t = 1000)]
    pub n: usize,
    /// Channels
    #[arg(long, default_value_t = 1)]
    pub channels: usize,
    /// Seconds between the last subscription and the measurement of memory
    #[arg(long, default_value_t = 3.0)]
    pub settle: f64,
}

/// Options of `fanout`.
#[derive(Args)]
pub struct Fanout {
    /// Subscribers
    #[arg(long, default_value_t = 1000)]
    pub n: usize,
    /// Channels that the subscribers are spread over; each event goes to one at random
    #[arg(long, default_value_t = 1)]
    pub channels: usize,
    /// Events a second, published when they are due, whatever has become of those before
    #[arg(long, default_value_t = 10.0)]
    pub rate: f64,
    /// Instead of a rate: the next event is published when one has reached everybody
    #[arg(long)]
    pub saturate: bool,
    /// With --saturate: events under way
    #[arg(long, default_value_t = 4)]
    pub inflight: usize,
    /// Bytes of the data of an event
    #[arg(long, default_value_t = 128)]
    pub bytes: usize,
    /// Of the subscribers, so many stop reading once they are subscribed
    #[arg(long, default_value_t = 0)]
    pub slow: usize,
    /// For how long
    #[command(flatten)]
    pub span: Span,
}

/// Options of `http`.
#[derive(Args)]
pub struct Http {
    /// Connections to publish on
    #[arg(long, default_value_t = 8)]
    pub publishers: usize,
    /// Channels
    #[arg(long, default_value_t = 100)]
    pub channels: usize,
    /// Events of each request
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=10))]
    pub batch: u8,
    /// Bytes of the data of an event
    #[arg(long, default_value_t = 128)]
    pub bytes: usize,
    /// For how long
    #[command(flatten)]
    pub span: Span,
}

/// Options of `churn`.
#[derive(Args)]
pub struct Churn {
    /// Connections at once
    #[arg(long, default_value_t = 32)]
    pub n: usize,
    /// For how long
    #[command(flatten)]
    pub span: Span,
}

/// How long a scenario runs.
#[derive(Args)]
pub struct Span {
    /// Seconds that are measured
    #[arg(long, default_value_t = 8.0)]
    pub seconds: f64,
    /// Seconds of load before
    #[arg(long, default_value_t = 2.0)]
    pub warmup: f64,
}
