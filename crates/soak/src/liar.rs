//! A liar in front of a node: loses, repeats or swaps messages to clients, so that a run shows what its checker finds.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::ValueEnum;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

use crate::websocket;

/// A lie that the checker must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lie {
    /// Somebody leaves a presence channel, and the subscriber is not told.
    LostRemoval,
    /// Somebody joins a presence channel, and the subscriber is not told.
    LostAddition,
    /// An event does not come.
    LostEvent,
    /// An event comes twice.
    RepeatedEvent,
    /// Two messages come in the wrong order.
    SwappedMessages,
    /// The newest number of subscribers does not come.
    LostCount,
    /// A watched user comes or goes, and the watcher is not told.
    LostWatch,
    /// A webhook does not come.
    LostWebhook,
    /// A webhook comes twice.
    RepeatedWebhook,
    /// The nodes do not know each other: each has a prefix of its own.
    Strangers,
}

impl Lie {
    /// Whether the lie is told to clients, by a liar in front of a node.
    pub(crate) const fn is_for_clients(self) -> bool {
        !matches!(self, Self::LostWebhook | Self::RepeatedWebhook | Self::Strangers)
    }

    /// Each so many messages of its kind, a liar lies. A lost count is made good by the next one of its channel.
    const fn every(self) -> usize {
        if matches!(self, Self::LostCount) { 3 } else { 25 }
    }

    fn concerns(self, text: &str) -> bool {
        let word = match self {
            Self::LostRemoval => "member_removed",
            Self::LostAddition => "member_added",
            Self::LostEvent | Self::RepeatedEvent | Self::SwappedMessages => r#""event":"e""#,
            Self::LostCount => "subscription_count",
            Self::LostWatch => "watchlist_events",
            Self::LostWebhook | Self::RepeatedWebhook | Self::Strangers => return false,
        };
        text.contains(word)
    }
}

/// Puts a liar in front of a node; its address.
pub(crate) async fn place(runtime: &Handle, node: SocketAddr, lie: Lie) -> io::Result<SocketAddr> {
    let bound = runtime.spawn(async move { TcpListener::bind("127.0.0.1:0").await });
    let listener = bound.await.map_err(io::Error::other)??;
    let address = listener.local_addr()?;
    let carrier = runtime.clone();
    let seen = Arc::new(AtomicUsize::new(0));
    runtime.spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let liar = Liar { lie, seen: Arc::clone(&seen), held: None, is_open: false };
            carrier.spawn(async move {
                // However a connection ends, both its ends are closed.
                let _ = between(client, node, liar).await;
            });
        }
    });
    Ok(address)
}

async fn between(client: TcpStream, node: SocketAddr, mut liar: Liar) -> io::Result<()> {
    let node = TcpStream::connect(node).await?;
    let ((mut client_in, mut client_out), (mut node_in, mut node_out)) =
        (client.into_split(), node.into_split());
    let to_client = async {
        let mut bytes = Vec::new();
        loop {
            if node_in.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
            let told = liar.tell(&mut bytes);
            client_out.write_all(&told).await?;
        }
    };
    tokio::select! {
        ended = to_client => ended,
        ended = copy(&mut client_in, &mut node_out) => ended.map(drop),
    }
}

struct Liar {
    lie: Lie,
    /// Messages that the lie could have been told about, to all clients.
    seen: Arc<AtomicUsize>,
    /// A message that is told behind the next one.
    held: Option<Vec<u8>>,
    /// The upgrade is over.
    is_open: bool,
}

impl Liar {
    /// What the client is told of these bytes; an incomplete end stays in them.
    fn tell(&mut self, bytes: &mut Vec<u8>) -> Vec<u8> {
        let mut told = Vec::new();
        if !self.is_open {
            let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return told };
            told.extend(bytes.drain(..end + 4));
            self.is_open = true;
        }
        while let Some((frame, length)) = websocket::frame(bytes) {
            let concerns = frame.text().is_some_and(|text| self.lie.concerns(text));
            let whole: Vec<u8> = bytes.drain(..length).collect();
            let every = self.lie.every();
            let lies = concerns && self.seen.fetch_add(1, Ordering::Relaxed) % every == every - 1;
            if !lies {
                told.extend_from_slice(&whole);
                told.extend(self.held.take().unwrap_or_default());
                continue;
            }
            match self.lie {
                Lie::RepeatedEvent => told.extend([&whole[..], &whole].concat()),
                Lie::SwappedMessages => self.held = Some(whole),
                _ => {}
            }
        }
        told
    }
}
