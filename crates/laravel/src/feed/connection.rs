//! A connection to one Redis or Sentinel: TCP, TLS where set, and the log-in.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use fanfare_outgoing::{NoAddress, Reach};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::address::{Host, LogIn, RedisAddress};
use super::error::FeedError;
use super::resp::{Heard, LastHeard, Reader, Value, command};

/// Timeout of connecting with the log-in, and of the answer to a command.
const PATIENCE: Duration = Duration::from_secs(5);

/// The options of connections; clones share the settings of TLS.
#[derive(Clone)]
pub(super) struct Connector {
    /// `None`: without TLS.
    tls: Option<TlsConnector>,
    log_in: Option<LogIn>,
    reach: Reach,
    /// Longest text that is kept of an answer, in bytes.
    longest: u64,
}

/// A connection that is logged in.
pub(super) struct Connection {
    pub reader: Reader<Heard<ReadHalf<Box<dyn Stream>>>>,
    pub writer: WriteHalf<Box<dyn Stream>>,
    pub heard: LastHeard,
}

/// Bytes both ways.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for S {}

impl Connector {
    pub fn new(address: &RedisAddress, tls: &Arc<ClientConfig>, longest: u64) -> Self {
        let tls = address.tls.then(|| TlsConnector::from(Arc::clone(tls)));
        Self { tls, log_in: address.log_in.clone(), reach: address.reach, longest }
    }

    /// Connects and logs in.
    pub async fn open(&self, host: &Host) -> Result<Connection, FeedError> {
        self.within_patience(host, async {
            let mut connection = self.connect(host).await?;
            connection.log_in(host, self.log_in.as_ref()).await?;
            Ok(connection)
        })
        .await
    }

    /// Connects to a Sentinel. Most Sentinels need no password; the others are given the credentials of their Redis.
    pub async fn open_sentinel(&self, host: &Host) -> Result<Connection, FeedError> {
        self.within_patience(host, async {
            let mut connection = self.connect(host).await?;
            if let Value::Error(_) = connection.ask(&["PING"]).await? {
                connection.log_in(host, self.log_in.as_ref()).await?;
            }
            Ok(connection)
        })
        .await
    }

    async fn within_patience(
        &self,
        host: &Host,
        open: impl Future<Output = Result<Connection, FeedError>>,
    ) -> Result<Connection, FeedError> {
        timeout(PATIENCE, open).await.unwrap_or_else(|_| {
            let cause = match self.tls {
                Some(_) => "no answer in time; does it speak TLS?",
                None => "no answer in time",
            };
            Err(FeedError::Unreachable { host: host.clone(), cause: cause.to_owned() })
        })
    }

    async fn dial(&self, host: &Host) -> Result<TcpStream, NoAddress> {
        let addresses = self.reach.resolve(&host.name, host.port).await?;
        let tcp = TcpStream::connect(&*addresses).await?;
        tcp.set_nodelay(true)?;
        Ok(tcp)
    }

    async fn connect(&self, host: &Host) -> Result<Connection, FeedError> {
        let tcp = self
            .dial(host)
            .await
            .map_err(|error| FeedError::Unreachable { host: host.clone(), cause: error.to_string() })?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(tcp),
            Some(tls) => {
                let failed = |cause: String| FeedError::Tls { host: host.clone(), cause };
                let name = ServerName::try_from(host.name.to_string())
                    .map_err(|_| failed("no certificate can be for such a name".to_owned()))?;
                Box::new(tls.connect(name, tcp).await.map_err(|error| failed(error.to_string()))?)
            }
        };
        let (source, writer) = tokio::io::split(stream);
        let heard = LastHeard::now();
        let reader = Reader::new(Heard { source, last: heard.clone() }, self.longest);
        Ok(Connection { reader, writer, heard })
    }
}

impl Connection {
    async fn log_in(&mut self, host: &Host, log_in: Option<&LogIn>) -> Result<(), FeedError> {
        let answer = match log_in {
            Some(LogIn { user: Some(user), password }) => self.ask(&["AUTH", user, password]).await?,
            Some(LogIn { user: None, password }) => self.ask(&["AUTH", password]).await?,
            None => return Ok(()),
        };
        match answer {
            Value::Text(_) => Ok(()),
            Value::Error(text) => Err(FeedError::log_in(host, &text)),
            _ => Err(FeedError::NotRedis),
        }
    }

    /// Sends a command and reads the answer; not for subscribers, who also receive messages.
    pub async fn ask(&mut self, parts: &[&str]) -> Result<Value, FeedError> {
        let lost = |error: io::Error| FeedError::Lost(error.to_string());
        self.writer.write_all(&command(parts)).await.map_err(lost)?;
        self.writer.flush().await.map_err(lost)?;
        timeout(PATIENCE, self.reader.value()).await.unwrap_or(Err(FeedError::Silent))
    }
}
