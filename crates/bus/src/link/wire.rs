//! One connection for commands that is made again for ever: finds the server, greets, sends pipelines, and waits for
//! their answers in order.
//!
//! Every loss is told, with its cause; nothing that was sent is ever sent again (CL-001).

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use fanfare_redis::{Connector, Host, RedisAddress, RedisError};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Pipeline, RedisConnectionInfo, RedisResult, Value};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep_until, timeout};

use super::error::{LinkError, is_fatal};
use super::greeting::{About, Digests, check_layout, greet};
use super::rounds::Rounds;
use super::server::Server;

/// Pipelines in flight at once (N14).
const MOST_FLIGHTS: usize = 4;

/// A command without an answer for so long is a lost connection.
const PATIENCE: Duration = Duration::from_secs(2);

/// Timeout of an attempt to connect, with the greeting.
const PATIENCE_AT_FIRST: Duration = Duration::from_secs(2);

/// Between the beginnings of two attempts: the shortest time, and the longest.
const BETWEEN_ATTEMPTS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Between two questions to the Sentinels (CL-117).
const BETWEEN_QUESTIONS: Duration = Duration::from_secs(1);

/// The key of the layout with what it must hold, and the key's slot.
type WrittenLayout = ((String, String), u16);

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The connection, or the way to the next one. `T` goes with each pipeline, and comes back with its answers.
pub(super) struct Wire<T> {
    server: Server,
    connector: Connector,
    layout: WrittenLayout,
    /// The layout of a Cluster was seen once; its key is another server's, perhaps one that is away now.
    is_layout_known: bool,
    attempts: u32,
    state: State<T>,
}

enum State<T> {
    Away(Instant),
    Opening(Boxed<Result<Opened, LinkError>>),
    Up(Box<Up<T>>),
}

/// A connection with its greeting.
struct Opened {
    connection: MultiplexedConnection,
    driver: Boxed<()>,
    host: Host,
    about: About,
    digests: Digests,
    server: Server,
}

struct Up<T> {
    connection: MultiplexedConnection,
    /// Reads and writes; dropping it closes the connection.
    driver: Boxed<()>,
    /// Driver and flights wake each other: a pipeline that is sent, and answers that have come.
    rounds: Rounds,
    flights: VecDeque<Flight<T>>,
    moved: Boxed<bool>,
    /// Ends if the layout in Redis has become another one.
    disagreement: Boxed<LinkError>,
}

/// A pipeline on its way.
struct Flight<T> {
    answers: Answers,
    sent: Instant,
    with: T,
}

enum Answers {
    Awaited(Boxed<RedisResult<Vec<Value>>>),
    /// Kept until it is the pipeline's turn, and taken then.
    Found(Option<RedisResult<Vec<Value>>>),
}

/// What has happened to the connection.
pub(super) enum WireEvent<T> {
    /// A connection stands.
    Up { host: Host, about: About, digests: Digests },
    /// A pipeline was answered, with so many values as it had commands.
    Answered { with: T, values: Vec<Value>, took: Duration },
    /// The connection was lost, with everything in flight: whether it was executed is not known.
    Lost { error: LinkError, in_flight: Vec<T> },
    /// An attempt to connect has failed.
    Failed(LinkError),
}

