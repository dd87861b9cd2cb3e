//! A connection to one Redis or Sentinel: name look-up, TCP, TLS where set, and the log-in.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use fanfare_outgoing::{NoAddress, Reach, Trust};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::address::{Host, LogIn, RedisAddress};
use crate::error::RedisError;
use crate::resp::{Heard, LastHeard, Reader, Value, command};

/// Timeout of connecting with the log-in, and of the answer to a command.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens connections to hosts of one address; clones share the settings of TLS.
#[derive(Clone)]
pub struct Connector {
    /// `None`: without TLS.
    tls: Option<TlsConnector>,
    log_in: Option<LogIn>,
    reach: Reach,
    /// Longest text that is kept of an answer, in bytes.
    longest: u64,
    /// The setting that names a private authority, for an error.
    setting: &'static str,
}

/// A connection that is logged in.
pub(crate) struct Connection {
    pub reader: Reader<Heard<ReadHalf<Box<dyn RedisStream>>>>,
    pub writer: WriteHalf<Box<dyn RedisStream>>,
    pub heard: LastHeard,
}

/// Bytes both ways, over TCP or TLS.
pub trait RedisStream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> RedisStream for S {}

impl Connector {
    /// For hosts of `address`; of an answer, texts of up to `longest` bytes are kept.
    #[must_use]
    pub fn new(address: &RedisAddress, trust: &Trust, longest: u64) -> Self {
        let tls = address.tls().then(|| TlsConnector::from(Arc::new(trust.client_config())));
        let (log_in, reach) = (address.log_in().cloned(), address.reach());
        Self { tls, log_in, reach, longest, setting: "redis_feed.ca_file" }
    }

    /// The same, where another setting names a private authority.
    #[must_use]
    pub fn with_setting(self, setting: &'static str) -> Self {
        Self { setting, ..self }
    }

    /// Whether connections use TLS.
    #[must_use]
    pub const fn tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Connects to a host, without the log-in. The host's addresses are held to the reach of the address.
    ///
    /// # Errors
    /// `Unreachable`, also after five seconds; `Tls`.
    pub async fn stream(&self, host: &Host) -> Result<Box<dyn RedisStream>, RedisError> {
        self.within_patience(host, self.connect(host)).await
    }

    /// Connects and logs in; for a caller who speaks the protocol.
    ///
    /// # Errors
    /// As [`Connector::stream`]; `LogIn`, and what a connection can fail with.
    pub async fn logged_in(&self, host: &Host) -> Result<Box<dyn RedisStream>, RedisError> {
        // The answer to the log-in was read to its end, and nothing comes behind.
        self.open(host).await.map(|opened| opened.reader.into_source().source.unsplit(opened.writer))
    }

    /// Connects and logs in.
    pub(crate) async fn open(&self, host: &Host) -> Result<Connection, RedisError> {
        self.within_patience(host, async {
            let mut connection = self.converse(host).await?;
            connection.log_in(host, self.log_in.as_ref()).await?;
            Ok(connection)
        })
        .await
    }

    /// Connects to a Sentinel. Most Sentinels need no password; the others are given the credentials of their Redis.
    pub(crate) async fn open_sentinel(&self, host: &Host) -> Result<Connection, RedisError> {
        self.within_patience(host, async {
            let mut connection = self.converse(host).await?;
            if let Value::Error(_) = connection.ask(&["PING"]).await? {
                connection.log_in(host, self.log_in.as_ref()).await?;
            }
            Ok(connection)
        })
        .await
    }

    async fn within_patience<T>(
        &self,
        host: &Host,
        open: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, RedisError> {
        timeout(PATIENCE, open).await.unwrap_or_else(|_| {
            let cause = match self.tls {
                Some(_) => "no answer in time; does it speak TLS?",
                None => "no answer in time",
            };
            Err(RedisError::Unreachable { host: host.clone(), cause: cause.to_owned() })
        })
    }

    async fn dial(&self, host: &Host) -> Result<TcpStream, NoAddress> {
        let addresses = self.reach.resolve(&host.name, host.port).await?;
        let tcp = TcpStream::connect(&*addresses).await?;
        tcp.set_nodelay(true)?;
        // What was not sent when a connection is given up is never sent: the system would go on trying for minutes, and
        // events would come late, behind newer ones (CL-112).
        tcp.set_zero_linger()?;
        Ok(tcp)
    }

    async fn connect(&self, host: &Host) -> Result<Box<dyn RedisStream>, RedisError> {
        let tcp = self
            .dial(host)
            .await
            .map_err(|error| RedisError::Unreachable { host: host.clone(), cause: error.to_string() })?;
        let Some(tls) = &self.tls else { return Ok(Box::new(tcp)) };
        let failed = |cause: String| RedisError::Tls { host: host.clone(), cause, setting: self.setting };
        let name = ServerName::try_from(host.name.to_string())
            .map_err(|_| failed("no certificate can be for such a name".to_owned()))?;
        Ok(Box::new(tls.connect(name, tcp).await.map_err(|error| failed(error.to_string()))?))
    }

    async fn converse(&self, host: &Host) -> Result<Connection, RedisError> {
        let (source, writer) = tokio::io::split(self.connect(host).await?);
        let heard = LastHeard::now();
        let reader = Reader::new(Heard { source, last: heard.clone() }, self.longest);
        Ok(Connection { reader, writer, heard })
    }
}

impl Connection {
    async fn log_in(&mut self, host: &Host, log_in: Option<&LogIn>) -> Result<(), RedisError> {
        let Some(log_in) = log_in else { return Ok(()) };
        let answer = match log_in.user() {
            Some(user) => self.ask(&["AUTH", user, log_in.password()]).await?,
            None => self.ask(&["AUTH", log_in.password()]).await?,
        };
        match answer {
            Value::Text(_) => Ok(()),
            Value::Error(text) => Err(RedisError::log_in(host, &text)),
            _ => Err(RedisError::NotRedis),
        }
    }

    /// Sends a command and reads the answer; not for subscribers, who also receive messages.
    pub async fn ask(&mut self, parts: &[&str]) -> Result<Value, RedisError> {
        let lost = |error: io::Error| RedisError::Lost(error.to_string());
        self.writer.write_all(&command(parts)).await.map_err(lost)?;
        self.writer.flush().await.map_err(lost)?;
        timeout(PATIENCE, self.reader.value()).await.unwrap_or(Err(RedisError::Silent))
    }
}