impl<T: Send + 'static> Wire<T> {
    pub fn new(server: Server, connector: Connector, layout: (String, String), layout_slot: u16) -> Self {
        let (state, layout) = (State::Away(Instant::now()), (layout, layout_slot));
        Self { server, connector, layout, is_layout_known: false, attempts: 0, state }
    }

    /// The next event. May be dropped and called again at any time.
    pub async fn next(&mut self) -> WireEvent<T> {
        loop {
            match &mut self.state {
                State::Away(until) => {
                    sleep_until(*until).await;
                    let opening = open(
                        self.server.clone(),
                        self.connector.clone(),
                        (!self.is_layout_known).then(|| self.layout.clone()),
                    );
                    self.state = State::Opening(Box::pin(opening));
                }
                State::Opening(opening) => {
                    return match opening.await {
                        Ok(opened) => self.begin(opened),
                        Err(error) => {
                            // Another node is asked first the next time.
                            self.server.turn();
                            self.state = State::Away(Instant::now() + self.pause());
                            WireEvent::Failed(error)
                        }
                    };
                }
                State::Up(up) => match up.next().await {
                    Ok((with, values, took)) => return WireEvent::Answered { with, values, took },
                    Err(error) => {
                        self.is_layout_known &= !matches!(error, LinkError::Layout { .. });
                        let in_flight = up.flights.drain(..).map(|flight| flight.with).collect();
                        self.state = State::Away(Instant::now() + self.pause());
                        return WireEvent::Lost { error, in_flight };
                    }
                },
            }
        }
    }

    /// Whether a connection stands, and one more pipeline may be sent.
    pub fn has_room(&self) -> bool {
        matches!(&self.state, State::Up(up) if up.flights.len() < MOST_FLIGHTS)
    }

    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    /// Whether nothing is in flight.
    pub fn is_idle(&self) -> bool {
        !matches!(&self.state, State::Up(up) if !up.flights.is_empty())
    }

    /// Sends a pipeline; without [`Wire::has_room`] it is dropped.
    pub fn send(&mut self, pipeline: Pipeline, with: T) {
        if let State::Up(up) = &mut self.state {
            let mut connection = up.connection.clone();
            let answers = async move { connection.send_packed_commands(&pipeline, 0, pipeline.len()).await };
            let answers = Answers::Awaited(Box::pin(answers));
            up.flights.push_back(Flight { answers, sent: Instant::now(), with });
        }
    }

    /// Redis has begun anew, perhaps without its data: the layout is written down once more, over a connection for this
    /// alone, so that nodes with another layout stay refused (CL-072). If they were faster, this connection is lost.
    pub fn renew_layout(&mut self) {
        if let State::Up(up) = &mut self.state {
            let (server, connector) = (self.server.clone(), self.connector.clone());
            up.disagreement = Box::pin(disagreement(server, connector, self.layout.clone()));
        }
    }

    fn begin(&mut self, opened: Opened) -> WireEvent<T> {
        let Opened { connection, driver, host, about, digests, server } = opened;
        self.is_layout_known = server.is_cluster();
        self.server = server;
        self.attempts = 0;
        let moved = Box::pin(moved(self.server.clone(), host.clone(), self.connector.clone()));
        let (flights, disagreement) = (VecDeque::new(), Box::pin(std::future::pending()));
        self.state = State::Up(Box::new(Up {
            connection,
            driver,
            rounds: Rounds::new(),
            flights,
            moved,
            disagreement,
        }));
        WireEvent::Up { host, about, digests }
    }

    fn pause(&mut self) -> Duration {
        let pause = BETWEEN_ATTEMPTS.0 * 2_u32.pow(self.attempts.min(10));
        self.attempts = self.attempts.saturating_add(1);
        pause.min(BETWEEN_ATTEMPTS.1)
    }
}

impl<T> Up<T> {
    /// The next answers, or why there will be none.
    async fn next(&mut self) -> Result<(T, Vec<Value>, Duration), LinkError> {
        let deadline = self.flights.front().map(|flight| flight.sent + PATIENCE);
        let silence = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let values = tokio::select! {
            biased;
            answers = first(&mut self.flights, &mut self.driver, &self.rounds) => answers?,
            () = silence => return Err(RedisError::Silent.into()),
            _ = &mut self.moved => return Err(RedisError::Moved.into()),
            error = &mut self.disagreement => return Err(error),
        };
        let fatal = |value: &Value| match value {
            Value::ServerError(error) => is_fatal(error),
            _ => None,
        };
        if let Some(error) = values.iter().find_map(fatal) {
            return Err(error);
        }
        let Flight { with, sent, .. } = self.flights.pop_front().ok_or(RedisError::NotRedis)?;
        Ok((with, values, sent.elapsed()))
    }
}

/// Waits for the answers to the first pipeline, while the driver carries all of them.
async fn first<T>(
    flights: &mut VecDeque<Flight<T>>,
    driver: &mut Boxed<()>,
    rounds: &Rounds,
) -> Result<Vec<Value>, LinkError> {
    poll_fn(|context| {
        rounds.poll(context, |context| {
            if let Poll::Ready(answers) = poll_first(flights, context) {
                return Poll::Ready(answers.map_err(LinkError::from));
            }
            driver.as_mut().poll(context).map(|()| Err(RedisError::Closed.into()))
        })
    })
    .await
}

/// The answers to the first pipeline. All are polled, in their order, because the first poll sends a pipeline.
fn poll_first<T>(
    flights: &mut VecDeque<Flight<T>>,
    context: &mut Context<'_>,
) -> Poll<RedisResult<Vec<Value>>> {
    for flight in flights.iter_mut() {
        if let Answers::Awaited(answers) = &mut flight.answers
            && let Poll::Ready(found) = answers.as_mut().poll(context)
        {
            flight.answers = Answers::Found(Some(found));
        }
    }
    match flights.front_mut().map(|flight| &mut flight.answers) {
        Some(Answers::Found(found)) => found.take().map_or(Poll::Pending, Poll::Ready),
        _ => Poll::Pending,
    }
}

/// Returns when the Sentinels name another master.
async fn moved(server: Server, host: Host, connector: Connector) -> bool {
    if !server.is_watched() {
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(BETWEEN_QUESTIONS).await;
        if server.has_moved_from(&host, &connector).await {
            return true;
        }
    }
}

/// Connects and greets; with a layout to be checked also that.
async fn open(
    mut server: Server,
    connector: Connector,
    layout: Option<WrittenLayout>,
) -> Result<Opened, LinkError> {
    let tls = connector.tls();
    let opening = async {
        let host = server.find(&connector).await?;
        let (mut connection, mut driver) = connect(&host, &connector).await?;
        let (about, digests) = driven(&mut driver, greet(&mut connection)).await?;
        match &layout {
            Some(layout) if server.is_cluster() => write_layout(&mut server, &connector, layout).await?,
            Some(((key, wanted), _)) => {
                driven(&mut driver, check_layout(&mut connection, key, wanted)).await?;
            }
            None => {}
        }
        Ok(Opened { connection, driver, host, about, digests, server })
    };
    opened(timeout(PATIENCE_AT_FIRST, opening).await, tls)
}

/// An attempt's result; a fault that the other scheme of the URL may mend says so.
fn opened<T>(result: Result<Result<T, LinkError>, Elapsed>, tls: bool) -> Result<T, LinkError> {
    match result {
        Err(_) if tls => Err(LinkError::NoAnswerOverTls),
        Err(_) => Err(RedisError::Silent.into()),
        Ok(Err(LinkError::Redis(error @ (RedisError::Closed | RedisError::Lost(_))))) if !tls => {
            Err(LinkError::ClosedAtOnce(error))
        }
        Ok(result) => result,
    }
}

/// Writes down the layout, or compares it with what is written, over a connection for this alone.
async fn write_layout(
    server: &mut Server,
    connector: &Connector,
    ((key, wanted), slot): &WrittenLayout,
) -> Result<(), LinkError> {
    let host = if server.is_cluster() {
        server.owner_of(*slot, connector).await?
    } else {
        server.find(connector).await?
    };
    let (mut connection, mut driver) = connect(&host, connector).await?;
    driven(&mut driver, check_layout(&mut connection, key, wanted)).await
}

/// Returns if another layout is written down; asks until there is an answer.
async fn disagreement(mut server: Server, connector: Connector, layout: WrittenLayout) -> LinkError {
    loop {
        match timeout(PATIENCE_AT_FIRST, write_layout(&mut server, &connector, &layout)).await {
            Ok(Ok(())) => return std::future::pending().await,
            Ok(Err(error @ LinkError::Layout { .. })) => return error,
            _ => tokio::time::sleep(BETWEEN_QUESTIONS).await,
        }
    }
}

/// The answers to one pipeline, over a connection for this alone.
pub(crate) async fn asked_once(
    address: &RedisAddress,
    slot: u16,
    connector: Connector,
    pipeline: &Pipeline,
) -> Result<Vec<Value>, LinkError> {
    let tls = connector.tls();
    let asking = async {
        let host = Server::new(address, slot).find(&connector).await?;
        let (mut connection, mut driver) = connect(&host, &connector).await?;
        let asking = async { Ok(connection.send_packed_commands(pipeline, 0, pipeline.len()).await?) };
        driven(&mut driver, asking).await
    };
    opened(timeout(PATIENCE_AT_FIRST, asking).await, tls)
}

async fn connect(
    host: &Host,
    connector: &Connector,
) -> Result<(MultiplexedConnection, Boxed<()>), LinkError> {
    let stream = connector.logged_in(host).await?;
    let about = RedisConnectionInfo::default().set_skip_set_lib_name();
    // The wire has its own bound for each answer.
    let settings = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
    let (connection, driver) = MultiplexedConnection::new_with_config(&about, stream, settings).await?;
    Ok((connection, Box::pin(driver)))
}

/// The result of a conversation, while the driver carries it.
async fn driven<R>(
    driver: &mut Boxed<()>,
    conversation: impl Future<Output = Result<R, LinkError>>,
) -> Result<R, LinkError> {
    tokio::select! {
        biased;
        result = conversation => result,
        () = driver => Err(RedisError::Closed.into()),
    }
}
